"""Second table, values: an unusable newest result (LAB-10), an implausible one (LAB-06), twins of one minute (LAB-11)."""

from typing import Any

from tests.further.language import (
    C2,
    D8,
    D8_AT,
    FIRST,
    TOMORROW,
    Further,
    Step,
    arrives,
    row,
    sends,
    weighed,
    without,
)
from tests.intake.builders import bundle, observation, patient, ucum
from tests.scenarios import HOUR, MIN, Story, charted

BEFORE = 26 * HOUR
UNUSABLE: dict[str, dict[str, Any]] = {
    "preliminary": {"status": "preliminary"},
    "registered": {"status": "registered"},
    "cancelled": {"status": "cancelled"},
    "in words": {"value": None, "text": "haemolysed"},
    "without unit": {"unit": None},
    "in a foreign unit": {"unit": "cups"},
    "of an odd status": {"status": "odd"},
    "without a time": {"collected_at": None, "collected_text": "this morning"},
    "of tomorrow": {"collected_at": TOMORROW},
}
"""What nobody can decide by."""


def held(analyte: str, grave: str, mild: str, how: str, by: str) -> Further:
    """Day 8: yesterday a value that holds, today one that nobody can use."""
    steps = (without(analyte), sends(analyte, grave, ago=BEFORE), sends(analyte, mild, **UNUSABLE[how]))
    return row("unusable newest", f"{analyte} {grave}, then {how}", D8, *steps, right="HOLD", rules=f"LAB-10 {by}")


def held_at_day_1(analyte: str, grave: str, mild: str, how: str, by: str) -> Further:
    """The same before a new cycle."""
    steps = (sends(analyte, grave, ago=2 * HOUR), sends(analyte, mild, **UNUSABLE[how]))
    words = f"{analyte} {grave} before a new cycle, then {how}"
    return row("unusable newest", words, C2, *steps, right="HOLD", rules=f"LAB-10 {by}")


def alone(analyte: str, mild: str | None, how: str) -> Further:
    """Day 8: nobody asks for this analyte, and what came of it cannot be used."""
    step = sends(analyte, mild, **UNUSABLE[how])
    return row("unusable newest", f"only {analyte} {how}", D8, step, right="NEED_DATA", rules="LAB-10")


def temperature(degrees: float, minutes: int, **fields: Any) -> Step:
    """The temperature as a machine sends it, so many minutes before day 8."""
    at = (D8_AT - minutes * MIN).isoformat()
    sent = observation("8310-5", **{"valueQuantity": ucum(degrees, "Cel"), "effectiveDateTime": at, **fields})
    return arrives(bundle(patient(), sent))


NEWEST = (
    held("ggt", "400", "30", "preliminary", "NON-06"),
    held("amylase", "500", "50", "cancelled", "NON-06"),
    held("amylase", "500", "50", "in words", "NON-06"),
    held("ast", "300", "30", "registered", "NON-08"),
    held("alp", "700", "80", "without unit", "NON-06"),
    held("creatinine", "4", "0.8", "of tomorrow", "NON-06"),
    held("lipase", "200", "30", "without a time", "NON-06"),
    held("ggt", "400", "30", "of an odd status", "NON-06"),
    held("bilirubin", "3.5", "0.6", "in a foreign unit", "NON-08"),
    held("potassium", "2.4", "4.0", "in words", "QT-05"),
    held_at_day_1("magnesium", "1.0", "2.0", "preliminary", "QT-05"),
    held_at_day_1("calcium", "6.5", "9.0", "cancelled", "QT-05"),
    held_at_day_1("qtcf", "510", "420", "preliminary", "QT-01"),
    held_at_day_1("platelets", "20", "140", "in words", "HEM-03"),
    held_at_day_1("anc", "0.4", "2.0", "cancelled", "HEM-01"),
    row(
        "unusable newest",
        "AST and bilirubin high, then both preliminary",
        D8,
        without("ast", "bilirubin"),
        sends("bilirubin", "3.0", ago=BEFORE),
        sends("ast", "200", ago=BEFORE),
        sends("bilirubin", "0.6", status="preliminary"),
        sends("ast", "30", status="preliminary"),
        right="HOLD",
        rules="LAB-10 NON-02",
    ),
    row(
        "unusable newest",
        "QTcF 510, then a tracing that says nothing",
        C2,
        charted({"kind": "ecg", "qtcf_ms": "510"}, ago=2 * HOUR),
        charted({"kind": "ecg", "qtcf_ms": None}),
        right="HOLD",
        rules="LAB-10 QT-01",
    ),
    row(
        "unusable newest",
        "blasts 30, then preliminary",
        FIRST,
        sends("blasts", "30", ago=90 * MIN),
        sends("blasts", "0.2", status="preliminary"),
        right="CYTOREDUCE",
        rules="LAB-10 CYT-05",
    ),
    row(
        "unusable newest",
        "39.1 degrees, then preliminary",
        D8,
        temperature(39.1, 50),
        temperature(36.5, 40, status="preliminary"),
        right="HOLD",
        rules="LAB-10 MON-16",
    ),
    alone("lipase", "30", "preliminary"),
    alone("ggt", "30", "in a foreign unit"),
    alone("creatinine", None, "cancelled"),
    alone("amylase", None, "in words"),
    alone("qtcf", "420", "registered"),
    row(
        "unusable newest",
        "ggt 400, then preliminary, then a usable normal one",
        D8,
        sends("ggt", "400", ago=BEFORE),
        sends("ggt", "30", status="preliminary"),
        sends("ggt", "30", ago=20 * MIN),
        right="MAY_AUTHORISE",
        rules="LAB-10",
    ),
    row(
        "unusable newest",
        "a weight beyond what anybody weighs",
        D8,
        weighed("700"),
        right="HOLD or NEED_DATA",
        rules="LAB-10 LAB-06",
    ),
)


