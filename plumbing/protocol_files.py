"""Protocol files: read, laid over the file they extend, checked against `released.lock`, under the site's own file."""

import hashlib
import json
import tomllib
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.pins import ProtocolPin
from models.protocol import Protocol
from models.site import SignOff
from plumbing.site_file import ProtocolError, SiteFile, faults, sign_off
from plumbing.site_file import laid_over as with_site

__all__ = [
    "PROTOCOLS",
    "ProtocolError",
    "find_pinned",
    "load_pinned",
    "load_protocol",
    "pin_of",
    "released_names",
    "signed_off",
]

PROTOCOLS = Path(__file__).resolve().parent.parent / "protocols"
LOCK_NAME = "released.lock"


def released_names(folder: Path = PROTOCOLS) -> tuple[str, ...]:
    """The released protocols, sorted by name."""
    return tuple(sorted(_lock(folder)))


def load_protocol(name: str, folder: Path = PROTOCOLS, site: SiteFile | None = None) -> Protocol:
    """The effective protocol of this name: what it extends underneath, the site's file (if any) on top.

    Raises `ProtocolError` when the name is unknown, a file differs from its released hash, an entry is malformed, or
    the site's file would loosen a number.
    """
    return _load(name, folder, site)


def pin_of(name: str, folder: Path = PROTOCOLS, site: SiteFile | None = None) -> ProtocolPin:
    """The pin of an effective protocol: its name, the hash of all files that it is made of, and of the site's file."""
    return ProtocolPin(
        name=name, sha256=_hash_of_chain(name, folder), site_sha256=None if site is None else site.sha256
    )


def load_pinned(pin: ProtocolPin, folder: Path = PROTOCOLS, sites: tuple[SiteFile, ...] = ()) -> Protocol:
    """The protocol that a course pinned, with exactly the site file that it pinned, or with none.

    `sites` are the site files known here, the present one and former ones. Raises `ProtocolError` when this release
    does not hold exactly that protocol and that site file.
    """
    site = _site_of(pin, sites)
    if pin_of(pin.name, folder).sha256 != pin.sha256:
        raise ProtocolError(f"protocol {pin.name}: the released file is not the one that this course pinned")
    return load_protocol(pin.name, folder, site)


def find_pinned(pin: ProtocolPin, sites: tuple[SiteFile, ...] = ()) -> Protocol | None:
    """The protocol of a pin, or `None` when this release does not hold exactly that one."""
    try:
        return load_pinned(pin, sites=sites)
    except ProtocolError:
        return None


def signed_off(pin: ProtocolPin, sites: tuple[SiteFile, ...] = ()) -> SignOff | None:
    """Who signed the pinned protocol for this site, in the site file that was pinned with it."""
    return sign_off(_site_of(pin, sites), pin.name, pin.sha256)


def _site_of(pin: ProtocolPin, sites: tuple[SiteFile, ...]) -> SiteFile | None:
    if pin.site_sha256 is None:
        return None
    for site in sites:
        if site.sha256 == pin.site_sha256:
            return site
    raise ProtocolError(f"protocol {pin.name}: pinned with a site file that is not known here")


@lru_cache(maxsize=64)
def _load(name: str, folder: Path, site: SiteFile | None) -> Protocol:
    data = _merged(name, folder)
    if site is not None:
        data = with_site(data, site)
    try:
        return Protocol.model_validate_json(json.dumps(data, default=_decimal_as_text))
    except ValidationError as error:
        raise ProtocolError(f"protocol {name}: {faults(error)}") from None


def _decimal_as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


def _merged(name: str, folder: Path) -> dict[str, Any]:
    own = _read(name, folder)
    if "aliases" in own:
        raise ProtocolError(f"protocol {name}: aliases belong into a site's file (CONV-01)")
    parent = own.get("extends")
    return own if parent is None else _laid_over(_merged(parent, folder), own)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`, table by table; a leaf (it has a value or a title) is replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        is_leaf = not isinstance(value, dict) or "value" in value or "title" in value
        merged[key] = value if is_leaf else _laid_over(below.get(key, {}), value)
    return merged


def _read(name: str, folder: Path) -> dict[str, Any]:
    content = _released_bytes(name, folder)
    try:
        data = tomllib.loads(content.decode(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"protocol {name}: {error}") from None
    return data


def _released_bytes(name: str, folder: Path) -> bytes:
    released = _lock(folder).get(name)
    if released is None:
        known = ", ".join(released_names(folder))
        raise ProtocolError(f"protocol {name!r} is not known; released are: {known}")
    content = (folder / f"{name}.toml").read_bytes()
    if hashlib.sha256(content).hexdigest() != released:
        raise ProtocolError(f"protocol {name}: the file differs from its released hash")
    return content


@lru_cache(maxsize=64)
def _hash_of_chain(name: str, folder: Path) -> str:
    own = _read(name, folder)
    parent = own.get("extends")
    digest = hashlib.sha256(_released_bytes(name, folder))
    if parent is not None:
        digest.update(_hash_of_chain(parent, folder).encode())
    return digest.hexdigest()


def _lock(folder: Path) -> dict[str, str]:
    lines = (folder / LOCK_NAME).read_text().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {file.removesuffix(".toml"): digest for digest, file in pairs}
