"""What the law of monotone ignorance compares (M.0): A, the commands that may with their mg, and S, all that stands against one.

The headline is compared nowhere: a graver row can hide another. A finding is known by rule and subject, an obligation by its key.
One obligation asks for a word of any kind (nothing was said for a week, and no dose is given): any word meets it.
"""

from dataclasses import dataclass
from decimal import Decimal

from clinical.assess import ORDER
from clinical.obligations.harm import Harm
from clinical.obligations.kinds import harm_of
from models.assessment import Assessment, Finding, Obligation, Verdict
from models.messages import COMMANDS, Request
from models.obligation_kinds import ObligationKind

ANSWERS = frozenset({"override", "countersign", "reconcile_record", "acknowledge_divergence", "release_hold"})
"""What answers a finding may be given because there is one: it lets nothing through that was let through without it."""
CALLS = ("CRIT", "ALERT", "VOD")
"""Rules whose notes call somebody, though they hold nothing."""
ENDED_BY_TIME = frozenset({Verdict.TOO_EARLY, Verdict.OMIT})
OF_THIS_DOSE = frozenset({"authorise_dose", "verify_dose", "start_infusion", "resume_infusion"})
LEADING_TO_A_DOSE = OF_THIS_DOSE | {"start_next_cycle"}
WATCHES = frozenset({("ALERT-01", ""), ("ALERT-09", "")})
"""A1 is a watch and no suspicion; what was not examined is a question."""
HOLDS = frozenset({Verdict.HOLD, Verdict.HOLD_URGENT, Verdict.PROPOSE_DISCONTINUE, Verdict.CYTOREDUCE})


@dataclass(frozen=True)
class Known:
    """A and S of one card. `dose` and `mg` are those that the next authorisation would be of; `grave` of all that is due are
    the calls that nothing but their own end takes away (CALL-01)."""

    may: frozenset[str]
    dose: str
    mg: Decimal | None
    holds: dict[tuple[str, str], Verdict]
    lacking: bool
    calls: frozenset[tuple[str, str]]
    due: frozenset[str]
    grave: frozenset[str]


def known(card: Assessment) -> Known:
    """What a card lets through, and what stands on it."""
    may = {c.command for c in card.commands if c.may and issubclass(COMMANDS[c.command], Request)} - ANSWERS
    holds: dict[tuple[str, str], Verdict] = {}
    for finding in reversed(card.standing):  # the gravest of a rule and subject comes last, and stays
        if finding.verdict is not Verdict.NEED_DATA:
            holds[finding.rule, finding.subject] = finding.verdict or Verdict.NO_DOSE_DUE
    lacking = any(f.verdict is Verdict.NEED_DATA for f in card.standing)
    calls = {(f.rule, f.subject) for f in card.findings if _calls(f)} - WATCHES
    mg = card.dose.mg if card.dose is not None else None
    due = {_asked(o) for o in card.obligations if not _for_a_word(o)}
    grave = {o.key for o in card.obligations if harm_of(o.kind) is Harm.GRAVEST}
    return Known(
        frozenset(may), card.next_dose or "", mg, holds, lacking, frozenset(calls), frozenset(due), frozenset(grave)
    )


def _for_a_word(due: Obligation) -> bool:
    return due.kind is ObligationKind.FIRST_DOSE or (due.kind is ObligationKind.AGAIN and due.rule == "OWN-01")


def _asked(due: Obligation) -> str:
    """A reminder is one of its owner, whatever it names first of what is overdue."""
    return f"again {due.owner}" if due.kind is ObligationKind.AGAIN else due.key


def _calls(finding: Finding) -> bool:
    return finding.verdict is None and finding.rule.startswith(CALLS) and finding.overridden is None


def opened(before: Known, after: Known) -> list[str]:
    """What became possible, or larger."""
    found = [f"{command} may be given" for command in sorted(after.may - before.may)]
    if after.mg is not None and before.dose == after.dose and (before.mg is None or after.mg > before.mg):
        found.append(f"{after.mg} mg instead of {before.mg} mg")
    return found


def lost(before: Known, after: Known) -> list[str]:
    """What stood, and does not any more, or is milder now."""
    found = [f"{' '.join(key)} {verdict}" for key, verdict in before.holds.items() if _milder(after, key, verdict)]
    found += [f"note {rule} {subject}" for rule, subject in sorted(before.calls) if not _said(after, rule, subject)]
    found += [f"due {key}" for key in sorted(before.due - after.due)]
    if before.lacking and not after.lacking and not set(after.holds) - set(before.holds):
        found.append("data that were missing")
    return found


def milder_by_time(before: Known, after: Known) -> list[str]:
    """What time alone opened or lifted, apart from what M.0 lists: TOO_EARLY and OMIT end, a window opens, premedication works.

    A dose that is next by then, where another was before, has data of its own; what held stays for both. A value past its alert
    limit is noted while it is fresh; its call stays.
    """
    held = {key: verdict for key, verdict in before.holds.items() if verdict not in ENDED_BY_TIME}
    found = [f"{' '.join(key)} {verdict}" for key, verdict in held.items() if _milder(after, key, verdict)]
    notes = {call for call in before.calls if not call[0].startswith("CRIT")}
    found += [f"note {rule} {subject}" for rule, subject in sorted(notes) if not _said(after, rule, subject)]
    found += [f"call {key}" for key in sorted(before.grave - after.grave)]
    shut = LEADING_TO_A_DOSE if held else OF_THIS_DOSE if before.lacking else frozenset[str]()
    found += [f"{command} may be given" for command in sorted((after.may - before.may) & shut)]
    if None not in (before.mg, after.mg) and before.dose == after.dose and after.mg > before.mg:  # type: ignore[operator]
        found.append(f"{after.mg} mg instead of {before.mg} mg")
    return found


def _milder(after: Known, key: tuple[str, str], verdict: Verdict) -> bool:
    now = after.holds.get(key)
    return now is None or ORDER.index(now) > ORDER.index(verdict)


def _said(after: Known, rule: str, subject: str) -> bool:
    """A watch for VOD has become a suspicion, or it is still said."""
    suspected = any(held.startswith("VOD") for held, _ in after.holds)
    return (rule, subject) in {*after.calls, *after.holds} or (suspected and rule.startswith("ALERT"))


def is_open(card: Assessment) -> bool:
    """A dose may be signed or started, or is being given."""
    return card.verdict in (Verdict.MAY_AUTHORISE, Verdict.MAY_START)


def is_held(card: Assessment) -> bool:
    """A hold or a suspicion stands, whatever else does."""
    return any(f.verdict in HOLDS for f in card.standing)
