"""The command line `inocycle`: parses, speaks to a course through `CourseClient`, or asks the pure core about a file.

No rule lives here. Other doors are started as processes. What only some commands need is imported where it is needed,
so that `inocycle assess` does not wait for Temporal or a database.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from cli import check, inbox, record, render, rules, ward
from cli.answers import EXITS, Exit, Failed, answer, failure_of, refused, start_refused, tell
from cli.rules import pin_named, protocol_named, reading
from intake.typed import read_acknowledgement, read_actor, read_course_id, read_instant, read_state
from models.chart import Chart, Course
from models.zones import zone_of

if TYPE_CHECKING:
    from services.courses import CourseClient

Result = TypeVar("Result")

_EXIT_LINES = "\n".join(f"  {code.value}  {words}" for code, words in EXITS.items())
HELP = f"""Conducts courses of inotuzumab ozogamicin. It advises and blocks; it never orders a drug.

\b
Exit codes
{_EXIT_LINES}

Every command that answers takes --json: one JSON document on stdout, decimals as text, times in UTC.
"""


def _commands(words: str) -> typer.Typer:
    return typer.Typer(
        help=words, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )


app = _commands(HELP)
course_app = _commands("Start a course, look at one, list them.")
labs_app = _commands("Send laboratory results.")
app.add_typer(course_app, name="course")
app.add_typer(labs_app, name="labs")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]
CourseId = Annotated[str, typer.Argument(metavar="ID", help="The course, such as course-1a2b3c4d5e6f.")]
ByWhom = Annotated[str, typer.Option("--by", metavar="ROLE:ID", help="Who says so, such as prescriber:p-3. No names.")]
ProtocolName = Annotated[str, typer.Option("--protocol", metavar="P", help="A released protocol; there is no default.")]
Wait = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=0.1, max=600, help="How long to wait for an answer.")
]
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def main() -> None:
    """The program `inocycle`."""
    code = run(sys.argv[1:])
    with suppress(BrokenPipeError):  # the reader of a pipe may have had enough
        sys.stdout.flush()
        sys.stderr.flush()
    # The threads of the SDK's core outlive the client and may abort an interpreter that tears itself down (exit 134).
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """One command; returns its exit code. What is known to go wrong is said in words, without a traceback."""
    try:
        app(list(arguments), prog_name="inocycle")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.OK if ended.code is None else Exit.USAGE
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        tell(failure, as_json="--json" in arguments)
        return int(failure.code)
    return int(Exit.OK)


# ── courses ────────────────────────────────────────────────────────────────────────────────────────────────────────


@course_app.command("start")
def course_start(
    by: ByWhom,
    patient: Annotated[Path, typer.Option("--patient", metavar="FILE", help="JSON, as in docs/examples/patient.json.")],
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="P", help="A released protocol; there is no default.")
    ] = "",
    acknowledge: Annotated[
        list[str] | None,
        typer.Option(
            "--acknowledge", metavar='DIV-01="reason"', help="A divergence from the label, with a reason. Repeat."
        ),
    ] = None,
    course_id: Annotated[str, typer.Option("--id", metavar="ID", help="Pseudonymous; made up when left out.")] = "",
    another_course: Annotated[
        str,
        typer.Option(
            "--another-course", metavar="REASON", help="Why, where a course of the patient is open. No names."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Start a course for one patient. Only keyed hashes of the identity go into it."""
    from cli.courses import settings_for_commands, start_one
    from clinical.rulings.start import judge_start
    from intake.patient_file import read_patient
    from plumbing.keys import birth_hash, subject_hash

    actor, rules = read_actor("--by", by), protocol_named(protocol)
    acknowledged = tuple(read_acknowledgement("--acknowledge", text) for text in acknowledge or ())
    course_id = read_course_id("--id", course_id) if course_id else f"course-{os.urandom(6).hex()}"
    with reading(patient) as raw:
        person = read_patient(raw)
    settings = settings_for_commands("course start")
    key = settings.subject_key
    assert key is not None, "settings of a command have keys"
    course = Course(
        course_id=course_id,
        zone=person.zone,
        subject_hash=subject_hash(key, person.identifier.system, person.identifier.value),
        birth_hash=birth_hash(key, person.birth_on),
        birth_on=person.birth_on,
        child_bearing_potential=person.child_bearing_potential,
        invented=person.invented,
        protocol=pin_named(rules.name),
        acknowledged=acknowledged,
        started_at=datetime.now(UTC),
        started_by=actor,
        another_because=another_course.strip() or None,
    )
    if refusal := judge_start(course, rules):
        raise start_refused(refusal, rules, protocol_named(rules.extends) if rules.extends else None)
    begun = start_one(settings, course)
    started = {"course_id": course.course_id, "protocol": course.protocol, "started_at": course.started_at}
    words = f"{course.course_id} is started on {rules.name}. Next: inocycle course show {course.course_id}"
    stops = [
        f"▲ {s.course_id} of this patient was stopped or held by {s.rule}: it holds here too"
        for s in begun.stopped_before
    ]
    answer(as_json, {**started, "stopped_before": begun.stopped_before}, words, *stops)


