"""What is due at the bedside: the end of the infusion and of observation, vital signs, the drug before it expires.

INF-01, -02, -03, -04, -05.
"""

from collections.abc import Iterator
from datetime import datetime

from clinical.bedside.bedside import vital_signs_before, vital_signs_taken
from clinical.bedside.infusion import DISCARDING, Flow, broken_off, flow
from clinical.bedside.time_limits import time_limits
from clinical.course.case import Case
from clinical.monitoring.due import Due, obligation
from clinical.treatment.treatment import Dose
from models.facts import DoseSlot
from models.obligation_kinds import ObligationKind


def at_the_bedside(case: Case) -> Iterator[Due]:
    """Everything that is open at the chair."""
    under_way = flow(case)
    if under_way is not None:
        yield _infusion(case, under_way)
        yield from _vital_signs(case, under_way.dose, None if under_way.interrupted else under_way.ends_at)
    yield from _before_the_start(case)
    observed = case.in_observation
    if observed is not None and observed.ended_at is not None:
        yield _observation(case, observed, observed.ended_at)
        if not observed.reported:
            yield from _vital_signs(case, observed, observed.ended_at)
    yield from _broken_off(case)
    yield from time_limits(case)


def _infusion(case: Case, under_way: Flow) -> Due:
    """When the infusion ends as it runs now; while it stands still, the last moment to let it go on (INF-05)."""
    kind, slot, late = (
        ObligationKind.INFUSION,
        str(under_way.dose.slot),
        case.protocol.observation.infusion_overdue_after.span,
    )
    if not under_way.interrupted:
        end, clears = under_way.ends_at, "complete_infusion with the real end"
        title = f"infusion of {under_way.dose.slot} ends"
        return obligation(case, kind, slot, title, "INF-01", end, end + late, clears)
    if under_way.by_reaction:
        title = f"the reaction stops the infusion of {under_way.dose.slot}: see that it stands still"
        clears = "interrupt_infusion with what the pump shows"
        return obligation(case, kind, slot, title, "INF-05", under_way.since, under_way.since + late, clears)
    if case.dosing_ended is not None:
        title = f"infusion of {under_way.dose.slot} was stopped for good: its end is not charted"
        clears = f"{DISCARDING}: the rest is discarded"
        return obligation(case, kind, slot, title, "INF-05", under_way.since, under_way.since + late, clears)
    due_at = under_way.last_resumption(case.protocol.preparation.rate.number) or under_way.since
    expires = max(under_way.expires_at or under_way.since + late, due_at)
    title = f"infusion of {under_way.dose.slot} stands still: last moment to let it go on"
    clears = f"resume_infusion, or {DISCARDING}: the rest is discarded"
    return obligation(case, kind, slot, title, "INF-05", due_at, expires, clears)


def _observation(case: Case, observed: Dose, ended_at: datetime) -> Due:
    watching = case.protocol.observation
    over = ended_at + watching.minimum.span
    title, late = f"observation after {observed.slot} ends", over + watching.overdue_after.span
    return obligation(
        case, ObligationKind.OBSERVATION, str(observed.slot), title, "INF-02", over, late, "end_observation"
    )


# ── vital signs (INF-03) ───────────────────────────────────────────────────────────────────────────────────────────

Looks = list[tuple[datetime, str]]
"""When vital signs are due, in order, with the words for each."""


def _looks(case: Case, dose: Dose, ends_at: datetime | None) -> Looks:
    """Before, at 15 and 30 min, at the end, +30 and +60 min; while the infusion stands still its end is not known."""
    spans, slot = case.protocol.observation, dose.slot
    looks = [(dose.started_at, f"before {slot}")]
    for span in (spans.vital_signs_first, spans.vital_signs_second):
        looks.append((dose.started_at + span.span, f"{span.shown()} after the start of {slot}"))
    if ends_at is not None:
        looks.append((ends_at, f"at the end of {slot}"))
        for span in (spans.vital_signs_later, spans.minimum):
            looks.append((ends_at + span.span, f"{span.shown()} after the end of {slot}"))
    return looks


def _vital_signs(case: Case, dose: Dose, ends_at: datetime | None) -> Iterator[Due]:
    """INF-03: the first look that no vital signs were taken for; those taken last stand for all looks before them.

    Signs taken a few minutes early count; those before the start may lie an hour back.
    """
    spans = case.protocol.observation
    since = dose.started_at - spans.vital_signs_before.span
    taken = max((at for at in vital_signs_taken(case) if at >= since), default=None)
    left = [
        (at, words)
        for at, words in _looks(case, dose, ends_at)
        if taken is None or (taken < at - spans.vital_signs_early.span and at > dose.started_at)
    ]
    if left:
        at, words = left[0]
        yield _signs(case, dose.slot, at, at + spans.vital_signs_overdue_after.span, words)


def _before_the_start(case: Case) -> Iterator[Due]:
    """INF-03: asked for before the start, as soon as the premedication allows one, and not first after it.

    They are late only once the infusion runs; a start that does not come in the window of its premedication needs none.
    """
    at, window = vital_signs_before(case), case.protocol.premedication
    if at is not None and case.slot is not None:
        yield _signs(case, case.slot, at, at + window.earliest.span - window.latest.span, f"before {case.slot}")


def _signs(case: Case, slot: DoseSlot, at: datetime, late: datetime, words: str) -> Due:
    clears = "heart rate, blood pressure, temperature and oxygen saturation charted"
    kind, title = ObligationKind.VITAL_SIGNS, f"vital signs {words}"
    return obligation(case, kind, str(slot), title, "INF-03", at, late, clears)


# ── observation that was broken off (INF-04) ───────────────────────────────────────────────────────────────────────


def _broken_off(case: Case) -> Iterator[Due]:
    """INF-04: no timer completes it. Somebody looks at the patient after the hour, and charts it."""
    found = broken_off(case)
    if found is None or found.seen_at is not None:
        return
    spans, slot = case.protocol.observation, found.dose.slot
    title = f"observation after {slot} was broken off after {found.minutes} min"
    clears = f"vital signs, or an examination, after the hour that was to be observed; it was broken off: {found.note}"
    kind, due_at = ObligationKind.BROKEN_OFF, found.over_at
    yield obligation(case, kind, str(slot), title, "INF-04", due_at, due_at + spans.overdue_after.span, clears)
