"""Which installation this is: one random id and one mode, in the record's one row and in the Temporal namespace.

Only `lay_out` (the command `inocycle init`) makes a record and writes either of the two; everybody else compares, and
does so before anything is migrated, read or written. A record and a namespace that do not know each other are never
joined by a process that merely starts.
"""

import secrets
from datetime import timedelta
from typing import Any, Final, NamedTuple

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.namespace.v1 import UpdateNamespaceInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client

from models.tables import CourseRow, InstallationRow
from plumbing.connection import TemporalUnreachable, connect
from plumbing.database import (
    MIGRATIONS,
    database_file,
    make_engine,
    make_private_file,
    of_installation,
    upgrade,
    writing,
)
from plumbing.keys import RecordKey
from plumbing.sealing import seal_of, sealing, table_of
from plumbing.settings import Mode, Settings

_MODE_KEY: Final = "inocycle-mode"
_ID_KEY: Final = "inocycle-installation"
_A_LOOK: Final = timedelta(seconds=1)


class Installation(NamedTuple):
    """The id, 32 hex digits made once at random, and the mode."""

    id: str
    mode: str


class RecordFound(NamedTuple):
    """What a database says of itself. `id` is `None` in a record of a release before there were ids."""

    id: str | None
    mode: str
    courses: int
    version: str | None
    sealed_with: str | None = None
    """The id of the record key."""


class Marks(NamedTuple):
    """What a namespace says of itself; `None` where nobody has written it."""

    id: str | None
    mode: str | None


class InstallationRefused(Exception):
    """The record or the namespace is not the one that these settings mean. The words say what to do."""


class NoRecord(InstallationRefused):
    """There is no record at this address: no file, or a database with nothing in it."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"There is no record here: {where}. `inocycle init` makes one; if there was one before, look whether"
            " INOCYCLE_DATABASE_URL names the right database, or restore it."
        )


class NotARecord(InstallationRefused):
    """The database holds something else, or a record that this release cannot read."""


class ModeMismatch(InstallationRefused):
    """The database was laid out for the other mode: invented patients and real ones never share one (design §3)."""

    def __init__(self, found: str, wanted: Mode) -> None:
        super().__init__(
            f"This database belongs to mode {found}, and these settings say {wanted}."
            " Set INOCYCLE_MODE or INOCYCLE_DATABASE_URL so that they agree; a database never changes its mode."
        )


class OtherKey(InstallationRefused):
    """The record was sealed with another record key."""


class NamespaceMismatch(InstallationRefused):
    """The namespace was laid out for the other mode, or not yet."""


class OtherInstallation(InstallationRefused):
    """The record and the namespace belong to two installations, or do not know each other."""


async def record_in(engine: AsyncEngine) -> RecordFound | None:
    """What the database says of itself, whatever release made it; `None` where it holds nothing. Changes nothing.

    Raises `NotARecord`.
    """
    file = database_file(engine.url)
    if file is not None and not file.exists():
        return None
    if file is not None and not file.is_file():
        raise NotARecord("What INOCYCLE_DATABASE_URL names is no file; a record is one, so it must name another.")
    async with engine.connect() as connection:
        return await connection.run_sync(_found)


async def marks_of(client: Client) -> Marks:
    """What the client's namespace says of itself."""
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    data = described.namespace_info.data
    return Marks(data.get(_ID_KEY), data.get(_MODE_KEY))


async def must_be_ours(engine: AsyncEngine, mode: Mode) -> RecordFound:
    """The record as it is, where it is one of this mode and has an id. Raises an `InstallationRefused`."""
    found = await record_in(engine)
    if found is None:
        file = database_file(engine.url)
        raise NoRecord("no file" if file is not None and not file.exists() else "an empty database")
    if found.mode != mode:
        raise ModeMismatch(found.mode, mode)
    if found.id is None:
        raise NotARecord(
            "This record was made by a release before installations had an id; `inocycle init` gives it one."
        )
    return found


async def namespace_must_be_ours(client: Client, mode: Mode) -> Marks:
    """The namespace as it is, where it was laid out for this mode. Raises `NamespaceMismatch`."""
    marks = await marks_of(client)
    if marks.mode is None or (marks.mode == mode and marks.id is None):
        raise NamespaceMismatch(
            f"Namespace {client.namespace} belongs to no installation yet; `inocycle init` lays it out."
        )
    if marks.mode != mode:
        raise NamespaceMismatch(
            f"Namespace {client.namespace} belongs to mode {marks.mode}, and these settings say {mode}."
        )
    return marks


async def opened(engine: AsyncEngine, client: Client, settings: Settings) -> AsyncEngine:
    """The engine bound to its installation and its key, where record and namespace are one. Raises an `InstallationRefused`.

    Nothing is migrated before this has come back. Whoever writes through the engine afterwards is refused
    (`RecordExchanged`) once the database is another one.
    """
    found, marks = await must_be_ours(engine, settings.mode), await namespace_must_be_ours(client, settings.mode)
    if found.id != marks.id:
        raise _two_installations(found.id, marks.id, client.namespace)
    return _bound(engine, found, settings.record_key)


async def opened_by_itself(engine: AsyncEngine, settings: Settings) -> AsyncEngine:
    """The same for a door that works while Temporal is away: then mode and form are looked at, and nothing compared."""
    found = await must_be_ours(engine, settings.mode)
    try:
        client = await connect(settings, patience=_A_LOOK)
    except TemporalUnreachable:
        return _bound(engine, found, settings.record_key)
    return await opened(engine, client, settings)


