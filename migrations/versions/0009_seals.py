"""Seals: keyed hashes on rows, and what the last look at each course's record found."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SEALED = ("course", "decision", "raw_message", "inbox", "course_start", "notification", "watch", "sweep")


def upgrade() -> None:
    """Add the columns and the table. What was written before has no seal, and a look at the record says so."""
    for table in _SEALED:
        op.add_column(table, sa.Column("seal", sa.String(), nullable=True))
    op.create_table(
        "record_check",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("checked_at", sa.String(length=27), nullable=False),  # 2025-03-04T05:06:07.000000Z
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("told_json", sa.Text(), nullable=False),
        sa.Column("seal", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_record_check")),
    )


def downgrade() -> None:
    """Refuse: without its seals nobody can tell whether a record was changed."""
    raise NotImplementedError("seals are not taken off a record")
