"""Why: for each command that may not be given, what stands in the way, what would open it, and when at the earliest."""

from datetime import datetime

from clinical.assess import assess, assess_case
from clinical.course.case import Case
from clinical.rulings.commands import Standing, gate
from models.assessment import Assessment, Finding, Refused
from models.base import Frozen, Instant
from models.chart import Chart
from models.messages import COMMANDS
from models.protocol import Protocol

MOST_STEPS = 64
"""How many changes by time alone are looked at before an answer is given up: each is one assessment."""

SECOND_WORDS = frozenset({"override", "countersign"})
"""They open when something worse is found; that is no news."""

OF_THE_NEXT_DOSE = frozenset({"authorise_dose", "verify_dose", "start_infusion", "decide_dose", "choose_rounding"})
"""Shut while something runs at the bedside; they come back with the window of the next dose."""

OPENS_WITH: dict[str, str] = {
    "AlreadyDeclared": "nothing is left to do; plan_transplant or record_transplant takes it back",
    "AlreadyDiscontinued": "nothing is left to do; correct_fact if the stop was an error (COR-02)",
    "AlreadyExtended": "nothing is left to do",
    "AlreadyInterrupted": "resume_infusion, or complete_infusion",
    "AlreadyVerified": "nothing is left to do; it is asked again when the authorisation lapses",
    "CourseBusy": "the end of infusion, reaction and observation",
    "CourseClosed": "nothing; correct_fact by a physician if it was closed in error",
    "CycleNotOver": "the last dose of this cycle given, or left out by decide_dose",
    "CycleNotStarted": "start_next_cycle by the prescriber",
    "DoseGateClosed": "correct_fact if the stop was an error (COR-02)",
    "DosingOver": "start_next_cycle by the prescriber",
    "NoInfusion": "an infusion that runs: start_infusion",
    "NoObservation": "an infusion that has ended: complete_infusion",
    "NoPlan": "plan_transplant",
    "NoSuchHold": "a hold that a person sets: hold",
    "NotAtThisLevel": "a second reduction for toxicity (DUR-04)",
    "NotTheDoseDue": "the end of infusion, reaction and observation",
    "NotThisCycle": "the first dose of cycle 1; no later cycle is lengthened",
    "NothingInterrupted": "interrupt_infusion while an infusion runs",
    "NothingToAcknowledge": "amend_protocol to a protocol that departs from the label",
    "NothingToReconcile": "a record that differs from the running course",
    "RecordDiffers": "the record and the running course brought together (REC-02)",
    "NothingToCountersign": "an override that asks for two, or a corrected stop or level",
    "NothingToOverride": "a finding that a person may set aside; those that stand clear as they say",
    "NothingToRound": "a dose that can be computed, of a cycle that was started",
    "NothingToVerify": "authorise_dose by the prescriber",
    "ReactionNotOver": "the grade and the end of the reaction, by report_reaction",
    "TransplantRecorded": "nothing; monitoring runs to day 100 after the transplant",
}
"""What opens a command that no finding shuts, by the type of its refusal."""


class Blocked(Frozen):
    """One command that may not be given: why, what must change for each finding, and what time alone would do.

    `opens_with` says what opens it where no finding does. `earliest_at` is the first instant that its findings, or the
    window of the next dose, allow; `opens_by_itself_at` the instant at which it opens without anybody doing anything
    (`None`: somebody must act).
    """

    command: str
    refusal: str
    why: str
    needs: tuple[Finding, ...] = ()
    opens_with: str | None = None
    earliest_at: Instant | None = None
    opens_by_itself_at: Instant | None = None


class Explanation(Frozen):
    """The decision card, the commands that may be given, and for each of the others the whole answer."""

    assessment: Assessment
    may: tuple[str, ...]
    blocked: tuple[Blocked, ...]


def explain(chart: Chart, protocol: Protocol, now: datetime) -> Explanation:
    """The assessment at `now` with, for every command that may not happen, why, what would open it and when."""
    case = Case(chart, protocol, now)
    card = assess_case(case)
    standing = Standing.of(case, card)
    answers = {name: gate(name, standing) for name in COMMANDS}
    waiting = {name for name, refusal in answers.items() if refusal is not None and refusal.findings}
    by_itself = _opened_by_time(chart, protocol, card.valid_until, waiting - SECOND_WORDS)
    blocked = tuple(_blocked(case, name, r, by_itself.get(name)) for name, r in answers.items() if r is not None)
    may = tuple(name for name, refusal in answers.items() if refusal is None)
    return Explanation(assessment=card, may=may, blocked=blocked)


def _blocked(case: Case, command: str, refusal: Refused, by_itself: datetime | None) -> Blocked:
    instants = [f.earliest_at for f in refusal.findings if f.earliest_at is not None]
    needs = () if command in SECOND_WORDS else tuple(f for f in refusal.findings if f.clears is not None)
    earliest_at = max(instants, default=refusal.earliest_at)  # all of them must have cleared
    return Blocked(
        command=command,
        refusal=refusal.type,
        why=refusal.message,
        needs=needs,
        opens_with=None if needs else _opens_with(case, refusal),
        earliest_at=earliest_at or _after_the_bedside(case, command, refusal),
        opens_by_itself_at=by_itself,
    )


def _opens_with(case: Case, refusal: Refused) -> str:
    if refusal.type == "NotTheDoseDue" and case.dosing_ended is not None:
        return OPENS_WITH["AlreadyDiscontinued" if case.stopped_for_good else "DosingOver"]
    return OPENS_WITH[refusal.type]


def _after_the_bedside(case: Case, command: str, refusal: Refused) -> datetime | None:
    """While something runs at the bedside: when the next dose may be given, or when the observation is complete."""
    observed = case.in_observation
    if refusal.type == "CourseBusy" and observed is not None and observed.ended_at is not None:
        return observed.ended_at + case.protocol.observation.minimum.span
    if command not in OF_THE_NEXT_DOSE or not case.busy or case.dosing_ended is not None:
        return None
    window = case.window_of(case.slot_after_all)
    return None if window is None else window.opens_at


def _opened_by_time(chart: Chart, protocol: Protocol, at: datetime | None, shut: set[str]) -> dict[str, datetime]:
    """When each shut command opens while nobody acts: every instant at which time alone changes something is looked at."""
    opened: dict[str, datetime] = {}
    for _ in range(MOST_STEPS):
        if at is None or len(opened) == len(shut):
            break
        card = assess(chart, protocol, at)
        may = {answer.command for answer in card.commands if answer.may}
        opened |= dict.fromkeys((shut & may) - opened.keys(), at)
        at = card.valid_until
    return opened
