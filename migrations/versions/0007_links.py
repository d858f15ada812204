"""Links: a decision keeps the text that was decided and the place that its hash binds it to; messages are kept whole."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from plumbing.database import DatabaseRefused

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns. Raises `DatabaseRefused` for a record of before: its hashes are of another kind."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM decision")).scalar():
        raise DatabaseRefused(
            "this record was kept by a release whose courses cannot go on under this one;"
            " no ward has run yet, so lay out a new one (`make fresh` for the demo)"
        )
    with op.batch_alter_table("decision") as decision:
        decision.add_column(sa.Column("messages_json", sa.Text(), nullable=False))
        decision.add_column(sa.Column("first_fact_index", sa.Integer(), nullable=False))
        decision.add_column(sa.Column("content_sha256", sa.String(), nullable=False))
    _again("message_refused", ("course_id", "decision", "position"), _refused())
    _again("raw_message", ("course_id", "sha256"), _raw())


_INSTANT = sa.String(length=27)  # 2025-03-04T05:06:07.000000Z


def _refused() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
    )


def _raw() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("raw_base64", sa.Text(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
    )


def _again(table: str, key: tuple[str, ...], columns: tuple[sa.Column[object], ...]) -> None:
    """Make an empty table anew."""
    op.drop_table(table)
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(["course_id"], ["course.course_id"], name=op.f(f"fk_{table}_course_id_course")),
    )


def downgrade() -> None:
    """Refuse: a record is never dropped by a command."""
    raise NotImplementedError("the record is not dropped; take another database")
