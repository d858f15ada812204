"""The real sample files, where INOCYCLE_SAMPLE_DATA points (default `../shared/data` beside the repository)."""

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from intake.outcome import ExpectedSubject
from tests.intake.builders import expecting, patient

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / os.environ.get("INOCYCLE_SAMPLE_DATA", "../shared/data")
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no sample data: set INOCYCLE_SAMPLE_DATA")


def parts(one: dict[str, Any]) -> int:
    """How many results or refusals an observation must become, counted apart from the reader."""
    components = len(one.get("component", ()))
    own = not components or any(key.startswith("value") or key == "dataAbsentReason" for key in one)
    return components + own


def observations_in(document: dict[str, Any]) -> list[dict[str, Any]]:
    resources = [entry["resource"] for entry in document.get("entry", [{"resource": document}])]
    return [r for r in resources if r["resourceType"] == "Observation"]


def sample(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    document: dict[str, Any] = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw, parse_float=Decimal)
    return document


def single_observations() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Each in a bundle with an invented patient, because the files hold the observation alone. Bytes untouched."""
    paths = [*(SAMPLES / "us-core-9.0.0/examples").glob("*.json"), *(SAMPLES / "fhir-r4-examples").glob("*.json")]
    for path in sorted(paths):
        document = sample(path)
        if document["resourceType"] == "Observation":
            reference = document.get("subject", {}).get("reference", "Patient/none").removeprefix("Patient/")
            someone = json.dumps({"resource": patient(id=reference)})
            entries = f'{someone}, {{"resource": {path.read_text()}}}'
            yield path.name, f'{{"resourceType": "Bundle", "entry": [{entries}]}}'.encode(), document


def expected_of(document: dict[str, Any]) -> ExpectedSubject:
    first = next(e["resource"] for e in document["entry"] if e["resource"]["resourceType"] == "Patient")
    identifier = next(i for i in first["identifier"] if i.get("system") and i.get("value"))
    return expecting(identifier["value"], identifier["system"])


def in_portions(document: dict[str, Any], size: int = 150) -> Iterator[dict[str, Any]]:
    """The chart as a sender with our limit would send it: its patient with every portion."""
    patients = [e for e in document["entry"] if e["resource"]["resourceType"] == "Patient"]
    others = [e for e in document["entry"] if e not in patients]
    for first in range(0, len(others), size):
        yield {**document, "entry": [*patients, *others[first : first + size]]}


def samples_of(pattern: str) -> list[Path]:
    """The sample files of this name or pattern, in order."""
    return sorted(SAMPLES.glob(pattern))


def documents_as_sent() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Every FHIR file, as its sender would send it to a door: each part below our limit, and with its patient."""
    for path in samples_of("**/*.json*"):
        try:
            document = sample(path)
        except json.JSONDecodeError:  # two documents in one file, neither of them FHIR
            continue
        if "resourceType" in document:
            for number, part in enumerate(_parts_of(document), start=1):
                yield f"{path.name} {number}", json.dumps(part, default=float).encode(), part


def _parts_of(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    whole = (
        document
        if document["resourceType"] == "Bundle"
        else {"resourceType": "Bundle", "entry": [{"resource": document}]}
    )
    entries = list(whole.get("entry", []))
    if not any(e["resource"]["resourceType"] == "Patient" for e in entries):
        about = {e["resource"].get("subject", {}).get("reference", "") for e in entries}
        entries += [
            {"resource": patient(id=a.removeprefix("Patient/"))} for a in sorted(about) if a.startswith("Patient/")
        ]
    yield from in_portions({**whole, "entry": entries})