def implausible(analyte: str, value: str, right: str, story: Story = D8) -> Further:
    """One value that cannot be true."""
    return row("implausible", f"{analyte} {value}", story, sends(analyte, value), right=right, rules="LAB-06 LAB-10")


IMPLAUSIBLE = (
    implausible("ast", "60000", "HOLD_URGENT"),
    implausible("bilirubin", "95", "HOLD_URGENT"),
    implausible("potassium", "14", "HOLD_URGENT"),
    implausible("qtcf", "900", "HOLD_URGENT", C2),
    implausible("ggt", "20000", "at least HOLD"),
    implausible("alp", "11000", "at least HOLD"),
    implausible("urate", "60", "at least HOLD"),
    implausible("potassium", "0.5", "at least HOLD"),
    implausible("magnesium", "0.1", "at least HOLD", C2),
    implausible("calcium", "1.0", "at least HOLD", C2),
)
"""Implausibly high is never milder than high, and implausibly low potassium, magnesium and calcium count as low."""


def twins(analyte: str, grave: str, mild: str, by: str, story: Story = D8, right: str = "HOLD") -> tuple[Further, ...]:
    """Two laboratories, one minute: in either order of arrival the graver counts."""
    high = sends(analyte, grave, sender="lab-b")
    low = sends(analyte, mild)
    rules = f"LAB-11 {by}"
    return (
        row("twins", f"{analyte} {grave}, then {mild} of one minute", story, high, low, right=right, rules=rules),
        row("twins", f"{analyte} {mild}, then {grave} of one minute", story, low, high, right=right, rules=rules),
    )


TWINS = (
    *twins("ast", "300", "30", "NON-08"),
    *twins("ggt", "400", "30", "NON-06"),
    *twins("creatinine", "5", "0.8", "NON-06"),
    *twins("potassium", "2.4", "4.1", "QT-05"),
    *twins("platelets", "20", "140", "HEM-03", C2),
    *twins("anc", "0.4", "2.1", "HEM-01", C2),
    *twins("magnesium", "1.0", "2.0", "QT-05", C2),
    *twins("qtcf", "510", "420", "QT-01", C2),
    *twins("blasts", "30", "0.2", "CYT-02", FIRST, "CYTOREDUCE"),
    *twins("weight", "60", "70", "BSA-08", D8, "NEED_DATA"),
    row(
        "twins",
        "two that agree",
        D8,
        sends("ast", "30", sender="lab-b"),
        sends("ast", "30"),
        right="MAY_AUTHORISE",
        rules="LAB-11",
    ),
)

ROWS = (*NEWEST, *IMPLAUSIBLE, *TWINS)
