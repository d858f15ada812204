"""Read again: how an unreadable message was sent, and with which releases and keys it was tried."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SIGNALS = "('lab_results', 'clinical_findings', 'response_assessed')"


def upgrade() -> None:
    """Add the columns. What was kept before is taken as sent by the name that it has, and tried with nothing."""
    with op.batch_alter_table("raw_message") as raw:
        raw.add_column(sa.Column("sent", sa.String(), nullable=True))
        raw.add_column(sa.Column("tried_json", sa.Text(), nullable=True))
    op.execute(f"UPDATE raw_message SET sent = CASE WHEN name IN {_SIGNALS} THEN 'signal' ELSE 'update' END")
    op.execute("UPDATE raw_message SET tried_json = '[]'")
    with op.batch_alter_table("raw_message") as raw:
        raw.alter_column("sent", existing_type=sa.String(), nullable=False)
        raw.alter_column("tried_json", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    """Refuse: a record is never dropped by a command."""
    raise NotImplementedError("the record is not dropped; take another database")
