"""An administrator moves a course into a new run; a prescriber amends its protocol, and the record says which was in force."""

from demo.patients import PRESCRIBER
from models.people import Actor, Role
from plumbing.protocol_files import pin_of
from tests.conftest import Ward
from tests.factories import ARTICLE, LABEL

ADMINISTRATOR = Actor(role=Role.ADMINISTRATOR, id="a-1")


async def test_a_course_moves_into_a_new_run_and_nothing_of_it_changes(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    before, card = (await ward.handle(bedside).describe()).run_id, await bedside.card()
    status = await bedside.into_next_run(bedside.do("move_to_current_build", ADMINISTRATOR))
    assert (await ward.handle(bedside).describe()).run_id != before
    assert (status.workflow_type, status.cycle) == ("TreatmentCycle", 1)
    assert (await bedside.card()).findings == card.findings
    await bedside.weigh()
    await ward.record_of(bedside)


async def test_after_an_amendment_the_new_protocol_decides_and_stands_on_record(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    divergences = ("DIV-01", "DIV-03", "DIV-07")
    fields = {
        "protocol": pin_of(ARTICLE).model_dump(mode="json"),
        "acknowledged": [{"divergence": d, "reason": "invented"} for d in divergences[:2]],
        "reason": "the ward works by it",
    }
    await bedside.do("amend_protocol", PRESCRIBER, **fields)
    assert (await bedside.status()).protocol.name == LABEL
    await bedside.do("acknowledge_divergence", PRESCRIBER, divergence="DIV-07", reason="known")
    status = await bedside.status()
    assert status.protocol == pin_of(ARTICLE)
    await bedside.weigh()
    assert (await bedside.card()).protocol == ARTICLE
    entries = await ward.record_of(bedside)
    assert [entries[0].protocol.name, entries[-1].protocol.name] == [LABEL, ARTICLE]
