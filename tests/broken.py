"""Rules that fail, as a test wants it, for one course only: the other courses of the ward have theirs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import clinical.decide as core
from activities import decide
from activities.stubs import NOTIFY
from clinical.chart.setting_aside import as_read
from clinical.course.case import Case
from clinical.decide import Concluded, Told
from demo.bedside import Bedside
from models.chart import Chart
from models.notification import NotificationBatch
from models.record import RecordEntry
from record.reader import read_entries, verify_chain
from tests.conftest import Ward, until_written
from tests.replay.chain import histories_of
from tests.stories.conftest import SmallWard
from worker import WORKFLOWS

Fault = Callable[[Chart, Sequence[Told] | None], None]
"""Raises, or does not come back, where it wants to. What is told is `None` where the rules read the chart."""


class ABugInARule(Exception):
    """What nobody has thought of."""


class Rules:
    """The rules of this worker; `fail` breaks them for one course until its block ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._faults: dict[str, Fault] = {}
        concluded = decide.conclude

        def conclude(chart: Chart, told: Sequence[Told], *rest: Any, **more: Any) -> Concluded:
            self._meet(chart, told)
            return concluded(chart, told, *rest, **more)

        def case(chart: Chart, *rest: Any) -> Case:
            self._meet(chart, None)
            return Case(chart, *rest)

        monkeypatch.setattr(decide, "conclude", conclude)
        monkeypatch.setattr(core, "Case", case)

    def _meet(self, chart: Chart, told: Sequence[Told] | None) -> None:
        fault = self._faults.get(chart.course.course_id)
        if fault is not None:
            fault(chart, told)

    @contextmanager
    def fail(self, course_id: str, fault: Fault | None = None) -> Iterator[None]:
        """Break the rules of this course, always or where `fault` raises."""
        self.break_now(course_id, fault)
        try:
            yield
        finally:
            self.mend(course_id)

    def break_now(self, course_id: str, fault: Fault | None = None) -> None:
        """Break the rules of this course until they are mended."""
        self._faults[course_id] = fault or always

    def mend(self, course_id: str) -> None:
        """The rules of this course work."""
        self._faults.pop(course_id, None)


def always(chart: Chart, told: Sequence[Told] | None) -> None:
    """Whatever is asked."""
    raise ABugInARule


def on_message(message_id: str) -> Fault:
    """Where this message is judged."""

    def fault(chart: Chart, told: Sequence[Told] | None) -> None:
        if message_id in [getattr(one, "id", None) for one in told or ()]:
            raise ABugInARule

    return fault


def on_fact(fact_id: str) -> Fault:
    """Where the rules read this fact."""

    def fault(chart: Chart, told: Sequence[Told] | None) -> None:
        read = [f.id for f in as_read(chart.facts) if f.what.kind != "unreadable_message"]
        if told is None and fact_id in read:
            raise ABugInARule

    return fault


# ── what came of it ────────────────────────────────────────────────────────────────────────────────────────────────


async def histories(ward: Ward | SmallWard, bedside: Bedside) -> list[WorkflowHistory]:
    """The histories of all runs of a course, oldest first."""
    return await histories_of(ward.client, bedside.course_id)


async def calls_of(ward: Ward | SmallWard, bedside: Bedside) -> list[tuple[str, str, str]]:
    """Who was called, for what and at which rung, in order, over all runs; a repeat is dropped by its key."""
    told: dict[str, tuple[str, str, str]] = {}
    for history in await histories(ward, bedside):
        for event in history.events:
            asked = event.activity_task_scheduled_event_attributes
            if asked.activity_type.name == NOTIFY:
                (batch,) = await ward.client.data_converter.decode(asked.input.payloads, [NotificationBatch])
                told |= {n.key: (str(n.owner), n.key.split("/")[1], n.rung) for n in batch.notifications}
    return list(told.values())


async def must_be_sound(ward: Ward | SmallWard, bedside: Bedside) -> list[RecordEntry]:
    """The record is whole, its chain holds, and every run replays; returns what the record holds."""
    await until_written(bedside)
    assert await verify_chain(ward.engine, bedside.course_id) is None
    replayer = Replayer(workflows=list(WORKFLOWS), data_converter=ward.client.data_converter, debug_mode=True)
    for history in await histories(ward, bedside):
        await replayer.replay_workflow(history)
    return await read_entries(ward.engine, bedside.course_id)
