"""What is due at the bedside: the end of the infusion and of observation, vital signs, the drug before it expires.

INF-01, -02, -03, -04, -05, PREP-12.
"""

from collections.abc import Iterator
from datetime import datetime

from clinical.bedside import latest_start, standing_authorisation
from clinical.case import Case
from clinical.dosing import dose_plan
from clinical.due import BROKEN_OFF, INFUSION, OBSERVATION, PREPARATION, VITAL_SIGNS, key_of, obligation
from clinical.infusion import Flow, broken_off, flow
from clinical.treatment import Dose
from models.assessment import Obligation
from models.facts import Preparation, VitalSigns
from models.people import Role


def at_the_bedside(case: Case) -> Iterator[Obligation]:
    """Everything that is open at the chair."""
    under_way = flow(case)
    if under_way is not None:
        yield _infusion(case, under_way)
        yield from _vital_signs(case, under_way.dose, None if under_way.interrupted else under_way.ends_at)
    observed = case.in_observation
    if observed is not None and observed.ended_at is not None:
        yield _observation(case, observed, observed.ended_at)
        if not observed.reported:
            yield from _vital_signs(case, observed, observed.ended_at)
    yield from _broken_off(case)
    yield from _drug_expiry(case)


def _infusion(case: Case, under_way: Flow) -> Obligation:
    """When the infusion ends as it runs now; while it stands still, the last moment to let it go on (INF-05)."""
    key, late = f"{INFUSION}-{under_way.dose.slot}", case.protocol.observation.infusion_overdue_after.span
    if not under_way.interrupted:
        end, clears = under_way.ends_at, "complete_infusion with the real end"
        title = f"infusion of {under_way.dose.slot} ends"
        return obligation(case, key, title, "INF-01", Role.NURSE, end, end + late, clears)
    due_at = under_way.last_resumption(case.protocol.preparation.rate.number) or under_way.since
    expires = max(under_way.expires_at or under_way.since + late, due_at)
    title = f"infusion of {under_way.dose.slot} stands still: last moment to let it go on"
    clears = "resume_infusion, or complete_infusion: the rest is discarded"
    return obligation(case, key, title, "INF-05", Role.NURSE, due_at, expires, clears)


def _observation(case: Case, observed: Dose, ended_at: datetime) -> Obligation:
    watching = case.protocol.observation
    over = ended_at + watching.minimum.span
    title, late = f"observation after {observed.slot} ends", over + watching.overdue_after.span
    return obligation(
        case, f"{OBSERVATION}-{observed.slot}", title, "INF-02", Role.NURSE, over, late, "end_observation"
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


def _vital_signs(case: Case, dose: Dose, ends_at: datetime | None) -> Iterator[Obligation]:
    """INF-03: the first look that no vital signs were taken for; those taken last stand for all looks before them.

    Signs taken a few minutes early count; those before the start may lie an hour back.
    """
    spans = case.protocol.observation
    since = dose.started_at - spans.vital_signs_before.span
    taken = max((f.at for f, _ in case.reading.of(VitalSigns) if f.at >= since), default=None)
    left = [
        (at, words)
        for at, words in _looks(case, dose, ends_at)
        if taken is None or (taken < at - spans.vital_signs_early.span and at > dose.started_at)
    ]
    if left:
        at, words = left[0]
        late = at + spans.vital_signs_overdue_after.span
        clears = "heart rate, blood pressure, temperature and oxygen saturation charted"
        key = f"{VITAL_SIGNS}-{dose.slot}"
        yield obligation(case, key, f"vital signs {words}", "INF-03", Role.NURSE, at, late, clears)


# ── observation that was broken off (INF-04) ───────────────────────────────────────────────────────────────────────


def _broken_off(case: Case) -> Iterator[Obligation]:
    """INF-04: no timer completes it. Somebody looks at the patient after the hour, and charts it."""
    found = broken_off(case)
    if found is None or found.seen_at is not None:
        return
    spans, slot = case.protocol.observation, found.dose.slot
    title = f"observation after {slot} was broken off after {found.minutes} min"
    clears = f"vital signs, or an examination, after the hour that was to be observed; it was broken off: {found.note}"
    due_at, key = found.over_at, f"{BROKEN_OFF}-{slot}"
    yield obligation(case, key, title, "INF-04", Role.PHYSICIAN, due_at, due_at + spans.overdue_after.span, clears)


# ── the drug ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _drug_expiry(case: Case) -> Iterator[Obligation]:
    if case.slot is None:
        return
    authorisation = standing_authorisation(case, dose_plan(case, case.slot))
    for _, made in case.reading.of(Preparation):
        if authorisation is None or made.authorisation != authorisation[0].id:
            continue
        start_by = latest_start(case, made)
        expires = made.reconstituted_at + case.protocol.preparation.to_end.span
        title = f"preparation of {case.slot}: last start, then it expires"
        clears = f"start the infusion of {made.preparation_id}, or discard it and prepare anew"
        key = key_of(PREPARATION, made.preparation_id)
        yield obligation(case, key, title, "PREP-12", Role.PHARMACIST, start_by, expires, clears)
