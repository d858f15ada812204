"""The laboratory's own limits out of `referenceRange`, or why what is said there forbids to use the result (CONV-03, LAB-14)."""

import re
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from intake.fhir_shapes import (
    Quantity,
    Resource,
    an_object,
    as_list,
    concept_words,
    objects,
    quantity,
    said_to_be_absent,
    words,
)

RANGE_MEANING: Final = "http://terminology.hl7.org/CodeSystem/referencerange-meaning"
_NUMBER: Final = r"(\d+(?:[.,]\d+)?)"
_IN_WORDS: Final = re.compile(
    rf"{_NUMBER}\s*(?:-|–|—|\.\.|to|bis|à)\s*{_NUMBER}|(<=?|≤|up to|bis|>=?|≥)\s*=?\s*{_NUMBER}"
)
_HIGH: Final = frozenset({"<", "<=", "≤", "up to", "bis"})
_DAYS: Final = {"a": 365.25, "mo": 30.4375, "wk": 7, "d": 1}
_SEXES: Final = {
    "male": frozenset({"male", "m", "mann", "männlich", "homme", "248153007"}),
    "female": frozenset({"female", "f", "w", "frau", "weiblich", "femme", "248152002"}),
}
_SEXES_IN_WORDS: Final = {
    "male": _SEXES["male"] | {"males", "man", "men", "männer", "hommes", "hombres", "uomini", "♂"},
    "female": _SEXES["female"] | {"females", "woman", "women", "frauen", "femmes", "mujeres", "donne", "♀"},
}
_NOT_ADULT: Final = frozenset(
    {"child", "children", "kind", "kinder", "enfant", "enfants", "infant", "infants", "säuglinge", "neugeborene"}
    | {"newborn", "newborns", "neonate", "neonates", "pediatric", "paediatric", "trimester", "pregnant", "schwangere"}
)
_WORD: Final = re.compile(r"[^\W\d_]+|[♂♀]")


class About(NamedTuple):
    """Whom a range must fit: what the document's Patient says, and the day of the draw."""

    gender: str | None = None
    born_on: date | None = None
    drawn_on: date | None = None


class Limits(NamedTuple):
    """The limits with their unit, and the unit in words where it differs. `doubt`: why the result must not be used."""

    uln: Decimal | None = None
    lln: Decimal | None = None
    unit: str | None = None
    words: str | None = None
    doubt: str | None = None


def limits(ranges: object, about: About) -> Limits:
    """The limits of the normal range: of those typed `normal` and those without a type, if they agree.

    Different limits (by age, sex or method) leave that side empty: which one applies is never guessed. The lower limit
    is left out as well where its unit is not the upper one's.
    """
    normal = [r for r in objects(ranges) if _is_normal(r)]
    if any(r.get("modifierExtension") for r in objects(ranges)):
        return Limits(doubt="its normal range has a modifier that is not understood")
    fitting = [r for r in normal if _fits(r, about)]
    if normal and not fitting:
        return Limits(doubt="its normal range is for another age or group than this patient's, or nobody can tell")
    if any(_contradicts_itself(r) for r in fitting):
        return Limits(doubt="its normal range is another in words than in numbers")
    if any(said_to_be_absent(r) and ("low" in r or "high" in r) for r in fitting):
        return Limits(doubt="its normal range is said to be absent, and stands there")
    high, low = _agreed(fitting, "high"), _agreed(fitting, "low")
    if high and low and (high.unit, high.words) != (low.unit, low.words):
        low = None
    if high and low and high.value is not None and low.value is not None and low.value > high.value:
        return Limits(doubt="its normal range ends below where it begins")
    one = high or low or Quantity()
    return Limits(high.value if high else None, low.value if low else None, one.unit, one.words)


def _is_normal(reference_range: Resource) -> bool:
    meaning = reference_range.get("type")
    if meaning is None:
        return True
    codings = objects(an_object(meaning).get("coding"))
    return any(c.get("system") == RANGE_MEANING and c.get("code") == "normal" for c in codings)


def _agreed(ranges: list[Resource], side: str) -> Quantity | None:
    stated = {quantity(r[side]) for r in ranges if r.get(side) is not None}
    if len(stated) != 1:
        return None
    limit = stated.pop()
    return limit if limit.value is not None and limit.comparator is None else None


# ── whom it is for ─────────────────────────────────────────────────────────────────────────────────────────────────


def _fits(reference_range: Resource, about: About) -> bool:
    return (
        _of_the_age(reference_range.get("age"), about)
        and all(_of_the_group(group, about) for group in as_list(reference_range.get("appliesTo")))
        and _of_whom_it_speaks(words(reference_range.get("text")) or "", about)
    )


def _of_whom_it_speaks(text: str, about: About) -> bool:
    """Whether words that name one sex name the patient's, and none that name a child or a pregnancy are there."""
    told = set(_WORD.findall(text.casefold()))
    sexes = {sex for sex, names in _SEXES_IN_WORDS.items() if not told.isdisjoint(names)}
    return told.isdisjoint(_NOT_ADULT) and (len(sexes) != 1 or sexes == {about.gender})


def _of_the_age(ages: object, about: About) -> bool:
    """Whether the age at the draw lies within; an age that cannot be read, or a birthday not known, fits nothing."""
    if ages is None:
        return True
    if about.born_on is None or about.drawn_on is None:
        return False
    days = (about.drawn_on - about.born_on).days
    bounds = [_in_days(an_object(ages).get(side)) for side in ("low", "high")]
    if any(bound is None for bound, side in zip(bounds, ("low", "high"), strict=True) if side in an_object(ages)):
        return False
    low, high = bounds
    return (
        (low is None or low <= days) and (high is None or days <= high) and bool({*an_object(ages)} & {"low", "high"})
    )


def _in_days(age: object) -> float | None:
    told = quantity(age)
    length = _DAYS.get(told.unit or "") or {"years": 365.25, "months": 30.4375, "days": 1, "weeks": 7}.get(
        told.unit or ""
    )
    return None if told.value is None or length is None else float(told.value) * length


def _of_the_group(group: object, about: About) -> bool:
    """Whether the patient is of the group, as far as that is her or his sex; nobody knows of any other group."""
    told = {words(c.get(name)) for c in objects(an_object(group).get("coding")) for name in ("code", "display")}
    named = {w.casefold() for w in (*told, concept_words(group)) if w}
    sexes = {sex for sex, names in _SEXES.items() if not named.isdisjoint(names)}
    return sexes == {about.gender}


# ── what it says in words ──────────────────────────────────────────────────────────────────────────────────────────


def _contradicts_itself(reference_range: Resource) -> bool:
    """Whether its text gives other numbers than it holds, or several: which of them applies is never guessed."""
    text = words(reference_range.get("text"))
    if text is None:
        return False
    told = _in_text(text.casefold())
    stated = {
        side: quantity(reference_range[side]).value for side in ("low", "high") if reference_range.get(side) is not None
    }
    return any(told[side] - {value} for side, value in stated.items())


def _in_text(text: str) -> dict[str, set[Decimal]]:
    found: dict[str, set[Decimal]] = {"low": set(), "high": set()}
    for low, high, sign, limit in _IN_WORDS.findall(text):
        if sign:
            found["high" if sign in _HIGH else "low"].add(_decimal(limit))
        else:
            found["low"].add(_decimal(low))
            found["high"].add(_decimal(high))
    return found


def _decimal(written: str) -> Decimal:
    return Decimal(written.replace(",", "."))
