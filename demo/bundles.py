"""Laboratory bundles of invented patients, as a hospital sends them: FHIR R4 JSON of our own making."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

LOINC_SYSTEM = "http://loinc.org"
UCUM_SYSTEM = "http://unitsofmeasure.org"
SENDER = "Laboratory of the invented hospital"

ANALYTES: dict[str, tuple[str, str, str, str | None, str | None]] = {
    "wbc": ("6690-2", "Leukocytes", "10*9/L", "4.0", "10.0"),
    "anc": ("751-8", "Neutrophils", "10*9/L", "1.8", "7.5"),
    "platelets": ("777-3", "Platelets", "10*9/L", "150", "400"),
    "haemoglobin": ("718-7", "Hemoglobin", "g/dL", "12.0", "16.0"),
    "blasts_percent": ("26446-5", "Blasts per 100 leukocytes", "%", None, None),
    "alt": ("1742-6", "ALT", "U/L", None, "55"),
    "ast": ("1920-8", "AST", "U/L", None, "45"),
    "alp": ("6768-6", "Alkaline phosphatase", "U/L", "40", "120"),
    "bilirubin": ("1975-2", "Bilirubin, total", "mg/dL", None, "1.2"),
    "potassium": ("2823-3", "Potassium", "mmol/L", "3.5", "5.1"),
    "magnesium": ("19123-9", "Magnesium", "mg/dL", "1.7", "2.4"),
    "calcium": ("17861-6", "Calcium", "mg/dL", "8.5", "10.5"),
    "albumin": ("1751-7", "Albumin", "g/dL", "3.5", "5.0"),
    "creatinine": ("2160-0", "Creatinine", "mg/dL", "0.5", "1.2"),
    "urate": ("3084-1", "Urate", "mg/dL", "2.6", "7.2"),
    "phosphate": ("2777-1", "Phosphate", "mg/dL", "2.5", "4.5"),
    "ldh": ("2532-0", "LDH", "U/L", "120", "250"),
    "amylase": ("1798-8", "Amylase", "U/L", None, "100"),
    "lipase": ("3040-3", "Lipase", "U/L", None, "60"),
}
"""Analyte -> LOINC code, display, UCUM unit, lower and upper limit of the invented laboratory."""

NORMAL: dict[str, str] = {
    "wbc": "4.2",
    "anc": "2.1",
    "platelets": "140",
    "haemoglobin": "10.2",
    "blasts_percent": "12",
    "alt": "30",
    "ast": "28",
    "alp": "80",
    "bilirubin": "0.6",
    "potassium": "4.1",
    "magnesium": "2.0",
    "calcium": "9.2",
    "albumin": "4.0",
    "creatinine": "0.8",
    "urate": "5.0",
    "phosphate": "3.4",
    "ldh": "210",
}
LIVER_PANEL = ("alt", "ast", "alp", "bilirubin")
BLOOD_COUNT = ("wbc", "anc", "platelets", "haemoglobin")
PANCREAS = {"amylase": "62", "lipase": "31"}
"""Asked for before each further cycle only (MON-07), so no part of `NORMAL`."""
TUMOUR_LYSIS = ("potassium", "phosphate", "calcium", "urate", "creatinine", "ldh")
EVERYTHING = tuple(NORMAL)


def bundle(
    identifier: Mapping[str, str],
    birth_on: str,
    collected_at: datetime,
    values: Mapping[str, str],
    *,
    status: str = "final",
    accession: str = "",
) -> bytes:
    """One draw as a FHIR `Bundle` of type collection: the patient and an Observation for each analyte.

    `values` gives the printed value by analyte; a value that is no number goes out as text, as laboratories do.
    """
    patient = {
        "resourceType": "Patient",
        "id": "patient",
        "identifier": [dict(identifier)],
        "birthDate": birth_on,
        "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>Invented patient</div>"},
    }
    specimen = accession or f"ACC-{collected_at:%Y%m%d%H%M%S}"
    entries = [_observation(name, value, collected_at, status, specimen) for name, value in values.items()]
    resources = [patient, *entries]
    document = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"urn:example:{r['id']}", "resource": r} for r in resources],
    }
    return json.dumps(document, indent=1).encode()


def _observation(name: str, value: str, collected_at: datetime, status: str, specimen: str) -> dict[str, Any]:
    code, display, unit, low, high = ANALYTES[name]
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": name,
        "status": status,
        "code": {"coding": [{"system": LOINC_SYSTEM, "code": code, "display": display}]},
        "subject": {"reference": "urn:example:patient"},
        "effectiveDateTime": collected_at.isoformat(),
        "issued": collected_at.isoformat(),
        "performer": [{"display": SENDER}],
        "specimen": {"identifier": {"value": specimen}},
        "referenceRange": [_range(unit, low, high)] if low or high else [],
    }
    number = _number(value)
    if number is None:
        return {**observation, "valueString": value}
    return {**observation, "valueQuantity": {"value": number, "unit": unit, "system": UCUM_SYSTEM, "code": unit}}


def _range(unit: str, low: str | None, high: str | None) -> dict[str, Any]:
    limits = {"low": low, "high": high}
    return {
        side: {"value": _number(limit), "unit": unit, "system": UCUM_SYSTEM, "code": unit}
        for side, limit in limits.items()
        if limit is not None
    }


def _number(text: str) -> float | int | None:
    """The JSON number with exactly these digits, where the text is one."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        return None
    return int(number) if number == number.to_integral_value() else float(text)
