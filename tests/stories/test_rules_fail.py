"""When the rules cannot be evaluated: what is due is called, nothing is authorised, and all is judged afterwards."""

from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities import decide, stubs, turns
from activities.decide import Decider
from clinical.decide import Told
from demo.bedside import Bedside
from demo.bundles import LIVER_PANEL, NORMAL
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from models.assessment import Assessment, CourseState, Obligation, Verdict
from models.chart import Chart
from models.facts import UnreadableMessage
from models.messages import COMMANDS, LabResults
from models.people import Actor, Role
from models.tables import RawMessageRow
from services.courses import CourseError
from tests.broken import ABugInARule, Rules, calls_of, histories, must_be_sound, on_fact, on_message
from tests.conftest import MANY_LOOKS, Ward, until_written
from tests.factories import LABEL, a_lab
from tests.stories.conftest import SmallWard

ADMINISTRATOR = Actor(role=Role.ADMINISTRATOR, id="a-1")
TOO_MANY = 3
"""A slow `decide` can take no more messages at a time."""
ADMINISTRATOR_CALLED = ("administrator", "rules-not-evaluated", "due")


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Rules:
    return Rules(monkeypatch)


async def after_the_first_dose(ward: Ward | SmallWard, bedside: Bedside) -> Bedside:
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    return bedside


async def next_due(bedside: Bedside) -> Obligation:
    return min((o for o in (await bedside.card()).obligations if o.standing == "coming"), key=lambda o: o.due_at)


async def number_of_events(ward: Ward, bedside: Bedside) -> int:
    return sum(len(history.events) for history in await histories(ward, bedside))


async def results(bedside: Bedside, message_id: str, **values: str) -> LabResults:
    """A draw as the laboratory's machine sends it, complete but for what is given."""
    course, at = (await bedside.courses.chart(bedside.course_id)).course, await bedside.clock.now()
    drawn = [a_lab(a, v, at=at).model_dump(mode="json") for a, v in {**wanted(), **values}.items()]
    said = {"id": message_id, "by": "laboratory:lis", "subject_hash": course.subject_hash, "results": drawn}
    return LabResults.model_validate(said, strict=False)


def wanted() -> dict[str, str]:
    return {a: NORMAL[a] for a in LIVER_PANEL}


async def test_what_comes_due_while_the_rules_fail_is_called_at_its_time_and_no_timer_runs_in_a_circle(
    ward: Ward, rules: Rules
) -> None:
    bedside = await after_the_first_dose(ward, await ward.course(LABEL))
    due = await next_due(bedside)
    await bedside.clock.advance_to(due.due_at - timedelta(minutes=1))
    with rules.fail(bedside.course_id):
        before = await number_of_events(ward, bedside)
        await bedside.clock.advance(timedelta(minutes=3))  # they fail at this very instant
        assert await number_of_events(ward, bedside) - before < 40
        called = await calls_of(ward, bedside)
        assert (str(due.owner), due.key, "due") in called
        assert called.count(ADMINISTRATOR_CALLED) == 1
        await bedside.clock.advance(timedelta(hours=7))
        called = await calls_of(ward, bedside)
        assert (str(due.owner), due.key, "overdue") in called
        assert 6 <= called.count(ADMINISTRATOR_CALLED) <= 8, "again after an hour, not once and not each minute"
        assert await number_of_events(ward, bedside) - before < 200
        known = {o.key: o.standing for o in (await bedside.card()).obligations}
        assert known[due.key] == "overdue"
    await bedside.clock.advance(timedelta(hours=1))
    assert (await bedside.status()).trouble == ()
    called = await calls_of(ward, bedside)
    assert [called.count((str(due.owner), due.key, rung)) for rung in ("due", "overdue")] == [1, 1]
    await must_be_sound(ward, bedside)


