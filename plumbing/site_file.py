"""The site file: read once, known by its hash, laid over a released protocol. It may only tighten (design §3)."""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.site import SignOff, Site


class ProtocolError(Exception):
    """A protocol that cannot be used: unknown, changed after its release, or not well formed."""


@dataclass(frozen=True)
class SiteFile:
    """One site file, byte by byte: two that differ in a blank are two."""

    content: bytes

    @cached_property
    def sha256(self) -> str:
        """The hash that a course pins."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def site(self) -> Site:
        """Senders and sign-offs. Raises `ProtocolError`."""
        own = {key: value for key, value in self._data.items() if key in Site.model_fields}
        try:
            return Site.model_validate_json(json.dumps(own, default=_as_text))
        except ValidationError as error:
            raise ProtocolError(f"site file: {faults(error)}") from None

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers that it changes, by section of the protocol."""
        return {key: value for key, value in self._data.items() if key not in Site.model_fields}

    @cached_property
    def _data(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.content.decode(), parse_float=Decimal)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"site file: {error}") from None


def read_site_file(path: Path) -> SiteFile:
    """The file, looked at as a whole. Raises `ProtocolError` where it is missing or not well formed."""
    try:
        found = SiteFile(path.read_bytes())
    except OSError as error:
        raise ProtocolError(f"site file {path.name}: {error.strerror}") from None
    assert found.site is not None, "a file that cannot be read says so here, not at the first dose"
    return found


def read_site_files(present: Path | None, former: tuple[Path, ...] = ()) -> tuple[SiteFile, ...]:
    """All site files known here, the present one first. Raises `ProtocolError`."""
    return tuple(read_site_file(path) for path in ((present,) if present else ()) + former)


def laid_over(protocol: dict[str, Any], file: SiteFile) -> dict[str, Any]:
    """The data of a protocol with the site's stricter numbers and its senders' words for units.

    Raises `ProtocolError` for a number that the protocol does not have, does not let a site change, or that is looser.
    """
    effective = deepcopy(protocol)
    for path, written in _leaves(file.numbers, ()):
        section, name = _section(effective, path), path[-1]
        section[name] = _tightened(".".join(path), section.get(name), written)
    effective["aliases"] = {name: sender.aliases for name, sender in file.site.senders.items()}
    return effective


def _leaves(numbers: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every number with its path, also where it is written as `name = 37.8` without a table."""
    for key, value in numbers.items():
        if not isinstance(value, dict):
            yield (*above, key), {"value": value}
        elif "value" in value:
            yield (*above, key), value
        else:
            yield from _leaves(value, (*above, key))


def _section(protocol: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    found: Any = protocol
    for key in path[:-1]:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict) or path[-1] not in found:
        raise ProtocolError(f"site file: the protocol has no number {'.'.join(path)}")
    return found


def _tightened(path: str, released: Any, written: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(released, dict) or released.get("tighter") is None:
        raise ProtocolError(f"site file: {path} is not for a site to change")
    foreign = set(written) - {"value", "unit"}
    if foreign:
        raise ProtocolError(f"site file: {path}: {', '.join(sorted(foreign))} is not for a site to say")
    if written.get("unit", released["unit"]) != released["unit"]:
        raise ProtocolError(f"site file: {path} is given in {released['unit']}, not in {written['unit']}")
    ours, theirs = _comparable(path, written["value"]), _comparable(path, released["value"])
    if type(ours) is not type(theirs):
        raise ProtocolError(f"site file: {path}: {written['value']} is not a value of its kind")
    if ours == theirs:
        return released
    if (ours < theirs) != (released["tighter"] == "lower"):
        shown = f"{written['value']} {released['unit']}"
        raise ProtocolError(f"site file: {path} = {shown} is looser than {released['value']}: a site may only tighten")
    return {**released, "value": written["value"], "source": "site", "confidence": "proposed"}


def _comparable(path: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal) and Decimal(value).is_finite():
        return Decimal(value)
    raise ProtocolError(f"site file: {path}: {value} is no number")


def sign_off(file: SiteFile | None, name: str, sha256: str) -> SignOff | None:
    """Who signed exactly this protocol for the site; `None` where nobody did, or another version of it."""
    signed = None if file is None else file.site.signed.get(name)
    return signed if signed is not None and signed.sha256 == sha256 else None


def faults(error: ValidationError) -> str:
    """Where and what, without the input."""
    return "; ".join(".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors(include_input=False))


def _as_text(value: object) -> str:
    if isinstance(value, Decimal | date):
        return str(value)
    raise TypeError(type(value).__name__)
