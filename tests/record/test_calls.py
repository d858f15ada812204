"""Calls to people: a row before each, each once, one that fails blocks no other; the same on SQLite and PostgreSQL."""

import asyncio
import io
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.notify import Channel, Memory, Notifier, to_the_log
from models.notification import Notification, NotificationBatch
from models.people import Role
from plumbing.database import writing
from record.calls import CallState, Outcome, calls_of, settle, take, unreached
from tests.record.factories import MONDAY

MIN = timedelta(minutes=1)
NOW = MONDAY + timedelta(hours=3)


def a_call(key: str = "course-a1/liver-test/1", **more: Any) -> Notification:
    usual: dict[str, Any] = {
        "key": key,
        "course_id": "course-a1",
        "title": "liver test, day 7 after transplant",
        "rule": "MON-03",
        "owner": Role.COORDINATOR,
        "rung": "due",
        "due_at": MONDAY,
        "fired_at": MONDAY,
    }
    return Notification(**{**usual, **more})


def a_batch(*calls: Notification) -> NotificationBatch:
    return NotificationBatch(notifications=calls)


class Pager:
    """A channel that remembers whom it told, and fails for the titles it is given."""

    def __init__(self, *fails_for: str) -> None:
        self.told: list[str] = []
        self.keys: list[str] = []
        self.fails_for = set(fails_for)

    async def __call__(self, notification: Notification) -> None:
        if notification.title in self.fails_for:
            raise ConnectionError("Jane Roe's pager does not answer")
        self.told.append(notification.title)
        self.keys.append(notification.key)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


SHORT = timedelta(milliseconds=50)
"""For a channel that never answers."""


def a_notifier(
    engine: AsyncEngine, clock: Clock | None = None, *, within: timedelta = timedelta(minutes=1), **channels: Channel
) -> Notifier:
    given: Mapping[str, Channel] = channels
    return Notifier(engine, given, clock or Clock(), channel_within=within)


async def rows(engine: AsyncEngine) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT * FROM notification ORDER BY title, channel"))
        return [dict(row) for row in found.mappings()]


async def take_the_record_away(engine: AsyncEngine) -> None:
    await change(engine, "ALTER TABLE notification RENAME TO notification_away")


async def bring_the_record_back(engine: AsyncEngine) -> None:
    await change(engine, "ALTER TABLE notification_away RENAME TO notification")


