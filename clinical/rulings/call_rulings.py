"""Rulings on calls: whoever is called takes the call, or puts it off. That silences, and never closes (CALL-01)."""

from clinical.obligations.obligations import obligations
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from models.assessment import CallAnswer, Obligation, Refused
from models.facts import CallAcknowledged, CallSnoozed
from models.messages import AcknowledgeCall, SnoozeCall, share


def acknowledged(judging: Judging, message: AcknowledgeCall) -> Judged:
    """It rings no more for this role, until it is about something else."""
    called = _called(judging, message)
    return called if isinstance(called, Refused) else share(CallAcknowledged, message, due_at=called.due_at)


def snoozed(judging: Judging, message: SnoozeCall) -> Judged:
    """It rings again then: soon, for nobody puts a call off for long."""
    called, case = _called(judging, message), judging.case
    if isinstance(called, Refused):
        return called
    most = case.protocol.calls.snooze_max
    if not case.now < message.until <= case.now + most.span:
        return refused("SnoozeTooLong", f"a call is put off to a time to come, for at most {most.shown()}")
    return share(CallSnoozed, message, due_at=called.due_at)


def _called(judging: Judging, message: AcknowledgeCall | SnoozeCall) -> Obligation | Refused:
    """The call that is meant, where this role is called for it."""
    case = judging.case
    one = next((o for o in obligations(case) if o.key == message.obligation and o.standing != "coming"), None)
    if one is None:
        return refused("NoSuchCall", f"nobody is called for {message.obligation} now")
    if message.due_at not in (None, one.due_at):
        moved = f"{message.obligation} has called anew since then, for what came at {one.due_at:%Y-%m-%dT%H:%M:%SZ}"
        return refused("CallMoved", moved)
    answer = CallAnswer(by=message.by, at=case.now)
    if not any(answer.is_for(role) for role in one.owners):
        called = ", ".join(one.owners)
        return refused("NotYourCall", f"{message.obligation} calls: {called}")
    return one
