"""What was derived from a fact that was corrected since is derived again, and the card says what changed (COR-04)."""

from collections.abc import Iterator

from clinical.chart.calendar import local_date
from clinical.coding.codes import LOINC
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.dosing.weight import dosing_weights
from models.assessment import Finding
from models.base import plain
from models.facts import Fact, Height, LabResult, ResponseRecorded, Weight


def derived_again(case: Case) -> Iterator[Finding]:
    """The dosing weight of the last dose, and what was corrected since it: weight, height, response, baseline."""
    given = dosing_weights(case)
    if given and given[-1].derived_again:
        last = given[-1]
        reason = (
            f"the weight that {last.dose.slot} was signed with, {plain(last.signed_kg or last.kg)} kg, was corrected"
        )
        reason += f": the dosing weight is {plain(last.kg)} kg, and the next dose is derived from it"
        yield case.finding("COR-04", None, reason, subject="dosing weight")
    since = case.last_dose.started_at if case.last_dose is not None else case.course.started_at
    for wrong, right, corrected in case.reading.corrections():
        derived = _derived_from(case, wrong)
        if derived is not None and corrected.recorded_at >= since:
            now = "taken back" if right is None else f"corrected to {_shown(right)}"
            day = local_date(wrong.at, case.reading.zone)
            reason = f"{_name(wrong)} of {day}, {_shown(wrong)}, was {now} by {corrected.by}: {derived} derived again"
            yield case.finding("COR-04", None, reason, subject=wrong.id)


def _derived_from(case: Case, wrong: Fact) -> str | None:
    """What follows from such a fact beside what it says itself; none of most kinds."""
    what, first = wrong.what, case.first_dose_at
    if isinstance(what, Weight):
        return "dosing weight and body surface are"
    if isinstance(what, Height):
        return "the body surface is"
    if isinstance(what, ResponseRecorded):
        return f"the dose of the cycles after cycle {what.cycle} is"
    if not isinstance(what, LabResult) or what.collected_at is None or first is None or what.loinc not in LOINC:
        return None
    return "the baseline is" if what.collected_at < first else None


def _name(fact: Fact) -> str:
    what = fact.what
    return label(LOINC[what.loinc]) if isinstance(what, LabResult) else what.kind


def _shown(fact: Fact) -> str:
    what = fact.what
    if isinstance(what, LabResult):
        value = (what.text or "no value") if what.value is None else f"{what.comparator or ''}{plain(what.value)}"
        return f"{value} {what.unit or ''}".strip()
    if isinstance(what, ResponseRecorded):
        return what.response
    if isinstance(what, Weight):
        return f"{plain(what.kg)} kg"
    return f"{plain(what.cm)} cm" if isinstance(what, Height) else what.kind
