"""A run that grows too long goes over into the next in mid-cycle, and nothing of the course is lost or done twice."""

from demo.patients import PRESCRIBER
from models.facts import InfusionStarted, RungFired
from record.reader import read_entries, verify_chain
from tests.conftest import Ward, until_written
from tests.factories import LABEL
from workflows.shown import CYCLE_STARTED_AT


async def test_a_cycle_of_many_runs_is_one_cycle(impatient_ward: Ward) -> None:
    bedside = await impatient_ward.course(LABEL)
    await bedside.weigh()
    began = (await impatient_ward.handle(bedside).describe()).typed_search_attributes[CYCLE_STARTED_AT]
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    await until_written(bedside)

    runs = [run async for run in impatient_ward.client.list_workflows(f"WorkflowId = '{bedside.course_id}'")]
    assert len(runs) >= 2  # the list of runs lags a little; one boundary is what this story needs
    assert {run.workflow_type for run in runs} == {"TreatmentCycle"}
    status = await bedside.status()
    assert (status.cycle, status.state) == (1, "between_doses")
    chart = await bedside.courses.chart(bedside.course_id)
    assert sum(isinstance(f.what, InfusionStarted) for f in chart.facts) == 1
    assert len({f.id for f in chart.facts}) == len(chart.facts)
    entries = await read_entries(impatient_ward.engine, bedside.course_id)
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    assert await verify_chain(impatient_ward.engine, bedside.course_id) is None
    assert (await impatient_ward.handle(bedside).describe()).typed_search_attributes[CYCLE_STARTED_AT] == began


async def test_monitoring_of_many_runs_is_one_monitoring(impatient_ward: Ward) -> None:
    """Weekly tests over many runs of LiverMonitoring: each due once, the clock right, an old answer given again."""
    bedside = await impatient_ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    await bedside.do("finish_dosing", PRESCRIBER, reason="the patient moves away", message_id="finish")
    weeks = 6
    for _ in range(weeks):
        await bedside.to_next_due()
        await bedside.examine()
        await bedside.liver_test()
    first = await bedside.courses.chart(bedside.course_id)
    again = bedside.do("finish_dosing", PRESCRIBER, reason="the patient moves away", message_id="finish")
    assert (await again).message_id == "finish"
    await until_written(bedside)

    runs = [run async for run in impatient_ward.client.list_workflows(f"WorkflowId = '{bedside.course_id}'")]
    assert sum(run.workflow_type == "LiverMonitoring" for run in runs) >= 2
    chart = await bedside.courses.chart(bedside.course_id)
    assert chart.facts == first.facts, "the repeated message became no second fact"
    fired = [(f.what.obligation, f.what.due_at, f.what.rung) for f in chart.facts if isinstance(f.what, RungFired)]
    assert len(fired) == len(set(fired)) >= weeks
    assert (await bedside.status()).workflow_type == "LiverMonitoring"
    entries = await read_entries(impatient_ward.engine, bedside.course_id)
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    assert await verify_chain(impatient_ward.engine, bedside.course_id) is None
