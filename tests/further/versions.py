"""Second table, versions: which message speaks of a result, which one stands, what was taken back (LAB-08, LAB-09, E1)."""

from typing import Any

from tests.further.language import (
    C2,
    C2_AT,
    D8,
    D8_AT,
    Further,
    arrives,
    comes,
    measured,
    numbered,
    row,
    sends,
    taken_back,
    version,
    withdrawn,
    without,
)
from tests.intake.builders import P1, code, patient
from tests.scenarios import DAY, HOUR, MIN

SEVEN, LAST_WEEK = D8_AT - HOUR, D8_AT - 6 * DAY
FIRST, SECOND = 50 * MIN, 20 * MIN
"""How long before the question the first and the second document arrive."""


def second_of(analyte: str, words: str, *versions: dict[str, Any], right: str, rules: str, story: Any = D8) -> Further:
    """Nothing is known of an analyte today but what these two messages say of it, in this order."""
    one, other = versions
    return row(
        "versions",
        words,
        story,
        without(analyte),
        comes(one, ago=FIRST),
        comes(other, ago=SECOND),
        right=right,
        rules=rules,
    )


AST, ALP, BILIRUBIN = ("ast", "30", SEVEN, "o-1"), ("alp", "80", SEVEN, "o-1"), ("bilirubin", "0.6", SEVEN, "o-1")
CORRECTED: dict[str, Any] = {"status": "corrected", **version(2)}
VERSIONS = (
    second_of(
        "ast",
        "AST was of last week after all",
        measured(*AST, **version(1)),
        measured("ast", "30", LAST_WEEK, "o-1", **CORRECTED),
        right="NEED_DATA",
        rules="LAB-08",
    ),
    second_of(
        "alp",
        "ALP was LDH after all",
        measured(*ALP),
        measured("ldh", "80", SEVEN, "o-1", **CORRECTED),
        right="NEED_DATA",
        rules="LAB-08",
    ),
    second_of(
        "alp",
        "ALP under another specimen and report",
        measured(*ALP, **numbered("A1")),
        measured("alp", "700", SEVEN, "o-1", **CORRECTED, **numbered("B2")),
        right="HOLD",
        rules="LAB-08 NON-06",
    ),
    second_of(
        "bilirubin",
        "bilirubin 3.5 as version 2, then 0.6 as version 1",
        measured("bilirubin", "3.5", SEVEN, "o-1", **version(2)),
        measured(*BILIRUBIN, **version(1)),
        right="HOLD",
        rules="LAB-09 NON-08",
    ),
    second_of(
        "ast",
        "AST 300 updated at 20 past, then 30 updated at 5 past",
        measured("ast", "300", SEVEN, "o-1", meta={"lastUpdated": (SEVEN + 8 * MIN).isoformat()}),
        measured(*AST, meta={"lastUpdated": (SEVEN + 5 * MIN).isoformat()}),
        right="HOLD",
        rules="LAB-09 NON-08",
    ),
    second_of(
        "ast",
        "AST 300 issued later, then 30 issued earlier",
        measured("ast", "300", SEVEN, "o-1", issued=(SEVEN + 8 * MIN).isoformat()),
        measured(*AST, issued=(SEVEN + 5 * MIN).isoformat()),
        right="HOLD",
        rules="LAB-09 NON-08",
    ),
    second_of(
        "platelets",
        "platelets 140, corrected to 15 under another spelling of the laboratory",
        measured("platelets", "140", C2_AT - HOUR, "o-1", performer=[{"display": "Lab A"}]),
        measured("platelets", "15", C2_AT - HOUR, "o-1", performer=[{"display": "LAB-A GmbH"}], **CORRECTED),
        right="HOLD",
        rules="LAB-08 HEM-03",
        story=C2,
    ),
    second_of(
        "ggt",
        "GGT 30, corrected to 400 by its accession",
        measured("ggt", "30", SEVEN, **numbered("A7")),
        measured("ggt", "400", SEVEN, status="corrected", **numbered("A7")),
        right="HOLD",
        rules="LAB-08 NON-06",
    ),
    second_of(
        "ggt",
        "GGT 400, corrected to 30",
        measured("ggt", "400", SEVEN, "o-1", **version(1)),
        measured("ggt", "30", SEVEN, "o-1", **CORRECTED),
        right="MAY_AUTHORISE",
        rules="LAB-09",
    ),
    second_of(
        "ast",
        "AST preliminary, then final",
        measured(*AST, status="preliminary"),
        measured(*AST, **version(2)),
        right="MAY_AUTHORISE",
        rules="LAB-09",
    ),
    second_of(
        "ast",
        "AST final, then the same preliminary once more",
        measured(*AST, **version(2)),
        measured(*AST, status="preliminary", **version(1)),
        right="MAY_AUTHORISE",
        rules="LAB-09",
    ),
    second_of(
        "ggt",
        "two finals of one accession",
        measured("ggt", "400", SEVEN, **numbered("A7")),
        measured("ggt", "30", SEVEN, **numbered("A7")),
        right="HOLD",
        rules="LAB-08 LAB-11",
    ),
    second_of(
        "alp",
        "an order number shared by a panel joins nothing",
        measured("alp", "700", SEVEN, identifier=[{"system": "urn:orders", "value": "9"}]),
        measured("alp", "80", SEVEN, identifier=[{"system": "urn:orders", "value": "10"}]),
        right="HOLD",
        rules="LAB-08 LAB-11",
    ),
)

