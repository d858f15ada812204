"""Second table, transactions: what deletes a result or changes a part of it, and specimens that come alone (LAB-09, LAB-14)."""

from typing import Any

from tests.further.documents import MODIFIED, SEVEN
from tests.further.language import D8, Further, arrives, comes, measured, numbered, of, row, specimen, without
from tests.intake.builders import P1, code, patient
from tests.scenarios import MIN

AST = measured("ast", "30", SEVEN, "o-1")
REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r-1",
    "status": "final",
    "code": code("24325-3"),
    "subject": P1,
    "result": [{"reference": "Observation/o-1"}],
}
PATCH = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W10="}
FHIRPATH = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": []}]}


def transaction(method: str, url: str, resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """A transaction of the patient with one entry that does something to what is on the server."""
    asked = {"request": {"method": method, "url": url}, **({"resource": resource} if resource else {})}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient()}, asked]}


def after(
    words: str,
    document: dict[str, Any],
    *known: dict[str, Any],
    right: str = "NEED_DATA",
    rules: str = "LAB-09",
) -> Further:
    """An AST of today is known, and no other; then this comes."""
    steps = (without("ast"), comes(*(known or (AST,)), ago=50 * MIN), arrives(document))
    return row("transactions", words, D8, *steps, right=right, rules=rules)


OF_S, S = {**AST, **of("s")}, specimen("s")
CHANGES = (
    after("a JSON patch of the AST", transaction("PATCH", "Observation/o-1", PATCH), rules="LAB-12"),
    after("a FHIRPath patch of the AST", transaction("PATCH", "Observation/o-1", FHIRPATH), rules="LAB-12"),
    after("a patch of its report", transaction("PATCH", "DiagnosticReport/r-1", PATCH), AST, REPORT, rules="LAB-12"),
    after("a patch of its specimen", transaction("PATCH", "Specimen/s", PATCH), OF_S, S, rules="LAB-12"),
    after("an unknown method", transaction("MERGE", "Observation/o-1", AST), rules="LAB-12"),
    after("a patch of the patient's address", transaction("PATCH", "Patient/p1", PATCH), right="MAY_AUTHORISE"),
    after("the AST deleted in small letters", transaction("delete", "Observation/o-1"), rules=""),
    after("the AST deleted below the root", transaction("DELETE", "/Observation/o-1"), rules=""),
    after("its specimen deleted", transaction("DELETE", "Specimen/s"), OF_S, S, rules=""),
    after(
        "its specimen deleted by its number",
        transaction("DELETE", "Specimen?identifier=urn:invented:accession|A7"),
        {**AST, **numbered("A7")},
        rules="",
    ),
    after("its report deleted", transaction("DELETE", "DiagnosticReport/r-1"), AST, REPORT, rules=""),
    after("the patient deleted", transaction("DELETE", "Patient/p1")),
    after("an encounter deleted", transaction("DELETE", "Encounter/e-1"), right="MAY_AUTHORISE"),
)


def then(words: str, right: str = "NEED_DATA", **fields: Any) -> Further:
    """The specimen of the known AST comes again, alone."""
    sent = transaction("PUT", "Specimen/s", specimen("s", **fields))
    return after(f"its specimen is {words}", sent, OF_S, S, right=right, rules="" if "MAY" in right else "LAB-12")


SPECIMENS = (
    then("unsatisfactory", status="unsatisfactory"),
    then("entered in error", status="entered-in-error"),
    then("not available", status="unavailable"),
    then("modified", **MODIFIED),
    then("serum and available", "MAY_AUTHORISE", status="available", type={"text": "Serum"}),
    after(
        "unsatisfactory urine is of no result that a rule reads",
        transaction("PUT", "Specimen/u", specimen("u", status="unsatisfactory", type={"text": "Urine"})),
        right="MAY_AUTHORISE",
    ),
)

ROWS = (*CHANGES, *SPECIMENS)
