"""What stays beside the worker is no truth: a course whose worker forgets at random is decided as by one that never does."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from activities import beside
from demo.patients import NURSE, PHYSICIAN
from record.reader import read_entries
from tests.broken import must_be_sound
from tests.conftest import Ward
from tests.examples import TIMES
from tests.factories import LABEL
from tests.stories.test_ten_courses import Remembering, implied

OFTEN = 1 / 3


class Forgetful:
    """Stands between the worker and what it keeps: now and then it forgets everything, or still has an older chart."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rng: Random) -> None:
        self._rng, self.times = rng, 0
        for name in ("hold", "take", "kept"):
            monkeypatch.setattr(beside, name, self._forgetting(getattr(beside, name)))
        monkeypatch.setattr(beside, "keep", self._now_and_then(beside.keep))

    def _forgetting(self, real: Callable[..., object]) -> Callable[..., object]:
        def asked(*args: object) -> object:
            found = real(*args)
            if self._rng.random() < OFTEN:
                beside.forget()
                self.times += 1
            return found

        return asked

    def _now_and_then(self, real: Callable[..., None]) -> Callable[..., None]:
        """What is not kept leaves the chart of the decision before in its place."""

        def asked(*args: object) -> None:
            if self._rng.random() >= OFTEN:
                real(*args)

        return asked


@pytest.mark.hypothesis
@pytest.mark.parametrize("seed", range(TIMES))
async def test_a_worker_that_forgets_at_random_decides_what_one_that_never_does_decides(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    bedside = await ward.course(LABEL)
    bedside.courses = courses = Remembering(ward.courses)
    forgetful = Forgetful(monkeypatch, Random(seed))
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    await bedside.liver_test(alt="160")
    await bedside.do("hold", NURSE, reason="fever")
    await bedside.do("report_reaction", PHYSICIAN, reaction_id="r-1", grade=2)
    assert forgetful.times > 10
    await must_be_sound(ward, bedside)
    entries = await read_entries(ward.engine, bedside.course_id)
    course = (await courses.chart(bedside.course_id)).course
    assert await asyncio.to_thread(implied, course, courses.told[bedside.course_id], entries) == []
