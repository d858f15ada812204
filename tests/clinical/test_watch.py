"""Blood counts, tumour lysis, ECG after a QT drug, pancreas, infection, marrow: due when, met by what (MON-01 … MON-14)."""

from datetime import datetime, timedelta

import pytest

from models.assessment import Obligation
from models.people import Role
from tests.factories import CBC as BLOOD_COUNT
from tests.factories import D1, ChartBuilder, PaperCourse, a_lab

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D15, D22 = D1 + 14 * DAY, D1 + 21 * DAY
TLS = ("potassium", "phosphate", "calcium", "urate", "creatinine", "ldh")


def after_day_1() -> ChartBuilder:
    return ChartBuilder().ready().dose(1, 1, D1)


def opened(chart: ChartBuilder, now: datetime, begins: str) -> Obligation | None:
    found = [o for o in PaperCourse(chart, now).card.obligations if o.key.startswith(begins)]
    assert len(found) <= 1
    return found[0] if found else None


def standing_at(chart: ChartBuilder, begins: str, *instants: datetime) -> list[str]:
    return [o.standing if (o := opened(chart, now, begins)) else "none" for now in instants]


# ── MON-01 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mon_01_a_blood_count_is_due_every_week_from_the_last_complete_one() -> None:
    chart, drawn = after_day_1(), D1 - 2 * H
    due_at = drawn + 7 * DAY
    found = opened(chart, D1 + 3 * H, "blood-count")
    assert found is not None
    assert (found.rule, found.owner, found.due_at, found.overdue_at) == (
        "MON-01",
        Role.COORDINATOR,
        due_at,
        due_at + 24 * H,
    )
    instants = (due_at - SECOND, due_at, due_at + 24 * H, due_at + 24 * H + SECOND)
    assert standing_at(chart, "blood-count", *instants) == ["coming", "due", "due", "overdue"]
    chart.labs(due_at, *BLOOD_COUNT)
    moved = opened(chart, due_at, "blood-count")
    assert moved is not None
    assert moved.due_at == due_at + 7 * DAY


@pytest.mark.parametrize("missing", BLOOD_COUNT)
def test_mon_01_only_a_complete_blood_count_counts(missing: str) -> None:
    chart = after_day_1()
    chart.labs(D1 + 2 * DAY, *(a for a in BLOOD_COUNT if a != missing))
    found = opened(chart, D1 + 3 * DAY, "blood-count")
    assert found is not None
    assert (found.due_at == D1 - 2 * H + 7 * DAY) == (missing != "blasts_percent")


def test_mon_01_no_blood_count_is_asked_for_before_the_first_dose_or_after_the_last() -> None:
    assert opened(ChartBuilder().ready(), D1, "blood-count") is None
    chart = after_day_1()
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D1 + DAY, Role.PRESCRIBER)
    assert opened(chart, D1 + 2 * DAY, "blood-count") is None