def _bound(engine: AsyncEngine, found: RecordFound, key: RecordKey | None) -> AsyncEngine:
    """By the id of the key only: a seal that was tampered with must not keep a worker from starting; a look names it."""
    if key is not None and found.sealed_with not in (None, key.key_id):
        raise OtherKey(
            f"This record was sealed with the record key {found.sealed_with}, and these settings hold {key.key_id}."
            " Give the right key back with INOCYCLE_RECORD_KEY_FILE; with another one nobody can tell what was changed."
        )
    return sealing(of_installation(engine, str(found.id)), key)


async def lay_out(settings: Settings, client: Client, *, adopt: bool = False) -> tuple[Installation, bool]:
    """Make the record and mark the namespace; where both are there and know each other, bring the schema up to date.

    The second value says whether a record was made. A record that holds courses is joined to a namespace that does not
    know it only where `adopt` says so. Raises an `InstallationRefused`; then nothing was made.
    """
    key = settings.record_key
    assert key is not None, "who lays out has keys"
    url = settings.database_url.get_secret_value()
    engine = make_engine(url)
    try:
        marks, found = await marks_of(client), await record_in(engine)
        _may_lay_out(marks, found, settings.mode, client.namespace, adopt=adopt)
        make_private_file(engine.url)
        installation = await write_installation(engine, settings.mode, key)
    finally:
        await engine.dispose()
    await mark(client, installation)
    return installation, found is None


async def write_installation(engine: AsyncEngine, mode: Mode, key: RecordKey) -> Installation:
    """Bring the schema to the newest version and write the one row, if it is not there, in one transaction."""
    async with writing(sealing(engine, key)).begin() as connection:
        return await connection.run_sync(_written, mode, key)


async def mark(client: Client, installation: Installation) -> None:
    """Write both into the namespace, and see that they stand there: of two who lay out at once the later one is told."""
    marks = await marks_of(client)
    if marks != Marks(installation.id, installation.mode):
        data = {_ID_KEY: installation.id, _MODE_KEY: installation.mode}
        info = UpdateNamespaceInfo(data=data)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=client.namespace, update_info=info)
        )
        marks = await marks_of(client)
    if marks.id != installation.id:
        raise _two_installations(installation.id, marks.id, client.namespace)


# ── looking ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _found(connection: Connection) -> RecordFound | None:
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if InstallationRow.__tablename__ not in tables:
        raise NotARecord("This database holds other tables and no record; INOCYCLE_DATABASE_URL must name another one.")
    columns = {column["name"] for column in inspect(connection).get_columns(InstallationRow.__tablename__)}
    named = "mode, installation_id, seal" if "seal" in columns else "mode, NULL AS installation_id, NULL AS seal"
    row = connection.execute(text(f"SELECT {named} FROM installation")).mappings().first()
    if row is None:
        raise NotARecord("This database was begun by an earlier release and belongs to nobody; take another one.")
    courses = connection.execute(text(f"SELECT count(*) FROM {CourseRow.__tablename__}")).scalar_one()
    sealed_with = str(row["seal"]).partition(":")[0] if row["seal"] else None
    return RecordFound(row["installation_id"] or None, str(row["mode"]), courses, _version(connection), sealed_with)


def _version(connection: Connection) -> str | None:
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if version is not None and version not in known:
        raise NotARecord(f"This record was made by a later release (version {version}); start that release.")
    return version


def _two_installations(record: str | None, namespace: str | None, name: str) -> OtherInstallation:
    return OtherInstallation(
        f"This record belongs to installation {_short(record)}, and namespace {name} to {_short(namespace)}."
        " One of the two is another ward's: set INOCYCLE_DATABASE_URL or INOCYCLE_TEMPORAL_NAMESPACE so that they agree."
    )


def _short(installation_id: str | None) -> str:
    return (installation_id or "none")[:8]


# ── laying out ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _may_lay_out(marks: Marks, found: RecordFound | None, mode: Mode, namespace: str, *, adopt: bool) -> None:
    if marks.mode not in (None, mode):
        raise NamespaceMismatch(f"Namespace {namespace} belongs to mode {marks.mode}, and these settings say {mode}.")
    if found is None:
        if marks.id is not None:
            raise OtherInstallation(
                f"Namespace {namespace} belongs to installation {_short(marks.id)}, whose record is not at this address."
                " Restore it, or name it with INOCYCLE_DATABASE_URL; an empty record would forget its courses."
            )
        return
    if found.mode != mode:
        raise ModeMismatch(found.mode, mode)
    if marks.id is not None and marks.id != found.id:
        raise _two_installations(found.id, marks.id, namespace)
    if marks.id is None and found.courses and not adopt:
        raise OtherInstallation(
            f"This record holds courses ({found.courses}), and namespace {namespace} does not know it."
            " If Temporal was lost and this is its record, say so: `inocycle init --adopt`."
        )


def _written(connection: Connection, mode: Mode, key: RecordKey) -> Installation:
    upgrade(connection)  # takes the lock: of two at once the later one finds the row
    row: Any = connection.execute(text("SELECT mode, installation_id FROM installation")).mappings().first()
    if row is not None and row["installation_id"]:
        return Installation(row["installation_id"], row["mode"])
    made = Installation(secrets.token_hex(16), row["mode"] if row is not None else str(mode))
    stored = {"id": 1, "mode": made.mode, "installation_id": made.id}
    values = {"id": made.id, "mode": made.mode, "seal": seal_of(key, table_of(InstallationRow), stored)}
    statement = (
        "INSERT INTO installation (id, mode, installation_id, seal) VALUES (1, :mode, :id, :seal)"
        if row is None
        else "UPDATE installation SET installation_id = :id, seal = :seal"
    )
    connection.execute(text(statement), values)
    return made
