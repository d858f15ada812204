"""What must not happen at the bedside, and what must not be forgotten, on a real server with time skipped."""

from datetime import datetime, timedelta

import pytest

from demo.bedside import Bedside
from demo.patients import ANNA, BERND, NURSE, PHYSICIAN, PRESCRIBER
from models.assessment import CourseState, Verdict
from models.facts import InfusionStarted, LabResult, RungFired, UnreadableMessage
from models.messages import LabResults
from models.obligation_kinds import ObligationKind
from models.people import Role
from services.courses import CommandRefused, CourseError
from tests.conftest import MANY_LOOKS, Ward
from tests.factories import ARTICLE, LABEL
from tests.stories.conftest import TIMELY

ALT = "1742-6"


async def ready_for_the_second_dose(ward: Ward, protocol: str = LABEL) -> Bedside:
    bedside = await ward.course(protocol)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    due = next(o for o in (await bedside.card()).obligations if o.key == "dose-C1D8")
    await bedside.clock.advance_to(due.due_at)
    await bedside.prepare_day(1, 8)
    return bedside


async def doses_given(bedside: Bedside) -> int:
    chart = await bedside.courses.chart(bedside.course_id)
    return sum(isinstance(f.what, InfusionStarted) for f in chart.facts)


async def test_an_alt_corrected_at_the_bedside_closes_the_gate(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    preparation_id = await bedside.ready_to_start(1, 8)
    assert (await bedside.card()).verdict is Verdict.MAY_START
    chart = await bedside.courses.chart(bedside.course_id)
    drawn_at = max(f.at for f in chart.facts if isinstance(f.what, LabResult) and f.what.loinc == ALT)
    await bedside.send_labs({"alt": "160"}, drawn_at, status="corrected")

    with pytest.raises(CommandRefused) as refusal:
        await bedside.start(1, 8, preparation_id)

    assert refusal.value.type == "DoseGateClosed"
    assert "NON-08" in refusal.value.refusal.rules
    assert any("137.5 U/L" in f.reason for f in refusal.value.refusal.findings)
    assert await doses_given(bedside) == 1
    assert (await bedside.status()).state is CourseState.HELD


@pytest.mark.parametrize(
    ("values", "more", "reason"),
    [
        ({"alt": "haemolysed"}, {}, "cannot be read as a number"),
        ({"alt": "31"}, {"status": "preliminary"}, "status is preliminary"),
    ],
    ids=["garbled", "preliminary"],
)
async def test_a_newer_alt_that_cannot_be_used_closes_the_gate_until_a_usable_one_comes(
    ward: Ward, values: dict[str, str], more: dict[str, str], reason: str
) -> None:
    bedside = await ready_for_the_second_dose(ward)
    assert (await bedside.card()).verdict is Verdict.MAY_AUTHORISE
    await bedside.clock.advance(timedelta(minutes=5))
    await bedside.send_labs(values, **more)

    card = await bedside.card()
    assert card.verdict is Verdict.NEED_DATA
    assert [f.rule for f in card.findings if f.verdict] == ["LAB-05"]
    assert reason in next(f.reason for f in card.findings if f.rule == "LAB-05")

    await bedside.clock.advance(timedelta(minutes=5))
    await bedside.send_labs({"alt": "33"})
    assert (await bedside.card()).verdict is Verdict.MAY_AUTHORISE


async def test_a_result_without_a_unit_closes_the_gate_until_a_person_dismisses_it(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    now = await bedside.clock.now()
    subject = (await bedside.courses.chart(bedside.course_id)).course.subject_hash
    alt = {"loinc": "1742-6", "value": "31", "uln": "55", "collected_at": now.isoformat(), "status": "final"}
    message = {"id": "no-unit", "by": "laboratory:lis", "subject_hash": subject, "results": [alt]}
    await ward.handle(bedside).signal("lab_results", message)

    card = await bedside.card()
    assert card.verdict is Verdict.NEED_DATA
    assert [f.rule for f in card.findings if f.verdict] == ["CONV-01"]

    reason = "reported by telephone as a printing fault"
    await bedside.do("resolve_unreadable", NURSE, target="no-unit/0", outcome="dismissed", reason=reason)
    assert (await bedside.card()).verdict is Verdict.MAY_AUTHORISE


async def test_garbage_is_kept_with_its_reason_and_closes_the_gate_until_a_person_resolves_it(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    handle = ward.handle(bedside)
    await handle.signal("lab_results", {"results": "???"})
    await handle.signal("lab_results", args=[1, 2])
    await handle.signal("lab_results")
    await handle.signal("nobody_knows_this", "x")

    card = await bedside.card()
    assert card.verdict is Verdict.NEED_DATA
    chart = await bedside.courses.chart(bedside.course_id)
    kept = [f.what for f in chart.facts if isinstance(f.what, UnreadableMessage)]
    assert len(kept) == 4
    assert all(m.reason and m.sha256 for m in kept)
    with pytest.raises(CommandRefused) as refusal:
        await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=8)
    assert "LAB-05" in refusal.value.refusal.rules

    for message in kept:
        await bedside.do(
            "resolve_unreadable", PHYSICIAN, target=message.sha256, outcome="dismissed", reason="not about this patient"
        )
    assert (await bedside.card()).verdict is Verdict.MAY_AUTHORISE


async def test_the_same_message_twice_has_one_effect_and_the_first_receipt_also_in_the_next_cycle(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    first = await bedside.do("record_finding", NURSE, message_id="weighed", finding={"kind": "weight", "kg": "70.5"})
    facts = (await bedside.status()).facts
    again = await bedside.do("record_finding", NURSE, message_id="weighed", finding={"kind": "weight", "kg": "70.5"})
    assert again == first
    assert (await bedside.status()).facts == facts

    with pytest.raises(CourseError) as refusal:
        await bedside.do("record_finding", NURSE, message_id="weighed", finding={"kind": "weight", "kg": "77"})
    assert refusal.value.type == "MessageIdReused"

    await bedside.into_next_run(bedside.do("finish_dosing", PRESCRIBER, reason="the patient moves away"))
    later = await bedside.do("record_finding", NURSE, message_id="weighed", finding={"kind": "weight", "kg": "70.5"})
    assert later == first
    with pytest.raises(CourseError) as refusal:
        await bedside.do("record_finding", NURSE, message_id="weighed", finding={"kind": "weight", "kg": "77"})
    assert refusal.value.type == "MessageIdReused"
    refused = [r for e in await ward.record_of(bedside) for r in e.refused_messages]
    assert [r.type for r in refused] == ["MessageIdReused", "MessageIdReused"]


async def test_a_laboratory_message_sent_twice_is_one_draw(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    at = await bedside.clock.now()
    await bedside.send_labs({"alt": "34"}, at)
    facts = (await bedside.status()).facts
    await bedside.send_labs({"alt": "34"}, at)
    assert (await bedside.status()).facts == facts


async def test_another_patients_result_makes_no_fact_and_waits_for_a_person(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    facts = (await bedside.status()).facts
    alt = {"loinc": "1742-6", "value": "900", "unit": "U/L", "uln": "55", "status": "final"}
    message = {"id": "not-mine", "by": "laboratory:lis", "subject_hash": "another", "results": [alt]}
    await ward.handle(bedside).signal("lab_results", LabResults.model_validate(message, strict=False))
    assert (await bedside.status()).facts == facts
    refused = [e for e in await ward.record_of(bedside) if e.refused_messages]
    assert [r.type for e in refused for r in e.refused_messages] == ["SubjectMismatch"]

    bedside.patient = BERND
    read = await bedside.send_labs({"alt": "900"})
    bedside.patient = ANNA
    assert not read.messages
    assert {r.type for r in read.refused if r.resource_type == "Observation"} == {"SubjectMismatch"}
    assert (await bedside.status()).facts == facts


async def until_shown_after(bedside: Bedside, instant: datetime) -> None:
    """Come back when the card is of this instant or later: the timer fires a moment after the server's clock has moved."""
    for _ in range(MANY_LOOKS):
        if (await bedside.card()).as_of >= instant:
            return


async def test_a_withheld_weekly_test_is_due_and_a_day_later_overdue_in_the_record(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward, ARTICLE)
    await bedside.into_next_run(bedside.transplant())
    due = next(o for o in (await bedside.card()).obligations if o.key == "liver-test-after-transplant")
    await bedside.clock.advance_to(due.due_at)
    assert [o.standing for o in (await bedside.card()).obligations if o.key == due.key] == ["due"]
    await bedside.clock.advance_to(due.overdue_at - timedelta(minutes=1))
    assert [o.standing for o in (await bedside.card()).obligations if o.key == due.key] == ["due"]
    await bedside.clock.advance_to(due.overdue_at)
    await until_shown_after(bedside, due.overdue_at)
    assert [o.standing for o in (await bedside.card()).obligations if o.key == due.key] == ["overdue"]

    facts = [f for e in await ward.record_of(bedside) for f in e.facts]
    fired = [
        (f.what.rung, f.recorded_at) for f in facts if isinstance(f.what, RungFired) and f.what.obligation == due.key
    ]
    assert [rung for rung, _ in fired] == ["due", "overdue"]
    assert all(
        timedelta() <= at - at_the_rung <= TIMELY
        for (_, at), at_the_rung in zip(fired, (due.due_at, due.overdue_at), strict=True)
    )


async def test_a_severe_reaction_ends_the_drug_for_good_and_monitoring_goes_on(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    preparation_id = await bedside.ready_to_start(1, 8)
    await bedside.start(1, 8, preparation_id)
    await bedside.clock.advance(timedelta(minutes=20))
    receipt = await bedside.do("report_reaction", NURSE, reaction_id="r1")
    assert receipt.sentence.startswith("now: stop the infusion; infusion-related reaction without a grade")
    assert ((await bedside.status()).state, (await bedside.status()).verdict) == ("reaction", "HOLD_URGENT")
    call = next(o for o in (await bedside.card()).obligations if o.kind is ObligationKind.REACTION)
    await bedside.do("acknowledge", NURSE, obligation=call.key)
    await bedside.clock.advance_to(call.overdue_at)
    await until_shown_after(bedside, call.overdue_at)
    facts = [f.what for e in await ward.record_of(bedside) for f in e.facts]
    rungs = [(r.rung, r.calls) for r in facts if isinstance(r, RungFired) and r.obligation == call.key]
    assert rungs == [("due", (Role.PHYSICIAN, Role.NURSE)), ("overdue", (Role.PHYSICIAN,))]
    await bedside.do("report_reaction", PHYSICIAN, reaction_id="r1", grade=3)
    assert (await bedside.status()).verdict is Verdict.DISCONTINUED
    await bedside.do("complete_infusion", NURSE, stopped_early=True, given_mg="0.3")
    now = (await bedside.clock.now()).isoformat()
    await bedside.do("report_reaction", PHYSICIAN, reaction_id="r1", grade=3, resolved_at=now)
    await bedside.clock.advance(timedelta(minutes=61))
    status = await bedside.into_next_run(bedside.do("end_observation", NURSE))
    assert (status.state, status.verdict) == ("liver_monitoring", "DISCONTINUED")
    for command in ("start_next_cycle", "authorise_dose"):
        with pytest.raises(CommandRefused):
            await bedside.do(
                command, PRESCRIBER, **({"cycle": 2} if command == "start_next_cycle" else {"cycle": 1, "day": 15})
            )


async def test_two_nurses_press_start_at_once_and_one_infusion_starts(ward: Ward) -> None:
    import asyncio

    bedside = await ready_for_the_second_dose(ward)
    preparation_id = await bedside.ready_to_start(1, 8)
    both = [bedside.start(1, 8, preparation_id), bedside.start(1, 8, preparation_id)]
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(isinstance(a, CommandRefused) for a in answers) == [False, True]
    assert await doses_given(bedside) == 2


async def test_the_authorisation_lapses_when_a_gating_result_changes(ward: Ward) -> None:
    bedside = await ready_for_the_second_dose(ward)
    preparation_id = await bedside.ready_to_start(1, 8)
    await bedside.send_labs({"alt": "40"})
    with pytest.raises(CommandRefused) as refusal:
        await bedside.start(1, 8, preparation_id)
    assert "OWN-01" in refusal.value.refusal.rules
    card = await bedside.card()
    assert card.dose is not None
    await bedside.sign(1, 8)
    with pytest.raises(CommandRefused):
        await bedside.start(1, 8, preparation_id)
    await bedside.start(1, 8, await bedside.make(1, 8))
    assert await doses_given(bedside) == 2
