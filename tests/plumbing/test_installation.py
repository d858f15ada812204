"""Whose record this is: only `inocycle init` makes one, and nobody changes what is not his. On both databases."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from plumbing.database import RecordExchanged, alembic_config, make_engine, make_private_file, of_installation, writing
from plumbing.dev_server import DevServer
from plumbing.installation import (
    InstallationRefused,
    ModeMismatch,
    NamespaceMismatch,
    NoRecord,
    NotARecord,
    OtherInstallation,
    lay_out,
    marks_of,
    opened,
    record_in,
    write_installation,
)
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY
from plumbing.settings import Mode, Settings
from tests.laid_out import a_bare_namespace

A_COURSE = (
    "INSERT INTO course (course_id, subject_hash, zone, invented, started_at, started_by, protocol_name, protocol_sha256,"
    " state, verdict, cycle, overdue, clock_offset_s, last_decision, facts, updated_at) VALUES ('course-1', '', '', false,"
    " '', '', '', '', '', '', 1, false, 0, 0, 0, '')"
)


def settings_of(url: str, mode: Mode = Mode.DEMO) -> Settings:
    keys: dict[str, Any] = {"key_ring": TEST_KEY_RING, "subject_key": TEST_SUBJECT_KEY, "record_key": TEST_RECORD_KEY}
    return Settings.model_construct(mode=mode, database_url=Settings(database_url=url, **keys).database_url, **keys)


@pytest.fixture
async def client(dev_server: DevServer) -> Client:
    """A client in a namespace of this test's own, to which nobody has said anything."""
    return await a_bare_namespace(dev_server.address)


