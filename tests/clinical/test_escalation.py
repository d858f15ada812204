"""How what was due comes to its end: met, closed as overdue or withdrawn, each time with the reason in words."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from clinical.decide import decide
from clinical.monitoring.due import hashed
from clinical.obligations.closures import Fired
from clinical.obligations.harm import Harm
from clinical.obligations.kinds import KINDS
from models.carried import DecideRequest
from models.facts import ObligationMet
from models.obligation_kinds import GRAVEST, ObligationKind
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import CBC as BLOOD_COUNT
from tests.factories import D1, LABEL, LIVER, ChartBuilder

MIN, H, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D15, D22 = D1 + 7 * DAY, D1 + 14 * DAY, D1 + 21 * DAY
TLS = ("potassium", "phosphate", "calcium", "urate", "creatinine", "ldh")
NONE = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)
SIGNS = {"kind": "vital_signs", "heart_rate_per_min": "80"}
Change = Callable[[ChartBuilder, datetime], object]


def ends(chart: ChartBuilder, fired_at: datetime, change: Change, at: datetime) -> dict[str, ObligationMet]:
    """What was called due at `fired_at` and is no longer open at `at`, after this change between the two."""
    label = load_protocol(LABEL)
    fired = decide(DecideRequest(chart=chart.chart(), now=fired_at), label, "test")
    chart.facts += fired.facts
    change(chart, at)
    decided = decide(DecideRequest(chart=chart.chart(), now=at), label, "test")
    return {f.what.obligation: f.what for f in decided.facts if isinstance(f.what, ObligationMet)}


def day_1() -> ChartBuilder:
    return ChartBuilder().ready().dose(1, 1, D1)


def cycle_1() -> ChartBuilder:
    return ChartBuilder().ready().cycle(1, D1)


def finished() -> ChartBuilder:
    chart = cycle_1()
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D15 + DAY, Role.PRESCRIBER)
    return chart


def transplanted() -> ChartBuilder:
    chart = cycle_1()
    chart.add({"kind": "transplant", "transplanted_at": D1 + 40 * DAY}, D1 + 40 * DAY, Role.PRESCRIBER)
    return chart


def running() -> ChartBuilder:
    chart = ChartBuilder().ready()
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}, D1)
    return chart


def ended() -> ChartBuilder:
    chart = running()
    chart.add({"kind": "infusion_completed"}, D1 + H)
    return chart


def broken_off() -> ChartBuilder:
    chart = ended()
    left = {"kind": "observation_ended", "minutes": 40, "complete": False, "note": "left"}
    chart.add(left, D1 + 100 * MIN)
    return chart


def with_qt_drug() -> ChartBuilder:
    chart = day_1()
    chart.add({"kind": "medication", "drug": "levofloxacin", "qt_prolonging": True}, D1 - DAY, id="the-drug")
    return chart


def in_pain() -> ChartBuilder:
    chart = day_1()
    chart.add({"kind": "vod_examination", **NONE, "ruq_pain": True}, D1 + 2 * DAY, Role.PHYSICIAN)
    return chart


def suspected() -> ChartBuilder:
    chart = day_1()
    chart.add(
        {"kind": "vod_examination", **NONE, "hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True},
        D1 + 2 * DAY,
    )
    return chart


def cytoreducing() -> ChartBuilder:
    chart = ChartBuilder().ready()
    chart.add({"kind": "cytoreduction", "agent": "hydroxyurea"}, D1 - 8 * DAY)
    return chart


def missed() -> ChartBuilder:
    chart = day_1()
    chart.add({"kind": "course_closed", "reason": "lost_to_follow_up"}, D1 + 2 * DAY)
    return chart


def drawn(*analytes: str) -> Change:
    return lambda chart, at: chart.labs(at, *analytes)


def fact(by: Role = Role.PHYSICIAN, **body: object) -> Change:
    return lambda chart, at: chart.add(body, at, by)


def everything(chart: ChartBuilder, at: datetime) -> None:
    chart.labs(at, *BLOOD_COUNT, *LIVER)
    chart.add({"kind": "weight", "kg": "70"}, at)
    chart.examined(at)


def both(*changes: Change) -> Change:
    return lambda chart, at: [change(chart, at) for change in changes]


def nothing(chart: ChartBuilder, at: datetime) -> None:
    """Only time goes by."""


class Met(NamedTuple):
    """A chart, what fires in it and when, what is charted, when, and the words."""

    key: str
    chart: Callable[[], ChartBuilder]
    fired_at: datetime
    change: Change
    at: datetime
    why: str


MET = (
    Met("liver-test-after-C1D1", day_1, D1 + 25 * H, drawn(*LIVER), D1 + 26 * H, "a complete liver panel came"),
    Met("liver-test-after-last-dose", finished, D22, drawn(*LIVER), D22 + H, "a complete liver panel came"),
    Met("liver-test-daily", suspected, D1 + 3 * DAY, drawn(*LIVER), D1 + 3 * DAY + H, "a complete liver panel came"),
    Met("dose-C1D8", day_1, D8, lambda c, at: c.dose(1, 8, at - 3 * H), D8 + 4 * H, "the dose was given"),
    Met(
        "dose-C2D1",
        cycle_1,
        D22,
        fact(Role.PRESCRIBER, kind="dosing_finished", reason="x"),
        D22 + H,
        "dosing was finished",
    ),
    Met("before-C1D8", day_1, D8 - 20 * H, everything, D8 - 19 * H, "everything is there"),
    Met("before-C1D8", day_1, D8 - 20 * H, lambda c, at: c.dose(1, 8, at - 3 * H), D8, "the dose was given"),
    Met(
        "infusion-C1D1",
        running,
        D1 + H,
        fact(kind="infusion_completed"),
        D1 + 61 * MIN,
        "the infusion ended, or went on",
    ),
    Met(
        "observation-C1D1",
        ended,
        D1 + 2 * H,
        fact(kind="observation_ended", minutes=60, complete=True),
        D1 + 2 * H,
        "observation was ended",
    ),
    Met("broken-off-C1D1", broken_off, D1 + 2 * H, fact(**SIGNS), D1 + 3 * H, "the patient was looked at"),
    Met("vital-signs-C1D1", running, D1, fact(**SIGNS), D1 + MIN, "vital signs were charted"),
    Met(
        "examination-daily",
        transplanted,
        D1 + 42 * DAY,
        both(fact(kind="vod_examination", **NONE), fact(kind="weight", kg="70")),
        D1 + 43 * DAY,
        "the patient was examined",
    ),
    Met("blood-count", day_1, D8, drawn(*BLOOD_COUNT), D8 + H, "the tests came"),
    Met("tls-labs", day_1, D1 + 7 * H, drawn(*TLS), D1 + 8 * H, "the tests came"),
    Met(
        "amylase-lipase-pain",
        in_pain,
        D1 + 3 * DAY,
        lambda c, at: c.labs(at, amylase="60", lipase="30"),
        D1 + 3 * DAY + H,
        "the tests came",
    ),
    Met(
        ObligationKind.ECG.key(hashed("the-drug")),
        with_qt_drug,
        D1 + 6 * DAY,
        both(fact(kind="ecg", qtcf_ms="430"), drawn("potassium", "magnesium", "calcium", "albumin")),
        D1 + 6 * DAY + H,
        "an ECG came",
    ),
    Met(
        "prophylaxis-C1",
        day_1,
        D1 + 3 * H,
        fact(kind="prophylaxis", against="fungi", given=False),
        D1 + 4 * H,
        "prophylaxis was charted",
    ),
    Met(
        "marrow-C1",
        cycle_1,
        D1 + 20 * DAY,
        fact(kind="response", cycle=1, response="none"),
        D1 + 20 * DAY + H,
        "the response of cycle 1 was recorded",
    ),
    Met(
        "cytoreduction-review",
        cytoreducing,
        D1 - DAY,
        lambda c, at: c.dose(1, 1, at - 3 * H),
        D1,
        "the first dose was given",
    ),
    Met(
        "transplant-question",
        finished,
        D15 + 56 * DAY,
        fact(Role.PRESCRIBER, kind="no_transplant"),
        D15 + 56 * DAY + H,
        "the prescriber said it",
    ),
    Met(
        "vod-judgement",
        suspected,
        D1 + 2 * DAY,
        fact(Role.PHYSICIAN, kind="vod_judged", judgement="confirmed"),
        D1 + 3 * DAY,
        "a physician judged",
    ),
    Met("lost-to-follow-up", missed, D1 + 2 * DAY, drawn("alt"), D1 + 3 * DAY, "a result came"),
)


@pytest.mark.parametrize("case", MET, ids=lambda case: f"{case.key}: {case.why}")
def test_each_kind_is_met_by_what_was_charted(case: Met) -> None:
    ended_by = ends(case.chart(), case.fired_at, case.change, case.at)[case.key]
    assert (ended_by.how, ended_by.why) == ("met", case.why)


def test_a_reaction_and_a_result_that_called_a_person_are_met_by_the_report_that_follows() -> None:
    chart = running()
    chart.add({"kind": "reaction", "reaction_id": "r-1"}, D1 + 5 * MIN)
    graded = fact(kind="reaction", reaction_id="r-1", grade=1)
    assert (
        ends(chart, D1 + 5 * MIN, graded, D1 + 6 * MIN)[ObligationKind.REACTION.key(hashed("r-1"))].why
        == "the reaction was reported further"
    )
    high = ChartBuilder().ready(potassium="13")
    assert ends(high, D1, drawn("potassium"), D1 + H)["implausible-potassium"].how == "met"


def test_a_preparation_is_met_by_its_start() -> None:
    kind = ObligationKind.PREPARATION
    label = load_protocol(LABEL)
    from clinical.course.case import Case

    case = Case(day_1().chart(), label, D1 + 3 * H)
    fired = Fired(kind, kind.key(hashed("p-1-1")), D1, D1, ())
    assert KINDS[kind].met_by(case, fired) == "the preparation was started"
    fired = Fired(kind, kind.key(hashed("p-2-2")), D1, D1, ())
    assert KINDS[kind].met_by(case, fired) is None


# ── withdrawn, closed as overdue ───────────────────────────────────────────────────────────────────────────────────


class Withdrawn(NamedTuple):
    key: str
    chart: Callable[[], ChartBuilder]
    fired_at: datetime
    change: Change
    at: datetime
    why: str


STOP = fact(Role.PRESCRIBER, kind="discontinued", reason="harm")
DEATH = fact(kind="course_closed", reason="death")
WITHDRAWN = (
    Withdrawn("dose-C1D8", day_1, D8, STOP, D8 + H, "dosing has ended"),
    Withdrawn("before-C1D8", day_1, D8 - H, STOP, D8, "dosing has ended"),
    Withdrawn("blood-count", day_1, D8, STOP, D8 + H, "dosing has ended"),
    Withdrawn("liver-test-after-C1D1", day_1, D1 + 25 * H, DEATH, D1 + 26 * H, "the course was closed: death"),
    Withdrawn("prophylaxis-C1", day_1, D1 + 3 * H, DEATH, D1 + 26 * H, "the course was closed: death"),
    Withdrawn("tls-labs", day_1, D1 + 7 * H, nothing, D1 + 181 * H, "what was charted since asks for it no longer"),
    Withdrawn(
        "vital-signs-C1D1",
        ended,
        D1 + H,
        fact(kind="observation_ended", minutes=60, complete=True),
        D1 + 2 * H,
        "what was charted since asks for it no longer",
    ),
    Withdrawn(
        "liver-test-after-transplant",
        transplanted,
        D1 + 47 * DAY,
        fact(Role.PRESCRIBER, kind="transplant", transplanted_at=D1 + 47 * DAY),
        D1 + 47 * DAY,
        "what was charted since moved it to 2026-04-25",
    ),
)


@pytest.mark.parametrize("case", WITHDRAWN, ids=lambda case: f"{case.key}: {case.why}")
def test_what_nobody_did_and_nobody_needs_is_withdrawn_with_the_reason(case: Withdrawn) -> None:
    ended_by = ends(case.chart(), case.fired_at, case.change, case.at)[case.key]
    assert (ended_by.how, ended_by.why) == ("withdrawn", case.why)


def test_a_panel_drawn_too_early_after_a_dose_does_not_meet_it_when_the_next_dose_takes_its_place() -> None:
    def early(chart: ChartBuilder, at: datetime) -> None:
        chart.labs(D1 + 20 * H, *LIVER, recorded_at=D1 + 30 * H)
        chart.dose(1, 8, at - 3 * H)

    assert ends(day_1(), D1 + 25 * H, early, D8)["liver-test-after-C1D1"].how == "withdrawn"


def test_a_liver_test_that_was_never_done_is_closed_as_overdue_when_monitoring_is_over() -> None:
    chart = finished()
    chart.add({"kind": "no_transplant"}, D15 + DAY, Role.PRESCRIBER)
    chart.labs(D15 + 2 * DAY, *LIVER)  # and nobody examined the patient with it
    found = ends(chart, D15 + 10 * DAY, nothing, D15 + 90 * DAY)
    test = found["liver-test-after-last-dose"]
    assert (test.how, test.why) == ("closed_as_overdue", "monitoring is over and the test was never done")
    look = found["examination-with-liver-test"]  # only a liver test is: nobody is left to examine
    assert (look.how, look.why) == ("withdrawn", "monitoring is over")


def test_a_course_that_was_closed_leaves_no_test_overdue() -> None:
    chart = finished()
    chart.add({"kind": "no_transplant"}, D15 + DAY, Role.PRESCRIBER)
    died = ends(chart, D15 + 10 * DAY, DEATH, D15 + 90 * DAY)["liver-test-after-last-dose"]
    assert (died.how, died.why) == ("withdrawn", "the course was closed: death")


def test_what_came_to_its_end_is_told_once() -> None:
    chart, label = day_1(), load_protocol(LABEL)
    assert ends(chart, D8, STOP, D8 + H)["dose-C1D8"].how == "withdrawn"
    chart.facts += decide(DecideRequest(chart=chart.chart(), now=D8 + H), label, "test").facts
    assert ends(chart, D8 + 2 * H, nothing, D8 + 3 * H) == {}


def test_a_kind_that_this_release_does_not_know_is_withdrawn() -> None:
    """A rung that another release fired."""
    rung = fact(kind="rung_fired", obligation="something-else", rung="due", due_at=D1)
    ended_by = ends(day_1(), D1, rung, D1 + 3 * H)["something-else"]
    assert (ended_by.how, ended_by.why) == ("withdrawn", "what was charted since asks for it no longer")


def test_the_end_of_monitoring_is_met_by_its_end() -> None:
    chart = finished()
    chart.add({"kind": "no_transplant"}, D15 + DAY, Role.PRESCRIBER)
    chart.labs(D15 + 53 * DAY, *LIVER)  # the next is due on day 60, after the end
    at = datetime.fromisoformat("2026-05-12T00:00:00+02:00")
    chart.labs(D15 + 46 * DAY, *LIVER)
    label = load_protocol(LABEL)
    decided = decide(DecideRequest(chart=chart.chart(), now=at), label, "test")
    assert decided.phase.kind == "ended"


def test_the_table_of_kinds_is_total() -> None:
    assert list(KINDS) == list(ObligationKind), "in the order of the kinds"
    assert all(kind.words and kind.owners for kind in KINDS.values())
    assert {kind for kind, row in KINDS.items() if row.harm is Harm.GRAVEST} == GRAVEST
    assert all(Role.NURSE in KINDS[kind].owners and Role.PHYSICIAN in KINDS[kind].owners for kind in GRAVEST)
