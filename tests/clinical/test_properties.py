"""What holds for every chart: the rules together, on charts that hypothesis makes, each with the clause behind it.

`test_assess.py` holds what `assess` is as a function: total, always alike, true until `valid_until`.
"""

import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from cli import render
from clinical.assess import assess
from clinical.chart.taken_back import refusal
from clinical.course.case import Case
from clinical.decide import decide
from clinical.explain import explain
from clinical.judge import ROLES
from clinical.results.known import Known
from models.assessment import Accepted, Assessment, Refused, Verdict
from models.carried import Carried, DecideRequest, Decision
from models.chart import Chart
from models.facts import Correction, DoseSlot, Fact
from models.messages import COMMANDS, LabResults, NamedMessage
from models.people import Role
from models.protocol import Protocol
from models.zones import zone_of
from plumbing.protocol_files import load_protocol
from tests.examples import few, many, modest
from tests.factories import D1, LABEL, PEOPLE, PROTOCOLS, ULN, ChartBuilder, PaperCourse, a_lab
from tests.scenarios import DAY, HOUR, MIN, SECOND, day, toxic
from tests.strategies import (
    BODIES,
    FINDINGS,
    STAGES,
    charts,
    command_contents,
    commands,
    lab_results,
    moments,
    protocols,
    staged,
)
from tests.units import in_unit

Charted = tuple[Chart, str, datetime]
DOES_SOMETHING = frozenset(
    {"authorise_dose", "verify_dose", "start_infusion", "resume_infusion", "start_next_cycle", "choose_rounding"}
)
"""Commands that lead to a dose; the others ask, report or stop."""


def opened(card: Assessment) -> set[str]:
    return {c.command for c in card.commands if c.may} & DOES_SOMETHING


def decided(card: Assessment) -> dict[str, Any]:
    """All that an assessment decides, without the order in which it was found out, and what it says of corrections (COR-04)."""
    said = [f for f in card.findings if f.rule != "COR-04"]
    return {
        "verdict": card.verdict,
        "state": card.state,
        "next": card.next_dose,
        "dose": card.dose,
        "findings": sorted((f.rule, str(f.verdict), f.reason, f.subject) for f in said),
        "commands": [(c.command, c.may, c.refusal) for c in card.commands],
        "due": [(o.key, o.due_at, o.overdue_at, o.standing) for o in card.obligations],
    }


# ── a worse current result never opens a gate ──────────────────────────────────────────────────────────────────────

WORSE_WHEN_HIGHER = {
    "alt": ("U/L", "ukat/L"),
    "ast": ("U/L", "ukat/L"),
    "alp": ("U/L",),
    "bilirubin": ("mg/dL", "umol/L"),
    "blasts": ("10*9/L", "/uL"),
    "creatinine": ("mg/dL", "umol/L"),
    "ggt": ("U/L",),
    "lipase": ("U/L",),
    "qtcf": ("ms",),
}
WORSE_WHEN_LOWER = {
    "anc": ("10*9/L", "/uL"),
    "platelets": ("10*9/L", "10*3/uL"),
    "potassium": ("mmol/L",),
    "magnesium": ("mg/dL", "mmol/L"),
    "calcium": ("mg/dL", "mmol/L"),
}
ROUND = [Decimal(n) for n in ("0.3", "0.9", "1", "1.1", "1.5", "1.6", "2", "2.5", "2.6", "3", "5", "6", "12", "22")]
AROUND = {
    "anc": ["0.2", "0.5", "0.69", "0.7", "0.9", "1", "1.1", "4"],
    "platelets": ["5", "19", "20", "22", "49", "50", "51", "60", "100", "140"],
    "potassium": ["2.4", "2.9", "3", "3.2", "3.4", "3.5", "3.6", "4.2", "5.2"],
    "magnesium": ["0.9", "1.1", "1.6", "1.7", "1.8", "2.2"],
    "calcium": ["6.9", "7.9", "8.4", "8.5", "8.6", "9.5"],
    "qtcf": ["410", "449", "450", "479", "480", "481", "486", "500", "501", "560"],
    "blasts": ["0", "9.9", "10", "10.1", "40", "120"],
}


