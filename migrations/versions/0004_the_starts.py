"""The starts of courses, reserved before their executions are started."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "course_start",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("subject_hash", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("invented", sa.Boolean(), nullable=False),
        sa.Column("reserved_at", sa.String(length=27), nullable=False),  # 2025-03-04T05:06:07.000000Z
        sa.Column("reserved_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_course_start")),
    )


def downgrade() -> None:
    """Refuse: an id that was given once is not given again because of a command."""
    raise NotImplementedError("the starts are not dropped; take another database")
