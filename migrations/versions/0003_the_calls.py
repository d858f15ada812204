"""Calls to people: one row for each channel, committed before it is asked, and what came of it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INSTANT = sa.String(length=27)  # 2025-03-04T05:06:07.000000Z


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notification",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("rung", sa.String(), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("fired_at", _INSTANT, nullable=False),
        sa.Column("kept_at", _INSTANT, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("settled_at", _INSTANT, nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("key", "channel", name=op.f("pk_notification")),
        sa.CheckConstraint(
            "state IN ('asked', 'confirmed', 'failed', 'unconfirmed')", name=op.f("ck_notification_known_state")
        ),
    )
    op.create_index(op.f("ix_notification_course_id"), "notification", ["course_id"])
    op.create_index(op.f("ix_notification_state"), "notification", ["state"])


def downgrade() -> None:
    """Refuse: whom the service has called is not forgotten by a command."""
    raise NotImplementedError("the calls are not dropped; take another database")