@st.composite
def better_and_worse(draw: st.DrawFn) -> tuple[str, str, Decimal, Decimal]:
    """An analyte, a unit, a value in the canonical unit, and a worse one."""
    analyte = draw(st.sampled_from([*WORSE_WHEN_HIGHER, *WORSE_WHEN_LOWER]))
    unit = draw(st.sampled_from({**WORSE_WHEN_HIGHER, **WORSE_WHEN_LOWER}[analyte]))
    values = pool(analyte)
    first, second = sorted(draw(st.lists(st.integers(0, len(values) - 1), min_size=2, max_size=2, unique=True)))
    return analyte, unit, values[first], values[second]


def low_counts_before(protocol: str) -> PaperCourse:
    chart = ChartBuilder(protocol).ready(anc="0.6", platelets="20").cycle(1, D1).ready_for_cycle(day(29))
    return PaperCourse(chart, day(29))


def one_lineage_low_before(protocol: str) -> PaperCourse:
    chart = ChartBuilder(protocol).ready(platelets="30").cycle(1, D1).ready_for_cycle(day(29), platelets="30")
    return PaperCourse(chart, day(29))


def both_were_high(protocol: str) -> PaperCourse:
    """NON-02 was met two days ago."""
    chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
    chart.labs(day(6), "alt", "ast", "alp", "bilirubin", alt="170", bilirubin="2.4")
    return PaperCourse(chart.ready_again(day(8)), day(8))


def first_dose(protocol: str) -> PaperCourse:
    return PaperCourse(ChartBuilder(protocol).ready(), D1)


def second_dose(protocol: str) -> PaperCourse:
    return PaperCourse(ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(day(8)), day(8))


def second_dose_may_start(protocol: str) -> PaperCourse:
    return second_dose(protocol).ready_to_start(1, 8)


def second_cycle(protocol: str) -> PaperCourse:
    return PaperCourse(ChartBuilder(protocol).ready().cycle(1, D1).ready_for_cycle(day(29)), day(29))


PATIENTS = (
    first_dose,
    second_dose,
    second_dose_may_start,
    second_cycle,
    low_counts_before,
    one_lineage_low_before,
    both_were_high,
    toxic(8, 6),
    toxic(8, 7),
    toxic(15, 14),
    toxic(15, 20, response="CR"),
)


def told(
    course: PaperCourse, analyte: str, value: Decimal, unit: str, comparator: str | None = None
) -> tuple[Assessment, Known | None]:
    """The card with one more result of a minute ago, and that result where it can be used."""
    with_one_more = PaperCourse.__new__(PaperCourse)
    with_one_more.__dict__ = dict(course.__dict__)
    limits = {k: in_unit(analyte, v, unit) for k, v in _limits_of(analyte).items()}
    with with_one_more.charting() as chart:
        said = {"unit": unit, "comparator": comparator, **limits}
        chart.result(analyte, in_unit(analyte, value, unit), course.now - MIN, **said)
    found = Case(with_one_more.chart, with_one_more.protocol, course.now).opening(analyte)
    return with_one_more.card, next(iter(found.values), None)


def pool(analyte: str) -> list[Decimal]:
    """Values around every limit of a test, from the best to the worst."""
    values = [Decimal(v) for v in AROUND[analyte]] if analyte in AROUND else [m * Decimal(ULN[analyte]) for m in ROUND]
    return sorted(values, reverse=analyte in WORSE_WHEN_LOWER)


@pytest.mark.parametrize("analyte", [*WORSE_WHEN_HIGHER, *WORSE_WHEN_LOWER])
@pytest.mark.parametrize("patient", [first_dose, second_dose, second_cycle, low_counts_before])
def test_from_the_best_to_the_worst_no_step_opens_a_gate(patient: Any, analyte: str) -> None:
    """§3.5: the same as below, of every value of a test in turn."""
    course, unit = patient(LABEL), {**WORSE_WHEN_HIGHER, **WORSE_WHEN_LOWER}[analyte][0]
    steps = [told(course, analyte, value, unit) for value in pool(analyte)]
    cards = [card for card, known in steps if known is not None]
    assert len(cards) > 1
    for better, worse in pairwise(cards):
        assert opened(worse) <= opened(better)


