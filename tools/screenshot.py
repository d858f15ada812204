"""Takes the pictures of the Web UI for the README: `.venv/bin/python tools/screenshot.py` while `make run` is up.

Also the way in which tests look at the Web UI: `WebUi` knows where things stand in it, and waits for what is shown.
The pictures are of courses of invented patients, read through the codec server. The timeline is that of the first run of
a course: where time was skipped, the Web UI shows a wrong start of later runs.
"""

import argparse
import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from playwright.async_api import Browser, FrameLocator, Page, async_playwright, expect

ROOT: Final = Path(__file__).resolve().parent.parent
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE: Final = (1400, 900)
PATIENCE_MS: Final = 30_000
MOST_TURNS: Final = 50
COLUMNS: Final = ("CourseState", "HoldReason", "GateVerdict", "NextDueAt", "Overdue")
"""What an administrator adds to the list of workflows."""
NOT_NEEDED: Final = ("Run ID", "Type", "Start", "End")


def find_chromium() -> str | None:
    """The browser of this machine, if it has one."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


@asynccontextmanager
async def open_browser(executable: str) -> AsyncIterator[Browser]:
    """Chromium, ended with the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class WebUi:
    """Temporal's Web UI in one page of a browser."""

    def __init__(self, page: Page, address: str, namespace: str = "default") -> None:
        page.set_default_timeout(PATIENCE_MS)
        self.page = page
        self._address = address.rstrip("/")
        self._namespace = namespace

    async def workflows(self, query: str) -> None:
        """The list of workflows that a query finds."""
        await self._go(f"workflows?{urlencode({'query': query})}")

    async def course(self, course_id: str, run_id: str, tab: str) -> None:
        """One run of a course, at a tab: timeline, history, user-metadata, search-attributes, memo."""
        await self._go(f"workflows/{course_id}/{run_id}/{tab}")

    async def first_run_of(self, course_id: str) -> str:
        """The id of the first run of a course."""
        answer = await self.page.request.get(
            f"{self._address}/api/v1/namespaces/{self._namespace}/workflows/{course_id}"
        )
        return str((await answer.json())["workflowExecutionInfo"]["firstRunId"])

    async def columns(self, wanted: Sequence[str], not_needed: Sequence[str]) -> None:
        """Set the columns of the list, as a person does; the browser remembers them."""
        await self.page.get_by_test_id("workflows-summary-table-configuration-button").click()
        for name in not_needed:
            await self.page.get_by_test_id(f"orderable-list-item-{name}-remove-button").click()
        for name in wanted:
            await self.page.get_by_test_id(f"orderable-list-item-{name}-add-button").click()
        await self.page.keyboard.press("Escape")

    async def only(self, *categories: str) -> None:
        """Show only these kinds of events (`Timer`, `Activity`, …) in timeline or history."""
        await self.page.get_by_role("button", name="Filter").click()
        for category in ("None", *categories):
            await self.page.get_by_test_id(category).click()
        await self.page.keyboard.press("Escape")

    async def oldest_first(self) -> None:
        """Turn the order of timeline or history round."""
        await self.page.get_by_role("button", name="Descending").click()

    @property
    def details(self) -> FrameLocator:
        """The current details of a course, which the tab User Metadata shows in a frame of its own."""
        return self.page.frame_locator("iframe").first

    async def scroll_to(self, row: str) -> None:
        """Bring a row of the timeline into the middle; rows far away do not exist until one comes near."""
        await expect(self.page.get_by_role("button", name=re.compile("^Event 1 "))).to_be_attached(timeout=PATIENCE_MS)
        wanted = self.page.get_by_text(row).first
        await self.page.mouse.move(SIZE[0] / 2, SIZE[1] / 2)
        for _ in range(MOST_TURNS):
            place = await wanted.bounding_box() if await wanted.count() else None
            beyond = place["y"] - SIZE[1] / 2 if place else SIZE[1]
            if abs(beyond) < SIZE[1] / 10:
                return
            await self.page.mouse.wheel(0, beyond / 2)
            await asyncio.sleep(0.2)

    async def fold_navigation(self) -> None:
        """Make room for what matters."""
        await self.page.get_by_role("button", name="Collapse Navigation").click()

    async def shows(self, text: str | re.Pattern[str]) -> None:
        """Wait until the page shows a text."""
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)

    async def everything(self) -> str:
        """All that the page holds, its frames included: what somebody without the key could read."""
        return "\n".join([await frame.content() for frame in self.page.frames])

    async def _go(self, where: str) -> None:
        # Not "networkidle": the page goes on asking for news.
        await self.page.goto(f"{self._address}/namespaces/{self._namespace}/{where}", wait_until="load")


async def take(web_ui: WebUi, into: Path, course_id: str, row: str) -> None:
    """Both pictures."""
    into.mkdir(parents=True, exist_ok=True)
    await web_ui.workflows('ExecutionStatus = "Running"')
    await web_ui.fold_navigation()
    await web_ui.columns(COLUMNS, NOT_NEEDED)
    await web_ui.workflows('CourseState IN ("held", "liver_monitoring") AND ExecutionStatus = "Running"')
    await web_ui.shows("held")
    await _picture(web_ui, into / "web-ui-list.png")

    await web_ui.course(course_id, await web_ui.first_run_of(course_id), "timeline")
    await web_ui.oldest_first()
    await web_ui.only("Timer", "Activity")
    await web_ui.scroll_to(row)
    await _picture(web_ui, into / "web-ui.png")


async def _picture(web_ui: WebUi, file: Path) -> None:
    await asyncio.sleep(2)  # bars and columns glide into place
    await web_ui.page.screenshot(path=file)


async def main() -> None:
    """Read the arguments, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--web-ui", default="http://127.0.0.1:8233")
    parser.add_argument("--course", default="course-anna", help="whose first run the timeline shows")
    parser.add_argument(
        "--row", default="liver test again, the last one was abnormal", help="the bar in the middle of the picture"
    )
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        parser.exit(2, f"no browser found; looked for {', '.join(CHROMIUM)}\n")
    width, height = SIZE
    async with open_browser(executable) as browser:
        page = await browser.new_page(viewport={"width": width, "height": height})
        await take(WebUi(page, given.web_ui), given.into, given.course, given.row)


if __name__ == "__main__":
    asyncio.run(main())
