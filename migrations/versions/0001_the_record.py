"""The record: courses, decisions, facts, the worklist, what was refused or unreadable, and the installation's mode."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Types are spelt out and not taken from models/tables.py: what this version made must not change with a later one.
_INSTANT = sa.String(length=27)  # 2025-03-04T05:06:07.000000Z


def upgrade() -> None:
    """Make the tables."""
    _course()
    _decision()
    _fact()
    _worklist_item()
    _message_refused()
    _raw_message()
    _installation()


def downgrade() -> None:
    """Refuse: before this version there is nothing, and a record is not dropped by a command."""
    raise NotImplementedError("the record is not dropped; take another database")


def _course() -> None:
    op.create_table(
        "course",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("subject_hash", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("invented", sa.Boolean(), nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("protocol_name", sa.String(), nullable=False),
        sa.Column("protocol_sha256", sa.String(), nullable=False),
        sa.Column("site_sha256", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("next_due_at", _INSTANT, nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("clock_offset_s", sa.Integer(), nullable=False),
        sa.Column("last_decision", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_course")),
    )


def _decision() -> None:
    op.create_table(
        "decision",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("run_cycle", sa.Integer(), nullable=False),
        sa.Column("message_name", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("message_sha256", sa.String(), nullable=True),
        sa.Column("message_by", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("refusal_type", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("findings_json", sa.Text(), nullable=False),
        sa.Column("dose_mg", sa.String(), nullable=True),
        sa.Column("dose_json", sa.Text(), nullable=True),
        sa.Column("input_facts_json", sa.Text(), nullable=False),
        sa.Column("protocol_name", sa.String(), nullable=False),
        sa.Column("protocol_sha256", sa.String(), nullable=False),
        sa.Column("site_sha256", sa.String(), nullable=True),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("previous_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("course_id", "number", name=op.f("pk_decision")),
        _of_a_course("decision"),
    )


def _fact() -> None:
    op.create_table(
        "fact",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("fact_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("recorded_at", _INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("course_id", "position", name=op.f("pk_fact")),
        _of_a_course("fact"),
    )
    op.create_index(op.f("ix_fact_course_id_fact_id"), "fact", ["course_id", "fact_id"])


def _worklist_item() -> None:
    op.create_table(
        "worklist_item",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("obligation", sa.String(), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("overdue_at", _INSTANT, nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("message_sha256", sa.String(), nullable=True),
        sa.Column("fact_id", sa.String(), nullable=True),
        sa.Column("opened_by", sa.Integer(), nullable=False),
        sa.Column("resolved_by", sa.Integer(), nullable=True),
        sa.Column("resolved_how", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("course_id", "obligation", "due_at", name=op.f("pk_worklist_item")),
        _of_a_course("worklist_item"),
    )
    op.create_index(op.f("ix_worklist_item_owner"), "worklist_item", ["owner"])


def _message_refused() -> None:
    op.create_table(
        "message_refused",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("course_id", "decision", name=op.f("pk_message_refused")),
        _of_a_course("message_refused"),
    )


def _raw_message() -> None:
    op.create_table(
        "raw_message",
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("head_base64", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("course_id", "sha256", name=op.f("pk_raw_message")),
        _of_a_course("raw_message"),
    )


def _installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.CheckConstraint("mode IN ('demo', 'ward')", name=op.f("ck_installation_known_mode")),
    )


def _of_a_course(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["course_id"], ["course.course_id"], name=op.f(f"fk_{table}_course_id_course"))