@many
@given(st.sampled_from(PATIENTS), protocols, better_and_worse(), st.sampled_from([None, "<", "<=", ">", ">="]))
def test_a_worse_current_result_never_opens_a_gate(
    patient: Any, protocol: str, values: tuple[str, str, Decimal, Decimal], comparator: str | None
) -> None:
    """§3.5: whatever the better value leaves open, the worse leaves open or shuts; it never opens another command.

    The baseline is the same in both: after the first dose it lies before it, and before the first dose there is none.
    """
    analyte, unit, better, worse = values
    course = patient(protocol)
    found = [told(course, analyte, value, unit, comparator) for value in (better, worse)]
    (card, known), (worse_card, worse_known) = found
    assume(known is not None and worse_known is not None)  # what cannot be used says nothing about the patient
    assert opened(worse_card) <= opened(card)
    if card.verdict in (Verdict.HOLD, Verdict.HOLD_URGENT, Verdict.PROPOSE_DISCONTINUE):
        assert worse_card.verdict not in (Verdict.MAY_AUTHORISE, Verdict.MAY_START)


def _limits_of(analyte: str) -> dict[str, Decimal]:
    lab = a_lab(analyte, "1")
    return {k: v for k, v in (("uln", lab.uln), ("lln", lab.lln)) if v is not None}


@modest
@given(st.sampled_from(PATIENTS), protocols, st.sampled_from(["36.8", "37.9", "38.0", "40.1"]), st.booleans())
def test_fever_bleeding_and_signs_of_vod_never_open_a_gate(
    patient: Any, protocol: str, temperature: str, bleeding: bool
) -> None:
    course = patient(protocol)
    before = opened(course.card)
    check = {"kind": "infection_bleeding", "temperature_c": temperature, "infection": False}
    signs = {"ruq_pain": bleeding, "hepatomegaly": True, "painful_hepatomegaly": bleeding, "ascites": bleeding}
    with course.charting() as chart:
        chart.add({**check, "active_bleeding": bleeding}, course.now - MIN)
        chart.add({"kind": "vod_examination", **signs, "oedema": False}, course.now - MIN, Role.PHYSICIAN)
    assert opened(course.card) <= before


# ── the order of arrival does not matter ───────────────────────────────────────────────────────────────────────────

JUDGED_BY_ARRIVAL = {"result_confirmed", "risk_accepted", "toxicity_attribution", "cytopenia_attribution"}
"""A judgement speaks of what was known when it was made; these and signatures have an order of their own."""
OBSERVED = {kind: body for kind, body in FINDINGS.items() if kind not in JUDGED_BY_ARRIVAL}


ITS_OWN = {"resource": None, "identifiers": None, "version": None, "report_id": None}
"""Results of which none is a version of another: among versions arrival may decide (LAB-08)."""


@st.composite
def observations(draw: st.DrawFn, until: datetime) -> list[Fact]:
    """Results and findings of the last hours, each of another moment, of few kinds, so that they meet."""
    kinds = draw(st.lists(st.sampled_from(sorted(OBSERVED)), min_size=1, max_size=2))
    bodies = draw(st.lists(lab_results | st.one_of(*(OBSERVED[kind] for kind in kinds)), min_size=2, max_size=6))
    minutes = st.integers(1, 3000)
    ago = draw(st.lists(minutes, min_size=len(bodies), max_size=len(bodies), unique=True))
    found = []
    for number, (body, before) in enumerate(zip(bodies, ago, strict=True)):
        at = until - before * MIN
        what = (
            {**body, **ITS_OWN, "collected_at": at.isoformat(), "accession": f"a-{number}"} if "loinc" in body else body
        )
        builder = ChartBuilder()
        builder.add(what, at, Role.PHYSICIAN, id=f"o{number}")
        found.append(builder.facts[0])
    return found


@modest
@given(st.sampled_from(STAGES), protocols, st.data())
def test_the_order_of_arrival_does_not_matter(stage: Any, protocol: str, data: st.DataObject) -> None:
    """LAB-04, LAB-05: what counts is when it was true. Only within one correction chain does arrival decide."""
    course = staged(stage, protocol, "Europe/Berlin")
    seen = data.draw(observations(course.now))
    now = course.now + len(seen) * SECOND
    cards = []
    for order in (list(range(len(seen))), data.draw(st.permutations(range(len(seen))))):
        arrived = [
            seen[i].model_copy(update={"recorded_at": now - (len(seen) - n) * SECOND}) for n, i in enumerate(order)
        ]
        chart = Chart(course=course.chart.course, facts=(*course.chart.facts, *arrived))
        cards.append(decided(assess(chart, load_protocol(protocol), now)))
    for (key, *instants, standing), (other_key, *other_instants, other_standing) in zip(
        cards[0].pop("due"), cards[1].pop("due"), strict=True
    ):
        assert (key, standing) == (other_key, other_standing)
        for one, other in zip(instants, other_instants, strict=True):  # a call is due from the second it is known
            assert abs(one - other) <= len(seen) * SECOND
    assert cards[0] == cards[1]


