"""Whose record this is: the installation's id, and the seal of its row."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns; a record that is there has no id until `inocycle init` gives it one."""
    op.add_column("installation", sa.Column("installation_id", sa.String(), nullable=True))
    op.add_column("installation", sa.Column("seal", sa.String(), nullable=True))


def downgrade() -> None:
    """Refuse: without its id a record belongs to nobody."""
    raise NotImplementedError("a record is not taken from its installation")
