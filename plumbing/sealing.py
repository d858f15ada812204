"""Seals on rows: keyed hashes that nobody without the record key can make, one in the column `seal` of each row.

What follows from a course's decisions is not sealed but derived again (`record/verify.py`). Everything else that is
written through a session gets its seal here, by itself: a table that has the column needs no further word. Rows from
which nothing follows are counted as well (`COUNTED`), so that one that was taken out whole is missed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Column, Connection, LargeBinary, Table, event, func, insert, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Mapper
from sqlalchemy.types import NullType

from models.tables import (
    CourseStartRow,
    DecimalText,
    DecisionRow,
    InboxRow,
    InstantText,
    NotificationRow,
    RecordCheckRow,
    Row,
    RowCountRow,
    SweepRow,
    WatchRow,
)
from plumbing.keys import RecordKey

COLUMN: Final = "seal"
CHAINED: Final = str(DecisionRow.__tablename__)
"""Each seal of this table binds the one before; who writes a decision makes it."""
COUNTED: Final[tuple[type[Row], ...]] = (
    InboxRow,
    CourseStartRow,
    NotificationRow,
    WatchRow,
    SweepRow,
    RecordCheckRow,
)
"""From these nothing follows, and nothing else tells that one was there."""
ANCHORS: Final = "anchors"
"""Counted like a table: the heads that were written down in a file outside the database."""
_KEY: Final = "inocycle_record_key"
_TAG: Final = 8
"""Hex digits of the tag of one column: it says which was changed, while the seal says that one was."""


def sealing(engine: AsyncEngine, key: RecordKey | None) -> AsyncEngine:
    """The same engine for who writes: its rows are sealed with this key."""
    return engine.execution_options(**{_KEY: key}) if key else engine


def key_of(engine: AsyncEngine) -> RecordKey | None:
    """The key with which this engine's rows are sealed."""
    key: RecordKey | None = engine.get_execution_options().get(_KEY)
    return key


def seal_of(key: RecordKey, table: Table, stored: Mapping[str, Any]) -> str:
    """The seal of a row as it is stored: one keyed hash over all of it, then a short one for each column that is not empty.

    An empty column is left out, so that one that a later release adds changes no seal of before.
    """
    parts = _parts(table, stored)
    tags = " ".join(f"{name}={_tag(key, table, name, value)}" for name, value in parts)
    return f"{key.seal(table.name, *(part for pair in parts for part in pair))} {tags}"


def unsealed_columns(key: RecordKey, table: Table, stored: Mapping[str, Any]) -> list[str]:
    """Which columns of a row are not as they were sealed: none where all are; the seal itself where nothing else is."""
    seal, made_again = stored.get(COLUMN), seal_of(key, table, stored)
    if seal == made_again:
        return []
    mac, tags = _split(seal)
    if not tags or mac == _split(made_again)[0] or not mac.startswith(f"{key.key_id}:"):
        return [COLUMN]
    now = _split(made_again)[1]
    return sorted(name for name in {*tags, *now} if tags.get(name) != now.get(name)) or [COLUMN]


def _split(seal: Any) -> tuple[str, dict[str, str]]:
    mac, *tags = seal.split(" ") if isinstance(seal, str) else [""]
    return mac, dict(tag.split("=", 1) for tag in tags if "=" in tag)


def stored_values(row: Row) -> dict[str, Any]:
    """The columns of a row that is about to be written, as the database will hold them."""
    return {c.name: _stored(c, getattr(row, c.name)) for c in table_of(type(row)).columns if not _is_hashed(c)}


def table_of(kind: type[Row]) -> Table:
    """The table of a kind of row."""
    table: Table = kind.__table__  # type: ignore[attr-defined]
    return table


def _parts(table: Table, stored: Mapping[str, Any]) -> list[tuple[str, str | int]]:
    named = sorted(c.name for c in table.columns if c.name != COLUMN and not _is_hashed(c))
    return [(name, _plain(stored[name])) for name in named if stored.get(name) is not None]


def _is_hashed(column: Column[Any]) -> bool:
    """Bytes of any size are bound by their hash, which stands in the row."""
    return isinstance(column.type, LargeBinary)