# ── a retracted fact leaves no trace ───────────────────────────────────────────────────────────────────────────────

RETRACTABLE = sorted(set(OBSERVED) | {"lab_result", "premedication", "cytoreduction", "imaging"} - {"reaction"})


@many
@given(charts(most=3), st.sampled_from(RETRACTABLE), moments, st.data())
def test_a_retracted_fact_leaves_no_trace_but_through_cor_02(
    charted: Charted, kind: str, at: datetime, data: st.DataObject
) -> None:
    """COR-01: what was retracted decides nothing, as if it had never been there; a stop or a level is COR-02.

    A suspicion of VOD that it raised is kept (VOD-13), so such are left out.
    """
    chart, protocol, now = charted
    builder = ChartBuilder()
    builder.add(data.draw(BODIES[kind]), at, Role.PHYSICIAN, id="wrong", recorded_at=now - MIN)
    said = builder.facts[0]
    correction = Correction(target="wrong", reason="another patient's")
    back = Fact(id="back", by=PEOPLE[Role.PRESCRIBER], at=now, recorded_at=now, what=correction)
    rules = load_protocol(protocol)
    assume(suspicions(chart.with_facts(said), rules, now) <= suspicions(chart, rules, now))
    with_both = assess(chart.with_facts(said, back), rules, now)
    without = assess(chart, rules, now)
    assume("COR-02" not in {f.rule for f in with_both.findings} - {f.rule for f in without.findings})
    assert decided(with_both) == decided(without)


@modest
@given(charts(most=3), st.sampled_from(RETRACTABLE), moments, st.data())
def test_a_correction_says_the_same_as_the_right_fact_at_once(
    charted: Charted, kind: str, at: datetime, data: st.DataObject
) -> None:
    """COR-01: the fact in place of a wrong one decides like one that had been right from the beginning.

    A suspicion of VOD that the wrong one raised is kept all the same (VOD-13), so such are left out.
    """
    chart, protocol, now = charted
    wrong, right = data.draw(BODIES[kind]), data.draw(BODIES[kind])
    rules = load_protocol(protocol)
    builder = ChartBuilder()
    builder.add(wrong, at, Role.PHYSICIAN, id="x", recorded_at=now - MIN)
    builder.add({"kind": "correction", "target": "x", "replacement": right, "reason": "typing error"}, at, Role.PHYSICIAN,
                id="c", recorded_at=now - MIN)  # fmt: skip
    said: Any = builder.facts[1].what
    assume(refusal(builder.facts[0].what, Role.PHYSICIAN, said.replacement) is None)  # no command would accept it
    suspected = suspicions(chart, rules, now)
    assume(suspicions(chart.with_facts(builder.facts[0]), rules, now) <= suspected)
    at_once = ChartBuilder()
    at_once.add(right, at, Role.PHYSICIAN, id="c", recorded_at=now - MIN)
    corrected = assess(chart.with_facts(*builder.facts), rules, now)
    assume("COR-02" not in {f.rule for f in corrected.findings})
    one, other = decided(corrected), decided(assess(chart.with_facts(*at_once.facts), rules, now))
    for card in (one, other):  # the id of the fact is bound into the signature, and here two facts differ in it
        card["dose"] = card["dose"].model_copy(update={"binding": ""}) if card["dose"] else None
    assert one == other, [(k, one[k], other[k]) for k in one if one[k] != other[k]]


def suspicions(chart: Chart, protocol: Protocol, now: datetime) -> set[str]:
    """The definitions of VOD that hold, by rule."""
    return {
        f.rule for f in assess(chart, protocol, now).findings if f.rule.startswith("VOD-") and f.verdict is not None
    }


# ── weeks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

NO_CLOCK_CHANGE = ("UTC", "Asia/Kathmandu", "Asia/Tokyo", "America/Bogota")
BY_MONTHS = frozenset({"MON-12", "MON-13"})
"""Eight, five and two calendar months after the last dose: the one thing that is not counted in days."""


def _moved(value: Any, span: timedelta) -> Any:
    """Every instant of a document moved; dates too."""
    if isinstance(value, dict):
        return {key: _moved(item, span) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, span) for item in value]
    if isinstance(value, str):
        return _moved_text(value, span)
    return value


