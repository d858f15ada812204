"""What is due, from whom, and when it is overdue (MON-02, -03, -04, -17, LAB-07, INF-02, DOSE-04).

`due_at` and `overdue_at` are functions of facts and protocol, never of the time of asking.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from clinical.bedside import latest_start, standing_authorisation
from clinical.calendar import local_date, midnight_of, plus_days
from clinical.calls import calls
from clinical.case import Case
from clinical.dosing import dose_plan
from clinical.infusion import Flow, flow
from clinical.reading import STRICTLY_AFTER
from clinical.results import Known
from models.assessment import Obligation
from models.facts import (
    Cytoreduction,
    Fact,
    ObligationMet,
    ObservationEnded,
    Preparation,
    RungFired,
)
from models.people import Role

DOSE, OBSERVATION, INFUSION = "dose", "observation", "infusion"
LIVER = "liver-test"
Rung = Literal["due", "overdue"]


@dataclass(frozen=True)
class Panel:
    """A complete liver panel: ALT, AST, total bilirubin and ALP all usable (LAB-07)."""

    at: datetime
    recorded_at: datetime
    abnormal: bool


def obligations(case: Case) -> tuple[Obligation, ...]:
    """Everything that is open, sorted by key; nothing once it is closed or monitoring is over (MON-17)."""
    if course_over(case):
        return ()
    found = [*_calls(case), *_bedside(case), *_next_dose(case), *_liver_tests(case), *_cytoreduction(case), *_end(case)]
    return tuple(sorted(found, key=lambda o: o.key))


def _obligation(
    case: Case, key: str, title: str, rule: str, owner: Role, due_at: datetime, overdue_at: datetime, clears: str
) -> Obligation:
    case.reading.reached(due_at)
    case.reading.passed(overdue_at)
    overdue, due = case.now > overdue_at, case.now >= due_at
    changes = [at for at in (due_at, overdue_at + STRICTLY_AFTER) if at > case.now]
    return Obligation(
        key=key,
        title=title,
        rule=rule,
        owner=owner,
        due_at=due_at,
        overdue_at=overdue_at,
        standing="overdue" if overdue else "due" if due else "coming",
        next_change_at=min(changes, default=None),
        clears=clears,
    )


def _calls(case: Case) -> Iterator[Obligation]:
    """What only a person can settle is due at once, and overdue soon."""
    spans = case.protocol.calls
    for call in calls(case):
        overdue_at = call.since + (spans.urgent if call.urgent else spans.ordinary).span
        yield _obligation(case, call.key, call.title, call.rule, call.owner, call.since, overdue_at, call.clears)


# ── at the bedside ─────────────────────────────────────────────────────────────────────────────────────────────────


def _bedside(case: Case) -> Iterator[Obligation]:
    running, observed = case.running, case.in_observation
    watching = case.protocol.observation
    under_way = flow(case)
    if running is not None and under_way is not None:
        yield _infusion(case, under_way)
    if observed is not None and observed.ended_at is not None:
        over = observed.ended_at + watching.minimum.span
        late = over + watching.overdue_after.span
        title, clears = f"observation after {observed.slot} ends", "end_observation"
        yield _obligation(case, f"{OBSERVATION}-{observed.slot}", title, "INF-02", Role.NURSE, over, late, clears)
    yield from _drug_expiry(case)


def _infusion(case: Case, under_way: Flow) -> Obligation:
    """When the infusion ends as it runs now; while it stands still, the last moment to let it go on (INF-05)."""
    key, late = f"{INFUSION}-{under_way.dose.slot}", case.protocol.observation.infusion_overdue_after.span
    if not under_way.interrupted:
        end, clears = under_way.ends_at, "complete_infusion with the real end"
        title = f"infusion of {under_way.dose.slot} ends"
        return _obligation(case, key, title, "INF-01", Role.NURSE, end, end + late, clears)
    due_at = under_way.last_resumption(case.protocol.preparation.rate.number) or under_way.since
    expires = max(under_way.expires_at or under_way.since + late, due_at)
    title = f"infusion of {under_way.dose.slot} stands still: last moment to let it go on"
    clears = "resume_infusion, or complete_infusion: the rest is discarded"
    return _obligation(case, key, title, "INF-05", Role.NURSE, due_at, expires, clears)


def _drug_expiry(case: Case) -> Iterator[Obligation]:
    if case.slot is None:
        return
    authorisation = standing_authorisation(case, dose_plan(case, case.slot))
    for _, made in case.reading.of(Preparation):
        if authorisation is None or made.authorisation != authorisation[0].id:
            continue
        start_by = latest_start(case, made)
        expires = made.reconstituted_at + case.protocol.preparation.to_end.span
        title = f"preparation {made.preparation_id}: last start, then it expires"
        clears = "start the infusion, or discard and prepare anew"
        key = f"preparation-{made.preparation_id}"
        yield _obligation(case, key, title, "PREP-12", Role.PHARMACIST, start_by, expires, clears)


def _next_dose(case: Case) -> Iterator[Obligation]:
    """The next dose is due on its nominal day at the time of day of the last one; overdue when its window ends."""
    slot = case.slot
    window = case.window_of(slot) if slot is not None else None
    due_at = case.planned_at(slot) if slot is not None else None
    if slot is None or window is None or due_at is None:
        return
    overdue_at = window.closes_at - STRICTLY_AFTER if window.closes_at else due_at + case.protocol.regimen.window.span
    title = f"decide on {slot}" if slot.day == 1 else f"dose {slot}"
    clears = "start_next_cycle, or finish_dosing" if case.in_review else "the dose is given, or dosing ends"
    yield _obligation(
        case, f"{DOSE}-{slot}", title, "DOSE-04", Role.PRESCRIBER, due_at, max(due_at, overdue_at), clears
    )


def _cytoreduction(case: Case) -> Iterator[Obligation]:
    started = [f.at for f, c in case.reading.of(Cytoreduction) if c.action == "started"]
    if case.doses or not started or case.dosing_ended is not None:
        return
    due_at = plus_days(min(started), case.protocol.limits.cytoreduction_max.count, case.reading.zone)
    title, clears = "cytoreduction: a physician decides how to go on", "the first dose, or dosing ends"
    late = due_at + case.protocol.monitoring.grace.span
    yield _obligation(case, "cytoreduction-review", title, "CYT-05", Role.PHYSICIAN, due_at, late, clears)


# ── liver tests ────────────────────────────────────────────────────────────────────────────────────────────────────


def panels(case: Case) -> list[Panel]:
    """Complete liver panels, oldest first: of one draw, or completed by further draws of the same day."""
    return sorted(_panels_of(case).values(), key=lambda p: p.at)


def _panels_of(case: Case) -> dict[datetime, Panel]:
    by_draw: dict[object, dict[str, Known]] = {}
    zone = case.reading.zone
    analytes = case.protocol.ages.liver_analytes.words
    for analyte in analytes:
        for result in case.results.history(analyte):
            by_draw.setdefault(result.collected_at, {})[analyte] = result
            by_draw.setdefault(local_date(result.collected_at, zone), {})[analyte] = result
    recorded = {f.id: f.recorded_at for f in case.reading.facts}
    found: dict[datetime, Panel] = {}
    for draw in by_draw.values():
        if set(draw) == set(analytes):
            at = max(k.collected_at for k in draw.values())
            abnormal = any(k.uln is None or k.above(k.uln) is not False for k in draw.values())
            found[at] = Panel(at, max(recorded[k.fact] for k in draw.values()), abnormal)
    return found


def _liver_tests(case: Case) -> Iterator[Obligation]:
    tested = panels(case)
    yield from _after_dose(case, tested)
    yield from _after_abnormal(case, tested)
    yield from _after_transplant(case, tested)
    if case.transplant is None or _dosed_after_transplant(case):
        yield from _after_last_dose(case, tested)


def _dosed_after_transplant(case: Case) -> bool:
    """Dosing went on after the transplant: the last dose is watched again as if there had been none (MON-04)."""
    last, transplant = case.last_dose, case.transplant
    return last is not None and transplant is not None and last.started_at > transplant[1]


def _after_dose(case: Case, tested: list[Panel]) -> Iterator[Obligation]:
    """MON-02: 24-96 h after each dose. A later panel still meets it; the next dose has its own."""
    dose, spans = case.last_dose, case.protocol.monitoring
    if dose is None:
        return
    due_at, overdue_at = dose.started_at + spans.after_dose_from.span, dose.started_at + spans.after_dose_until.span
    if not any(p.at >= due_at for p in tested):
        title = f"liver test after {dose.slot}"
        clears = f"a complete liver panel, {spans.after_dose_from.shown()} to {spans.after_dose_until.shown()} after the dose"
        key = f"{LIVER}-after-{dose.slot}"
        yield _obligation(case, key, title, "MON-02", Role.COORDINATOR, due_at, overdue_at, clears)


def _after_abnormal(case: Case, tested: list[Panel]) -> Iterator[Obligation]:
    """LAB-07: an abnormal panel meets what was due and opens the next one in 48-72 h."""
    if not case.doses or not tested or not tested[-1].abnormal:
        return
    spans, last = case.protocol.monitoring, tested[-1]
    due_at, overdue_at = last.at + spans.abnormal_from.span, last.at + spans.abnormal_until.span
    end_on = end_day(case)
    if end_on is not None and local_date(due_at, case.reading.zone) > end_on:
        return
    title, clears = "liver test again, the last one was abnormal", "a complete liver panel"
    yield _obligation(case, f"{LIVER}-repeat", title, "LAB-07", Role.COORDINATOR, due_at, overdue_at, clears)


def _after_last_dose(case: Case, tested: list[Panel]) -> Iterator[Obligation]:
    """MON-04: at least every 7 days after the last dose, none created after day 56."""
    last = case.last_dose
    if last is None:
        return
    spans, zone = case.protocol.monitoring, case.reading.zone
    since = [p.at for p in tested if p.at > last.started_at]
    due_at = plus_days(since[-1] if since else last.started_at, spans.weekly.count, zone)
    day = (local_date(due_at, zone) - last.local_on).days
    if day <= spans.last_dose_days.count:
        title = f"weekly liver test, day {day} after the last dose"
        yield _weekly(case, f"{LIVER}-after-last-dose", title, "MON-04", due_at)


def _after_transplant(case: Case, tested: list[Panel]) -> Iterator[Obligation]:
    """MON-03: every 7 days to day 30, 14 to day 60, 28 to day 100, counted on the day of the last test."""
    if case.transplant is None:
        return
    _, anchor = case.transplant
    spans, zone = case.protocol.monitoring, case.reading.zone
    since = [p.at for p in tested if p.at > anchor]
    base = since[-1] if since else anchor
    due_at = plus_days(base, _interval(case, anchor, base), zone)
    day = (local_date(due_at, zone) - local_date(anchor, zone)).days
    if day <= spans.transplant_last_day.count:
        yield _weekly(case, f"{LIVER}-after-transplant", f"liver test, day {day} after transplant", "MON-03", due_at)


def _interval(case: Case, anchor: datetime, tested_at: datetime) -> int:
    spans, zone = case.protocol.monitoring, case.reading.zone
    day = (local_date(tested_at, zone) - local_date(anchor, zone)).days
    if day <= spans.transplant_first_until.count:
        return spans.transplant_first.count
    return (spans.transplant_second if day <= spans.transplant_second_until.count else spans.transplant_third).count


def _weekly(
    case: Case, key: str, title: str, rule: str, due_at: datetime, clears: str = "a complete liver panel"
) -> Obligation:
    overdue_at = due_at + case.protocol.monitoring.grace.span
    return _obligation(case, key, title, rule, Role.COORDINATOR, due_at, overdue_at, clears)


def _end(case: Case) -> Iterator[Obligation]:
    """When monitoring ends, or what must be said before it can (MON-17)."""
    zone, spans = case.reading.zone, case.protocol.monitoring
    if case.dosing_ended is None:
        return
    last_day = end_day(case)
    if last_day is not None:
        due_at = midnight_of(last_day + timedelta(days=1), zone)
        title, clears = "monitoring ends", "no liver test is open at midnight"
        yield _weekly(case, "monitoring-ends", title, "MON-17", due_at, clears)
    elif case.last_dose is not None:
        due_at = midnight_of(case.last_dose.local_on + timedelta(days=spans.last_dose_days.count), zone)
        title = "say whether a transplant is planned"
        clears = "declare_no_transplant, or record_transplant"
        overdue_at = due_at + spans.grace.span
        yield _obligation(case, "transplant-question", title, "MON-17", Role.PRESCRIBER, due_at, overdue_at, clears)


# ── the end of monitoring ──────────────────────────────────────────────────────────────────────────────────────────


def end_day(case: Case) -> date | None:
    """MON-17: the last day of monitoring, or `None` while nothing allows it to end."""
    if case.dosing_ended is None:
        return None
    zone, spans = case.reading.zone, case.protocol.monitoring
    if case.transplant is not None:
        fact, anchor = case.transplant
        last_day = local_date(anchor, zone) + timedelta(days=spans.transplant_last_day.count)
        if case.last_dose is not None and _dosed_after_transplant(case):
            last_day = max(last_day, case.last_dose.local_on + spans.last_dose_days.span)
        return max(last_day, local_date(fact.recorded_at, zone))
    if case.last_dose is None:
        return local_date(case.dosing_ended.recorded_at, zone)
    declared = case.no_transplant_declared
    if declared is None:
        return None
    last_day = case.last_dose.local_on + timedelta(days=spans.last_dose_days.count)
    return max(last_day, local_date(declared.recorded_at, zone))


def course_over(case: Case) -> bool:
    """Nothing is asked of anybody any more: the course was closed (CLOSE-01), or its monitoring is over (MON-17)."""
    return case.closed is not None or monitoring_over(case)


def monitoring_over(case: Case) -> bool:
    """MON-17: past the first local midnight after the end day at which no liver test was open."""
    last_day = end_day(case)
    if last_day is None or case.busy:
        return False
    midnight = midnight_of(last_day + timedelta(days=1), case.reading.zone)
    while case.reading.reached(midnight):
        if not _test_open_at(case, midnight):
            return True
        midnight = plus_days(midnight, 1, case.reading.zone)
    return False


def _test_open_at(case: Case, midnight: datetime) -> bool:
    """Whether, as known at that midnight, a liver test was due and not yet overdue."""
    then = Case(case.chart, case.protocol, midnight)
    return any(test.standing == "due" for test in _liver_tests(then))


# ── escalation ─────────────────────────────────────────────────────────────────────────────────────────────────────


def rungs_reached(case: Case, opened: tuple[Obligation, ...]) -> list[RungFired]:
    """Rungs whose instant has come and that have not fired yet; a rung fires once."""
    fired = {(r.obligation, r.due_at, r.rung) for _, r in case.reading.of(RungFired)}
    reached: list[tuple[Obligation, Rung]] = []
    for o in opened:
        reached += [(o, "due")] if case.now >= o.due_at else []
        reached += [(o, "overdue")] if case.now > o.overdue_at else []
    return [
        RungFired(obligation=o.key, rung=rung, due_at=o.due_at)
        for o, rung in reached
        if (o.key, o.due_at, rung) not in fired
    ]


def obligations_closed(case: Case, opened: tuple[Obligation, ...]) -> list[ObligationMet]:
    """Obligations that have fired and are no longer open, with what closed them."""
    still_open = {(o.key, o.due_at) for o in opened}
    closed = {(m.obligation, m.due_at) for _, m in case.reading.of(ObligationMet)}
    fired: dict[tuple[str, datetime], Fact] = {}
    for fact, rung in case.reading.of(RungFired):
        fired.setdefault((rung.obligation, rung.due_at), fact)
    return [
        ObligationMet(obligation=key, due_at=due_at, how=_how_closed(case, key, fact))
        for (key, due_at), fact in fired.items()
        if (key, due_at) not in still_open and (key, due_at) not in closed
    ]


def _how_closed(case: Case, key: str, fired: Fact) -> Literal["met", "closed_as_overdue", "withdrawn"]:
    met = {
        LIVER: any(p.recorded_at >= fired.recorded_at for p in panels(case)),
        DOSE: any(key == f"{DOSE}-{d.slot}" for d in case.doses) or f"C{case.cycle}D1" in key,
        OBSERVATION: any(f.recorded_at >= fired.recorded_at for f, _ in case.reading.of(ObservationEnded)),
        INFUSION: case.running is None,
    }
    if any(key.startswith(kind) and answer for kind, answer in met.items()):
        return "met"
    return "closed_as_overdue" if key.startswith(LIVER) and monitoring_over(case) else "withdrawn"