DELETED = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [{"resource": patient()}, {"request": {"method": "DELETE", "url": "Observation/o-1"}}],
}


def report(status: str) -> dict[str, Any]:
    """A report that lists one observation."""
    return {
        "resourceType": "DiagnosticReport",
        "id": "r-1",
        "status": status,
        "code": code("24325-3"),
        "subject": P1,
        "result": [{"reference": "Observation/o-1"}],
    }


WITHDRAWALS = (
    second_of(
        "ast",
        "AST entered in error, by its id alone",
        measured(*AST),
        withdrawn("ast", "o-1"),
        right="NEED_DATA",
        rules="LAB-08 LAB-09",
    ),
    second_of(
        "bilirubin",
        "bilirubin cancelled, by its id alone",
        measured(*BILIRUBIN),
        withdrawn("bilirubin", "o-1", "cancelled"),
        right="NEED_DATA",
        rules="LAB-08 LAB-09",
    ),
    row(
        "withdrawal",
        "ALP that nobody ever sent",
        D8,
        comes(withdrawn("alp", "never-sent")),
        right="NEED_DATA",
        rules="LAB-09",
    ),
    row(
        "withdrawal",
        "lipase that nobody ever sent",
        D8,
        comes(withdrawn("lipase", "never-sent")),
        right="NEED_DATA",
        rules="LAB-09 LAB-10",
    ),
    row(
        "withdrawal",
        "a high GGT: what it raised stays",
        D8,
        sends("ggt", "400", accession="a-9"),
        taken_back("ggt"),
        right="HOLD",
        rules="LAB-10 E1",
    ),
    row(
        "withdrawal",
        "platelets 15 before a new cycle: what they raised stays",
        C2,
        sends("platelets", "15", accession="a-9"),
        taken_back("platelets"),
        right="HOLD",
        rules="LAB-10 E1",
    ),
    row(
        "withdrawal",
        "a high AST, then a later usable normal one",
        D8,
        sends("ast", "300", accession="a-9"),
        taken_back("ast"),
        sends("ast", "30", ago=20 * MIN),
        right="MAY_AUTHORISE",
        rules="E1",
    ),
    row(
        "withdrawal",
        "ALT deleted in a transaction",
        D8,
        without("alt"),
        comes(measured("alt", "30", SEVEN, "o-1"), ago=FIRST),
        arrives(DELETED, SECOND),
        right="NEED_DATA",
        rules="LAB-09",
    ),
    row(
        "withdrawal",
        "the report of a bilirubin is cancelled",
        D8,
        without("bilirubin"),
        comes(measured(*BILIRUBIN), report("final"), ago=FIRST),
        comes(report("cancelled"), ago=SECOND),
        right="NEED_DATA",
        rules="LAB-09",
    ),
)


ROWS = (*VERSIONS, *WITHDRAWALS)
