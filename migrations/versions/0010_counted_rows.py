"""Counted rows: how many each table holds whose rows nothing else would miss."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from plumbing.sealing import begin_counts

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the table, and count what is there now."""
    op.create_table(
        "row_count",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("seal", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_row_count")),
    )
    begin_counts(op.get_bind())


def downgrade() -> None:
    """Refuse: without the counts nobody can tell whether a row was taken out."""
    raise NotImplementedError("a record does not stop counting")
