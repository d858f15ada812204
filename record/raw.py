"""Rows as the database holds them, each read for itself: one that cannot be read is an answer, not the end of the others.

A column type of SQLAlchemy raises in the middle of a result, and takes all rows behind the bad one along. So rows come
here without any type, and each is made into its table's row by itself.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import Column, Executable, type_coerce
from sqlalchemy.exc import DatabaseError
from sqlalchemy.types import NullType, TypeDecorator
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from models.base import FIRST_YEAR, LAST_YEAR, Frozen, plain
from models.tables import DecimalText, InstantText, Row
from plumbing.database import is_damage
from plumbing.sealing import table_of

Raw = Mapping[str, Any]
AnyRow = TypeVar("AnyRow", bound=Row)
AnyWord = TypeVar("AnyWord", bound=StrEnum)
Value = TypeVar("Value")

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_LARGEST_INTEGER: Final = 2**63


class CannotBeRead(Frozen):
    """A row that is not as it was written: whose course, which table and row, which column, and what is wrong, in words.

    `course_id` is empty for what belongs to no course, `column` where it is about the row as a whole.
    """

    course_id: str
    table: str
    row: str
    column: str = ""
    words: str

    def __str__(self) -> str:
        row = f" {self.row}" if self.row else ""
        column = f", column {self.column}" if self.column else ""
        return f"{self.table}{row}{column}: {self.words}"


Fault = CannotBeRead
"""What a look at the whole record finds is told in the same way: a row changed, missing, or too many."""


class NotAsWritten(ValueError):
    """A column holds what it never holds; the text does not repeat it. `table` and `row` say where."""

    def __init__(self, column: str, words: str, table: str = "", row: str = "") -> None:
        super().__init__(words)
        self.column, self.words = column, words
        self.table, self.row = table, row


class Found(NamedTuple, Generic[Value]):
    """What was read of some rows, and what of them cannot be read."""

    read: list[Value]
    unreadable: list[CannotBeRead]


def raw_columns(kind: type[Row], *but: str) -> list[Any]:
    """The columns of a table, or all but some, to select without their types; each is named `table.column`."""
    table = table_of(kind)
    return [type_coerce(c, NullType()).label(f"{table.name}.{c.name}") for c in table.columns if c.name not in but]


def raw_select(*kinds: type[Row]) -> Select[Any]:
    """A select of these tables without types."""
    return cast(Select[Any], select(*(column for kind in kinds for column in raw_columns(kind))))


async def raw_rows(session: AsyncSession, statement: Executable) -> Sequence[Raw]:
    """All rows of a select without types, each by the names of its columns."""
    connection = await session.connection()
    return [dict(row) for row in (await connection.execute(statement)).mappings()]


def part_of(found: Raw, kind: type[Row]) -> dict[str, Any]:
    """The columns of one table out of a row of several."""
    begins = f"{table_of(kind).name}."
    return {name.removeprefix(begins): value for name, value in found.items() if name.startswith(begins)}


def row_of(kind: type[AnyRow], raw: Raw) -> AnyRow:
    """The row of a table. Raises `NotAsWritten` for the first column that holds what it never holds."""
    columns = table_of(kind).columns
    try:
        return kind(**{c.name: value_of(c, raw[c.name]) for c in columns if c.name in raw})
    except NotAsWritten as error:
        raise NotAsWritten(error.column, error.words, table_of(kind).name, key_of(kind, raw)) from None


def read_each(kind: type[Row], found: Iterable[Raw], read: Callable[[Raw], Value]) -> Found[Value]:
    """Read each row for itself; one that this fails on is told by table, key and column, as one of this table if need be."""
    done: Found[Value] = Found([], [])
    for raw in found:
        try:
            done.read.append(read(raw))
        except NotAsWritten as error:
            done.unreadable.append(told(kind, raw, error))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this row, the others are shown
            done.unreadable.append(told(kind, raw, NotAsWritten("", f"it cannot be read ({type(error).__name__})")))
    return done


async def unless_damaged(kind: type[Row], reading: Awaitable[Found[Value]], course_id: str = "") -> Found[Value]:
    """What is read, or that the database's file is damaged where this table lies: what lies elsewhere is read all the same."""
    try:
        return await reading
    except DatabaseError as error:
        if not is_damage(error):
            raise
        words = "the file of the database is damaged where it lies"
        return Found([], [CannotBeRead(course_id=course_id, table=table_of(kind).name, row="", words=words)])