@pytest.fixture
async def other_client(dev_server: DevServer) -> Client:
    """Another one."""
    return await a_bare_namespace(dev_server.address)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine for an address at which nothing is."""
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


async def change(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def tables(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(lambda c: inspect(c).get_table_names())


async def refused(engine: AsyncEngine, client: Client, mode: Mode = Mode.DEMO) -> InstallationRefused:
    with pytest.raises(InstallationRefused) as error:
        await opened(engine, client, settings_of(engine.url.render_as_string(False), mode))
    return error.value


async def test_laid_out_record_and_namespace_carry_one_id_and_mode(
    engine: AsyncEngine, database_url: str, client: Client
) -> None:
    installation, made = await lay_out(settings_of(database_url), client)
    assert made
    found = await record_in(engine)
    assert found is not None
    assert (found.id, found.mode, found.courses) == (installation.id, "demo", 0)
    assert await marks_of(client) == (installation.id, "demo")
    assert await lay_out(settings_of(database_url), client) == (installation, False)
    async with writing(
        await opened(engine, client, settings_of(engine.url.render_as_string(False)))
    ).begin() as connection:
        assert await connection.scalar(text("SELECT mode FROM installation")) == "demo"


async def test_of_two_who_lay_out_at_once_both_find_one_installation(
    database_url: str, client: Client, engine: AsyncEngine
) -> None:
    both = await asyncio.gather(*(lay_out(settings_of(database_url), client) for _ in range(3)))
    assert len({installation for installation, _ in both}) == 1
    assert await marks_of(client) == both[0][0]


async def test_where_there_is_no_record_none_is_made_by_opening_it(
    engine: AsyncEngine, client: Client, database_url: str
) -> None:
    refusal = await refused(engine, client)
    assert isinstance(refusal, NoRecord)
    assert "`inocycle init` makes one" in str(refusal)
    if file := engine.url.database if engine.dialect.name == "sqlite" else None:
        assert not Path(file).exists()
        make_private_file(engine.url)
        assert isinstance(await refused(engine, client), NoRecord)
    assert await tables(engine) == []
    assert await marks_of(client) == (None, None)


async def test_an_engine_makes_no_file(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(RecordExchanged, match="gone"):
        await change(engine, "SELECT 1")
    assert list(tmp_path.iterdir()) == []


async def test_the_record_of_another_ward_is_refused_as_it_is(
    engine: AsyncEngine, database_url: str, client: Client, other_client: Client, tmp_path: Path
) -> None:
    await lay_out(settings_of(database_url), client)
    await lay_out(settings_of(f"sqlite:///{tmp_path / 'other.db'}"), other_client)
    refusal = await refused(engine, other_client)
    assert isinstance(refusal, OtherInstallation)
    assert "another ward's" in str(refusal)
    with pytest.raises(OtherInstallation):
        await lay_out(settings_of(database_url), other_client)
    with pytest.raises(OtherInstallation):
        await lay_out(settings_of(database_url), other_client, adopt=True)


async def test_the_other_mode_is_refused_by_record_and_by_namespace(
    engine: AsyncEngine, database_url: str, client: Client, other_client: Client, tmp_path: Path
) -> None:
    await lay_out(settings_of(database_url), client)
    refusal = await refused(engine, client, Mode.WARD)
    assert isinstance(refusal, ModeMismatch)
    assert "belongs to mode demo, and these settings say ward" in str(refusal)
    with pytest.raises(InstallationRefused):
        await lay_out(settings_of(database_url, Mode.WARD), client)
    make_private_file(of_ward := make_engine(f"sqlite:///{tmp_path / 'ward.db'}").url)
    ward = make_engine(of_ward.render_as_string())
    await write_installation(ward, Mode.WARD, TEST_RECORD_KEY)
    assert isinstance(await refused(ward, client, Mode.WARD), NamespaceMismatch)
    assert isinstance(await refused(ward, other_client, Mode.WARD), NamespaceMismatch)
    await ward.dispose()


async def test_a_database_with_other_tables_is_left_alone(
    engine: AsyncEngine, database_url: str, client: Client
) -> None:
    make_private_file(engine.url)
    await change(engine, "CREATE TABLE ledger (id INTEGER)")
    assert isinstance(await refused(engine, client), NotARecord)
    with pytest.raises(NotARecord):
        await lay_out(settings_of(database_url), client)
    assert await tables(engine) == ["ledger"]


async def test_a_record_of_a_later_release_is_left_alone(
    engine: AsyncEngine, database_url: str, client: Client
) -> None:
    await lay_out(settings_of(database_url), client)
    await change(engine, "UPDATE alembic_version SET version_num = '9999'")
    refusal = await refused(engine, client)
    assert isinstance(refusal, NotARecord)
    assert "later release" in str(refusal)


async def test_a_record_of_an_earlier_release_is_given_its_id_by_init_alone(
    engine: AsyncEngine, database_url: str, client: Client
) -> None:
    def earlier(connection: Connection) -> None:
        command.upgrade(alembic_config(connection), "0004")
        connection.execute(text("INSERT INTO installation (id, mode) VALUES (1, 'demo')"))
        connection.execute(text(A_COURSE))

    make_private_file(engine.url)
    async with writing(engine).begin() as connection:
        await connection.run_sync(earlier)
    refusal = await refused(engine, client)
    assert isinstance(refusal, NotARecord)
    assert "`inocycle init` gives it one" in str(refusal)
    with pytest.raises(OtherInstallation, match="--adopt"):
        await lay_out(settings_of(database_url), client)
    installation, made = await lay_out(settings_of(database_url), client, adopt=True)
    assert not made
    assert (
        await opened(engine, client, settings_of(engine.url.render_as_string(False)))
    ).dialect.name == engine.dialect.name
    assert await marks_of(client) == installation


async def test_a_lost_record_is_not_replaced_by_an_empty_one(
    database_url: str, client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await lay_out(settings_of(database_url), client)
    elsewhere = tmp_path / "elsewhere.db"
    with pytest.raises(OtherInstallation, match="Restore it"):
        await lay_out(settings_of(f"sqlite:///{elsewhere}"), client, adopt=True)
    assert not elsewhere.exists()


async def test_a_record_with_courses_is_joined_to_a_strange_namespace_only_by_word(
    engine: AsyncEngine, database_url: str, client: Client, other_client: Client
) -> None:
    installation, _ = await lay_out(settings_of(database_url), client)
    await change(engine, A_COURSE)
    assert await lay_out(settings_of(database_url), client) == (installation, False)
    with pytest.raises(OtherInstallation, match="does not know it"):
        await lay_out(settings_of(database_url), other_client)
    assert await marks_of(other_client) == (None, None)
    await lay_out(settings_of(database_url), other_client, adopt=True)
    assert await marks_of(other_client) == installation


# ── under a running process ────────────────────────────────────────────────────────────────────────────────────────


async def writes(engine: AsyncEngine) -> None:
    async with writing(engine).begin() as connection:
        await connection.execute(text("UPDATE installation SET seal = seal"))


async def test_a_database_that_becomes_another_ones_takes_no_write(
    engine: AsyncEngine, database_url: str, client: Client
) -> None:
    installation, _ = await lay_out(settings_of(database_url), client)
    bound = await opened(engine, client, settings_of(engine.url.render_as_string(False)))
    await writes(bound)
    await change(engine, f"UPDATE installation SET installation_id = '{'0' * 32}'")
    with pytest.raises(RecordExchanged, match="another installation"):
        await writes(bound)
    async with bound.begin() as connection:  # to look is free
        assert await connection.scalar(text("SELECT count(*) FROM installation")) == 1
    await change(engine, f"UPDATE installation SET installation_id = '{installation.id}'")
    await writes(bound)


@pytest.mark.parametrize("how", ["moved away", "replaced by its copy", "put back"])
async def test_a_file_exchanged_under_a_process_is_noticed(tmp_path: Path, how: str) -> None:
    file, away = tmp_path / "record.db", tmp_path / "away.db"
    engine = make_engine(f"sqlite:///{file}")
    make_private_file(engine.url)
    installation = await write_installation(engine, Mode.DEMO, TEST_RECORD_KEY)
    bound = of_installation(engine, installation.id)
    await writes(bound)
    file.rename(away)
    if how == "replaced by its copy":
        shutil.copy(away, file)
    if how == "put back":
        away.rename(file)
        await writes(bound)
        return
    with pytest.raises(RecordExchanged):
        await writes(bound)
    assert file.exists() == (how == "replaced by its copy")  # nobody made an empty one
    await engine.dispose()
