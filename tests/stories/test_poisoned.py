"""Extreme messages into one real course, raw as anybody could send them: whatever comes, it goes on deciding."""

from contextlib import suppress
from random import Random

import pytest
from temporalio.client import WorkflowUpdateFailedError

from demo.bedside import Bedside
from models.facts import UnreadableMessage
from models.messages import SIGNALS, Message
from tests.broken import must_be_sound
from tests.clinical.test_poison import Deck, a_message
from tests.conftest import Ward
from tests.examples import TIMES
from tests.factories import LABEL
from tests.starts import Start
from tests.stories.test_rules_fail import results

NUMBER = 50 if TIMES == 1 else 500
ENDS = {"close_course", "move_to_current_build", "finish_dosing", "discontinue", "record_transplant"}
"""What would end the run: another story tells it."""


async def as_it_is(bedside: Bedside) -> Start:
    """The course as the search for poison wants to know it."""
    chart = await bedside.courses.chart(bedside.course_id)
    return Start("real", chart, await bedside.clock.now(), False)


async def say(bedside: Bedside, message: Message) -> None:
    """A signal or an update with the bytes of the message, past every door; a refusal is an answer."""
    handle, content = bedside.courses.handle(bedside.course_id), message.model_dump(mode="json")
    if message.name in SIGNALS:
        await handle.signal(message.name, content)
        return
    with suppress(WorkflowUpdateFailedError):
        await handle.execute_update(message.name, content, id=f"poison-{message.id}")


@pytest.mark.hypothesis
async def test_extreme_messages_into_a_real_course_lock_nothing(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    rng = Random(11)
    deck, start, said = Deck(rng), await as_it_is(bedside), 0
    while said < NUMBER:
        message, _ = a_message(rng, start, deck)
        if message.name in ENDS:
            continue
        await say(bedside, message)
        said += 1
        if said % 10 == 0:
            await bedside.status()
            start = await as_it_is(bedside)
    await bedside.courses.send(bedside.course_id, await results(bedside, "the-last", alt="300"))
    await bedside.card()
    assert (await bedside.status()).trouble == ()
    facts = (await bedside.courses.chart(bedside.course_id)).facts
    assert not [f for f in facts if isinstance(f.what, UnreadableMessage) and "a rule failed" in f.what.reason]
    assert "the-last" in [f.message for f in facts]
    judged = [m.id for e in await must_be_sound(ward, bedside) for m in e.messages]
    assert judged[-1] == "the-last"
