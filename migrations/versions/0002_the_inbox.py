"""The inbox: what a laboratory sent, committed before it is answered, and what became of it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INSTANT = sa.String(length=27)  # 2025-03-04T05:06:07.000000Z


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "inbox",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("read_as", sa.String(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("subjects_json", sa.Text(), nullable=False),
        sa.Column("birth_hash", sa.String(), nullable=True),
        sa.Column("refused_json", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("waits_for", sa.String(), nullable=True),
        sa.Column("course_id", sa.String(), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_at", _INSTANT, nullable=True),
        sa.Column("settled_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_inbox")),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'dismissed')", name=op.f("ck_inbox_known_state")),
    )
    op.create_index(op.f("ix_inbox_state"), "inbox", ["state"])


def downgrade() -> None:
    """Refuse: what a laboratory was told is kept is not dropped by a command."""
    raise NotImplementedError("the inbox is not dropped; take another database")
