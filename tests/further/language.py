"""The language of the second table of tried inputs: a row, its patients, and what can come. All patients are invented.

A row is a patient, what then comes in this order, and the right answer in the words of `tests/tried.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from models.people import Role
from tests.factories import CODES, ULN, PaperCourse
from tests.intake.builders import bundle, observation, patient, ucum
from tests.scenarios import DAY, HOUR, MIN, NO_SIGN, SECOND, Story, charted, day, day_8, first_dose, next_cycle
from tests.tried import one, received

Step = Callable[[PaperCourse], object]
D8, D8_AT, C2, C2_AT, FIRST = day_8(), day(8), next_cycle(), day(29), first_dose()
"""The three patients of most rows: day 8, the next cycle, the first dose; each with everything in order."""


@dataclass(frozen=True)
class Further:
    """One row: a patient, what comes then in this order, and what is right after it by which rules."""

    kind: str
    words: str
    story: Story
    steps: tuple[Step, ...]
    right: str
    rules: str

    @property
    def name(self) -> str:
        """The row as the name of a test case."""
        return f"{self.kind}: {self.words}"


def row(kind: str, words: str, story: Story, *steps: Step, right: str, rules: str) -> Further:
    """A row as it is written in a table."""
    return Further(kind, words, story, steps, right, rules)


def sends(analyte: str, sent: str | None, ago: timedelta = HOUR, **changes: Any) -> Step:
    """The laboratory sends one result now, drawn a while ago; without a value where none is given."""

    def step(course: PaperCourse) -> None:
        with course.charting() as chart:
            fields = {"value": sent, "recorded_at": course.now - SECOND, **changes}
            chart.result(analyte, "1", course.now - ago, **fields)

    return step


# ── documents ──────────────────────────────────────────────────────────────────────────────────────────────────────


def comes(*resources: dict[str, Any], ago: timedelta = 30 * MIN) -> Step:
    """A bundle of the patient arrives, read and judged as the service does."""
    return arrives(bundle(patient(), *resources), ago)


def arrives(document: dict[str, Any], ago: timedelta = 30 * MIN) -> Step:
    """A document arrives as it stands."""

    def step(course: PaperCourse) -> None:
        course.chart = received(course.chart, one(document), course.now - ago)

    return step


def measured(analyte: str, value: str, at: datetime, id: str = "", unit: str = "", **fields: Any) -> dict[str, Any]:
    """An observation of this analyte, with the limit of its laboratory."""
    unit = unit or CODES[analyte][1]
    uln = {"referenceRange": [{"high": ucum(float(ULN[analyte]), unit)}]} if analyte in ULN else {}
    usual = {"valueQuantity": ucum(float(value), unit), "effectiveDateTime": at.isoformat(), **uln}
    named = {"id": id} if id else {}
    return observation(CODES[analyte][0], **{**usual, **named, **fields})


def withdrawn(analyte: str, id: str, status: str = "entered-in-error") -> dict[str, Any]:
    """What a laboratory sends to take a result back: its id, its code, nothing else."""
    silent = {"valueQuantity": None, "effectiveDateTime": None, "status": status}
    return observation(CODES[analyte][0], id=id, **silent)


def version(number: int) -> dict[str, Any]:
    """An explicit version of a resource."""
    return {"meta": {"versionId": str(number)}}


def numbered(accession: str) -> dict[str, Any]:
    """A specimen by the laboratory's number alone."""
    return {"specimen": {"identifier": {"system": "urn:invented:accession", "value": accession}}}


def of(specimen: str) -> dict[str, Any]:
    """The reference to a specimen of the same document."""
    return {"specimen": {"reference": f"Specimen/{specimen}"}}


def specimen(name: str, **fields: Any) -> dict[str, Any]:
    """A specimen of the patient."""
    return {"resourceType": "Specimen", "id": name, "subject": {"reference": "Patient/p1"}, **fields}


# ── what people see and do ─────────────────────────────────────────────────────────────────────────────────────────


def waits(**span: float) -> Step:
    """Time goes by, and nobody says anything."""
    return lambda course: course.later(**span)


def does(name: str, by: Role, **fields: Any) -> Step:
    """A person gives a command, which is accepted."""
    return lambda course: course.does(name, by, **fields)


def weighed(kg: str, ago: timedelta = 30 * MIN) -> Step:
    """The patient is weighed."""
    return charted({"kind": "weight", "kg": kg}, ago=ago, by=Role.NURSE)


def looked(by: Role = Role.NURSE, ago: timedelta = 10 * MIN, **signs: bool) -> Step:
    """Signs of VOD are looked for: none but these."""
    return charted({"kind": "vod_examination", **NO_SIGN, **signs}, ago=ago, by=by)


def corrects(kind: str, what: dict[str, Any] | None) -> Step:
    """A physician puts another finding in the place of the last one of its kind, or retracts it."""

    def step(course: PaperCourse) -> None:
        target = [f.id for f in course.chart.facts if f.what.kind == kind][-1]
        course.does("correct_fact", Role.PHYSICIAN, target=target, replacement=what, reason="misread")

    return step


def taken_back(analyte: str) -> Step:
    """The laboratory takes its last result of this analyte back: the same draw, entered in error."""

    def step(course: PaperCourse) -> None:
        found = [f.what for f in course.chart.facts if getattr(f.what, "loinc", None) == CODES[analyte][0]][-1]
        with course.charting() as chart:
            gone = {**found.model_dump(), "status": "entered-in-error", "issued_at": course.now - SECOND}
            chart.add(type(found).model_validate(gone), course.now - SECOND, Role.LABORATORY)

    return step


def without(*analytes: str) -> Step:
    """These analytes were not measured today."""

    def step(course: PaperCourse) -> None:
        codes, today = {CODES[a][0] for a in analytes}, course.now - 12 * HOUR
        kept = [f for f in course.chart.facts if not (getattr(f.what, "loinc", None) in codes and f.at >= today)]
        course.chart = course.chart.model_copy(update={"facts": tuple(kept)})

    return step


def patient_who(**changes: Any) -> Step:
    """The same patient, but for what a chart says of the person."""

    def step(course: PaperCourse) -> None:
        person = course.chart.course.model_copy(update=changes)
        course.chart = course.chart.model_copy(update={"course": person})

    return step


TOMORROW = D8_AT + DAY