@course_app.command("show")
def course_show(
    course_id: CourseId,
    with_chart: Annotated[bool, typer.Option("--chart", help="The facts as well.")] = False,
    wait: Wait = 20,
    as_json: AsJson = False,
) -> None:
    """Where a course stands: verdict with its time, why, the dose, what is due, which commands may be given."""
    from cli.courses import with_courses
    from plumbing.settings import load_settings

    settings = load_settings()

    async def look(courses: "CourseClient") -> tuple[Any, Any, Chart]:
        chart = await courses.chart(course_id)
        return await courses.status(course_id), await courses.assessment(course_id), chart

    status, found, chart = with_courses(settings, look, within=wait)
    document = {"status": status, "assessment": found, **({"chart": chart} if with_chart else {})}

    zone = zone_of(chart.course.zone)
    facts = ("", "Facts", render.facts_table(chart, zone)) if with_chart else ()
    answer(as_json, document, render.status_lines(status), render.card(found, zone), *facts)


@course_app.command("list")
def course_list(
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="Only courses in this state, such as held.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """All courses that Temporal knows, with where they stand."""
    from cli.courses import listed, with_courses
    from plumbing.settings import load_settings

    query = "ExecutionStatus != 'ContinuedAsNew'"
    if state:
        query += f" AND CourseState = '{read_state('--state', state)}'"

    async def look(courses: "CourseClient") -> list[dict[str, Any]]:
        return [listed(execution) async for execution in courses.listed(query)]

    rows = sorted(with_courses(load_settings(), look), key=lambda row: row["course_id"])
    answer(as_json, rows, render.courses_table(rows) if rows else "no course")


@course_app.command("reconcile")
def course_reconcile(course_id: CourseId, wait: Wait = 20, as_json: AsJson = False) -> None:
    """How a running course and its record differ, for the administrator and the physician who settle it (REC-02)."""
    from cli.courses import with_courses
    from cli.record import record_of
    from plumbing.settings import load_settings
    from record.reader import RecordAltered, UnknownCourse
    from services.reconcile import Differences, differences

    settings = load_settings()

    async def compared(courses: "CourseClient") -> Differences:
        async with record_of(settings, unreachable="the record cannot be read ({})") as engine:
            return await differences(courses, engine, course_id)

    try:
        found = with_courses(settings, compared, within=wait)
    except UnknownCourse as error:
        raise Failed(Exit.USAGE, "NotOnRecord", str(error)) from None
    except RecordAltered as error:
        raise Failed(
            Exit.REFUSED, "RecordAltered", f"{error}; `inocycle record verify` names what was changed"
        ) from None
    answer(as_json, found, "\n".join(found.words()))


@course_app.command("read-again")
def course_read_again(
    course_id: CourseId,
    by: ByWhom,
    message: Annotated[
        str, typer.Argument(metavar="HASH", help="One message by the beginning of its hash; else all.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Try again what this course could not read, with the keys and the release of now, after a key was put back.

    Exits with 3 where something still cannot be read; a person transcribes or dismisses that (`resolve_unreadable`).
    """
    from cli.courses import read_again_in, settings_for_commands

    actor = read_actor("--by", by)
    tried = read_again_in(settings_for_commands("course read-again"), course_id, actor, message)
    answer(as_json, tried, render.tried_table(tried) if tried else "nothing waits to be read again")
    raise typer.Exit(int(Exit.OK if all(one.read for one in tried) else Exit.REFUSED))


@labs_app.command("send")
def labs_send(
    course_id: CourseId,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="FHIR R4 JSON: Observation, DiagnosticReport, Bundle.")
    ],
    by: ByWhom = "laboratory:cli",
    wait: Wait = 20,
    as_json: AsJson = False,
) -> None:
    """Read FHIR files and send their results to a course. Every entry that became no result is named.

    Exits with 3 when a file is not certainly about the patient of the course (nothing of it is sent), and with 2 when
    another entry could not be read; what could be read is sent.
    """
    from cli.courses import exit_of, send_labs, settings_for_commands, with_courses

    actor = read_actor("--by", by)
    documents: dict[str, bytes] = {}
    for path in files:
        with reading(path) as raw:
            documents[str(path)] = raw
    settings = settings_for_commands("labs send")

    sending = partial(send_labs, course_id=course_id, documents=documents, settings=settings, by=actor, within=wait)
    read, sentence = with_courses(settings, sending)
    document = {"course_id": course_id, "files": read, "sentence": sentence}
    answer(as_json, document, render.intake_table(read), *([f"now: {sentence}"] if sentence else []))
    raise typer.Exit(int(exit_of(read.values())))


