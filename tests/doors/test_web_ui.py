"""The Temporal Web UI in a browser: a course is found by its state and read by whoever may, and by nobody else."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import expect
from temporalio.client import Client

from demo import story
from demo.bedside import Bedside
from demo.patients import ANNA, BERND
from models.attributes import SEARCH_ATTRIBUTES
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_KEY_RING
from plumbing.settings import Settings
from tests.conftest import TASK_QUEUE, Ward
from tests.doors.serving import codec_server
from tests.factories import ARTICLE
from tests.laid_out import a_record
from tools.screenshot import CHROMIUM, PATIENCE_MS, SIZE, WebUi, find_chromium, open_browser
from worker import make_worker

HELD = 'CourseState = "held" AND ExecutionStatus = "Running"'
TIMER = "dose C1D8 – overdue unless done (prescriber)"
DECISION = re.compile(r"HOLD for C1D8 – NON-08: ALT 160 U/L")
TABS = {
    "timeline": "write_record",
    "history": "Timer Started",
    "user-metadata": "Current Details",
    "search-attributes": "CourseState",
    "memo": "encryption-key-id",
}
"""The tabs of a course, and what stands there in clear once they are loaded."""


@dataclass(frozen=True)
class Pages:
    """A server with its Web UI, two courses on it, and what the codec server needs to be reached from there."""

    address: str
    settings: Settings
    codec_port: int
    held: Bedside
    other: Bedside
    held_run: str


@pytest.fixture(scope="module")
async def pages(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pages]:
    """One course held for the liver in its first cycle, and one that has hardly begun."""
    if find_chromium() is None:
        pytest.skip(f"no browser on this machine ({', '.join(CHROMIUM)}): the Web UI was NOT looked at")
    folder = tmp_path_factory.mktemp("web-ui")
    ui_port, codec_port = free_port(), free_port()
    settings = Settings(var_dir=folder, key_ring=TEST_KEY_RING, web_ui_port=ui_port)
    server = DevServer(
        binary,
        port=free_port(),
        ui_port=ui_port,
        log_file=folder / "log",
        skip_time=True,
        search_attributes=SEARCH_ATTRIBUTES,
        codec_endpoint=f"http://127.0.0.1:{codec_port}",
    )
    engine = await a_record(f"sqlite:///{folder / 'record.db'}")
    async with server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        async with make_worker(client, engine, settings, task_queue=TASK_QUEUE):
            ward = Ward(client, engine)
            held, other = await ward.course(ARTICLE, ANNA), await ward.course(ARTICLE, BERND)
            await story.held_for_the_liver(held)
            await ward.record_of(held)
            described = await ward.handle(held).describe()
            yield Pages(f"http://127.0.0.1:{ui_port}", settings, codec_port, held, other, described.run_id)
    await engine.dispose()


@pytest.fixture
async def web_ui(pages: Pages) -> AsyncIterator[WebUi]:
    """A browser that has been nowhere yet."""
    executable = find_chromium()
    assert executable is not None
    width, height = SIZE
    async with open_browser(executable) as browser:
        page = await browser.new_page(viewport={"width": width, "height": height})
        yield WebUi(page, pages.address)


@pytest.fixture
async def with_codec_server(pages: Pages) -> AsyncIterator[None]:
    """The codec server, where the Web UI looks for it."""
    async with codec_server(pages.settings, pages.codec_port):
        yield


async def test_a_course_is_found_by_its_state(pages: Pages, web_ui: WebUi) -> None:
    await web_ui.workflows(HELD)
    await web_ui.shows(pages.held.course_id)
    await expect(web_ui.page.get_by_text("1 Running", exact=False).first).to_be_visible(timeout=PATIENCE_MS)
    assert pages.other.course_id not in await web_ui.everything()


@pytest.mark.usefixtures("with_codec_server")
async def test_with_the_codec_server_timers_and_decisions_have_names(pages: Pages, web_ui: WebUi) -> None:
    for tab in ("timeline", "history"):
        await web_ui.course(pages.held.course_id, pages.held_run, tab)
        await web_ui.shows(TIMER)
        await web_ui.shows(DECISION)


@pytest.mark.usefixtures("with_codec_server")
async def test_with_the_codec_server_the_details_say_where_why_and_whose_turn(pages: Pages, web_ui: WebUi) -> None:
    await web_ui.course(pages.held.course_id, pages.held_run, "user-metadata")
    for words in ("Held", "NON-08", "ALT 160 U/L", "Clears with:", "prescriber", "liver test"):
        await expect(web_ui.details.get_by_text(words).first).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.parametrize(("tab", "loaded"), TABS.items())
async def test_without_the_codec_server_nothing_of_the_patient_can_be_read(
    pages: Pages, web_ui: WebUi, tab: str, loaded: str
) -> None:
    titles = [obligation.title for obligation in (await pages.held.card()).obligations]
    assert titles
    await web_ui.course(pages.held.course_id, pages.held_run, tab)
    await web_ui.shows(loaded)
    await expect(web_ui.page.get_by_test_id("data-encoder-status-error")).to_be_attached(timeout=PATIENCE_MS)
    shown = await web_ui.everything()
    unreadable = (
        *titles,
        TIMER,
        "ALT 160",
        "Clears with",
        ANNA.number,
        ANNA.name.split()[1],
        str(ANNA.birth_on),
        ANNA.zone,
    )
    assert [words for words in unreadable if words in shown] == []


async def test_without_the_codec_server_state_verdict_and_rule_stay_to_be_searched(pages: Pages, web_ui: WebUi) -> None:
    await web_ui.course(pages.held.course_id, pages.held_run, "search-attributes")
    for word in ("held", "HOLD", "NON-08", ARTICLE):
        await web_ui.shows(f'"{word}"')
