"""Charts for the law of monotone ignorance, and everything that can be said without a usable value, as hypothesis makes them."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from clinical.judge import judge
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject
from models.assessment import Accepted
from models.chart import Chart
from models.facts import LabResult
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import CBC, CODES, D1, PEOPLE, PROTOCOLS, ChartBuilder, PaperCourse
from tests.intake.builders import birth_hash_of, bundle, observation, patient, ucum
from tests.scenarios import (
    DAY,
    HOUR,
    MIN,
    Story,
    after_transplant,
    charted,
    day,
    day_8,
    day_15,
    first_dose,
    lab,
    next_cycle,
    steps,
    then,
    toxic,
)
from tests.strategies import charts

Charted = tuple[Chart, str, datetime]


def may_start(story: Story, cycle: int, number: int) -> Story:
    """Signed, checked, premedicated, prepared."""
    return then(story, lambda course: course.ready_to_start(cycle, number))


def runs(story: Story, cycle: int, number: int) -> Story:
    """The infusion runs for ten minutes."""

    def step(course: PaperCourse) -> None:
        course.ready_to_start(cycle, number).started(cycle, number)
        course.later(minutes=10)

    return then(story, step)


def reacts(grade: int | None) -> Callable[[PaperCourse], object]:
    """A reaction while it runs."""
    return lambda course: course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade)


def low_for_long(analyte: str, first: str, last: str) -> Story:
    """A count below its limit at day 1 of the next cycle, and still at day 59."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().cycle(1, D1, response="CR")
        chart.labs(day(29) - 3 * HOUR, *CBC, **{analyte: first})
        chart.ready_for_cycle(day(59), **{analyte: last})
        return PaperCourse(chart, day(59))

    return story


