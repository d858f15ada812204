"""What a Specimen says of the results that were made of it: that they must not be used, of what they are, how old they are.

LAB-14: a specimen that is unsatisfactory, entered in error or of another kind, or that was taken at another time.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from intake.fhir_shapes import Resource, an_object, any_words, concept_words, ends_after, instant, objects, words

MOST_APART: Final = timedelta(hours=24)
"""How far two times of one specimen may lie apart (LAB-14)."""
_REFUSED: Final = {
    "unsatisfactory": "its specimen is unsatisfactory",
    "entered-in-error": "its specimen was entered in error",
    "unavailable": "its specimen is not available",
}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


class Drawn(NamedTuple):
    """When the specimen of a result was taken, as the result itself says it, and what the sender wrote."""

    at: datetime | None
    text: str | None
    written: str | None = None


def is_refused(specimen: Resource) -> bool:
    """Whether nothing that was made of this specimen may be used."""
    return _refusal(specimen) is not None


def _refusal(specimen: Resource) -> str | None:
    if has_modifier(specimen):
        return "its specimen has a modifier that is not understood"
    status = specimen.get("status")
    if status is not None and status != "available":
        return _REFUSED.get(str(status), "its specimen has a status that is not understood")
    return None


def doubt_of(specimen: Resource, drawn: Drawn) -> str | None:
    """Why results of this specimen must not be used, whatever they say."""
    if refused := _refusal(specimen):
        return refused
    taken = _collected(specimen)
    if taken is None and _told(specimen) is not None:
        return "the time at which its specimen was taken cannot be read"
    if not ends_after(period := _period(specimen), str(period.get("start") or "").strip()):
        return "the time at which its specimen was taken ends before it begins"
    received, began = instant(specimen.get("receivedTime")), taken_at(taken, drawn) if taken else drawn.at
    if received is not None and began is not None and began - received > MOST_APART:
        return "its specimen was received more than 24 h before it was taken"
    if taken is not None and drawn.at is not None and abs(taken_at(taken, drawn) - drawn.at) > MOST_APART:
        return "its specimen was taken more than 24 h from the time that it gives"
    return None


def older(specimen: Resource, drawn: Drawn) -> Drawn:
    """Of the time of a result and that of its specimen the older one: it gives the age. Of two that contradict the newer."""
    taken = _collected(specimen)
    if taken is None or drawn.at is None:
        return drawn
    other = taken_at(taken, drawn)
    counts = max if abs(other - drawn.at) > MOST_APART else min
    return drawn._replace(at=counts(drawn.at, other))


def kind_of(specimens: Iterable[Resource]) -> str | None:
    """Of what they are, in the sender's words and codes."""
    kinds = [an_object(specimen.get("type")) for specimen in specimens]
    told = [
        name
        for kind in kinds
        for name in (
            concept_words(kind),
            *(words(c.get(name)) for c in objects(kind.get("coding")) for name in ("code", "display")),
        )
    ]
    return words(" / ".join(dict.fromkeys(word for word in told if word)))


def has_modifier(value: object) -> bool:
    """Whether a modifier extension stands anywhere in a resource, what it contains left out."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if one.get("modifierExtension"):
                return True
            waiting.extend(inner for name, inner in one.items() if name != "contained")
        elif isinstance(one, list):
            waiting.extend(one)
    return False


def taken_at(taken: str, drawn: Drawn) -> datetime:
    """An instant; a day alone is the draw's own time where they are of one day, else its midnight in the draw's zone."""
    exact = instant(taken)
    if exact is not None or drawn.at is None:
        return exact or datetime.min.replace(tzinfo=UTC)
    there = datetime.fromisoformat(drawn.written) if drawn.written else drawn.at
    midnight = datetime.fromisoformat(taken).replace(tzinfo=there.tzinfo)
    return drawn.at if midnight.date() == there.date() else midnight.astimezone(UTC)


def _told(specimen: Resource) -> str | None:
    collection = an_object(specimen.get("collection"))
    if "collectedDateTime" in collection:
        return any_words(collection["collectedDateTime"])
    return words(_period(specimen).get("start"))


def _period(specimen: Resource) -> Resource:
    return an_object(an_object(specimen.get("collection")).get("collectedPeriod"))


def _collected(specimen: Resource) -> str | None:
    """The beginning of the collection, where it is an instant or a whole day."""
    told = _told(specimen)
    if told is None or instant(told) is not None:
        return told
    try:
        return told if _DATE.fullmatch(told) and datetime.fromisoformat(told) else None
    except ValueError:  # 31 February
        return None
