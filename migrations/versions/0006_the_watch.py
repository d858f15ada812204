"""Housekeeping: courses that nobody watches, executions that the record does not know, and when each sweep was done."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INSTANT = sa.String(length=27)  # 2025-03-04T05:06:07.000000Z


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "watch",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("noticed_at", _INSTANT, nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("course_id", "kind", "noticed_at", name=op.f("pk_watch")),
        sa.CheckConstraint("kind IN ('no_execution', 'no_course')", name=op.f("ck_watch_known_kind")),
    )
    op.create_table(
        "sweep",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("done_at", _INSTANT, nullable=False),
        sa.Column("looked", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sweep")),
    )


def downgrade() -> None:
    """Refuse: that nobody watched a course is not forgotten by a command."""
    raise NotImplementedError("the watch is not dropped; take another database")
