"""Forty people give a command to one course at the same instant: each is answered, or told under which id to ask again."""

import asyncio
import json
from datetime import timedelta

from models.assessment import Receipt
from models.messages import COMMANDS, Command
from services.courses import NotConfirmed
from tests.conftest import Ward
from tests.factories import LABEL

PEOPLE = 40


async def test_forty_commands_at_once_are_each_answered_once(ward: Ward) -> None:
    """The server takes ten updates of one course at a time and turns the others away."""
    bedside = await ward.course(LABEL)
    within = timedelta(seconds=60)
    asked = [ward.courses.command(bedside.course_id, weight(f"of-{n}"), within) for n in range(PEOPLE)]
    receipts = await asyncio.gather(*asked)
    assert [r.message_id for r in receipts] == [f"of-{n}" for n in range(PEOPLE)]
    assert len({r.decision for r in receipts}) == PEOPLE
    entries = await ward.record_of(bedside)
    assert len([e for e in entries if e.message]) == PEOPLE


async def test_who_is_not_answered_in_time_learns_the_answer_by_asking_again(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    hurried = timedelta(milliseconds=300)
    asked = [ward.courses.command(bedside.course_id, weight(f"of-{n}"), hurried) for n in range(PEOPLE)]
    said = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in said} <= {Receipt, NotConfirmed}
    left = [answer.message_id for answer in said if isinstance(answer, NotConfirmed)]
    assert left, "in so short a time not everybody is answered"
    for message_id in left:
        assert message_id is not None
        assert (await ward.courses.command(bedside.course_id, weight(message_id))).message_id == message_id
    entries = await ward.record_of(bedside)
    assert sorted(e.message.id for e in entries if e.message) == sorted(f"of-{n}" for n in range(PEOPLE))


def weight(message_id: str) -> Command:
    content = {"id": message_id, "by": "nurse:n-1", "finding": {"kind": "weight", "kg": "71"}}
    return COMMANDS["record_finding"].model_validate_json(json.dumps(content))