async def test_the_same_message_id_is_answered_once_the_rules_are_back(ward: Ward, rules: Rules) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    hold = COMMANDS["hold"].model_validate_json('{"id": "hold-1", "by": "nurse:n-1", "reason": "fever at home"}')
    with rules.fail(bedside.course_id):
        for _ in range(3):
            with pytest.raises(CourseError) as refusal:
                await bedside.courses.command(bedside.course_id, hold)
            assert refusal.value.type == "RulesUnavailable"
    assert (await bedside.courses.command(bedside.course_id, hold)).message_id == "hold-1"
    assert (await bedside.status()).trouble == ()
    assert sum(m.id == "hold-1" for e in await must_be_sound(ward, bedside) for m in e.messages) == 1


async def test_a_start_is_judged_behind_everything_that_waited_while_the_rules_failed(ward: Ward, rules: Rules) -> None:
    """The rules work again, and the first who asks them is a nurse who starts: before the course has asked again."""
    bedside = await ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    preparation_id = await bedside.ready_to_start(1, 1)
    with rules.fail(bedside.course_id):
        kept = await bedside.do("report_reaction", NURSE, reaction_id="r-1", grade=4)
        assert "kept" in kept.sentence
        await bedside.courses.send(bedside.course_id, await results(bedside, "high", alt="300"))
        called = [owner for owner, key, _ in await calls_of(ward, bedside) if key.startswith("report_reaction")]
        assert called == ["physician", "nurse"]
    with pytest.raises(CourseError) as refusal:
        await bedside.start(1, 1, preparation_id)
    assert refusal.value.type == "DoseGateClosed"
    entries = await must_be_sound(ward, bedside)
    judged = [m.name for e in entries for m in e.messages][-3:]
    assert judged == ["report_reaction", "lab_results", "start_infusion"]
    assert (await bedside.status()).trouble == ()