# ── MON-08 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mon_08_the_times_after_the_first_dose_one_after_another() -> None:
    chart, times = after_day_1(), []
    now = D1 + 3 * H
    while found := opened(chart, now, "tls-labs"):
        times.append(((found.due_at - D1) // H, (found.overdue_at - D1) // H))
        chart.labs(found.due_at, *TLS)
        now = found.due_at
    assert times == [(6, 12), (24, 36), (48, 60), (72, 84), (168, 180)]


@pytest.mark.parametrize(
    ("drawn", "next_due"),
    [(6 * H - SECOND, 6), (6 * H, 24), (20 * H - SECOND, 24), (20 * H, 48), (26 * H, 48), (100 * H, 168)],
    ids=str,
)
def test_mon_08_a_draw_stands_for_the_times_before_it_and_four_hours_ahead(drawn: timedelta, next_due: int) -> None:
    chart = after_day_1()
    chart.labs(D1 + drawn, *TLS)
    found = opened(chart, D1 + drawn, "tls-labs")
    assert found is not None
    assert found.due_at == D1 + next_due * H


@pytest.mark.parametrize("missing", TLS)
def test_mon_08_all_six_are_needed(missing: str) -> None:
    chart = after_day_1()
    chart.labs(D1 + 7 * H, *(a for a in TLS if a != missing))
    found = opened(chart, D1 + 8 * H, "tls-labs")
    assert found is not None
    assert found.due_at == D1 + 6 * H


def test_mon_08_nothing_more_is_asked_when_the_last_time_is_over_or_in_a_second_cycle() -> None:
    last = D1 + 180 * H
    assert standing_at(after_day_1(), "tls-labs", last, last + SECOND) == ["overdue", "none"]
    chart = ChartBuilder().ready().cycle(1, D1, response="CR").dose(2, 1, D22)
    assert opened(chart, D22 + 7 * H, "tls-labs") is None


# ── MON-06, MON-07, MON-09 ─────────────────────────────────────────────────────────────────────────────────────────

LEVOFLOXACIN = {"kind": "medication", "drug": "Levofloxacin", "qt_prolonging": True}


def test_mon_06_an_ecg_with_electrolytes_is_due_a_week_after_a_drug_that_prolongs_qt() -> None:
    chart, started = after_day_1(), D1 + DAY
    chart.add(LEVOFLOXACIN, started)
    due_at = started + 7 * DAY
    instants = (due_at - SECOND, due_at, due_at + 24 * H, due_at + 24 * H + SECOND)
    assert standing_at(chart, "ecg-after-", *instants) == ["coming", "due", "due", "overdue"]
    chart.add({"kind": "ecg", "qtcf_ms": "430"}, due_at - 24 * H)
    assert opened(chart, due_at, "ecg-after") is not None  # MON-07: electrolytes with each ECG
    chart.labs(due_at, "potassium", "magnesium", "calcium", "albumin")
    assert opened(chart, due_at, "ecg-after") is None


def test_mon_06_an_ecg_of_the_second_day_does_not_stand_for_the_one_after_a_week() -> None:
    chart, started = after_day_1(), D1 + DAY
    chart.add(LEVOFLOXACIN, started)
    at = started + 6 * DAY - SECOND
    chart.add({"kind": "ecg", "qtcf_ms": "430"}, at)
    chart.labs(at, "potassium", "magnesium", "calcium", "albumin")
    assert opened(chart, started + 7 * DAY, "ecg-after") is not None


@pytest.mark.parametrize("told", [{"qt_prolonging": False}, {"action": "stopped"}], ids=str)
def test_mon_06_only_a_drug_that_prolongs_qt_and_is_taken_asks_for_one(told: dict[str, object]) -> None:
    chart = after_day_1()
    chart.add(LEVOFLOXACIN, D1 + DAY)
    chart.add({**LEVOFLOXACIN, **told}, D1 + 2 * DAY)
    assert opened(chart, D1 + 9 * DAY, "ecg-after") is None


def test_mon_09_pain_in_the_upper_abdomen_asks_for_amylase_and_lipase() -> None:
    chart, seen = after_day_1(), D1 + 2 * DAY
    chart.add({"kind": "vod_examination", "ruq_pain": True}, seen)
    found = opened(chart, seen, "amylase-lipase")
    assert found is not None
    assert (found.rule, found.due_at, found.overdue_at) == ("MON-09", seen, seen + 24 * H)
    chart.labs(seen + H, "amylase", "lipase", amylase="60", lipase="30")
    assert opened(chart, seen + H, "amylase-lipase") is None
    chart.add({"kind": "vod_examination", "ruq_pain": True}, seen + 2 * DAY)
    assert opened(chart, seen + 2 * DAY, "amylase-lipase") is not None
    chart.add({"kind": "vod_examination", "ruq_pain": False}, seen + 3 * DAY)
    assert opened(chart, seen + 3 * DAY, "amylase-lipase") is None


# ── MON-10 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mon_10_prophylaxis_is_asked_for_in_every_cycle() -> None:
    given = {"kind": "prophylaxis", "against": "pneumocystis", "given": True, "agent": "co-trimoxazole"}
    chart = after_day_1()
    first = opened(chart, D1 + 3 * H, "prophylaxis")
    assert first is not None
    assert (first.key, first.owner, first.due_at) == ("prophylaxis-C1", Role.PHYSICIAN, D1)
    chart.add(given, D1 + 4 * H)
    assert opened(chart, D1 + 5 * H, "prophylaxis") is None
    chart.dose(1, 8, D1 + 7 * DAY).dose(1, 15, D15)
    second = opened(chart, D15 + 3 * H, "prophylaxis")
    assert second is not None
    assert (second.key, second.due_at, second.overdue_at) == ("prophylaxis-C2", D22, D22 + 24 * H)
    chart.add(given, D22 - 7 * DAY - SECOND)
    assert opened(chart, D22, "prophylaxis") is not None
    chart.add({**given, "given": False}, D22 - 7 * DAY + SECOND)
    assert opened(chart, D22, "prophylaxis") is None


def test_mon_10_prophylaxis_against_vod_is_another_thing() -> None:
    chart = after_day_1()
    chart.add({"kind": "prophylaxis", "against": "vod", "given": True, "agent": "ursodiol"}, D1)
    assert opened(chart, D1 + 3 * H, "prophylaxis") is not None


def test_mon_10_it_is_asked_for_at_the_last_dose_and_every_month_to_the_end_of_monitoring() -> None:
    said = {"kind": "prophylaxis", "against": "herpes", "given": True, "agent": "aciclovir"}
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D15 + DAY, Role.PRESCRIBER)
    chart.add({"kind": "no_transplant"}, D15 + 2 * DAY, Role.PRESCRIBER)
    first = opened(chart, D15 + 2 * DAY, "prophylaxis")
    assert first is not None
    assert (first.key, first.due_at, first.overdue_at) == ("prophylaxis-after", D15 + DAY, D15 + 48 * H)
    chart.add(said, D15 + 3 * DAY)  # 19 March
    again = opened(chart, D15 + 3 * DAY, "prophylaxis")
    assert again is not None
    assert again.due_at == datetime.fromisoformat("2026-04-19T09:00:00+02:00")
    chart.add(said, D15 + 40 * DAY)  # 25 April: the next would be after day 56, which is 11 May
    assert opened(chart, D15 + 40 * DAY, "prophylaxis") is None


def test_mon_10_what_was_said_in_the_week_before_the_last_dose_is_said_of_it() -> None:
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "prophylaxis", "against": "herpes", "given": True, "agent": "aciclovir"}, D15 - 7 * DAY)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D15 + DAY, Role.PRESCRIBER)
    asked = opened(chart, D15 + DAY, "prophylaxis")
    assert asked is not None
    assert asked.due_at > D15 + 20 * DAY


