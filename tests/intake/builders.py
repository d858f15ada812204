"""FHIR resources of invented patients, read aloud, and what the reader makes of them."""

import json
from datetime import date
from typing import Any

from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject, Intake, Refusal
from models.bounds import read_bounded
from models.facts import NO_CODE, LabResult, ResultWithdrawn
from models.messages import NamedMessage
from models.people import Actor, Role

LABORATORY = Actor(role=Role.LABORATORY, id="lab-1")
MRN = "urn:invented:mrn"
P1 = {"reference": "Patient/p1"}


def hash_of(system: str, value: str) -> str:
    return f"subject:{system}|{value}"


def birth_hash_of(born_on: date) -> str:
    return f"birth:{born_on.isoformat()}"


def expecting(value: str = "100", system: str = MRN) -> ExpectedSubject:
    return ExpectedSubject(hash_of, birth_hash_of, hash_of(system, value))


ANYBODY = ExpectedSubject(hash_of, birth_hash_of)


def patient(mrn: str | None = "100", *, id: str = "p1", **fields: Any) -> dict[str, Any]:
    identifiers = {} if mrn is None else {"identifier": [{"system": MRN, "value": mrn}]}
    return {"resourceType": "Patient", "id": id, **identifiers, **fields}


def identified(value: str, system: str = MRN) -> dict[str, Any]:
    return {"identifier": {"system": system, "value": value}}


def code(loinc: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": loinc}]}


def ucum(value: Any, unit: str = "U/L", **fields: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit, **fields}


def observation(loinc: str = "1742-6", **fields: Any) -> dict[str, Any]:
    """A final ALT of 38 U/L of patient p1, unless told otherwise; a field given as `None` is left out."""
    usual = {
        "resourceType": "Observation",
        "status": "final",
        "code": code(loinc),
        "subject": P1,
        "effectiveDateTime": "2026-03-02T07:10:00+01:00",
        "valueQuantity": ucum(38),
    }
    return {key: value for key, value in {**usual, **fields}.items() if value is not None}


def said(**fields: Any) -> dict[str, Any]:
    """An observation without a quantity, but with these fields."""
    return observation(**{"valueQuantity": None, **fields})


def bundle(*resources: dict[str, Any], type: str = "collection") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type, "entry": [{"resource": r} for r in resources]}


def urn(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": f"urn:uuid:{name}", "resource": resource}


def read(document: Any, *, expected: ExpectedSubject | None = None, sender: str | None = None) -> Intake:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_fhir(raw, expected=expected or expecting(), by=LABORATORY, sender=sender)


def results(intake: Intake) -> list[LabResult]:
    """The results that are read."""
    return [result for result in _kept(intake) if not _unread(result)]


def unread(intake: Intake) -> list[LabResult]:
    """What is kept as a result that nobody may use."""
    return [result for result in _kept(intake) if _unread(result)]


def withdrawn(intake: Intake) -> list[ResultWithdrawn]:
    """What is taken back without the code of one analyte."""
    return [one for message in intake.messages for one in message.withdrawn or ()]


def _kept(intake: Intake) -> list[LabResult]:
    return [result for message in intake.messages for result in message.results]


def _unread(result: LabResult) -> bool:
    return result.doubt is not None or bool(result.codes) or result.loinc == NO_CODE


def result_of(one: dict[str, Any], *around: dict[str, Any], sender: str | None = None) -> LabResult:
    intake = read(bundle(patient(), one, *around), sender=sender)
    assert not lost(intake)
    (result,) = results(intake)
    return result


def arrives(intake: Intake) -> bool:
    """Whether every message is the same after its way through Temporal, as text."""
    bounded = all(not isinstance(read_bounded(type(m), m.model_dump_json().encode()), tuple) for m in intake.messages)
    return bounded and all(NamedMessage.of(message).read() == message for message in intake.messages)


def lost(intake: Intake) -> list[Refusal]:
    """What was refused, but for the resources that are no observations."""
    return [r.type for r in intake.refused if r.type is not Refusal.NOT_AN_OBSERVATION]


def ranges(*highs: Any, **fields: Any) -> list[dict[str, Any]]:
    return [{"high": ucum(high), **fields} for high in highs]


NORMAL = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": "normal"}],
}
THERAPEUTIC = {"coding": [{**NORMAL["coding"][0], "code": "therapeutic"}]}
