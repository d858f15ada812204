"""Which command may be given now, and if not why: one gate per command, used by `assess` and by `judge` alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clinical.bedside.bedside import standing_authorisation, verified
from clinical.bedside.infusion import interrupted
from clinical.bedside.reactions import untreated
from clinical.chart.once import all_of
from clinical.course.case import Case
from clinical.course.interruption import TWO_DOSES
from clinical.gates.overrides import may_be_overridden, with_overrides
from clinical.gates.record_gate import difference, not_the_last_word
from clinical.gates.schedule import asks_for_a_reason
from clinical.gates.signs import personal_holds
from clinical.verdict.dose_gate import dose_gate
from models.assessment import RECORD_DIFFERS, Assessment, CommandAnswer, DosePlan, Finding, Refused, Verdict, earliest
from models.facts import CYCLE_DAYS, DIFFERS, DoseSlot, OverrideGiven, Toxicity
from models.messages import COMMANDS, Request, ResumeInfusion, StartNextCycle, Statement

OPEN = frozenset({Verdict.MAY_AUTHORISE, Verdict.MAY_START})
WAITING = frozenset({Verdict.TOO_EARLY, Verdict.OMIT})
"""Time alone goes on towards the window."""
BLOCKS_NEXT_CYCLE = frozenset(
    {
        Verdict.DISCONTINUED,
        Verdict.HOLD_URGENT,
        Verdict.PROPOSE_DISCONTINUE,
        Verdict.HOLD,
        Verdict.BLOCK_CYCLE,
    }
)
"""Rows 1 to 4 and 6 of §3.5: what the first dose of a cycle would meet, whenever it is given."""


@dataclass(frozen=True)
class Standing:
    """Where a case stands when a command is judged: the next dose, its plan, the headline, all findings."""

    case: Case
    slot: DoseSlot | None
    plan: DosePlan | None
    verdict: Verdict
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, case: Case, card: Assessment) -> "Standing":
        """Where the case stands as its assessment says."""
        return cls(case, case.slot, card.dose, card.verdict, card.findings)

    @property
    def in_the_way(self) -> tuple[Finding, ...]:
        """The findings that ask for something, and what is missing before the start."""
        asking = tuple(f for f in self.findings if f.verdict is not None)
        return asking or tuple(f for f in self.findings if f.clears is not None)


def gate(command: str, standing: Standing) -> Refused | None:
    """Why this command may not be given now, whoever gives it; `None` when it may. Statements are never refused here,
    except where there is nothing that they could end."""
    if standing.case.closed is not None and issubclass(COMMANDS.get(command, Statement), Request):
        return refused("CourseClosed", "the course is closed; nothing is asked of it any more")
    refusal = _GATES.get(command, _open)(standing)
    if refusal is not None and issubclass(COMMANDS.get(command, Request), Statement):
        return not_the_last_word(standing.case, refusal)
    return refusal


def command_answers(
    case: Case, slot: DoseSlot | None, plan: DosePlan | None, verdict: Verdict, findings: tuple[Finding, ...]
) -> tuple[CommandAnswer, ...]:
    """For each command that it may be given, or why not."""
    standing = Standing(case, slot, plan, verdict, findings)
    answers = {name: _answer(name, gate(name, standing)) for name in COMMANDS}
    for name, why, rule in _on_a_condition(case):
        if answers[name].may:
            answers[name] = answers[name].model_copy(update={"why": why, "rules": (rule,)})
    return tuple(answers.values())


def _on_a_condition(case: Case) -> Iterator[tuple[str, str, str]]:
    """Commands that ask for more than usual where they may be given: each with what it asks for, and by which rule."""
    asked, missing = asks_for_a_reason(case), untreated(case)
    if asked is not None:
        yield StartNextCycle.name, asked.reason, asked.rule
    if missing:
        yield ResumeInfusion.name, f"by a nurse once charted: {', '.join(missing)}; by the prescriber now", "NON-04"


def _answer(command: str, refusal: Refused | None) -> CommandAnswer:
    if refusal is None:
        return _MAY[command]
    return CommandAnswer(
        command=command,
        may=False,
        refusal=refusal.type,
        why=refusal.message,
        rules=refusal.rules,
        earliest_at=refusal.earliest_at,
    )


_MAY = {command: CommandAnswer(command=command, may=True) for command in COMMANDS}
"""An answer never changes: of a command that may be given there is only one."""


def refused(kind: str, message: str, findings: tuple[Finding, ...] = ()) -> Refused:
    """A refusal with the earliest instant at which one of its findings could clear."""
    at = earliest(*(f.earliest_at for f in findings if f.verdict in WAITING))
    return Refused(type=kind, message=message, findings=findings, earliest_at=at)


def closed(standing: Standing, doing: str) -> Refused:
    """The refusal of a dose: too early, no dose due, or the gate closed, with everything that stands in the way."""
    findings = standing.in_the_way
    if standing.verdict is Verdict.NO_DOSE_DUE:
        return refused("NotTheDoseDue", f"{doing} is refused: no dose is due now", findings)
    kind = "TooEarly" if standing.verdict in WAITING else "DoseGateClosed"
    about = f" {standing.slot}" if standing.slot else ""
    return refused(kind, f"{doing}{about} is refused: {_because(standing)}", findings)


def _because(standing: Standing) -> str:
    """What stands in the way; where the dose itself may be given, all that is missing before it."""
    findings = standing.in_the_way
    if standing.verdict in OPEN:
        return "; ".join(f"{f.rule}: {f.reason}" for f in findings)
    first = next((f for f in findings if f.verdict is standing.verdict), findings[0] if findings else None)
    return f"{standing.verdict} – {first.rule}: {first.reason}" if first else f"{standing.verdict}"


def _open(_: Standing) -> Refused | None:
    return None


def _authorise(standing: Standing) -> Refused | None:
    if standing.case.in_review and standing.verdict in OPEN:
        return refused("CycleNotStarted", f"start_next_cycle comes before the authorisation of {standing.slot}")
    return None if standing.verdict in OPEN else closed(standing, "authorising")


def _verify(standing: Standing) -> Refused | None:
    if standing.verdict not in OPEN:
        return closed(standing, "verifying")
    authorisation = standing_authorisation(standing.case, standing.plan)
    if authorisation is None:
        unsigned = tuple(f for f in standing.in_the_way if f.rule == "OWN-01")
        return refused("NothingToVerify", "no authorisation stands that could be checked", unsigned)
    if verified(standing.case, authorisation):
        return refused("AlreadyVerified", "this authorisation is checked already")
    return None


def _start(standing: Standing) -> Refused | None:
    return None if standing.verdict is Verdict.MAY_START else closed(standing, "starting")


def _complete(standing: Standing) -> Refused | None:
    if standing.case.running is None:
        return refused(
            "NoInfusion", "no infusion is under way; report a dose given elsewhere with record_administration"
        )
    return None


def _interrupt(standing: Standing) -> Refused | None:
    if standing.case.running is None:
        return refused("NoInfusion", "no infusion is under way")
    still = interrupted(standing.case)
    if still is None or still.by_reaction:  # what the pump showed may be said after the reaction
        return None
    return refused("AlreadyInterrupted", "the infusion stands still")


def _resume(standing: Standing) -> Refused | None:
    """An interrupted infusion goes on only when the reaction behind it is graded and over (IRR, grade 2)."""
    case = standing.case
    if interrupted(case) is None:
        return refused("NothingInterrupted", "no infusion stands still")
    differs = tuple(f for f in standing.findings if f.rule == DIFFERS)
    if differs:
        return refused(RECORD_DIFFERS, f"resuming is refused: {differs[0].reason}", differs)
    if case.stopped_for_good:
        return refused("DoseGateClosed", "the drug was stopped for good", case.stopped_for_good)
    if case.reaction_running is not None or case.ungraded_reaction is not None:
        findings = tuple(f for f in standing.findings if f.rule == "NON-04")
        return refused("ReactionNotOver", _of_the_reaction(case), findings)
    return None


def _of_the_reaction(case: Case) -> str:
    """The one of the two that is true, or both."""
    ungraded = case.ungraded_reaction is not None
    came_back = case.reaction_come_back is not None
    running = case.reaction_running
    said = ["not graded"] if ungraded else ["come back and not graded anew"] if came_back else []
    said += ["not over"] if running is not None and running.resolved_at is None else []
    return f"the reaction is {' and '.join(said)}"


def _end_observation(standing: Standing) -> Refused | None:
    return None if standing.case.in_observation else refused("NoObservation", "no observation is open")


def _release(standing: Standing) -> Refused | None:
    if not list(personal_holds(standing.case)):
        return refused("NoSuchHold", "no hold of a person stands; other holds clear as their findings say")
    return None


def _next_cycle(standing: Standing) -> Refused | None:
    case = standing.case
    if case.stopped_for_good:
        return refused("DoseGateClosed", "the drug was stopped for good", case.stopped_for_good)
    if case.busy:
        return refused("NotTheDoseDue", "an infusion, reaction or observation is open")
    if case.slot_after_all.cycle == case.cycle or not case.doses:
        return refused("CycleNotOver", f"{case.slot_after_all} is still to come")
    blocking = _met_by_its_dose(standing)
    if not blocking:
        return None
    gravest = min((f.verdict for f in blocking if f.verdict is not None), key=tuple(Verdict).index)
    return closed(Standing(case, case.slot_after_all, None, gravest, blocking), "starting the cycle of")


def _met_by_its_dose(standing: Standing) -> tuple[Finding, ...]:
    """DOSE-08a: what the first dose of the cycle would meet, also where dosing has ended and no dose is next."""
    case, slot = standing.case, standing.case.slot_after_all
    if case.dosing_ended is None:
        return tuple(f for f in standing.findings if f.verdict in BLOCKS_NEXT_CYCLE | WAITING or _no_response(f))
    found = (*standing.findings, *with_overrides(case, slot, all_of(case, dose_gate, slot)))
    return tuple(f for f in found if f.verdict in BLOCKS_NEXT_CYCLE)


def _no_response(finding: Finding) -> bool:
    return finding.rule == "RESP-01" and finding.verdict is Verdict.NEED_DATA


def _finish(standing: Standing) -> Refused | None:
    case = standing.case
    if case.busy:
        return refused("NotTheDoseDue", "an infusion, reaction or observation is open")
    return refused("DosingOver", "dosing has ended already") if case.dosing_ended is not None else None


def _discontinue(standing: Standing) -> Refused | None:
    stopped = standing.case.stopped_for_good
    return refused("AlreadyDiscontinued", "the drug was stopped for good already", stopped) if stopped else None


def _no_transplant(standing: Standing) -> Refused | None:
    if standing.case.transplant is not None:
        return refused("TransplantRecorded", "a transplant is recorded; monitoring runs to its end")
    return refused("AlreadyDeclared", "it is declared already") if standing.case.no_transplant_declared else None


def _override(standing: Standing) -> Refused | None:
    if any(may_be_overridden(f) for f in standing.findings):
        return None
    return refused("NothingToOverride", "no finding stands that a person could set aside", standing.in_the_way)


def _countersign(standing: Standing) -> Refused | None:
    case = standing.case
    graded = any(what.reason for _, what in case.reading.of(Toxicity))
    if case.correction_open or case.reading.of(OverrideGiven) or graded:
        return None
    return refused("NothingToCountersign", "no override, correction or grade waits for a second signature")


def _decide(standing: Standing) -> Refused | None:
    return None if standing.slot is not None else closed(standing, "deciding")


def _round(standing: Standing) -> Refused | None:
    if standing.plan is not None and not standing.case.in_review:
        return None
    return refused("NothingToRound", "no dose is computed that could be rounded")


def _drop(standing: Standing) -> Refused | None:
    """LVL-03: which of two doses is left out is chosen at level L2, before either of them was given."""
    case = standing.case
    if standing.slot is None:
        return closed(standing, "choosing")
    cycle = standing.slot.cycle
    if case.level_of(cycle) < TWO_DOSES:
        return refused("NotAtThisLevel", f"a dose is left out of a cycle only at level L2; cycle {cycle} is above it")
    if any(d.slot.cycle == cycle and d.slot.day != CYCLE_DAYS[0] for d in case.doses):
        return refused("TooLate", f"a later dose of cycle {cycle} was given already")
    return None


def _extend(standing: Standing) -> Refused | None:
    case = standing.case
    if case.cycle != 1 or case.dosing_ended is not None or not case.doses:
        return refused("NotThisCycle", "only cycle 1, while it lasts, is lengthened (DOSE-05)")
    return refused("AlreadyExtended", "cycle 1 takes its longest length already") if case.extended else None


def _withdraw_plan(standing: Standing) -> Refused | None:
    return None if standing.case.transplant_planned else refused("NoPlan", "no transplant is planned")


def _reconcile(standing: Standing) -> Refused | None:
    if difference(standing.case.reading) is not None:
        return None
    return refused("NothingToReconcile", "record and execution do not differ as far as is known")


def _amend(standing: Standing) -> Refused | None:
    """The protocol, and the release, do not change while something is under way at the bedside."""
    return refused("CourseBusy", "an infusion, reaction or observation is open") if standing.case.busy else None


def _acknowledge(standing: Standing) -> Refused | None:
    if standing.case.pending_amendment is not None:
        return None
    return refused("NothingToAcknowledge", "no amendment waits for an acknowledgement")


_GATES: dict[str, Callable[[Standing], Refused | None]] = {
    "authorise_dose": _authorise,
    "verify_dose": _verify,
    "start_infusion": _start,
    "interrupt_infusion": _interrupt,
    "resume_infusion": _resume,
    "complete_infusion": _complete,
    "end_observation": _end_observation,
    "release_hold": _release,
    "start_next_cycle": _next_cycle,
    "finish_dosing": _finish,
    "discontinue": _discontinue,
    "declare_no_transplant": _no_transplant,
    "override": _override,
    "countersign": _countersign,
    "decide_dose": _decide,
    "choose_rounding": _round,
    "choose_dropped_dose": _drop,
    "extend_cycle": _extend,
    "withdraw_transplant_plan": _withdraw_plan,
    "reconcile_record": _reconcile,
    "amend_protocol": _amend,
    "acknowledge_divergence": _acknowledge,
    "move_to_current_build": _amend,
}
