"""Which value stands: versions, withdrawals, twins, and what an unusable result leaves in force (LAB-08 … LAB-11, M.0)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.coding.meaning import READ
from clinical.course.case import Case
from clinical.gates.unusable import READ_BY_NO_RULE, SAID_ELSEWHERE
from models.assessment import Assessment, Finding, Verdict
from models.facts import ResultWithdrawn
from models.obligation_kinds import ObligationKind
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.examples import few, modest
from tests.factories import CODES, D1, LABEL, LLN, NORMAL, ULN, ChartBuilder, PaperCourse, a_lab, standing_rules

H, MIN = timedelta(hours=1), timedelta(minutes=1)
D8 = D1 + timedelta(days=7)
DRAWN = D8 - 2 * H
LATER = DRAWN + 30 * MIN
FROM = {"resource": "lab|alt-1"}
HELD: dict[str, tuple[str, str, str]] = {
    "alt": ("160", "30", "NON-08"),
    "bilirubin": ("2.4", "0.6", "NON-08"),
    "creatinine": ("6.0", "0.8", "NON-06"),
    "lipase": ("400", "30", "NON-06"),
    "amylase": ("700", "60", "NON-06"),
    "ggt": ("900", "40", "NON-06"),
    "potassium": ("2.5", "4.1", "QT-05"),
}
"""A value that holds day 8, one that does not, and by which rule."""
UNUSABLE: dict[str, dict[str, Any]] = {
    "preliminary": {"status": "preliminary"},
    "cancelled": {"status": "cancelled", "value": None},
    "without a unit": {"unit": None},
    "no number": {"value": "haemolysed"},
    "not permitted": {"value": None, "absent_reason": "not-permitted"},
}


def ready() -> ChartBuilder:
    """Day 8 of cycle 1 with all that it requires."""
    return ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)


def asked(chart: ChartBuilder, now: datetime = D8) -> tuple[Verdict, list[str]]:
    card = PaperCourse(chart, now).card
    return card.verdict, standing_rules(card)


def may(card: Assessment) -> set[str]:
    return {answer.command for answer in card.commands if answer.may}


def about(chart: ChartBuilder, rule: str, subject: str) -> list[Finding]:
    return [f for f in PaperCourse(chart, D8).card.standing if (f.rule, f.subject) == (rule, subject)]


def holds(chart: ChartBuilder, analyte: str) -> bool:
    return bool(about(chart, HELD[analyte][2], analyte))


def withdrawn(chart: ChartBuilder, **fields: Any) -> str:
    said = ResultWithdrawn(how="deleted", **fields)
    return chart.add(said, D8 - 2 * MIN, Role.LABORATORY)


def case_of(chart: ChartBuilder) -> Case:
    return Case(chart.chart(), load_protocol(LABEL), D8)


# ── an unusable newest result (LAB-10) ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", UNUSABLE)
@pytest.mark.parametrize("analyte", [*HELD, "weight"])
def test_of_one_minute_the_unusable_one_counts_as_newest_in_any_order(analyte: str, how: str) -> None:
    def read(*, usable_last: bool) -> list[str]:
        chart, normal = ready(), HELD[analyte][1] if analyte in HELD else "70"
        usable, unusable = {"resource": "lab|a"}, {"resource": "lab|b", **UNUSABLE[how]}
        for i, sent in enumerate((unusable, usable) if usable_last else (usable, unusable)):
            chart.result(analyte, normal, LATER, recorded_at=LATER + (i + 1) * MIN, **sent)
        unknown = case_of(chart).opening(analyte).unknown
        assert unknown is not None, "its arrival says nothing of which is right (LAB-05, LAB-11)"
        return asked(chart)[1]

    assert read(usable_last=True) == read(usable_last=False)


@pytest.mark.parametrize("how", UNUSABLE)
@pytest.mark.parametrize("analyte", HELD)
def test_a_hold_that_a_value_raised_stands_below_an_unusable_one_until_a_usable_one(analyte: str, how: str) -> None:
    chart, (high, normal, _) = ready(), HELD[analyte]
    chart.result(analyte, high, DRAWN)
    assert holds(chart, analyte)
    unusable = chart.result(analyte, normal, LATER, **UNUSABLE[how])
    assert holds(chart, analyte)
    named = [f for f in PaperCourse(chart, D8).card.standing if any(i.fact == unusable for i in f.inputs)]
    assert {f.verdict for f in named} == {Verdict.HOLD, Verdict.NEED_DATA}, "the unusable one is shown beside it"
    chart.result(analyte, normal, LATER + MIN)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])


@pytest.mark.parametrize("how", UNUSABLE)
@pytest.mark.parametrize("analyte", sorted(READ - SAID_ELSEWHERE - READ_BY_NO_RULE))
def test_an_unusable_newest_result_of_every_analyte_is_missing_data_by_name(analyte: str, how: str) -> None:
    chart = ready()
    code, unit = CODES.get(analyte) or OTHER_CODES[analyte]
    fields = {"loinc": code, "unit": unit, "uln": ULN.get(analyte), "lln": LLN.get(analyte)}
    chart.result("alt", "1", LATER, **{**fields, **UNUSABLE[how]})
    found = [f for f in PaperCourse(chart, D8).card.standing if f.subject == analyte]
    assert [f.verdict for f in found] == [Verdict.NEED_DATA]
    never = analyte in ("alt", "ast", "alp", "bilirubin")
    assert found[0].override == ("never" if never else "prescriber_with_reason")


OTHER_CODES = {
    "temperature": ("8310-5", "Cel"),
    "calcium_ionised": ("1995-0", "mmol/L"),
    "blasts": ("30376-8", "10*9/L"),
    "bilirubin_direct": ("1968-7", "mg/dL"),
}


@pytest.mark.parametrize("analyte", [a for a in CODES if a not in ("weight", "height", "blasts_percent")])
def test_implausibly_high_holds_whatever_the_analyte(analyte: str) -> None:
    limits = load_protocol(LABEL).plausible[analyte]
    chart = ready()
    high, unit = limits.high.number + 1, limits.high.unit
    chart.result(analyte, str(high), LATER, unit=unit, uln=ULN.get(analyte), lln=LLN.get(analyte))
    found = [f for f in PaperCourse(chart, D8).card.standing if f.rule == "LAB-06"]
    urgent = analyte in ("alt", "ast", "bilirubin", "potassium", "qtcf")
    assert [f.verdict for f in found] == [Verdict.HOLD_URGENT if urgent else Verdict.HOLD]
    assert "authorise_dose" not in may(PaperCourse(chart, D8).card)


@pytest.mark.parametrize(("analyte", "value"), [("potassium", "0.5"), ("magnesium", "0.1"), ("calcium", "1")])
def test_an_implausibly_low_electrolyte_counts_as_low(analyte: str, value: str) -> None:
    chart = ChartBuilder().ready()
    chart.result(analyte, value, D1 - H)
    card = PaperCourse(chart, D1).card
    assert ("QT-05", analyte) in {(f.rule, f.subject) for f in card.standing if f.verdict is Verdict.HOLD}
    assert ("LAB-05", analyte) in {(f.rule, f.subject) for f in card.standing if f.verdict is Verdict.NEED_DATA}


def test_an_unusable_result_lets_an_override_lapse_that_rests_on_its_analyte() -> None:
    chart = ready()
    chart.result("lipase", "100", DRAWN)
    course = PaperCourse(chart, D8)
    signed = course.does(
        "override", Role.PRESCRIBER, cycle=1, day=8, rule="NON-06", subject="lipase", reason="no pain, imaging normal"
    )
    course.does("countersign", Role.PHARMACIST, target=signed.id)
    assert "NON-06" not in standing_rules(course.card)
    with course.charting() as more:
        more.result("lipase", "60", LATER, status="preliminary")
    assert "NON-06" in standing_rules(course.card)


@pytest.mark.parametrize("missing", ["temperature_c", "infection", "active_bleeding"])
def test_a_later_check_that_did_not_look_ends_no_hold(missing: str) -> None:
    seen = {"temperature_c": "38.5", "infection": True, "active_bleeding": True}
    calm = {"temperature_c": "36.8", "infection": False, "active_bleeding": False}
    chart = ready()
    chart.add({"kind": "infection_bleeding", **calm, missing: seen[missing]}, D8 - 2 * MIN)
    assert "MON-16" in asked(chart)[1]
    chart.add({"kind": "infection_bleeding", **calm, missing: None}, D8 - MIN)
    held = [f for f in PaperCourse(chart, D8).card.standing if f.rule == "MON-16" and f.verdict is Verdict.HOLD]
    assert held
    chart.add({"kind": "infection_bleeding", **calm}, D8)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])


# ── twins (LAB-11) ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("analyte", HELD)
def test_of_two_values_of_one_minute_the_graver_holds_in_either_order(analyte: str, first: int) -> None:
    chart, values = ready(), HELD[analyte][:2]
    chart.result(analyte, values[first], DRAWN, sender="lab-a", accession="a-1", recorded_at=LATER)
    chart.result(
        analyte, values[1 - first], DRAWN + timedelta(seconds=20), sender="lab-b", accession="b-1", recorded_at=D8
    )
    (found,) = about(chart, HELD[analyte][2], analyte)
    assert {i.value.split()[0] for i in found.inputs} == set(values), "it says both"


@pytest.mark.parametrize("kilograms", [("70", "90"), ("90", "70")])
def test_two_weights_of_one_minute_that_give_different_doses_are_missing_data(kilograms: tuple[str, str]) -> None:
    chart = ChartBuilder().ready()
    for kg in kilograms:
        chart.add({"kind": "weight", "kg": kg}, D1 - MIN)
    card = PaperCourse(chart, D1).card
    assert (card.verdict, standing_rules(card), card.dose) == (Verdict.NEED_DATA, ["LAB-11"], None)
    chart.add({"kind": "weight", "kg": "70"}, D1)
    assert asked(chart, D1) == (Verdict.MAY_AUTHORISE, [])


def test_two_weights_of_one_minute_that_give_one_dose_are_no_question() -> None:
    chart = ready()
    for kg in ("70.5", "71"):
        chart.add({"kind": "weight", "kg": kg}, D8 - MIN)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, []), "within a cycle the dosing weight stands for both"


@pytest.mark.parametrize("direct", [("0.2", "2.0"), ("2.0", "0.2")])
def test_an_exemption_holds_only_where_every_twin_allows_it(direct: tuple[str, str]) -> None:
    chart = ready()
    chart.result("bilirubin", "2.4", DRAWN)
    chart.result("bilirubin_direct", "0.2", DRAWN, accession="a-1")
    chart.add({"kind": "bilirubin_cause", "cause": "gilbert"}, LATER, Role.PHYSICIAN)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])
    other = ready()
    other.result("bilirubin", "2.4", DRAWN)
    for number, value in enumerate(direct):
        other.result("bilirubin_direct", value, DRAWN, accession=f"a-{number}")
    other.add({"kind": "bilirubin_cause", "cause": "gilbert"}, LATER, Role.PHYSICIAN)
    assert "NON-08" in asked(other)[1]


# ── which message speaks of which result (LAB-08), and which came last (LAB-09) ─────────────────────────────────────


@pytest.mark.parametrize(
    "correction",
    [
        {"value": "30"},
        {"value": "30", "collected_at": LATER},
        {"value": "30", "sender": "Lab A (Berlin)", "accession": "other"},
        {"value": "30", "loinc": "1743-4", "report_id": "r-9"},
        {"value": "28", "loinc": "1920-8", "uln": "45"},
    ],
    ids=str,
)
def test_a_correction_moves_the_result_and_the_wrong_value_is_gone(correction: dict[str, Any]) -> None:
    chart = ready()
    chart.result("alt", "160", DRAWN, **FROM, version=1)
    chart.result(
        "alt", None, DRAWN, **{**FROM, "version": 2, "status": "corrected", "recorded_at": LATER, **correction}
    )
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])


def test_a_business_identifier_joins_and_an_order_number_does_not() -> None:
    chart = ready()
    chart.result("alt", "160", DRAWN, identifiers=["lab|alt-7"])
    chart.result("alt", "30", LATER, identifiers=["lab|alt-7", "lab|x"], status="corrected")
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])
    panel = ready()
    for analyte, value in (("alt", "160"), ("ast", "28")):
        lab = a_lab(analyte, value, at=DRAWN, identifiers=["lab|order-1"])
        panel.add(lab, DRAWN, Role.LABORATORY, message="panel")
    assert asked(panel)[1] == ["NON-08"]


@pytest.mark.parametrize("joined", [{"accession": "a-1"}, {"specimen": "s-1"}, {"report_id": "r-1"}], ids=str)
def test_an_accession_joins_a_preliminary_and_a_correction_and_never_two_finals(joined: dict[str, str]) -> None:
    chart = ready()
    chart.result("alt", "160", DRAWN, status="preliminary", **joined)
    chart.result("alt", "30", DRAWN, recorded_at=LATER, **joined)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])
    chart.result("alt", "160", DRAWN, recorded_at=LATER + MIN, sender="elsewhere", **joined)
    assert "NON-08" in asked(chart)[1]
    chart.result("alt", "31", DRAWN, status="corrected", recorded_at=LATER + 2 * MIN, **joined)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])


def test_an_older_version_that_comes_again_changes_nothing() -> None:
    chart = ready()
    first = {**FROM, "version": 1, "report_id": "r-1"}
    chart.result("alt", "30", DRAWN, **first)
    chart.result("alt", "160", DRAWN, **FROM, version=2, status="corrected", recorded_at=LATER)
    chart.result("alt", "30", DRAWN, **{**first, "report_id": None}, recorded_at=D8 - MIN)
    assert "NON-08" in asked(chart)[1]


def test_where_the_order_cannot_be_known_both_values_hold_until_a_person_says() -> None:
    chart = ready()
    low = chart.result("alt", "30", DRAWN, **FROM, version=1)
    high = chart.result("alt", "160", DRAWN, **FROM, version=1, recorded_at=LATER)
    assert asked(chart)[1] == ["NON-08", "LAB-09"]
    for target, answer in ((high, Verdict.MAY_AUTHORISE), (low, Verdict.HOLD)):
        course = PaperCourse(chart, D8)
        course.does(
            "resolve_unreadable", Role.NURSE, target=target, outcome="dismissed", reason="the laboratory says so"
        )
        assert course.card.verdict is answer


_changes = st.fixed_dictionaries(
    {"value": st.sampled_from(["30", "160", "80", "haemolysed"])},
    optional={
        "status": st.sampled_from(["preliminary", "final", "corrected", "amended"]),
        "collected_at": st.sampled_from([DRAWN, LATER, None]),
        "loinc": st.sampled_from(["1743-4", "1920-8"]),
        "accession": st.sampled_from(["a-1", "a-2"]),
        "sender": st.sampled_from(["lab-b", "Lab A"]),
        "unit": st.sampled_from(["U/L", "cups"]),
        "issued_at": st.sampled_from([DRAWN, LATER]),
    },
)


@modest
@given(st.lists(_changes, min_size=2, max_size=3), st.booleans(), st.data())
def test_any_order_and_copies_of_the_versions_end_in_the_same_value(
    changes: list[dict[str, Any]], stamped: bool, data: st.DataObject
) -> None:
    key = "version" if stamped else "updated_at"
    versions = [{**FROM, key: n if stamped else DRAWN + n * MIN, **c} for n, c in enumerate(changes, start=1)]
    found = set()
    for order in permutations(versions):
        told = [*order, data.draw(st.sampled_from(versions))]
        chart = ready()
        for minute, said in enumerate(told):
            chart.result("alt", None, DRAWN, **{**said, "recorded_at": LATER + minute * MIN})
        case = case_of(chart)
        found.add(
            tuple(
                (
                    tuple(sorted((k.value, k.collected_at) for k in case.opening(analyte).values)),
                    case.opening(analyte).unknown is None,
                    tuple(sorted((k.value, k.collected_at) for k in case.holding(analyte))),
                )
                for analyte in ("alt", "ast")
            )
        )
    assert len(found) == 1


# ── withdrawals (E1 … E4) ──────────────────────────────────────────────────────────────────────────────────────────

Withdraws = Callable[[ChartBuilder, str], str]


def _by_status(status: str) -> Withdraws:
    return lambda chart, analyte: chart.result(
        analyte, "1", DRAWN, value=None, status=status, resource=f"lab|{analyte}", version=2, recorded_at=LATER
    )


WITHDRAWALS: dict[str, Withdraws] = {
    "entered in error": _by_status("entered-in-error"),
    "cancelled": _by_status("cancelled"),
    "deleted": lambda chart, analyte: withdrawn(chart, resource=f"lab|{analyte}"),
    "its report": lambda chart, analyte: withdrawn(chart, report_id=f"report-{analyte}"),
}


@pytest.mark.parametrize("how", WITHDRAWALS)
@pytest.mark.parametrize("analyte", HELD)
def test_what_a_withdrawn_value_raised_stays_until_a_later_one(analyte: str, how: str) -> None:
    high, normal, _ = HELD[analyte]
    chart = ready()
    chart.result(analyte, high, DRAWN, resource=f"lab|{analyte}", version=1, report_id=f"report-{analyte}")
    WITHDRAWALS[how](chart, analyte)
    assert holds(chart, analyte)
    without = ready()
    for each in (chart, without):
        each.result(analyte, normal, D8 - MIN, accession="settles")
    assert asked(chart) == asked(without) == (Verdict.MAY_AUTHORISE, [])


@pytest.mark.parametrize("how", WITHDRAWALS)
def test_what_a_withdrawn_value_did_for_a_dose_ends_at_once(how: str) -> None:
    chart = ready().without("alt")
    chart.result("alt", "30", DRAWN, resource="lab|alt", version=1, report_id="report-alt")
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])
    WITHDRAWALS[how](chart, "alt")
    assert asked(chart)[0] is Verdict.NEED_DATA


def test_a_physician_ends_what_a_withdrawn_value_raised_and_a_nurse_does_not() -> None:
    chart = ready()
    wrong = chart.result("alt", "160", DRAWN, **FROM, version=1)
    withdrawn(chart, **FROM)
    course = PaperCourse(chart, D8)
    refused = course.refused("correct_fact", Role.NURSE, target=wrong, reason="wrong patient")
    assert refused.type == "RoleNotAllowed"
    course.does("correct_fact", Role.PHYSICIAN, target=wrong, reason="wrong patient")
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.MAY_AUTHORISE, [])


@pytest.mark.parametrize(
    ("meant", "subjects"),
    [({"loincs": ["3040-3"]}, ["lipase"]), ({}, None)],
    ids=["of lipase", "of any"],
)
def test_a_withdrawal_that_joins_nothing_closes_the_gate_until_it_is_dismissed(
    meant: dict[str, Any], subjects: list[str] | None
) -> None:
    chart = ready()
    told = withdrawn(chart, resource="lab|never-sent", **meant)
    course = PaperCourse(chart, D8)
    found = [f for f in course.card.standing if f.rule == "LAB-09"]
    assert [f.subject for f in found] == (subjects or [told])
    asked_for = [o.title for o in course.card.obligations if o.kind is ObligationKind.UNREADABLE]
    of = "a result of lipase" if subjects else "a result"
    assert asked_for == [f"{of} was withdrawn that is not known here"], "it is on the worklist, once"
    with course.charting() as more:
        more.result("lipase", "30", D8)
    assert "LAB-09" in standing_rules(course.card), "no later draw settles it"
    course.does("resolve_unreadable", Role.NURSE, target=told, outcome="dismissed", reason="of another course")
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.MAY_AUTHORISE, [])


def test_a_message_that_joins_an_unmatched_withdrawal_narrows_it() -> None:
    chart = ready()
    withdrawn(chart, resource="lab|late", version=2)
    assert asked(chart)[1] == ["LAB-09"]
    chart.result("lipase", "400", DRAWN, resource="lab|late", version=1, recorded_at=D8)
    assert asked(chart)[1] == ["NON-06"], (
        "its result came after it: what that raises stays, and nothing else is unknown"
    )


def test_a_cancelled_duplicate_with_an_id_of_its_own_leaves_the_other_standing() -> None:
    for value, answer in (("30", Verdict.MAY_AUTHORISE), ("31", Verdict.NEED_DATA)):
        chart = ready()
        chart.result("alt", "30", DRAWN, accession="a-1", resource="lab|one")
        chart.result("alt", value, DRAWN, accession="a-1", resource="lab|two", status="cancelled", recorded_at=LATER)
        found = [f for f in PaperCourse(chart, D8).card.standing if f.subject == "alt"]
        assert (found[0].verdict if found else Verdict.MAY_AUTHORISE) is answer


def test_after_a_cancellation_a_later_final_counts() -> None:
    chart = ready()
    chart.result("alt", "160", DRAWN, **FROM, accession="a-1")
    chart.result("alt", None, DRAWN, value=None, status="cancelled", **FROM, accession="a-1", recorded_at=LATER)
    chart.result("alt", "30", DRAWN, **FROM, accession="a-1", recorded_at=LATER + MIN)
    assert asked(chart) == (Verdict.MAY_AUTHORISE, [])


# ── the law: less knowledge never opens ────────────────────────────────────────────────────────────────────────────

_values = st.dictionaries(st.sampled_from(sorted(HELD)), st.booleans(), max_size=4)


@few
@given(_values, st.sampled_from(sorted(HELD)), st.sampled_from([*UNUSABLE, *WITHDRAWALS, "unmatched"]))
def test_no_message_without_a_usable_value_opens_or_lifts_anything(
    high: dict[str, bool], analyte: str, how: str
) -> None:
    chart = ready()
    for name, is_high in high.items():
        value = HELD[name][0 if is_high else 1]
        chart.result(name, value, DRAWN, resource=f"lab|{name}", version=1, report_id=f"report-{name}")
    before = PaperCourse(chart, D8).card
    if how in UNUSABLE:
        chart.result(analyte, "1", LATER, **UNUSABLE[how])
    elif how in WITHDRAWALS:
        WITHDRAWALS[how](chart, analyte)
    else:
        withdrawn(chart, resource="lab|never-sent")
    after = PaperCourse(chart, D8).card
    assert may(after) & AUTHORISING <= may(before)
    held = {(f.rule, f.subject) for f in before.standing if f.verdict in (Verdict.HOLD, Verdict.HOLD_URGENT)}
    assert held <= {(f.rule, f.subject) for f in after.standing}


AUTHORISING = {"authorise_dose", "verify_dose", "start_infusion", "start_next_cycle"}
assert {"alt", "potassium"} <= set(NORMAL)
