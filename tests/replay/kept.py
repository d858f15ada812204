"""Kept histories: one folder a release, beside each history the links that the record held then. Encrypted with the test key.

Written by `pytest tests/stories --keep-histories` into the folder of the release that runs; the folders of former
releases stay as they are.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from temporalio.client import WorkflowHistory

from models.record import RecordBatch
from plumbing.converter import data_converter
from plumbing.keys import TEST_KEY_RING
from tests.replay.chain import Link, link_of

HISTORIES = Path(__file__).parent / "histories"
_HISTORY, _LINKS = ".json.gz", ".links.gz"


def folder_of_this_release() -> Path:
    """Where the histories of the release that runs are kept."""
    return HISTORIES / version("inocycle")


def kept_histories() -> list[Path]:
    """The histories of all releases."""
    return sorted(HISTORIES.glob(f"*/*{_HISTORY}"))


def emptied(folder: Path) -> Path:
    """The folder with no history in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob(f"*{_HISTORY}"), *folder.glob(f"*{_LINKS}")):
        old.unlink()
    return folder


async def keep(folder: Path, name: str, history: WorkflowHistory, on_record: Iterable[Link]) -> None:
    """Keep the history of one run, and of the links that its course has on record those that this run wrote."""
    wrote = {number for number, *_ in await written_links(history)}
    links = [link for link in on_record if link[0] in wrote]
    _write(folder / f"{name}{_HISTORY}", history.to_json())
    _write(folder / f"{name}{_LINKS}", json.dumps(links))


def read_history(path: Path) -> WorkflowHistory:
    """A kept history."""
    return WorkflowHistory.from_json(path.stem, _read(path))


def read_links(path: Path) -> list[Link]:
    """The links that the record held of this history's run, when it was kept."""
    links = _read(path.with_name(path.name.removesuffix(_HISTORY) + _LINKS))
    return [(number, content_sha256, sha256) for number, content_sha256, sha256 in json.loads(links)]


async def written_links(history: WorkflowHistory) -> list[Link]:
    """The links that a run handed to the record, as its history holds them."""
    converter = data_converter(TEST_KEY_RING)
    links: dict[int, Link] = {}
    for payloads in _inputs_of(history, "write_record"):
        [batch] = await converter.decode(payloads, [RecordBatch])
        links |= {entry.number: link_of(entry) for entry in batch.entries}
    return [links[number] for number in sorted(links)]


def _inputs_of(history: WorkflowHistory, activity: str) -> Iterator[list[object]]:
    for event in history.events:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == activity:
            yield list(scheduled.input.payloads)


def _write(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _read(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()
