"""In whatever state a course is when `decide` fails: what is due is called, nothing is authorised, all is judged afterwards.

The usual run meets every second state with one fault, and each fault; `make search` tries them all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import pytest

from activities import decide, stubs, turns
from clinical.decide import Told
from demo.bedside import Bedside
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from models.assessment import CourseState, Obligation
from models.chart import Chart
from models.facts import UnreadableMessage
from services.courses import CourseError
from tests.broken import Rules, calls_of, must_be_sound, on_fact, on_message
from tests.conftest import Ward
from tests.examples import TIMES
from tests.factories import LABEL
from tests.states import WAYS
from tests.stories.test_rules_fail import ADMINISTRATOR_CALLED, results

FAULTS = ("always", "slow", "one message", "one fact", "too large")
ALL = [(state, fault) for state in WAYS for fault in FAULTS]
USUAL = [(state, FAULTS[number % len(FAULTS)]) for number, state in enumerate(WAYS)][::2]
BEFORE_LONG = timedelta(hours=12)
MANY_RESULTS, LARGER_THAN_USUAL = 400, 40_000

pytestmark = pytest.mark.hypothesis


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Rules:
    return Rules(monkeypatch)


@pytest.mark.parametrize(("state", "fault"), ALL if TIMES > 1 else USUAL)
async def test_a_course_in_any_state_outlives_a_decide_that_fails(
    ward: Ward, rules: Rules, monkeypatch: pytest.MonkeyPatch, state: CourseState, fault: str
) -> None:
    bedside = await ward.course(LABEL)
    await WAYS[state](bedside)
    assert (await bedside.card()).state is state
    if fault in ("always", "slow"):
        with not_deciding(rules, monkeypatch, bedside, slow=fault == "slow"):
            kept = await what_waits(ward, bedside)
        await bedside.clock.advance(timedelta(hours=1, minutes=1))
    elif fault == "one fact":
        kept = await a_fact_is_set_aside(rules, bedside)
    else:
        kept = await a_message_is_set_aside(rules, monkeypatch, bedside, too_large=fault == "too large")
    assert (await bedside.status()).trouble == ()
    judged = [m.id for e in await must_be_sound(ward, bedside) for m in e.messages]
    assert [message_id for message_id in judged if message_id in kept] == kept


# ── where nothing can be decided ───────────────────────────────────────────────────────────────────────────────────


@contextmanager
def not_deciding(rules: Rules, monkeypatch: pytest.MonkeyPatch, bedside: Bedside, *, slow: bool) -> Iterator[None]:
    """Every question to the rules fails, or is not answered in time."""
    go_on = Event()

    def waits(chart: Chart, told: Sequence[Told] | None) -> None:
        go_on.wait(20)

    with monkeypatch.context() as patched, rules.fail(bedside.course_id, waits if slow else None):
        if slow:
            patched.setattr(stubs, "DECIDE_WITHIN", timedelta(seconds=0.5))
            patched.setattr(turns, "LONGEST_WAIT_S", 0.05)
        yield
        go_on.set()


async def what_waits(ward: Ward, bedside: Bedside) -> list[str]:
    """A result, a reaction, a request; what falls due meanwhile. The ids of what must be judged, in order."""
    due = await soonest(bedside)
    await bedside.courses.send(bedside.course_id, await results(bedside, "high", alt="300"))
    receipt = await bedside.do("report_reaction", NURSE, reaction_id="r-1", grade=2, message_id="reported")
    assert "kept" in receipt.sentence
    with pytest.raises(CourseError) as refusal:
        await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=1)
    assert refusal.value.type == "RulesUnavailable"
    if due is not None:
        await bedside.clock.advance_to(due.due_at)
    await bedside.find({"kind": "weight", "kg": "70.1"})
    called = await calls_of(ward, bedside)
    assert ADMINISTRATOR_CALLED in called
    assert {owner for owner, key, _ in called if key.startswith("report_reaction")} == {"physician", "nurse"}
    if due is not None:
        assert (str(due.owner), due.key, "due") in called
    return ["high", "reported"]


async def soonest(bedside: Bedside) -> Obligation | None:
    """What falls due before long: rules that fail for days are a story of their own, and a slow one."""
    card = await bedside.card()
    coming = [o for o in card.obligations if o.standing == "coming" and o.due_at - card.as_of < BEFORE_LONG]
    return min(coming, key=lambda o: o.due_at, default=None)


# ── where one thing cannot be borne ────────────────────────────────────────────────────────────────────────────────


async def a_fact_is_set_aside(rules: Rules, bedside: Bedside) -> list[str]:
    """The rules fail on a fact that was accepted; two people set it aside."""
    await bedside.courses.send(bedside.course_id, await results(bedside, "bad"))
    await bedside.status()
    target = next(f.id for f in (await bedside.courses.chart(bedside.course_id)).facts if f.message == "bad")
    with rules.fail(bedside.course_id, on_fact(target)):
        with pytest.raises(CourseError) as refusal:
            await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=1)
        assert refusal.value.type == "RulesUnavailable"
        await bedside.courses.send(bedside.course_id, await results(bedside, "behind"))
        for who in (PRESCRIBER, PHYSICIAN):
            await bedside.do("set_fact_aside", who, target=target, reason="the rules fail on it", message_id=str(who))
        await bedside.clock.advance(timedelta(minutes=5))
        assert (await bedside.status()).trouble == ()
        await nothing_is_authorised(bedside)
    return ["bad", str(PRESCRIBER), "behind", str(PHYSICIAN)]


async def a_message_is_set_aside(
    rules: Rules, monkeypatch: pytest.MonkeyPatch, bedside: Bedside, *, too_large: bool
) -> list[str]:
    """The rules fail on a message, or what would be written of it is too large; all behind it is judged."""
    poison = await results(bedside, "poison")
    if too_large:
        largest = len((await bedside.card()).model_dump_json()) + LARGER_THAN_USUAL
        monkeypatch.setattr(decide, "LARGEST_CONTENT", largest)
        poison = poison.model_copy(update={"results": poison.results * (MANY_RESULTS // len(poison.results))})
    with rules.fail(bedside.course_id, on_message("poison" if not too_large else "none")):
        await bedside.courses.send(bedside.course_id, await results(bedside, "before"))
        await bedside.courses.send(bedside.course_id, poison)
        await bedside.courses.send(bedside.course_id, await results(bedside, "behind"))
        await bedside.do("hold", NURSE, reason="fever", message_id="hold-behind")
        await nothing_is_authorised(bedside)
    aside = [f.what for f in (await bedside.courses.chart(bedside.course_id)).facts]
    assert [one.signal for one in aside if isinstance(one, UnreadableMessage)] == ["lab_results"]
    return ["before", "behind", "hold-behind"]


async def nothing_is_authorised(bedside: Bedside) -> None:
    for day in (1, 8, 15):
        with pytest.raises(CourseError):
            await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=day)