def _plain(value: Any) -> str | int:
    """A stored value, alike on both databases; one that no column of ours holds is some text all the same."""
    return value if isinstance(value, str) else int(value) if isinstance(value, int) else repr(value)


def _tag(key: RecordKey, table: Table, name: str, value: str | int) -> str:
    return key.seal(table.name, name, value).rpartition(":")[2][:_TAG]


def _stored(column: Column[Any], value: Any) -> Any:
    if isinstance(value, datetime):
        return InstantText.written(value)
    if isinstance(value, Decimal):
        return DecimalText.written(value)
    return value


def _stored_row(connection: Connection, table: Table, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A row as the database holds it now, locked, without its bytes; read without types, which a bad byte would stop."""
    columns = [type_coerce(c, NullType()).label(c.name) for c in table.columns if not _is_hashed(c)]
    where = [type_coerce(table.columns[name], NullType()) == value for name, value in key.items()]
    found = connection.execute(select(*columns).where(*where).with_for_update()).mappings().first()
    return None if found is None else dict(found)


def _seal_new(_mapper: Mapper[Any], connection: Connection, row: Any) -> None:
    key, table = _key_for(connection, row)
    if key is not None:
        row.seal = seal_of(key, table, stored_values(row))


def _seal_again(_mapper: Mapper[Any], connection: Connection, row: Any) -> None:
    """A row that was changed behind our back keeps its broken seal: sealed anew, nobody would ever find it."""
    key, table = _key_for(connection, row)
    if key is None:
        return
    values = stored_values(row)
    before = _stored_row(connection, table, {c.name: values[c.name] for c in table.primary_key})
    if before is not None and not unsealed_columns(key, table, before):
        row.seal = seal_of(key, table, values)


def _key_for(connection: Connection, row: Row) -> tuple[RecordKey | None, Table]:
    table = table_of(type(row))
    sealed = COLUMN in table.columns and table.name != CHAINED
    return connection.get_execution_options().get(_KEY) if sealed else None, table


def _count(connection: Connection, row: Row, by: int) -> None:
    """Keep how many rows there are. A count that is gone, or is not as it was sealed, stays so, for a look to find it."""
    if isinstance(row, COUNTED):
        _change_count(connection, table_of(type(row)).name, lambda before: before + by)


def count_at_least(connection: Connection, name: str, rows: int) -> None:
    """Keep that so many were written, where fewer are counted yet."""
    _change_count(connection, name, lambda before: max(before, rows))


def _change_count(connection: Connection, name: str, change: Callable[[int], int]) -> None:
    key: RecordKey | None = connection.get_execution_options().get(_KEY)
    if key is None:
        return
    counts = table_of(RowCountRow)
    before = _stored_row(connection, counts, {"name": name})
    if before is None or unsealed_columns(key, counts, before):
        return
    now = {"rows": change(before["rows"])}
    if now["rows"] != before["rows"]:
        seal = seal_of(key, counts, {**before, **now})
        connection.execute(update(counts).where(counts.columns["name"] == name).values(**now, seal=seal))


def _count_one_more(_mapper: Mapper[Any], connection: Connection, row: Any) -> None:
    _count(connection, row, 1)


def _count_one_less(_mapper: Mapper[Any], connection: Connection, row: Any) -> None:
    _count(connection, row, -1)


event.listen(Row, "before_insert", _seal_new, propagate=True)
event.listen(Row, "before_update", _seal_again, propagate=True)
event.listen(Row, "after_insert", _count_one_more, propagate=True)
event.listen(Row, "after_delete", _count_one_less, propagate=True)


def begin_counts(connection: Connection) -> None:
    """Count what is there, once, where a record begins to count: sealed where the connection has the key."""
    for kind in COUNTED:
        table = table_of(kind)
        begin_count(connection, table.name, connection.execute(select(func.count()).select_from(table)).scalar_one())


def begin_count(connection: Connection, name: str, rows: int = 0) -> None:
    """Begin to count one thing: sealed where the connection has the key."""
    key: RecordKey | None = connection.get_execution_options().get(_KEY)
    counts, said = table_of(RowCountRow), {"name": name, "rows": rows}
    connection.execute(insert(counts).values(**said, seal=seal_of(key, counts, said) if key else None))
