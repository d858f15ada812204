"""A course that ends before its time: its execution completes, no timer is left, the record is whole."""

from demo.patients import PHYSICIAN
from record.reader import verify_chain
from tests.conftest import Ward
from tests.factories import LABEL


async def test_death_in_mid_cycle_ends_the_execution_with_a_whole_record(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    receipt = await bedside.do("close_course", PHYSICIAN, reason="death")
    assert receipt.state == "closed"
    assert "completed" in str(await ward.handle(bedside).result())
    entries = await ward.record_of(bedside)
    assert (entries[-1].assessment.state, entries[-1].assessment.obligations) == ("closed", ())
    assert await verify_chain(ward.engine, bedside.course_id) is None
    described = await ward.handle(bedside).describe()
    assert str(described.status.name) == "COMPLETED"  # type: ignore[union-attr]