def _moved_text(text: str, span: timedelta) -> str:
    if len(text) < 10 or text[4:5] != "-":
        return text
    try:
        moved = datetime.fromisoformat(text) + span
    except (ValueError, OverflowError):
        return text
    return moved.date().isoformat() if len(text) == 10 else moved.isoformat()


@many
@given(charts(most=4), st.sampled_from(NO_CLOCK_CHANGE), st.integers(-60, 60).filter(bool))
def test_moving_everything_by_whole_weeks_changes_nothing(charted: Charted, zone: str, weeks: int) -> None:
    """DAY: without a change of clocks the calendar has no favourite week."""
    chart, protocol, now = charted
    span = timedelta(weeks=weeks)
    document = chart.model_dump(mode="json")
    document["course"]["zone"] = zone
    here = Chart.model_validate_json(json.dumps(document))
    there = Chart.model_validate_json(json.dumps(_moved(document, span)))
    rules = load_protocol(protocol)
    assert _by_the_clock(assess(there, rules, now + span), span) == _by_the_clock(assess(here, rules, now), 0 * span)


def _by_the_clock(card: Assessment, span: timedelta) -> Any:
    dose = card.dose.model_copy(update={"binding": ""}) if card.dose else None
    due = [(o.key, o.due_at - span, o.overdue_at - span, o.standing) for o in card.obligations]
    asked = [(f.rule, f.verdict, f.earliest_at and f.earliest_at - span) for f in card.findings]
    may = [(c.command, c.may, c.refusal) for c in card.commands]
    return card.state, card.verdict, card.next_dose, dose, asked, due, may


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("weeks", [-7, 1, 4, 12])
def test_in_berlin_too_while_the_clocks_stay(protocol: str, weeks: int) -> None:
    """From 6 April to 18 October 2026 Berlin has one offset."""
    here = datetime.fromisoformat("2026-05-25T08:00:00+00:00")
    cards = []
    for at in (here, here + timedelta(weeks=weeks)):
        chart = ChartBuilder(protocol).ready(at).dose(1, 1, at).ready_again(at + 7 * DAY, alt="150")
        cards.append(_by_the_clock(PaperCourse(chart, at + 7 * DAY).card, at - here))
    assert cards[0] == cards[1]


# ── carried over ───────────────────────────────────────────────────────────────────────────────────────────────────


def _decision(chart: Chart, now: datetime, protocol: str, message: NamedMessage | None, monitoring: bool) -> Decision:
    request = DecideRequest(chart=chart, now=now, monitoring=monitoring, message=message)
    return decide(request, load_protocol(protocol), "test")


@modest
@given(charts(most=4), st.booleans())
def test_carrying_over_into_the_next_run_changes_nothing(charted: Charted, monitoring: bool) -> None:
    """Design §4: a run carries facts, never a state; the next one decides as if there had been no boundary."""
    chart, protocol, now = charted
    subject = chart.course.subject_hash
    lab = LabResults(
        id="m-1", by=PEOPLE[Role.LABORATORY], subject_hash=subject, results=(a_lab("alt", "150", at=now - HOUR),)
    )
    carried = Carried(course=chart.course, facts=chart.facts)
    again = Carried.model_validate_json(carried.model_dump_json())
    for message in (None, NamedMessage.of(lab)):
        here = _decision(chart, now, protocol, message, monitoring)
        there = _decision(again.chart, now, protocol, message, monitoring)
        assert here == there
    first = _decision(chart, now, protocol, None, monitoring)
    then = Carried(course=chart.course, facts=(*chart.facts, *first.facts))
    asked_again = _decision(Carried.model_validate_json(then.model_dump_json()).chart, now, protocol, None, monitoring)
    assert asked_again.facts == (), "what the clock says is said once, in one run or in two"
    assert decided(asked_again.assessment) == decided(first.assessment)


# ── rendering ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _printed(*what: Any) -> str:
    console = Console(file=io.StringIO(), width=100)
    for one in what:
        console.print(one)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@modest
@given(charts())
def test_rendering_never_fails(charted: Charted) -> None:
    chart, protocol, now = charted
    found = explain(chart, load_protocol(protocol), now)
    zone = zone_of(chart.course.zone)
    text = _printed(
        render.card(found.assessment, zone),
        render.explanation(found, zone),
        render.facts_table(chart, zone),
    )
    assert str(found.assessment.verdict) in text
    assert str(found.assessment.verdict) in found.assessment.sentence()
    assert Assessment.model_validate_json(found.assessment.model_dump_json()) == found.assessment
    for blocked in found.blocked:
        assert blocked.command in text
        assert blocked.why.strip()