def longer_qt_than_before() -> Story:
    """The next cycle with a QTcF far longer than before treatment, both sent by a machine."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().cycle(1, D1).ready_for_cycle(day(29)).without("ecg")
        chart.result("qtcf", "410", D1 - 3 * HOUR)
        chart.result("qtcf", "475", day(29) - 2 * HOUR)
        return PaperCourse(chart, day(29))

    return story


def two_days_later(course: PaperCourse) -> None:
    """Nobody comes for two days."""
    course.later(days=2)


OPEN: tuple[Story, ...] = (
    first_dose(),
    day_8(),
    day_8(baseline={"alt": "80", "bilirubin": "1.4"}),
    day_8(kg="66"),
    day_15(),
    next_cycle(),
    next_cycle(response="none"),
    next_cycle(baseline={"platelets": "60", "anc": "1.2"}),
    may_start(first_dose(), 1, 1),
    may_start(day_8(), 1, 8),
    toxic(8, 16, response="none"),
    then(day_8(), steps(lab("bilirubin", "0.6", ago=8 * HOUR), lab("bilirubin", "8", ago=5 * HOUR))),
)
"""Patients for whom a dose may be signed or started."""

IN_DOUBT: tuple[Story, ...] = (
    then(day_8(bilirubin="0.3"), lab("bilirubin", "9")),
    then(day_8(), lab("bilirubin", "9", ago=10 * HOUR)),
    then(day_8(bilirubin="8"), lab("bilirubin", "0.6")),
    then(next_cycle(), lab("platelets", "5", ago=10 * HOUR)),
    then(next_cycle(), steps(lab("wbc", "0.8"), lab("anc", "0.9"))),
    then(after_transplant(10, bilirubin="0.3", kg="74", signs={"ascites": True}), lab("bilirubin", "3.0")),
)
"""Patients with a value that another contradicts (PLAU-01): the later, the earlier that came late, or a part of the whole."""

RESTING_ON_WHAT_WAS: tuple[Story, ...] = (
    then(day_8(baseline={"creatinine": "0.5"}), lab("creatinine", "0.85")),
    longer_qt_than_before(),
    then(
        day_8(bilirubin="2.4"),
        steps(
            lab("alt", "200", ago=30 * HOUR), lab("bilirubin", "2.4", ago=30 * HOUR), lab("ast", "30", ago=30 * HOUR)
        ),
    ),
    then(day_8(), steps(lab("bilirubin", "0.4", ago=30 * HOUR), lab("bilirubin", "1.5"))),
    next_cycle(baseline={"platelets": "40", "anc": "0.8"}, platelets="45", anc="0.7"),
    low_for_long("platelets", "30", "31"),
    low_for_long("anc", "0.3", "0.4"),
    toxic(8, 30, response="CR"),
    toxic(8, 16, response="none", asked=29),
    toxic(15, 20, response="none", asked=40),
)
"""Patients of whom something is held, due or called for by a value before treatment, or by one that a later value followed."""

HELD: tuple[Story, ...] = (
    *(day_8(**{a: v}) for a, v in (("alt", "300"), ("ast", "200"), ("alp", "700"), ("bilirubin", "3.5"))),
    *(
        then(day_8(), lab(a, v))
        for a, v in (("ggt", "400"), ("lipase", "200"), ("amylase", "500"), ("creatinine", "4"))
    ),
    *(then(day_8(), lab(a, v)) for a, v in (("potassium", "2.4"), ("alt", "60000"), ("potassium", "14"))),
    *(
        next_cycle(**{a: v})
        for a, v in (("platelets", "20"), ("anc", "0.4"), ("potassium", "2.9"), ("magnesium", "1.0"))
    ),
    *(next_cycle(**{a: v}) for a, v in (("calcium", "6.5"),)),
    day_8(alt="200", bilirubin="3.0"),
    first_dose(blasts="30"),
    first_dose(wbc="40", blasts_percent="60"),
    then(next_cycle(), charted({"kind": "ecg", "qtcf_ms": "510"})),
    then(next_cycle(), charted({"kind": "ecg", "qtcf_ms": "485"})),
    then(day_8(), charted({"kind": "hold", "reason": "unwell"}, by=Role.NURSE)),
    then(day_8(), charted({"kind": "toxicity", "term": "rash", "grade": 3})),
    then(
        day_8(),
        charted({"kind": "infection_bleeding", "temperature_c": "39", "infection": True, "active_bleeding": True}),
    ),
    then(day_8(), charted({"kind": "pregnancy_test", "result": "positive"})),
    then(
        first_dose(),
        charted({"kind": "eligibility", "cd22_positive": False, "method": "flow cytometry"}, by=Role.PRESCRIBER),
    ),
    then(first_dose(), charted({"kind": "medical_history", "severe_vod": True, "vod_ongoing": True})),
    then(next_cycle(), charted({"kind": "imaging", "method": "histology", "suggests_vod": True})),
    then(day_8(), lambda course: charted({"kind": "vod_judged", "judgement": "suspected"})(course)),
    after_transplant(10, bilirubin="3.4", kg="75", signs={"ascites": True}),
    after_transplant(10, bilirubin="1.4", kg="73", signs={}),
    after_transplant(16, bilirubin="3.4", kg="74", signs={"painful_hepatomegaly": True, "hepatomegaly": True}),
    then(
        after_transplant(18, bilirubin="60", unit="umol/L", kg="75", signs={"ascites": True}),
        lambda course: course.later(days=2),
    ),
    then(runs(day_8(), 1, 8), reacts(2)),
    then(runs(first_dose(), 1, 1), reacts(None)),
    toxic(8, 6, still=True),
    toxic(15, 14, still=True),
    *IN_DOUBT,
    *RESTING_ON_WHAT_WAS,
)
"""Patients of whom something is held, suspected, or called for."""


@lru_cache
def _course(story: Story, protocol: str) -> PaperCourse:
    return story(protocol)


@st.composite
def courses(draw: st.DrawFn) -> Charted:
    """A patient for whom a dose is open, one of whom something is held, or now and then any chart at all."""
    which = draw(st.sampled_from([*4 * ("open", "held"), "any"]))
    if which == "any":
        return draw(charts(most=4))
    protocol = draw(st.sampled_from(PROTOCOLS))
    story = draw(st.sampled_from(OPEN if which == "open" else HELD))
    course = _course(story, protocol)
    later = draw(st.sampled_from([0, 0, 0, 1, 600, 3600, 7200]))
    return course.chart, protocol, course.now + timedelta(seconds=later)


# ── what says nothing ──────────────────────────────────────────────────────────────────────────────────────────────

ANALYTES = tuple(sorted(CODES))
WORTHLESS: dict[str, dict[str, Any]] = {
    "preliminary": {"status": "preliminary"},
    "registered": {"status": "registered"},
    "cancelled": {"status": "cancelled"},
    "cancelled without a value": {"status": "cancelled", "value": None},
    "withdrawn": {"status": "entered-in-error", "value": None},
    "of an odd status": {"status": "odd"},
    "in words": {"value": None, "text": "haemolysed"},
    "without unit": {"unit": None},
    "in a foreign unit": {"unit": "cups"},
    "without a time": {"collected_at": None, "collected_text": "this morning"},
    "about": {"comparator": "~"},
    "absent": {"value": None, "absent_reason": "error"},
    "under an unknown code": {"loinc": "99999-9"},
}
"""In how many ways a laboratory says something that nobody can decide by."""
NEAR = 3
"""Every other worthless result is of an analyte that came last, for that is what holds these patients."""
_VALUES = ("0.4", "1", "5", "30", "60", "140", "420", "510", "70", "900")
_AGO = (MIN, HOUR, 3 * HOUR, DAY, 3 * DAY, 8 * DAY)


def _lab(analyte: str, said: str, at: datetime, **changes: Any) -> dict[str, Any]:
    code, unit = CODES[analyte]
    usual = {"kind": "lab_result", "loinc": code, "display": analyte, "value": said, "unit": unit}
    usual |= {"collected_at": at.isoformat(), "status": "final", "sender": "lab-c"}
    return {**usual, **{k: v.isoformat() if isinstance(v, datetime) else v for k, v in changes.items()}}


def _usable_results(chart: Chart) -> list[LabResult]:
    return [f.what for f in chart.facts if isinstance(f.what, LabResult) and f.what.collected_at is not None]


def _worthless_results(draw: st.DrawFn, chart: Chart, now: datetime) -> dict[str, Any]:
    """A result of any analyte that cannot be used, at a time of its own or at that of a result that stands."""
    newest = [f.what.loinc for f in chart.facts if isinstance(f.what, LabResult)][-NEAR:]
    aimed = [analyte for analyte in ANALYTES if CODES[analyte][0] in newest]
    analyte = draw(st.sampled_from(aimed if aimed and draw(st.booleans()) else ANALYTES))
    times = [now - ago for ago in _AGO] + sorted({r.collected_at for r in _usable_results(chart) if r.collected_at})[
        -3:
    ]
    at = draw(st.sampled_from(times))
    how = draw(st.sampled_from(sorted(WORTHLESS)))
    changes = WORTHLESS[how]
    if draw(st.booleans()) and how not in ("without a time",):
        changes = {**changes, "uln": draw(st.sampled_from(["55", "1.2"]))}
    future = {"collected_at": now + DAY} if draw(st.integers(0, 9)) == 0 else {}
    return _lab(analyte, draw(st.sampled_from(_VALUES)), at, **{**changes, **future})


def _withdrawals(draw: st.DrawFn, chart: Chart, now: datetime) -> dict[str, Any]:
    """A result that stands is taken back, or can be used no more: by a later version of it, with or without its value.

    Any of them, the first as well as the last: what is held may rest on a value before treatment, or on what came and went.
    Entered in error only where nothing was measured after it: a later usable value ends what such a one raised (E1).
    """
    usable = _usable_results(chart)
    numbers = sorted({result.loinc for result in usable})
    number = draw(st.sampled_from(numbers))
    of_analyte = [result for result in usable if result.loinc == number]
    standing = draw(st.sampled_from(of_analyte))
    ways = ["cancelled", "preliminary", "registered", *(["entered-in-error"] if _is_last(standing, of_analyte) else [])]
    return changed(standing, draw(st.sampled_from(ways)), now, valued=draw(st.booleans()))


def changed(result: LabResult, status: str, now: datetime, *, valued: bool = False) -> dict[str, Any]:
    """The same result once more, of another status, with its value or without."""
    again = {**result.model_dump(mode="json"), "status": status, "issued_at": now.isoformat()}
    return again if valued else {**again, "value": None}


def _is_last(result: LabResult, of_analyte: list[LabResult]) -> bool:
    """Of all that was measured, or of all before the first dose (a baseline)."""
    last = max(of_analyte, key=lambda r: r.collected_at or D1)
    before = max(
        (r for r in of_analyte if r.collected_at and r.collected_at < D1),
        key=lambda r: r.collected_at or D1,
        default=None,
    )
    return result in (last, before)


def _twins(draw: st.DrawFn, chart: Chart, now: datetime) -> dict[str, Any]:
    """Another laboratory measured the same minute and found something else."""
    standing = draw(st.sampled_from(_usable_results(chart)[-20:]))
    other = standing.model_dump(mode="json")
    factor = draw(st.sampled_from(["0.2", "0.7", "1.1", "3"]))
    other["value"] = str(round(float(other["value"] or 1) * float(factor), 3))
    return {
        **other,
        "sender": "lab-z",
        "accession": None,
        "report_id": None,
        "resource": None,
        "identifiers": None,
        "specimen": None,
    }


JOINS = ("accession", "report_id", "resource", "identifiers", "specimen")
"""What makes two messages one result (LAB-08)."""

NOTHING_SEEN: dict[str, dict[str, Any]] = {
    "vod_examination": {},
    "infection_bleeding": {},
    "ecg": {},
    "vital_signs": {},
    "eligibility": {},
    "medical_history": {},
    "imaging": {"method": "ultrasound"},
    "pregnancy_test": {"result": "unclear"},
}
"""Findings of a person who looked at nothing, or could not tell."""


def _empty_findings(draw: st.DrawFn, chart: Chart, now: datetime) -> dict[str, Any]:
    """A person charts a finding that says nothing."""
    kind = draw(st.sampled_from(sorted(NOTHING_SEEN)))
    return {"kind": kind, **NOTHING_SEEN[kind]}


def _unread(draw: st.DrawFn) -> dict[str, Any]:
    """A message that nobody can read."""
    sha = draw(st.sampled_from(["c" * 64, "d" * 64]))
    return {"kind": "unreadable_message", "signal": "lab_results", "sha256": sha, "size": 3, "reason": "not JSON"}


MODIFIED = {"modifierExtension": [{"url": "urn:invented:not-true", "valueBoolean": True}]}


def _refused(draw: st.DrawFn, chart: Chart, now: datetime) -> Chart:
    """A document of the patient in which an entry cannot be taken: no code that is known, two of two tests, a modifier."""
    analyte = draw(st.sampled_from(ANALYTES))
    number, unit = CODES[analyte]
    entry = observation(
        number, valueQuantity=ucum(float(draw(st.sampled_from(_VALUES))), unit), effectiveDateTime=now.isoformat()
    )
    how = draw(st.sampled_from(["local code", "in words", "no code", "two codes", "modified", "deeper"]))
    local = {"system": "urn:lab", "code": "X1", "display": analyte}
    other = {"system": "http://loinc.org", "code": "751-8" if number != "751-8" else "777-3"}
    entry |= {
        "local code": {"code": {"coding": [local]}},
        "in words": {"code": {"text": analyte}},
        "no code": {"code": {}},
        "two codes": {"code": {"coding": [{"system": "http://loinc.org", "code": number}, other]}},
        "modified": MODIFIED,
        "deeper": {},
    }[how]
    if how == "deeper":
        entry = {
            "resourceType": "Basic",
            "id": "b",
            "contained": [{"resourceType": "Basic", "id": "c", "contained": [entry]}],
        }
    # A chart that was put together has one subject, whoever the document names.
    expected = ExpectedSubject(lambda _, __: chart.course.subject_hash, birth_hash_of, chart.course.subject_hash)
    raw = json.dumps(bundle(patient(), entry)).encode()
    for message in read_fhir(raw, expected=expected, by=PEOPLE[Role.LABORATORY]).messages:
        ruling = judge(chart, message, load_protocol(chart.course.protocol.name), now)
        chart = chart.with_facts(*ruling.facts) if isinstance(ruling, Accepted) else chart
    return chart


def worthless(draw: st.DrawFn, chart: Chart, now: datetime) -> tuple[Chart, str]:
    """The chart with one thing more that adds no usable value, recorded now, and what it was."""
    kinds = ["result", "result", "result", "finding", "unread", "refused"]
    kinds += ["withdrawal", "twin"] if _usable_results(chart) else []
    kind = draw(st.sampled_from(kinds))
    if kind == "refused":
        longer = _refused(draw, chart, now)
        return longer, f"a refused entry left {[f.what for f in longer.facts[len(chart.facts) :]]}"
    if kind == "result":
        what = _worthless_results(draw, chart, now)
    elif kind == "withdrawal":
        what = _withdrawals(draw, chart, now)
    elif kind == "twin":
        what = _twins(draw, chart, now)
    else:
        what = _empty_findings(draw, chart, now) if kind == "finding" else _unread(draw)
    builder = ChartBuilder()
    by = Role.PHYSICIAN if kind == "finding" else Role.LABORATORY
    builder.add(what, now, by, id="nothing")
    return chart.with_facts(*builder.facts), f"a {kind}: {builder.facts[0].what}"
