"""INF-07, PREP-12: that an infusion ends within 8 h of reconstitution is called while it can be, and said afterwards."""

from datetime import timedelta

import pytest

from clinical.monitoring.due import hashed
from models.assessment import Obligation
from models.obligation_kinds import ObligationKind
from models.people import Role
from tests.factories import D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse
from tests.scenarios import first_dose

SECOND, MIN, H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
BAG, LIMIT = ObligationKind.PREPARATION.key(hashed("b1")), ObligationKind.INFUSION_LIMIT.key("C1D1")
ASKED = ObligationKind.INFUSION_ASKED.key("C1D1-late")


def reconstituted(started: timedelta | None = None, ended: timedelta | None = None) -> ChartBuilder:
    """A bag of D1, started and ended so long after its reconstitution; nobody signed it here."""
    chart = ChartBuilder().ready()
    made = {"reconstituted_at": D1, "dilution_started_at": D1 + 20 * MIN, "mg": "1.45", "vials": 2}
    chart.add({"kind": "preparation", "preparation_id": "b1", **made}, D1, Role.PHARMACIST)
    if started is not None:
        said = {"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "b1"}
        chart.add(said, D1 + started)
    if ended is not None:
        chart.add({"kind": "infusion_completed"}, D1 + ended)
    return chart


def open_after(chart: ChartBuilder, after: timedelta) -> dict[str, Obligation]:
    card = PaperCourse(chart, D1 + after).card
    return {o.key: o for o in card.obligations if o.rule == "INF-07"}


def said_after(chart: ChartBuilder, after: timedelta) -> list[str]:
    return [f.reason for f in PaperCourse(chart, D1 + after).card.findings if f.rule == "INF-07"]


CALLED = [
    ("not started", None, BAG, 7 * H, (Role.PHARMACIST, Role.NURSE)),
    ("running", 6 * H, LIMIT, 8 * H, (Role.NURSE, Role.PHYSICIAN)),
]


@pytest.mark.parametrize(
    ("started", "key", "limit", "owners"), [row[1:] for row in CALLED], ids=[row[0] for row in CALLED]
)
def test_who_is_called_half_an_hour_before_and_at_the_limit(
    started: timedelta | None, key: str, limit: timedelta, owners: tuple[Role, ...]
) -> None:
    chart, called = reconstituted(started), limit - 30 * MIN
    for after, standing in ((called - SECOND, "coming"), (called, "due"), (limit, "due"), (limit + SECOND, "overdue")):
        found = open_after(chart, after)
        assert (list(found), found[key].standing, found[key].owners) == ([key], standing, owners)
    assert open_after(chart, limit + 40 * H)[key].standing == "overdue", "time alone ends nothing"


def test_a_bag_stands_from_its_reconstitution_until_it_is_started_discarded_or_made_anew() -> None:
    course = PaperCourse(reconstituted(), D1)
    assert open_after(reconstituted(), timedelta())[BAG].standing == "coming"
    made = next(f for f in course.chart.facts if f.what.kind == "preparation")
    course.does("correct_fact", Role.PHARMACIST, target=made.id, reason="discarded")
    assert not [o for o in course.card.obligations if o.rule == "INF-07"]
    again = reconstituted()
    anew = {"reconstituted_at": D1 + H, "dilution_started_at": D1 + H, "mg": "1.45", "vials": 2}
    again.add({"kind": "preparation", "preparation_id": "b2", **anew}, D1 + H, Role.PHARMACIST)
    assert list(open_after(again, H)) == [ObligationKind.PREPARATION.key(hashed("b2"))]
    other = reconstituted().dose(1, 1, D1 + H)
    assert list(open_after(other, 90 * MIN)) == []


SPOILT: dict[str, tuple[dict[str, object], timedelta, str, str]] = {
    "another dose": ({"mg": "1.54"}, timedelta(), "IDN-02", "preparation holds 1.54 mg, authorised are "),
    "too few vials": ({"vials": 1}, timedelta(), "VIAL-01", "1 vial cannot yield"),
    "diluted too late": ({"reconstituted": -5}, timedelta(), "PREP-11", "dilution did not start within 4 h"),
    "another volume": ({"total_ml": "100"}, timedelta(), "PREP-04", "diluted to 100 mL"),
    "expired": ({}, 7 * H + SECOND, "PREP-12", "would end later than 8 h"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("charted", "later", "rule", "why"), SPOILT.values(), ids=SPOILT.keys())
def test_a_preparation_that_is_no_good_is_to_be_discarded_and_the_pharmacist_is_told_why(
    protocol: str, charted: dict[str, object], later: timedelta, rule: str, why: str
) -> None:
    course = first_dose()(protocol).authorised().premedicated()
    fields = {k: v for k, v in charted.items() if k != "reconstituted"}
    if "reconstituted" in charted:
        fields["reconstituted_at"] = course.now - 5 * H
    course.prepared(**fields)
    course.now += later
    (bag,) = [o for o in course.card.obligations if o.kind is ObligationKind.PREPARATION]
    assert "must start by" not in bag.title
    assert why in bag.title
    assert bag.clears == f"discard bag-1 ({rule}), and prepare anew"
    (turn,) = [action for owner, action in course.card.turns if owner is Role.PHARMACIST]
    assert (turn.startswith("prepare the dose anew: "), why in turn) == (True, True)


def test_a_preparation_that_is_good_or_only_charted_amiss_is_not_discarded() -> None:
    course = first_dose()(LABEL).authorised().premedicated()
    for name, fields in {"bag-1": {}, "bag-2": {"dilution_started_at": None}}.items():
        course.prepared(name, **fields)
        (bag,) = [o for o in course.card.obligations if o.kind is ObligationKind.PREPARATION]
        assert "must start by" in bag.title


def test_an_infusion_that_runs_past_the_limit_is_said_and_stays_a_deviation() -> None:
    running = reconstituted(7 * H)
    assert said_after(running, 8 * H) == []
    words = "infusion of C1D1 on 2026-03-02 runs past 17:00, 8 h after reconstitution: end it, discard the rest"
    assert said_after(running, 8 * H + SECOND) == [words]
    over = reconstituted(7 * H, 8 * H + 10 * MIN)
    words = "infusion of C1D1 on 2026-03-02 ended at 17:10, past 17:00, 8 h after reconstitution"
    assert said_after(over, 9 * H) == said_after(over, 400 * H) == [words]
    assert said_after(reconstituted(7 * H, 8 * H), 9 * H) == []


@pytest.mark.parametrize("by", [Role.NURSE, Role.PHYSICIAN, Role.PRESCRIBER])
def test_one_that_ended_late_waits_for_a_physician(by: Role) -> None:
    course = PaperCourse(reconstituted(7 * H, 8 * H + 10 * MIN), D1 + 9 * H)
    task = next(o for o in course.card.obligations if o.key == ASKED)
    assert (task.due_at, task.standing, set(task.owners)) == (
        D1 + 8 * H + 10 * MIN,
        "overdue",
        {Role.NURSE, Role.PHYSICIAN},
    )
    end = next(f.id for f in course.chart.facts if f.what.kind == "infusion_completed")
    course.does("record_finding", by, finding={"kind": "result_confirmed", "target": end})
    assert (ASKED in {o.key for o in course.card.obligations}) == (by is Role.NURSE)


def test_an_infusion_that_cannot_be_as_charted_calls_at_once() -> None:
    course = PaperCourse(reconstituted(H, H + 3 * MIN), D1 + H + 3 * MIN)
    asked = next(o for o in course.card.obligations if o.key == ObligationKind.INFUSION_ASKED.key("C1D1-amount"))
    assert (asked.standing, set(asked.owners)) == ("due", {Role.NURSE, Role.PHYSICIAN})
    assert any("it ended 3 min after its start" in f.reason for f in course.card.findings if f.rule == "INF-07")


@pytest.mark.parametrize("by", [Role.NURSE, Role.PHYSICIAN])
def test_more_than_its_dose_is_asked_about_until_a_physician_confirms_it_and_stays_a_deviation(by: Role) -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1 - 40 * MIN)
    course.ready_to_start().started()
    course.later(hours=1).does("complete_infusion", Role.NURSE, given_mg="3.02")
    end = next(f.id for f in course.chart.facts if f.what.kind == "infusion_completed")
    course.does("record_finding", by, finding={"kind": "result_confirmed", "target": end})
    asked = {o.key for o in course.card.obligations}
    assert (ObligationKind.INFUSION_ASKED.key("C1D1-amount") in asked) == (by is Role.NURSE)
    said = next(f.reason for f in course.card.findings if f.rule == "DEV-01")
    assert "more was given than its dose: 3.02 of 1.45 mg" in said


@pytest.mark.parametrize("lapsed", [False, True])
def test_what_a_preparation_is_called_stands_in_no_title_and_no_turn(lapsed: bool) -> None:
    course = first_dose()(LABEL).authorised().premedicated().prepared("Canarybag", vials=1)
    if lapsed:
        with course.charting() as chart:
            chart.result("alt", "40", course.now, recorded_at=course.now)
    card = course.card
    said = [*(o.title for o in card.obligations), *(action for _, action in card.turns)]
    assert any("the dose that is made cannot be" in words for words in said)
    assert not [words for words in said if "Canarybag" in words]