def told(kind: type[Row], raw: Raw, error: NotAsWritten) -> CannotBeRead:
    """What is said of a row that cannot be read."""
    own = part_of(raw, kind) or raw
    return CannotBeRead(
        course_id=text_of(own["course_id"]) if own.get("course_id") is not None else "",
        table=error.table or table_of(kind).name,
        row=error.row if error.table else key_of(kind, own),
        column=error.column,
        words=error.words,
    )


def key_of(kind: type[Row], raw: Raw) -> str:
    """The primary key of a row as a person may see it; the course stands beside it."""
    return ", ".join(text_of(raw.get(c.name)) for c in table_of(kind).primary_key if c.name != "course_id")


def text_of(value: Any) -> str:
    """A value of a key as a person may see it: printable, short, never an error."""
    words = value if isinstance(value, str) else f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)
    return "".join(
        c if c.isprintable() and not "\ud800" <= c <= "\udfff" else "\N{REPLACEMENT CHARACTER}" for c in words
    )[:120]


def one_of(words: type[AnyWord], column: str, value: str) -> AnyWord:
    """The word of a closed list. Raises `NotAsWritten`."""
    try:
        return words(value)
    except ValueError:
        raise NotAsWritten(column, "it is none of the words that stand there") from None


def value_of(column: Column[Any], raw: Any) -> Any:
    """The value of a column, exactly as our own writing leaves it there. Raises `NotAsWritten`."""
    if raw is None:
        if column.nullable:
            return None
        raise NotAsWritten(column.name, "it is empty")
    if isinstance(column.type, InstantText):
        return _instant(column.name, raw)
    if isinstance(column.type, DecimalText):
        return _decimal(column.name, raw)
    return _plain(column, raw)


def is_instant(raw: Any) -> bool:
    """Whether this is the text of an instant, as our own writing leaves it."""
    try:
        _instant("", raw)
    except NotAsWritten:
        return False
    return True


def _instant(name: str, raw: Any) -> datetime:
    if not isinstance(raw, str) or not _INSTANT.fullmatch(raw):
        raise NotAsWritten(name, "it is no instant")
    try:
        instant = datetime.fromisoformat(raw)
    except ValueError:
        raise NotAsWritten(name, "it is no instant") from None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise NotAsWritten(name, "it is an instant of no course")
    return instant


def _decimal(name: str, raw: Any) -> Decimal:
    try:
        number = Decimal(raw) if isinstance(raw, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or plain(number) != raw:
        raise NotAsWritten(name, "it is no number")
    return number


def _plain(column: Column[Any], raw: Any) -> Any:
    kind = column.type
    wanted = (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type
    if wanted is bool and raw in (0, 1) and isinstance(raw, int):
        return bool(raw)
    if not isinstance(raw, wanted) or isinstance(raw, bool):
        raise NotAsWritten(column.name, f"it is no {_WORD_FOR[wanted]}")
    if isinstance(raw, int) and not -_LARGEST_INTEGER <= raw < _LARGEST_INTEGER:
        raise NotAsWritten(column.name, "it is too large a number")
    if isinstance(raw, str) and any("\ud800" <= c <= "\udfff" for c in raw):
        raise NotAsWritten(column.name, "it holds bytes that are no text")
    return raw


_WORD_FOR: Final[dict[type, str]] = {str: "text", int: "whole number", bool: "yes or no", bytes: "bytes"}


LONGEST_OFFSET: Final = timedelta(days=20 * 366)
"""No clock of an invented course is further ahead."""
