"""A transaction whose caller is cancelled in the middle of a statement holds nobody up: its lock goes with it."""

import asyncio
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plumbing.database import make_engine, make_private_file, writing

SLOW = text(
    "WITH RECURSIVE numbers(x) AS (SELECT begun() UNION ALL SELECT x + 1 FROM numbers LIMIT 2000000)"
    " SELECT x FROM numbers WHERE x % 999999 = 0"
)
WRITTEN_WITHIN_S = 20
"""Far above what the statement takes that is still running, and below the 30 s after which a writer gives up."""


async def tell_when_begun(connection: AsyncConnection, begun: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    raw = await connection.get_raw_connection()
    assert raw.driver_connection is not None

    def told() -> int:
        loop.call_soon_threadsafe(begun.set)
        return 1

    await raw.driver_connection.create_function("begun", 0, told)


async def write(engine: AsyncEngine) -> None:
    async with writing(engine).begin() as connection:
        await connection.execute(text("INSERT INTO written VALUES (1)"))


async def test_a_writer_that_was_cancelled_within_a_statement_leaves_no_lock_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'record.db'}"
    make_private_file(make_url(url))
    engine, begun = make_engine(url), asyncio.Event()
    async with writing(engine).begin() as connection:
        await connection.execute(text("CREATE TABLE written (x INTEGER)"))

    async def cancelled() -> None:
        async with writing(engine).begin() as connection:
            await tell_when_begun(connection, begun)
            await connection.execute(text("INSERT INTO written VALUES (2)"))
            await connection.execute(SLOW)

    task = asyncio.create_task(cancelled())
    await begun.wait()
    task.cancel()
    (outcome,) = await asyncio.gather(
        task, return_exceptions=True
    )  # kept, and with it all that its traceback refers to
    assert isinstance(outcome, asyncio.CancelledError)
    async with asyncio.timeout(WRITTEN_WITHIN_S):
        await write(engine)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT x FROM written"))).scalars().all() == [1]
    await engine.dispose()