async def test_a_decide_that_fails_by_itself_answers_people_and_runs_in_no_circle(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    before = await number_of_events(ward, bedside)
    with monkeypatch.context() as broken:
        broken.setattr(Decider, "_bite", fails_for(bedside.course_id, Decider._bite))
        await bedside.courses.send(bedside.course_id, await results(bedside, "first"))
        with pytest.raises(CourseError) as refusal:
            await bedside.do("hold", NURSE, reason="fever")
        assert refusal.value.type == "RulesUnavailable"
        receipt = await bedside.do("report_reaction", NURSE, reaction_id="r-1", grade=4, message_id="r-1")
        assert (receipt.message_id, receipt.state) == ("r-1", CourseState.HELD)
        assert "kept" in receipt.sentence
        assert await number_of_events(ward, bedside) - before < 80
    await bedside.clock.advance(timedelta(minutes=5))
    assert (await bedside.card()).verdict is Verdict.DISCONTINUED
    judged = [m.name for e in await must_be_sound(ward, bedside) for m in e.messages]
    assert judged[-2:] == ["lab_results", "report_reaction"]


def fails_for(course_id: str, real: Any) -> Any:
    """A method of the decider that raises for one course, outside of all protection."""

    def method(self: Decider, *args: Any) -> Any:
        ask_or_chart = [getattr(one, "course", None) for one in args]
        if course_id in [course.course_id for course in ask_or_chart if course is not None]:
            raise ABugInARule
        return real(self, *args)

    return method


async def test_where_nobody_answers_at_all_the_card_shows_a_hold(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    assert (await bedside.card()).verdict is Verdict.MAY_AUTHORISE
    with monkeypatch.context() as broken:
        for name in ("_bite", "_held"):
            broken.setattr(Decider, name, fails_for(bedside.course_id, getattr(Decider, name)))
        with pytest.raises(CourseError) as refusal:
            await bedside.sign(1, 1)
        assert refusal.value.type == "RulesUnavailable"
        card = await bedside.card()
        assert (card.verdict, [f.rule for f in card.findings]) == (Verdict.HOLD, ["RULES-01"])
        assert ADMINISTRATOR_CALLED in await calls_of(ward, bedside)
    await bedside.clock.advance(timedelta(minutes=2))
    await bedside.sign(1, 1)
    await must_be_sound(ward, bedside)


async def test_a_decide_that_is_too_slow_holds_the_course_and_takes_less_at_a_time_then(
    small_ward: SmallWard, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, bites = Event(), []

    def slow_with_many(chart: Chart, told: Sequence[Told] | None) -> None:
        bites.append(len(told or ()))
        if bites[-1] > TOO_MANY:
            go_on.wait(20)

    draws = [f"draw-{number:02}" for number in range(20)]
    monkeypatch.setattr(stubs, "DECIDE_WITHIN", timedelta(seconds=0.5))
    monkeypatch.setattr(turns, "LONGEST_WAIT_S", 0.05)
    async with small_ward.worker():
        bedside = await after_the_first_dose(small_ward, await small_ward.course("slow"))
        sent = [await results(bedside, draw) for draw in draws]
    for message in sent:
        await bedside.courses.send(bedside.course_id, message)
    with rules.fail(bedside.course_id, slow_with_many):
        async with small_ward.worker():
            card = await until_held(bedside)
            assert "no answer in time" in card.findings[0].reason
            await bedside.clock.advance(timedelta(minutes=10))
            assert (await bedside.status()).trouble == ()
            go_on.set()
            judged = [m.id for e in await must_be_sound(small_ward, bedside) for m in e.messages]
    assert judged[-20:] == draws
    assert max(bites) == len(draws)


async def until_held(bedside: Bedside) -> Assessment:
    for _ in range(20 * MANY_LOOKS):
        card = await bedside.courses.assessment(bedside.course_id)
        if card.state is CourseState.HELD:
            return card
    raise AssertionError("the course is not held")


async def test_one_message_that_no_rule_survives_is_set_aside_and_everything_behind_it_is_judged(
    ward: Ward, rules: Rules
) -> None:
    bedside = await after_the_first_dose(ward, await ward.course(LABEL))
    with rules.fail(bedside.course_id, on_message("poison")):
        for message_id, alt in (("before", "30"), ("poison", "31"), ("behind", "32")):
            await bedside.courses.send(bedside.course_id, await results(bedside, message_id, alt=alt))
        assert (await bedside.do("hold", NURSE, reason="fever")).verdict is Verdict.HOLD
        assert (await bedside.status()).trouble == ()
        entries = await must_be_sound(ward, bedside)
    chart = await bedside.courses.chart(bedside.course_id)
    aside = [f.what for f in chart.facts if isinstance(f.what, UnreadableMessage)]
    assert [(one.signal, "a rule failed on it" in one.reason) for one in aside] == [("lab_results", True)]
    card = await bedside.card()
    assert "LAB-05" in [f.rule for f in card.findings if f.verdict is Verdict.NEED_DATA]
    called = [key for _, key, _ in await calls_of(ward, bedside) if key.startswith("unreadable")]
    assert called == [o.key for o in card.obligations if o.rule == "LAB-05"]
    assert [m.id for e in entries for m in e.messages][-3:] == ["before", "behind", bedside_hold(entries)]
    async with AsyncSession(ward.engine) as session:
        kept = (await session.exec(select(RawMessageRow).where(RawMessageRow.course_id == bedside.course_id))).all()
    assert [(row.name, row.whole) for row in kept] == [("lab_results", True)]


def bedside_hold(entries: Any) -> str:
    return next(m.id for e in reversed(entries) for m in e.messages if m.name == "hold")


async def test_a_message_whose_answer_is_too_large_is_set_aside(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    monkeypatch.setattr(decide, "LARGEST_CONTENT", 20_000)
    large = await results(bedside, "large")
    more = large.results * (200 // len(large.results))
    await bedside.courses.send(bedside.course_id, large.model_copy(update={"results": more}))
    await bedside.courses.send(bedside.course_id, await results(bedside, "behind"))
    card = await bedside.card()
    assert "LAB-05" in [f.rule for f in card.findings]
    assert (await bedside.status()).trouble == ()
    assert [m.id for e in await must_be_sound(ward, bedside) for m in e.messages][-1] == "behind"


async def test_a_course_moved_to_another_build_while_its_rules_fail_keeps_what_is_due(ward: Ward, rules: Rules) -> None:
    bedside = await after_the_first_dose(ward, await ward.course(LABEL))
    due = await next_due(bedside)
    with rules.fail(bedside.course_id):
        await bedside.into_next_run(bedside.do("move_to_current_build", ADMINISTRATOR))
        assert due.key in [o.key for o in (await bedside.card()).obligations]
        kept = await bedside.do("report_reaction", NURSE, reaction_id="r-1", grade=2)
        await bedside.into_next_run(bedside.do("move_to_current_build", ADMINISTRATOR))
        await bedside.clock.advance_to(due.due_at)
        assert (str(due.owner), due.key, "due") in await calls_of(ward, bedside)
    await bedside.clock.advance(timedelta(hours=1))
    entries = await must_be_sound(ward, bedside)
    assert [m.id for e in entries for m in e.messages][-1] == kept.message_id
    assert (await bedside.status()).trouble == ()


async def test_a_fact_on_which_the_rules_fail_is_set_aside_by_two_people_and_the_course_goes_on(
    ward: Ward, rules: Rules
) -> None:
    bedside = await after_the_first_dose(ward, await ward.course(LABEL))
    await bedside.courses.send(bedside.course_id, await results(bedside, "bad"))
    await bedside.status()
    chart = await bedside.courses.chart(bedside.course_id)
    target = next(f.id for f in chart.facts if f.message == "bad")
    with rules.fail(bedside.course_id, on_fact(target)):
        with pytest.raises(CourseError):
            await bedside.do("hold", NURSE, reason="fever")
        assert f"without fact {target} they work" in (await bedside.card()).findings[0].reason
        await bedside.do("set_fact_aside", PRESCRIBER, target=target, reason="the rules fail on it")
        assert (await bedside.status()).trouble
        await bedside.into_next_run(bedside.do("move_to_current_build", ADMINISTRATOR))
        await bedside.do("set_fact_aside", PHYSICIAN, target=target, reason="seen on screen")
        card = await bedside.card()
        assert (await bedside.status()).trouble == ()
        assert "LAB-05" in [f.rule for f in card.findings if f.verdict is Verdict.NEED_DATA]
        await bedside.do("hold", NURSE, reason="fever")
    await must_be_sound(ward, bedside)


async def test_a_course_closed_in_error_while_the_record_was_away_goes_on_with_its_timers(
    small_ward: SmallWard,
) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("endrace")
        await bedside.screen()
        await bedside.prepare_day(1, 1)
        preparation_id = await bedside.ready_to_start(1, 1)
        await bedside.vital_signs()
        await bedside.start(1, 1, preparation_id)
        await until_written(bedside)
        async with small_ward.record_away():
            await bedside.do("close_course", PHYSICIAN, reason="death", message_id="close-1")
            await bedside.do("correct_fact", PHYSICIAN, target="close-1/0", reason="another patient's death")
            due = await next_due(bedside)
            await bedside.clock.advance_to(due.due_at)
            await bedside.status()
            assert (str(due.owner), due.key, "due") in await calls_of(small_ward, bedside)
        await bedside.clock.advance(timedelta(minutes=3))
        await until_written(bedside)
        handle = small_ward.client.get_workflow_handle(bedside.course_id)
        assert (await handle.describe()).status.name == "RUNNING"  # type: ignore[union-attr]
        await bedside.do("complete_infusion", NURSE)
        await must_be_sound(small_ward, bedside)
