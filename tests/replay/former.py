"""Former releases, kept as they ran: what a worker needs, in one archive a release, to upgrade a running course across it.

Written together with the histories (`pytest tests/stories --keep-histories`) for the release that runs.
"""

import gzip
import io
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from plumbing.settings import ROOT

FORMER = Path(__file__).parent / "former"
ROOMS = ("activities", "clinical", "intake", "models", "plumbing", "record", "services", "workflows")
BESIDE = ("migrations", "protocols", "worker.py")
_KINDS = (".py", ".toml", ".lock", ".mako")


def kept_releases() -> list[Path]:
    """The archives of all kept releases."""
    return sorted(FORMER.glob("*.tar.gz"))


def name_of(archive: Path) -> str:
    """The release in an archive."""
    return archive.name.removesuffix(".tar.gz")


def keep_this_release() -> None:
    """Keep what the worker of the release that runs is made of; the same files make the same archive."""
    FORMER.mkdir(exist_ok=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _files():
            entry = tarfile.TarInfo(path.relative_to(ROOT).as_posix())
            content = path.read_bytes()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    (FORMER / f"{version('inocycle')}.tar.gz").write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def unpacked(archive: Path, into: Path) -> Path:
    """A folder in which `python -m worker` is the worker of that release."""
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
    return into


def _files() -> Iterator[Path]:
    for name in sorted((*ROOMS, *BESIDE)):
        place = ROOT / name
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from (path for path in found if path.suffix in _KINDS and "__pycache__" not in path.parts)