# ── MON-14 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mon_14_marrow_with_mrd_is_due_from_day_21_to_the_end_of_day_28() -> None:
    chart = ChartBuilder().ready().cycle(1, D1)
    due_at = D1 + 20 * DAY
    late = datetime.fromisoformat("2026-03-29T23:59:59+02:00")  # the clocks were put forward that night
    instants = (due_at - SECOND, due_at, late, late + SECOND)
    assert standing_at(chart, "marrow", *instants) == ["coming", "due", "due", "overdue"]
    assert opened(chart, D1, "marrow-C1") is not None


@pytest.mark.parametrize(
    ("told", "met"),
    [
        ({"response": "CR", "mrd_negative": True}, True),
        ({"response": "CRi", "mrd_negative": False}, True),
        ({"response": "CR"}, False),
        ({"response": "none"}, True),
        ({"response": "not_assessable"}, False),
    ],
    ids=str,
)
def test_mon_14_it_is_met_by_a_response_and_in_remission_by_the_mrd(told: dict[str, object], met: bool) -> None:
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "response", "cycle": 1, **told}, D22, Role.PHYSICIAN)
    assert (opened(chart, D22, "marrow") is None) == met


def test_mon_14_it_is_asked_for_in_the_first_three_cycles() -> None:
    chart, at = ChartBuilder().ready(), D1
    for cycle in range(1, 5):
        chart.cycle(cycle, at, response="CR", mrd_negative=True)
        chart.facts = [f for f in chart.facts if f.what.kind != "response" or f.what.cycle < cycle]
        asked = opened(chart, at + 15 * DAY, f"marrow-C{cycle}")
        assert (asked is not None) == (cycle <= 3)
        chart.add({"kind": "response", "cycle": cycle, "response": "CR", "mrd_negative": True}, at + 20 * DAY)
        at += 28 * DAY


def test_mon_01_a_blood_count_that_was_taken_back_is_not_asked_for_later() -> None:
    """M.0: the only one was drawn before the dose; without it the week is counted from the same day."""
    chart, drawn = ChartBuilder().screened().examined(D1), D1 - 2 * H
    chart.result("wbc", "4.0", drawn, resource="lab|w-1")
    for analyte in BLOOD_COUNT:
        if analyte != "wbc":
            chart.result(analyte, None, drawn)
    chart.dose(1, 1, D1)
    before = opened(chart, D1 + 3 * H, "blood-count")
    wrong = a_lab("wbc", "4.0", at=drawn, resource="lab|w-1", status="entered-in-error")
    chart.add(wrong, D1 + 2 * H, Role.LABORATORY)
    after = opened(chart, D1 + 3 * H, "blood-count")
    assert before is not None
    assert after is not None
    assert after.due_at <= before.due_at == drawn + 7 * DAY
