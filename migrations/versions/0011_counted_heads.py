"""Counted heads: how many were written down in the file outside the database, so that a file that is gone is missed."""

from collections.abc import Sequence

from alembic import op

from plumbing.sealing import ANCHORS, begin_count

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Begin at none: what stands in the file already is counted when the next head is written down."""
    begin_count(op.get_bind(), ANCHORS)


def downgrade() -> None:
    """Refuse: without the count nobody can tell whether the file was taken away."""
    raise NotImplementedError("a record does not stop counting")