async def change(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


# ── once each, a row before the channel ────────────────────────────────────────────────────────────────────────────


async def test_the_row_of_every_call_is_there_before_the_first_channel_is_asked(record_engine: AsyncEngine) -> None:
    seen: list[list[str]] = []

    async def looks(_: Notification) -> None:
        seen.append([row["state"] for row in await rows(record_engine)])

    await a_notifier(record_engine, pager=looks).notify(a_batch(a_call("1", title="a"), a_call("2", title="b")))
    assert seen[0] == ["asked", "asked"]
    assert [row["state"] for row in await rows(record_engine)] == ["confirmed", "confirmed"]


async def test_the_same_batch_twice_calls_once_also_from_another_worker(record_engine: AsyncEngine) -> None:
    pager, batch = Pager(), a_batch(a_call("1", title="a"), a_call("2", title="b"), a_call("1", title="a"))
    await a_notifier(record_engine, pager=pager).notify(batch)
    await a_notifier(record_engine, pager=pager).notify(batch)
    assert sorted(pager.told) == ["a", "b"]
    assert [row["attempts"] for row in await rows(record_engine)] == [1, 1]


async def test_two_workers_at_once_call_once(record_engine: AsyncEngine) -> None:
    pager, batch = Pager(), a_batch(*(a_call(str(n), title=f"t{n}") for n in range(20)))
    workers = [a_notifier(record_engine, pager=pager) for _ in range(3)]
    await asyncio.gather(*(worker.notify(batch) for worker in workers))
    assert sorted(pager.told) == sorted(f"t{n}" for n in range(20))


async def test_a_row_says_what_is_due_from_whom_and_bears_no_word_of_the_key(record_engine: AsyncEngine) -> None:
    pager = Pager()
    await a_notifier(record_engine, pager=pager).notify(a_batch(a_call("course-a1/ecg-Canaryazole/1/due")))
    [row] = await rows(record_engine)
    assert "Canary" not in json.dumps(row, default=str)
    assert (len(row["key"]), pager.keys) == (64, [row["key"]])
    assert (row["course_id"], row["rule"], row["owner"], row["rung"], row["channel"]) == (
        "course-a1",
        "MON-03",
        "coordinator",
        "due",
        "pager",
    )
    assert row["asked_at"] == row["settled_at"] == "2025-03-03T10:10:00.123456Z"


# ── one that fails ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_call_of_three_fails_and_the_others_go_out(record_engine: AsyncEngine) -> None:
    pager = Pager("b")
    await a_notifier(record_engine, pager=pager).notify(a_batch(*(a_call(t, title=t) for t in "abc")))
    assert pager.told == ["a", "c"]
    assert [(row["state"], row["failure"]) for row in await rows(record_engine)] == [
        ("confirmed", None),
        ("failed", "ConnectionError"),
        ("confirmed", None),
    ]


async def test_one_channel_fails_and_one_hangs_and_the_third_is_told(record_engine: AsyncEngine) -> None:
    async def hangs(_: Notification) -> None:
        await asyncio.Event().wait()

    pager = Pager()
    await a_notifier(record_engine, within=SHORT, mail=Pager("a"), fax=hangs, pager=pager).notify(
        a_batch(a_call(title="a"))
    )
    assert pager.told == ["a"]
    assert {row["channel"]: row["failure"] for row in await rows(record_engine)} == {
        "mail": "ConnectionError",
        "fax": "TimeoutError",
        "pager": None,
    }


async def test_a_call_that_failed_is_asked_again_by_the_sweep_and_by_nobody_else(record_engine: AsyncEngine) -> None:
    pager, clock = Pager("a"), Clock()
    notifier = a_notifier(record_engine, clock, pager=pager)
    await notifier.notify(a_batch(a_call(title="a")))
    pager.fails_for.clear()
    await notifier.notify(a_batch(a_call(title="a")))
    assert (pager.told, await notifier.ask_again()) == ([], 0)
    clock.now += 5 * MIN
    assert (await notifier.ask_again(), pager.told) == (1, ["a"])
    clock.now += 5 * MIN
    assert (await notifier.ask_again(), pager.told) == (0, ["a"])
    [row] = await rows(record_engine)
    assert (row["state"], row["attempts"], row["failure"], bool(row["repeated"])) == ("confirmed", 2, None, False)


async def test_a_call_that_goes_on_failing_is_asked_ever_less_often_for_a_day(record_engine: AsyncEngine) -> None:
    clock = Clock()
    notifier = a_notifier(record_engine, clock, pager=Pager("a"))
    await notifier.notify(a_batch(a_call(title="a")))
    asked_after = []
    for sweep in range(1, 2 * 24 * 12):
        clock.now = NOW + sweep * 5 * MIN
        if await notifier.ask_again():
            asked_after.append(sweep * 5)
    assert asked_after[:5] == [5, 15, 35, 70, 130]
    assert 20 < len(asked_after) < 30
    assert asked_after[-1] < 24 * 60
    assert [(u.title, u.state) for u in await unreached(record_engine, NOW - MIN)] == [("a", CallState.FAILED)]


async def test_a_channel_that_is_no_longer_there_is_not_asked(record_engine: AsyncEngine) -> None:
    clock = Clock()
    await a_notifier(record_engine, clock, pager=Pager("a")).notify(a_batch(a_call(title="a")))
    clock.now += 5 * MIN
    mail = Pager()
    assert (await a_notifier(record_engine, clock, mail=mail).ask_again(), mail.told) == (0, [])


# ── a process that dies ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_whose_process_died_is_asked_once_more_and_never_a_third_time(record_engine: AsyncEngine) -> None:
    call, clock, pager = a_call(title="a"), Clock(), Pager()
    assert len(await take(record_engine, calls_of([call], ["pager"]), clock.now)) == 1  # and then it dies
    notifier = a_notifier(record_engine, clock, pager=pager)
    clock.now += timedelta(seconds=5)
    await notifier.notify(a_batch(call))
    assert pager.told == []  # it may still be under way
    clock.now += timedelta(seconds=5)
    assert len(await take(record_engine, calls_of([call], ["pager"]), clock.now)) == 1  # and dies again
    [row] = await rows(record_engine)
    assert (bool(row["repeated"]), row["attempts"]) == (True, 2)
    clock.now += timedelta(seconds=10)
    await notifier.notify(a_batch(call))
    assert pager.told == []
    [row] = await rows(record_engine)
    assert row["state"] == "unconfirmed"
    assert [u.state for u in await unreached(record_engine, NOW - MIN)] == [CallState.UNCONFIRMED]


async def test_the_sweep_takes_up_what_a_dead_process_had_in_hand(record_engine: AsyncEngine) -> None:
    clock, pager = Clock(), Pager()
    await take(record_engine, calls_of([a_call(title="a")], ["pager"]), clock.now)
    clock.now += 5 * MIN
    notifier = a_notifier(record_engine, clock, pager=pager)
    assert (await notifier.ask_again(), pager.told) == (1, ["a"])
    [row] = await rows(record_engine)
    assert (row["state"], bool(row["repeated"])) == ("confirmed", True)


async def test_a_late_failure_does_not_undo_a_confirmation(record_engine: AsyncEngine) -> None:
    [call] = calls_of([a_call()], ["pager"])
    told = Outcome(call=call, state=CallState.CONFIRMED, asked_at=NOW, settled_at=NOW)
    await settle(record_engine, [told])
    await settle(record_engine, [told.model_copy(update={"state": CallState.FAILED, "failure": "TimeoutError"})])
    assert [(row["state"], row["failure"]) for row in await rows(record_engine)] == [("confirmed", None)]


# ── while the record is away ───────────────────────────────────────────────────────────────────────────────────────


async def test_people_are_called_once_while_the_record_is_away_and_the_rows_follow(record_engine: AsyncEngine) -> None:
    pager = Pager()
    notifier = a_notifier(record_engine, pager=pager)
    await take_the_record_away(record_engine)
    batch = a_batch(a_call("1", title="a"), a_call("2", title="b"))
    await notifier.notify(batch)
    await notifier.notify(batch)
    assert sorted(pager.told) == ["a", "b"]
    await bring_the_record_back(record_engine)
    await notifier.notify(a_batch(a_call("1", title="a"), a_call("3", title="c")))
    assert sorted(pager.told) == ["a", "b", "c"]
    assert [(row["title"], row["state"]) for row in await rows(record_engine)] == [
        ("a", "confirmed"),
        ("b", "confirmed"),
        ("c", "confirmed"),
    ]


async def test_a_call_that_failed_while_the_record_is_away_is_asked_again_all_the_same(
    record_engine: AsyncEngine,
) -> None:
    pager, clock = Pager("a"), Clock()
    notifier = a_notifier(record_engine, clock, pager=pager)
    await take_the_record_away(record_engine)
    await notifier.notify(a_batch(a_call(title="a")))
    pager.fails_for.clear()
    assert (await notifier.ask_again(), pager.told) == (1, ["a"])
    await bring_the_record_back(record_engine)
    assert (await notifier.ask_again(), pager.told) == (0, ["a"])
    assert [row["state"] for row in await rows(record_engine)] == ["confirmed"]


async def test_a_record_that_goes_away_between_row_and_confirmation_does_not_double_the_call(
    record_engine: AsyncEngine,
) -> None:
    told: list[str] = []

    async def and_the_record_goes(notification: Notification) -> None:
        told.append(notification.title)
        if len(told) == 1:
            await take_the_record_away(record_engine)

    notifier = a_notifier(record_engine, pager=and_the_record_goes)
    await notifier.notify(a_batch(a_call(title="a")))
    await notifier.notify(a_batch(a_call(title="a")))
    await bring_the_record_back(record_engine)
    await notifier.notify(a_batch(a_call(title="a")))
    assert told == ["a"]
    assert [(row["state"], row["attempts"]) for row in await rows(record_engine)] == [("confirmed", 1)]


async def test_a_record_that_is_locked_does_not_hold_the_calls_up(record_engine: AsyncEngine) -> None:
    pager = Pager()
    notifier = Notifier(record_engine, {"pager": pager}, Clock(), record_within=timedelta(milliseconds=50))
    async with writing(record_engine).begin() as connection:  # on SQLite this locks by itself
        if record_engine.dialect.name == "postgresql":
            await connection.execute(text("LOCK TABLE notification"))
        await notifier.notify(a_batch(a_call(title="a")))
        assert pager.told == ["a"]
        await notifier.notify(a_batch(a_call(title="a")))
    for _ in range(3):
        await notifier.notify(a_batch(a_call(title="a")))
    assert pager.told == ["a"]


def test_the_memory_of_the_notifier_is_bounded_and_says_what_it_forgets(log: io.StringIO) -> None:
    memory = Memory(most=10)
    asked = [c for n in range(100) for c in calls_of([a_call(str(n))], ["pager"])]
    for call in asked:
        memory.keep(Outcome(call=call, state=CallState.CONFIRMED, asked_at=NOW, settled_at=NOW))
    assert (len(memory), len(memory.unwritten())) == (10, 10)
    assert memory.taken(asked[-10:]) == []
    assert log.getvalue().count("call_without_a_row") == 90


# ── what the log says ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fails", [True, False])
async def test_a_line_of_the_log_has_course_rule_role_and_rung_and_no_outside_word(
    record_engine: AsyncEngine, log: io.StringIO, fails: bool
) -> None:
    call = a_call("course-a1/ecg-Canaryazole/1/due", title="ECG because of Canaryazole 3000")
    await a_notifier(record_engine, pager=Pager(call.title) if fails else to_the_log).notify(a_batch(call))
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert "Canary" not in log.getvalue()
    assert "Jane" not in log.getvalue()
    assert line["event"] == ("call_failed" if fails else "person_called")
    assert {k: line[k] for k in ("course", "rule", "role", "rung")} == {
        "course": "course-a1",
        "rule": "MON-03",
        "role": "coordinator",
        "rung": "due",
    }
    assert set(line) <= {"timestamp", "level", "event", "course", "rule", "role", "rung", "kind", "error"}
