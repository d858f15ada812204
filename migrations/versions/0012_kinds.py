"""Kinds: of what kind a worklist item is, and who is called for it besides its owner."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from models.obligation_kinds import kind_of_former

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns. What was kept before has the kind that its key says, and nobody beside its owner."""
    with op.batch_alter_table("worklist_item") as item:
        item.add_column(sa.Column("kind", sa.String(), nullable=False, server_default=""))
        item.add_column(sa.Column("also", sa.String(), nullable=False, server_default=""))
    rows = sa.table("worklist_item", sa.column("obligation", sa.String()), sa.column("kind", sa.String()))
    there = op.get_bind()
    for (key,) in there.execute(sa.select(rows.c.obligation).distinct()).all():
        there.execute(rows.update().where(rows.c.obligation == key).values(kind=str(kind_of_former(key))))
    with op.batch_alter_table("worklist_item") as item:
        item.alter_column("kind", existing_type=sa.String(), server_default=None)
        item.alter_column("also", existing_type=sa.String(), server_default=None)


def downgrade() -> None:
    """Refuse: a record is never dropped by a command."""
    raise NotImplementedError("the record is not dropped; take another database")