# ── judge and assess are of one mind ───────────────────────────────────────────────────────────────────────────────


@st.composite
def asked(draw: st.DrawFn) -> tuple[Chart, str, datetime, str, dict[str, Any]]:
    """A chart and a command that somebody gives to it, in the right role."""
    chart, protocol, now = draw(charts(most=3))
    card = assess(chart, load_protocol(protocol), now)
    cycle, number = (card.next_dose or "C1D1").removeprefix("C").split("D")
    slot = DoseSlot.model_validate({"cycle": int(cycle), "day": int(number)})
    mg = str(card.dose.mg) if card.dose else "0.91"
    command, content = draw(commands(slot, mg, [f.id for f in chart.facts]))
    return chart, protocol, now, command, content


def _ruling(chart: Chart, protocol: str, now: datetime, command: str, content: dict[str, Any]) -> Accepted | Refused:
    course = PaperCourse.__new__(PaperCourse)
    course.chart, course.protocol, course.now, course._count = chart, load_protocol(protocol), now, 0
    return course.judged(command, sorted(ROLES[command])[0], **content)


@many
@given(asked())
def test_the_gate_of_judge_is_the_answer_of_assess(given_to: tuple[Chart, str, datetime, str, dict[str, Any]]) -> None:
    """Design §2: no rule lives twice. What the card shuts is refused, and what is accepted the card had open."""
    chart, protocol, now, command, content = given_to
    answer = next(c for c in assess(chart, load_protocol(protocol), now).commands if c.command == command)
    ruling = _ruling(chart, protocol, now, command, content)
    if isinstance(ruling, Accepted):
        assert answer.may, f"{command} was accepted and the card says: {answer.why}"
    elif not answer.may and ruling.type != "NotTheDoseDue":
        assert command in ("override", "countersign") or ruling.type == answer.refusal


@many
@given(asked())
def test_every_refusal_names_its_reason(given_to: tuple[Chart, str, datetime, str, dict[str, Any]]) -> None:
    """Design §4: a stable type, a sentence, and where a gate is closed what closed it and what opens it."""
    chart, protocol, now, command, content = given_to
    ruling = _ruling(chart, protocol, now, command, content)
    if isinstance(ruling, Accepted):
        return
    assert ruling.type.isidentifier()
    assert ruling.type[0].isupper()
    assert len(ruling.message) > 10
    if ruling.type in ("DoseGateClosed", "TooEarly"):
        assert ruling.findings, f"{command}: {ruling.message}"
        assert all(f.reason for f in ruling.findings)
        assert any(f.clears or f.verdict is Verdict.DISCONTINUED for f in ruling.findings)
    text = _printed(render.refusal_card(ruling, ZoneInfo("Europe/Berlin")))
    assert ruling.type in text


def test_every_command_of_the_house_is_tried_or_only_reports() -> None:
    tried = command_contents(DoseSlot(cycle=1, day=1), "1.45", [])
    reports = ("record_", "report_", "judge_", "close_", "resolve_", "read_again")
    assert {name for name in COMMANDS if name not in tried} == {n for n in COMMANDS if n.startswith(reports)}


# ── the dose ───────────────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(st.sampled_from(PATIENTS), protocols, st.sampled_from(["60", "66", "70", "71", "75", "80"]))
def test_no_weight_and_no_result_gives_more_than_the_label_knows(patient: Any, protocol: str, kg: str) -> None:
    """DOSE-01 … -03, LVL: never above 0.8 mg/m² on day 1 and 0.5 otherwise; at a reduced level three quarters of it."""
    course = patient(protocol)
    with course.charting() as chart:
        chart.add({"kind": "weight", "kg": kg}, course.now - MIN)
    dose = course.card.dose
    assume(dose is not None)
    most = Decimal("0.8") if dose.day == 1 else Decimal("0.5")
    share = Decimal(1) if dose.level == "L0" else Decimal("0.75")
    assert dose.mg_per_m2 <= most * share
    assert dose.mg <= (dose.mg_per_m2 * dose.bsa_m2 + Decimal("0.02"))
    assert dose.ml == dose.mg * 4
