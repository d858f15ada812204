"""The QT interval (LAB-01, §6.1, QT-01 … QT-04, QT-06): computed exactly after Fridericia, reviewed where it must be."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.course.case import Case
from clinical.results.known import Known
from clinical.toxicity.ecg import fridericia, qtcf_history, qtcf_opening
from models.assessment import Verdict
from models.facts import LabResult
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, notes, standing_rules

H, DAY = timedelta(hours=1), timedelta(days=1)
D8, D29 = D1 + 7 * DAY, D1 + 28 * DAY
LOINC = {
    "qt": "8634-8",
    "qtc": "8636-3",
    "qtcf": "76634-5",
    "qtcb": "76635-2",
    "rr": "8637-1",
    "hr": "8867-4",
    "qrs": "8633-0",
}
UNIT = {"rr": "s", "hr": "/min"}


def first_dose(**ecg: str | None) -> ChartBuilder:
    """Day 1 of cycle 1, everything in order, with a newer ECG where one is given."""
    chart = ChartBuilder().ready()
    if ecg:
        chart.add({"kind": "ecg", **ecg}, D1 - H)
    return chart


def sent(chart: ChartBuilder, at: Any, *, method: str | None = None, **values: str) -> str:
    """Intervals of one tracing as a machine sends them; the id of the first."""
    ids = []
    for name, value in values.items():
        result = {
            "loinc": LOINC[name],
            "value": value,
            "unit": UNIT.get(name, "ms"),
            "collected_at": at,
            "method": method,
        }
        body = LabResult.model_validate({**result, "status": "final", "sender": "ecg-1"})
        ids.append(chart.add(body, at, Role.LABORATORY))
    return ids[0]


def asked(chart: ChartBuilder, now: Any = D1) -> tuple[Verdict, list[str]]:
    card = PaperCourse(chart, now).card
    return card.verdict, standing_rules(card)


def qtcf(chart: ChartBuilder, now: Any = D1) -> Any:
    found = qtcf_opening(Case(chart.chart(), load_protocol(LABEL), now))
    return found.unknown or next(iter(found.values), None)


PASSES = (Verdict.MAY_AUTHORISE, [])

# ── Fridericia ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("qt", "rate", "expected"), [("400", "90", "457.9"), ("420", "100", "498.0"), ("380", "60", "380.0")]
)
def test_the_checks_of_the_reference(qt: str, rate: str, expected: str) -> None:
    assert round(fridericia(Decimal(qt), Decimal(rate)), 1) == Decimal(expected)


@pytest.mark.parametrize(
    ("rate", "root"), [("60", "1"), ("79.86", "1.1"), ("103.68", "1.2"), ("43.74", "0.9"), ("30.72", "0.8")]
)
def test_a_root_that_ends_is_exact(rate: str, root: str) -> None:
    assert fridericia(Decimal(400), Decimal(rate)) == Decimal(400) * Decimal(root)


@given(st.integers(200, 700), st.decimals(min_value=40, max_value=130, places=1), st.sampled_from([450, 480, 500]))
def test_a_limit_is_crossed_exactly_where_the_cubes_cross_it(qt: int, rate: Decimal, limit: int) -> None:
    assert (fridericia(Decimal(qt), rate) > limit) == (qt**3 * rate > limit**3 * 60)


@pytest.mark.parametrize(
    ("ecg", "said"),
    [
        ({"qt_ms": "400", "heart_rate_per_min": "90"}, "457.9 ms"),
        ({"qt_ms": "380", "heart_rate_per_min": "60"}, "380 ms"),
        ({"qt_ms": "400", "heart_rate_per_min": "90", "qtcf_ms": "431"}, "431 ms"),
    ],
)
def test_a_charted_ecg_gives_its_qtcf_or_what_it_is_computed_from(ecg: dict[str, str | None], said: str) -> None:
    found = qtcf(first_dose(**ecg))
    assert isinstance(found, Known)
    assert found.said == said


@pytest.mark.parametrize(
    ("ecg", "rule"),
    [
        ({"qt_ms": "400"}, "LAB-01"),
        ({"heart_rate_per_min": "90"}, "LAB-05"),
        ({"qrs_ms": "90"}, "LAB-05"),
        ({"qt_ms": "400", "heart_rate_per_min": "0"}, "LAB-05"),
        ({"qt_ms": "400", "heart_rate_per_min": "19.9"}, "LAB-05"),
        ({"qt_ms": "400", "heart_rate_per_min": "300.1"}, "LAB-05"),
        ({"qt_ms": "199", "heart_rate_per_min": "60"}, "LAB-05"),
        ({"qt_ms": "0.4", "heart_rate_per_min": "60"}, "LAB-05"),
        ({"qt_ms": "230", "heart_rate_per_min": "38"}, "LAB-05"),
    ],
    ids=str,
)
def test_an_ecg_from_which_no_qtcf_can_be_told_makes_it_unknown(ecg: dict[str, str | None], rule: str) -> None:
    assert asked(first_dose(**ecg)) == (Verdict.NEED_DATA, [rule])


@pytest.mark.parametrize(
    "ecg",
    [
        {"qt_ms": "801", "heart_rate_per_min": "60"},
        {"qt_ms": "801", "heart_rate_per_min": "60", "qtcf_ms": "420"},
        {"qt_ms": "790", "heart_rate_per_min": "80"},
    ],
    ids=str,
)
def test_an_implausibly_long_qt_calls_a_person(ecg: dict[str, str | None]) -> None:
    verdict, rules = asked(first_dose(**ecg))
    assert (verdict, rules[0]) == (Verdict.HOLD_URGENT, "LAB-06")


# ── LAB-01: what a machine sends ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["Fridericia", "FRIDERICIA formula", "QTc (Fridericia)"])
def test_a_qtc_whose_method_is_fridericia_is_a_qtcf(method: str) -> None:
    chart = first_dose()
    sent(chart, D1 - H, qtc="481", method=method)
    assert asked(chart) == (Verdict.HOLD, ["QT-02"])


@pytest.mark.parametrize("method", [None, "", "Bazett", "automatic"])
def test_a_qtc_without_that_method_is_computed_anew_or_unknown(method: str | None) -> None:
    chart = first_dose()
    sent(chart, D1 - H, qtc="430", method=method)
    assert asked(chart) == (Verdict.NEED_DATA, ["LAB-01"])
    sent(chart, D1 - H, qt="420", hr="100")
    found = qtcf(chart)
    assert isinstance(found, Known)
    assert found.said == "498.0 ms"
    assert asked(chart) == (Verdict.HOLD, ["QT-02"])


def test_a_qtc_after_bazett_is_no_qtcf() -> None:
    chart = first_dose()
    sent(chart, D1 - H, qtcb="430")
    assert asked(chart) == (Verdict.NEED_DATA, ["LAB-01"])


def test_the_heart_rate_of_another_instant_does_not_count() -> None:
    chart = first_dose()
    sent(chart, D1 - H, qt="400")
    sent(chart, D1 - H / 2, hr="90")
    assert asked(chart) == (Verdict.NEED_DATA, ["LAB-01"])


def test_the_rr_interval_gives_the_heart_rate_where_none_is_sent() -> None:
    chart = first_dose()
    sent(chart, D1 - H, qt="400", rr="0.512")
    found = qtcf(chart)
    assert isinstance(found, Known)
    assert found.value == Decimal(500)
    assert asked(chart) == (Verdict.HOLD, ["QT-02"])


def test_a_qtcf_of_the_same_tracing_is_taken_as_it_was_sent() -> None:
    chart = first_dose()
    sent(chart, D1 - H, qtcf="431", qt="420", hr="100", qtc="470")
    assert asked(chart) == PASSES
    assert [k.said for k in qtcf_history(Case(chart.chart(), load_protocol(LABEL), D1))] == ["420 ms", "431 ms"]


@pytest.mark.parametrize("unit", [("420", "ms"), ("0.42", "s")])
def test_a_qt_in_seconds_is_the_same_qt(unit: tuple[str, str]) -> None:
    chart = first_dose()
    for name, value, word in (("qt", *unit), ("hr", "100", "/min")):
        fields = {"loinc": LOINC[name], "value": value, "unit": word, "collected_at": D1 - H, "status": "final"}
        chart.add(LabResult.model_validate(fields), D1 - H, Role.LABORATORY)
    assert asked(chart) == (Verdict.HOLD, ["QT-02"])


def test_a_comparator_in_the_intervals_leaves_the_qtcf_open() -> None:
    chart = first_dose()
    fields = {"loinc": LOINC["qt"], "value": "380", "comparator": "<", "unit": "ms", "collected_at": D1 - H}
    chart.add(LabResult.model_validate({**fields, "status": "final"}), D1 - H, Role.LABORATORY)
    sent(chart, D1 - H, hr="60")
    assert asked(chart) == (Verdict.NEED_DATA, ["LAB-01"])


PARTS = {"qt": {"qt": "520", "hr": "60"}, "hr": {"qt": "520", "hr": "60"}, "rr": {"qt": "520", "rr": "1"}}


def part_gone(of: str, status: str, **values: str) -> tuple[PaperCourse, str]:
    """Day 1 of cycle 2, a tracing in parts, and a part of it comes again with this status; the id of that part."""
    chart, at = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D29), D29 - H
    ids = {name: sent(chart, at, **{name: value}) for name, value in values.items()}
    course = PaperCourse(chart, D29)
    with course.charting() as later:
        again = next(f for f in later.facts if f.id == ids[of]).what.model_dump(mode="json")
        later.add({**again, "status": status, "value": None}, D29 - H / 2, Role.LABORATORY)
    return course, ids[of]


GONE = ("entered-in-error", "cancelled", "preliminary")


@pytest.mark.parametrize("status", GONE)
@pytest.mark.parametrize("of", PARTS)
def test_what_a_qtcf_raised_stands_when_a_part_of_it_can_be_used_no_more(of: str, status: str) -> None:
    """E1, LAB-10: a later tracing settles it, or a physician who says that the part was wrong."""
    course, part = part_gone(of, status, **PARTS[of])
    card = course.card
    held = next(f for f in card.standing if f.rule == "QT-01")
    assert "QTcF 520 ms, can be used no more" in held.reason
    called = next(o for o in card.obligations if o.rule == "CRIT-01")
    assert f"a physician's correct_fact of {part}; last 520 ms" in (called.clears or "")
    assert "can be used no more" in (called.clears or "")
    assert any("it calls until a later usable value" in f.reason for f in card.findings if f.rule == "CRIT-01")
    later = PaperCourse(ChartBuilder(), course.now)
    later.chart = course.chart
    with later.charting() as chart:
        chart.add({"kind": "ecg", "qtcf_ms": "421"}, D29 - H / 4)
    assert "QT-01" not in standing_rules(later.card)
    course.does("correct_fact", Role.PHYSICIAN, target=part, reason="of another patient")
    assert "QT-01" not in standing_rules(course.card)


@pytest.mark.parametrize("status", GONE)
@pytest.mark.parametrize("of", PARTS)
def test_a_qtcf_of_which_a_part_can_be_used_no_more_is_unknown_and_says_why(of: str, status: str) -> None:
    course, _ = part_gone(of, status, **{**PARTS[of], "qt": "400"})
    (missing,) = course.card.standing
    said = "QT" if of == "qt" else "heart rate"
    assert (missing.verdict, said in missing.reason) == (Verdict.NEED_DATA, True)
    assert "can be used no more" in missing.reason or f"status is {status}" in missing.reason


def test_a_baseline_that_was_computed_and_can_be_used_no_more_still_counts_for_the_rise() -> None:
    chart = ChartBuilder().ready().without("ecg")
    sent(chart, D1 - 3 * H, qt="400")
    rate = sent(chart, D1 - 3 * H, hr="60")
    chart.cycle(1, D1).ready_for_cycle(D29)
    sent(chart, D29 - H, qtcf="475")
    course = PaperCourse(chart, D29)
    assert standing_rules(course.card) == ["QT-01"]
    with course.charting() as later:
        again = next(f for f in later.facts if f.id == rate).what.model_dump(mode="json")
        later.add({**again, "status": "entered-in-error", "value": None}, D29 - H / 2, Role.LABORATORY)
    assert "QT-01" in standing_rules(course.card)


# ── QT-06 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ecg", "reviewed_first"),
    [
        ({"heart_rate_per_min": "39.9"}, True),
        ({"heart_rate_per_min": "40"}, False),
        ({"heart_rate_per_min": "130"}, False),
        ({"heart_rate_per_min": "130.1"}, True),
        ({"qrs_ms": "120"}, False),
        ({"qrs_ms": "120.1"}, True),
        ({}, False),
    ],
    ids=str,
)
def test_outside_its_limits_a_tracing_is_reviewed_by_a_person_first(
    ecg: dict[str, str | None], reviewed_first: bool
) -> None:
    chart = ChartBuilder().ready()
    fact = chart.add({"kind": "ecg", "qtcf_ms": "431", **ecg}, D1 - H)
    assert asked(chart) == ((Verdict.NEED_DATA, ["QT-06"]) if reviewed_first else PASSES)
    chart.add({"kind": "result_confirmed", "target": fact}, D1 - H / 2, Role.PHYSICIAN)
    assert asked(chart) == PASSES


def test_a_tracing_that_was_sent_is_reviewed_by_its_heart_rate_and_qrs_too() -> None:
    chart = first_dose()
    fact = sent(chart, D1 - H, qtcf="505", hr="135")
    assert asked(chart) == (Verdict.NEED_DATA, ["QT-06"])
    chart.add({"kind": "result_confirmed", "target": fact}, D1 - H / 2, Role.PHYSICIAN)
    assert asked(chart) == (Verdict.HOLD, ["QT-01"])
    wide = first_dose()
    sent(wide, D1 - H, qt="400", hr="60", qrs="121")
    assert asked(wide) == (Verdict.NEED_DATA, ["QT-06"])


def test_a_tracing_under_review_is_no_baseline_and_no_older_one_stands_for_it() -> None:
    chart = first_dose(qtcf_ms="520", heart_rate_per_min="131")
    assert asked(chart) == (Verdict.NEED_DATA, ["QT-06"])
    assert [k.said for k in qtcf_history(Case(chart.chart(), load_protocol(LABEL), D1))] == ["420 ms"]


# ── QT-01 … QT-03 ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ms", "rule", "noted"),
    [
        ("449.9", None, False),
        ("450", None, True),
        ("480", None, True),
        ("480.1", "QT-02", False),
        ("500", "QT-02", False),
        ("500.1", "QT-01", False),
        ("501", "QT-01", False),
    ],
)
def test_qtcf_against_its_limits(ms: str, rule: str | None, noted: bool) -> None:
    for chart in (first_dose(qtcf_ms=ms), first_dose()):
        if chart.facts[-1].what.kind != "ecg":
            sent(chart, D1 - H, qtcf=ms)
        assert asked(chart)[1] == ([rule] if rule else [])
        assert ("QT-03" in set(notes(PaperCourse(chart, D1).card))) == noted


@pytest.mark.parametrize(
    ("ms", "rules"),
    [("440", []), ("440.1", ["QT-01"]), ("441", ["QT-01"])],
    ids=["a rise of 60", "of 60.1", "of 61"],
)
def test_the_rise_is_seen_from_the_last_ecg_before_the_first_dose(ms: str, rules: list[str]) -> None:
    chart = first_dose(qtcf_ms="380").cycle(1, D1).ready_for_cycle(D29)
    chart.add({"kind": "ecg", "qtcf_ms": ms}, D29 - H)
    assert asked(chart, D29)[1] == rules


def test_sc_49_a_long_and_risen_qtcf_holds_for_both_reasons() -> None:
    chart = first_dose(qtcf_ms="440").cycle(1, D1).ready_for_cycle(D29)
    chart.add({"kind": "ecg", "qtcf_ms": "506"}, D29 - H)
    found = [f for f in PaperCourse(chart, D29).card.standing if f.rule == "QT-01"]
    assert [f.subject for f in found] == ["qtcf", "rise"]
    assert "rose by 66 ms" in found[1].reason


@pytest.mark.parametrize(
    ("comparator", "ms", "rule"),
    [("<", "480", None), ("<", "481", "QT-02"), (">", "500", "QT-01"), (">", "470", "QT-01"), ("<=", "500", "QT-02")],
)
def test_a_comparator_that_leaves_a_limit_open_holds(comparator: str, ms: str, rule: str | None) -> None:
    chart = first_dose()
    fields = {"loinc": LOINC["qtcf"], "value": ms, "comparator": comparator, "unit": "ms", "collected_at": D1 - H}
    chart.add(LabResult.model_validate({**fields, "status": "final"}), D1 - H, Role.LABORATORY)
    assert asked(chart)[1] == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("ecg", "ago", "rules"),
    [
        ({"qtcf_ms": "481"}, 1 * H, ["QT-02", "QT-01"]),
        ({"qtcf_ms": "431"}, 1 * H, []),
        ({"qtcf_ms": None}, 1 * H, ["LAB-05"]),
        ({"qtcf_ms": "431", "qrs_ms": "130"}, 1 * H, ["QT-06"]),
        ({"qtcf_ms": None}, 7 * DAY - H, ["LAB-05"]),
    ],
    ids=str,
)
def test_on_day_8_no_ecg_is_asked_for_but_the_newest_is_not_passed_over(
    ecg: dict[str, str | None], ago: timedelta, rules: list[str]
) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
    chart.add({"kind": "ecg", **ecg}, D8 - ago)
    assert asked(chart, D8)[1] == rules


def test_an_unreadable_ecg_holds_day_8_however_old_it_is() -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "ecg"}, D1 + H)
    chart.dose(1, 1, D1 - H).ready_again(D8 + 2 * H)
    assert "LAB-05" in asked(chart, D8 + H)[1]
    assert "LAB-05" in asked(chart, D8 + H + timedelta(seconds=1))[1]


# ── QT-04 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("drugs", "noted"),
    [
        ([("ondansetron", "started", True)], "ondansetron"),
        ([("ondansetron", "started", None)], None),
        ([("ondansetron", "started", False)], None),
        ([("ondansetron", "started", True), ("Ondansetron ", "stopped", None)], None),
        ([("ondansetron", "stopped", True)], None),
        ([("ondansetron", "started", True), ("levofloxacin", "started", True)], "ondansetron, levofloxacin"),
    ],
    ids=str,
)
def test_another_drug_that_prolongs_the_interval_is_a_warning(
    drugs: list[tuple[str, str, bool | None]], noted: str | None
) -> None:
    chart = first_dose()
    for place, (drug, action, prolongs) in enumerate(drugs):
        body = {"kind": "medication", "drug": drug, "action": action, "qt_prolonging": prolongs}
        chart.add(body, D1 - 3 * H + place * H)
    card = PaperCourse(chart, D1).card
    found = [f for f in card.findings if f.rule == "QT-04"]
    assert [(f.verdict, f.reason.split(" can prolong")[0]) for f in found] == ([(None, noted)] if noted else [])
    assert card.verdict is Verdict.MAY_AUTHORISE