@app.command("do")
def do(
    course_id: Annotated[str, typer.Argument(metavar="ID", help="The course.")] = "",
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="As `inocycle do --list` names them.")] = "",
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="key=value…",
            help="Fields. A point leads into an object (finding.kg=70), a repeated key makes a list, "
            'a value that begins with {, [ or " is JSON.',
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="ROLE:ID", help="Who says so, such as nurse:n-17. No names.")] = "",
    message_id: Annotated[
        str, typer.Option("--message-id", metavar="M", help="Repeat one to learn its first answer.")
    ] = "",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When it was true, with a zone; else now.")] = "",
    wait: Wait = 20,
    listing: Annotated[bool, typer.Option("--list", help="The commands, who may give them, and their fields.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a command to a course and show its receipt, or why it is refused."""
    if listing:
        _list_commands(as_json)
        return
    missing = [n for n, given in (("ID", course_id), ("COMMAND", command), ("--by", by)) if not given]
    if missing:
        raise Failed(Exit.USAGE, "Usage", f"missing: {', '.join(missing)}; `inocycle do --list` shows the commands")
    _give(course_id, command, words or [], _header(course_id, by, message_id, at), timedelta(seconds=wait), as_json)


def _header(course_id: str, by: str, message_id: str, at: str) -> dict[str, str]:
    chosen = message_id or f"cli-{os.urandom(6).hex()}"
    header = {"id": chosen, "by": str(read_actor("--by", by)), "course_id": course_id}
    return {**header, "at": read_instant("--at", at).isoformat()} if at else header


def _give(
    course_id: str, name: str, words: Sequence[str], header: Mapping[str, str], within: timedelta, as_json: bool
) -> None:
    from cli.courses import settings_for_commands, with_courses
    from intake.command_words import read_command

    command = read_command(name, words, header)
    settings = settings_for_commands(f"do {name}")

    async def give(courses: "CourseClient") -> Any:
        from services.courses import CommandRefused

        try:
            return await courses.command(course_id, command, within)
        except CommandRefused as error:
            raise refused(error.refusal, await courses.zone(course_id)) from None

    receipt = with_courses(settings, give)
    answer(as_json, receipt, render.receipt_lines(receipt))


def _list_commands(as_json: bool) -> None:
    from clinical.judge import ROLES
    from models.messages import COMMANDS

    roles = {name: sorted(str(role) for role in ROLES[name]) for name in COMMANDS}
    document = [
        {"command": name, "roles": roles[name], "fields": [f._asdict() for f in render.command_fields(kind)]}
        for name, kind in COMMANDS.items()
    ]
    answer(as_json, document, render.commands_list(roles))


# ── the ward ───────────────────────────────────────────────────────────────────────────────────────────────────────

ward.add_to(app)
record.add_to(app)
inbox.add_to(app, labs_app)
rules.add_to(app)
check.add_to(app)


# ── processes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def worker() -> None:
    """Run a worker until Ctrl-C or SIGTERM."""
    from plumbing.settings import load_settings, with_keys

    with_keys(load_settings())
    _become("worker")


@app.command("codec-server")
def codec_server() -> None:
    """Run the codec server until Ctrl-C or SIGTERM: it opens payloads for the Web UI, for those who may read them."""
    _become("codec_server")


@app.command(context_settings=PASSED_ON)
def up(context: typer.Context) -> None:
    """Start everything and lay out invented patients; on the first start conduct one course on screen."""
    _become("demo", "up", *context.args)


@app.command(context_settings=PASSED_ON)
def demo(context: typer.Context) -> None:
    """The invented ward: `inocycle demo --help`."""
    _become("demo", *context.args)


@app.command("dev-server")
def dev_server(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Of the frontend.")] = 7233,
    ui_port: Annotated[int, typer.Option("--ui-port", min=0, max=65535, help="Of the Web UI; 0 for none.")] = 8233,
    database: Annotated[
        Path | None, typer.Option("--database", metavar="FILE", help="Else the state ends with it.")
    ] = None,
    no_skip_time: Annotated[bool, typer.Option("--no-skip-time", help="Let no course skip time.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find or build Temporal's dev server and run it until Ctrl-C or SIGTERM. For trying out, never for a ward."""
    from models.attributes import SEARCH_ATTRIBUTES
    from plumbing.dev_server import DevServer, find_binary
    from plumbing.settings import ROOT, Mode, load_settings

    settings = load_settings()
    if settings.mode is Mode.WARD:
        raise Failed(
            Exit.REFUSED, "ModeWard", "a ward has a Temporal cluster of its own; the dev server is for trying out"
        )
    binary = find_binary(ROOT, partial(typer.echo, err=True), os.environ)
    server = DevServer(
        binary,
        port=port,
        log_file=settings.var_dir / "dev-server.log",
        ui_port=ui_port or None,
        database=database.resolve() if database else None,
        skip_time=not no_skip_time,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    web_ui = f"http://127.0.0.1:{ui_port}" if ui_port else None
    about = {"address": server.address, "web_ui": web_ui, "skips_time": not no_skip_time}
    words = f"Temporal {server.address}\nWeb UI   {web_ui or 'none'}\nCtrl-C ends it."
    asyncio.run(_serve(server, lambda: answer(as_json, about, words)))


async def _serve(server: Any, ready: Callable[[], None]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with server:
        ready()
        ends = (asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(server.ended_by_itself()))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        server.must_run()


def _become(module: str, *arguments: str) -> NoReturn:
    """Go on as another door: the same process, so that signals and Ctrl-C reach it."""
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a worker.py in the folder where we stand is another one
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])


if __name__ == "__main__":
    main()
