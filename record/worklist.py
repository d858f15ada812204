"""The worklist as the entries of a course make it: which items are open, who opened and who resolved them.

Pure, so that the rows can be made again from the entries and compared (`record/verify.py`), those of earlier releases
too: whoever changes a word or an item here brings the rows that are there along by a migration. Who keeps the rows is
`activities/record.py`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, assert_never

from clinical.chart.unread import SHOWN
from clinical.monitoring.due import FURTHER
from clinical.obligations.kinds import KINDS
from models.assessment import Obligation
from models.facts import Fact, ObligationMet, RungFired, UnreadableMessage, UnreadableResolved
from models.obligation_kinds import ObligationKind
from models.people import Role
from models.record import RecordEntry, RefusedMessage
from models.tables import WorklistItemRow
from record.rows import storable, storable_text

Items = dict[tuple[str, datetime], WorklistItemRow]
"""The items of one course, by obligation and due time."""


def items_of(rows: Iterable[WorklistItemRow]) -> Items:
    """The rows of one course by their key."""
    return {_key(row): row for row in rows}


def concerns_the_worklist(entry: RecordEntry) -> bool:
    """Whether the entry opens, raises or resolves anything."""
    told = (RungFired, ObligationMet, UnreadableMessage, UnreadableResolved)
    return bool(entry.refused_messages) or any(isinstance(fact.what, told) for fact in entry.facts)


def keep(items: Items, entry: RecordEntry) -> None:
    """Bring the items of the entry's course to where they stand after it."""
    for fact in entry.facts:
        what = fact.what
        match what:
            case RungFired():
                _raise_item(items, entry, what)
            case ObligationMet():
                _settle_item(items, entry, what)
            case UnreadableMessage() if not _is_one_of_many(entry, what):
                _open(items, _unreadable_item(entry, fact, what))
            case UnreadableResolved():
                _resolve_messages(items, entry, what)
            case _:
                pass
    for refused in entry.refused_messages:
        _open(items, _refused_item(entry, refused))


def _raise_item(items: Items, entry: RecordEntry, fired: RungFired) -> None:
    """Open the item of an obligation, or raise it to the rung that fired; never lower it while it is open."""
    item = _open(items, _obligation_item(entry, fired))
    if fired.rung == "overdue":
        item.standing = fired.rung


def _settle_item(items: Items, entry: RecordEntry, met: ObligationMet) -> None:
    item = items.get((storable_text(met.obligation), met.due_at))
    if item is None or item.resolved_by is not None:
        return
    match met.how:
        case "met" | "withdrawn":
            item.resolved_by, item.resolved_how = entry.number, met.how
        case "closed_as_overdue":
            item.standing = met.how  # MON-17: monitoring ends, and the item stays with its owner
        case _:
            assert_never(met.how)


def _resolve_messages(items: Items, entry: RecordEntry, resolved: UnreadableResolved) -> None:
    """Resolve the items of a message: all that came with this content, or the one that made this fact."""
    target = storable_text(resolved.target)
    for item in items.values():
        if item.resolved_by is None and target in (item.message_sha256, item.fact_id):
            item.resolved_by, item.resolved_how = entry.number, resolved.outcome


def _open(items: Items, item: WorklistItemRow) -> WorklistItemRow:
    """The open item of this obligation and due time: the one that is there, or else this one.

    It takes the place of a resolved one: the result that met an obligation may have been retracted.
    """
    there = items.get(_key(item))
    if there is None:
        items[_key(item)] = item
        return item
    if there.resolved_by is not None:
        there.sqlmodel_update(item.model_dump())
    return there


def _key(item: WorklistItemRow) -> tuple[str, datetime]:
    return item.obligation, item.due_at


def _obligation_item(entry: RecordEntry, fired: RungFired) -> WorklistItemRow:
    known = next((o for o in entry.assessment.obligations if o.key == fired.obligation), None)
    return storable(
        WorklistItemRow(
            course_id=entry.course_id,
            obligation=fired.obligation,
            kind=str(fired.of),
            due_at=fired.due_at,
            standing="due",
            opened_by=entry.number,
            **_words(known, fired),
        )
    )


def _words(known: Obligation | None, fired: RungFired) -> dict[str, Any]:
    if (
        known is None and fired.obligation_kind is None
    ):  # of an earlier release, and gone by now: a person must still see it
        return {"title": fired.obligation, "owner": str(Role.COORDINATOR), "rule": "", "overdue_at": None}
    if known is None:
        of_kind = KINDS[fired.of]
        owner, *also = map(str, fired.calls or of_kind.owners)
        return {"title": of_kind.words, "owner": owner, "also": " ".join(also), "rule": "", "overdue_at": None}
    return {
        "title": known.title,
        "owner": str(known.owner),
        "also": " ".join(known.also),
        "rule": known.rule,
        "overdue_at": known.overdue_at if known.due_at == fired.due_at else None,
    }


def _is_one_of_many(entry: RecordEntry, unreadable: UnreadableMessage) -> bool:
    """Whether the assessment sums it up with others: one item stands for all of those, that of their obligation."""
    keys = {o.key for o in entry.assessment.obligations}
    kind = ObligationKind.UNREADABLE
    return kind.key(FURTHER) in keys and kind.key(unreadable.sha256[:SHOWN]) not in keys


def _unreadable_item(entry: RecordEntry, fact: Fact, unreadable: UnreadableMessage) -> WorklistItemRow:
    return storable(
        WorklistItemRow(
            course_id=entry.course_id,
            obligation=f"unreadable_message:{fact.id}",
            kind=str(ObligationKind.UNREADABLE),
            due_at=entry.at,
            title="a message could not be read: transcribe or dismiss it",
            owner=str(Role.PHYSICIAN),
            rule="LAB-05",
            standing="due",
            message_sha256=unreadable.sha256,
            fact_id=fact.id,
            opened_by=entry.number,
        )
    )


def _refused_item(entry: RecordEntry, refused: RefusedMessage) -> WorklistItemRow:
    return storable(
        WorklistItemRow(
            course_id=entry.course_id,
            obligation=f"message_refused:{refused.sha256}",
            kind=str(ObligationKind.REFUSED),
            due_at=entry.at,
            title=f"a message was not taken into the chart ({refused.type}): find out why",
            owner=str(Role.COORDINATOR),
            rule="",
            standing="due",
            message_sha256=refused.sha256,
            opened_by=entry.number,
        )
    )
