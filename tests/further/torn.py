"""Second table, torn documents: ranges in words, absent values, fluids, flags, periods, versions, spellings (LAB-08 … LAB-15)."""

from typing import Any

from tests.further.documents import SEVEN
from tests.further.language import (
    C2,
    C2_AT,
    D8,
    Further,
    arrives,
    comes,
    measured,
    of,
    row,
    specimen,
    without,
)
from tests.intake.builders import P1, code, observation, patient, ucum
from tests.intake.builders import bundle as bundle_of
from tests.scenarios import DAY, HOUR, MIN

SNOMED = "http://snomed.info/sct"


def only(
    kind: str, words: str, analyte: str, value: str, *around: dict[str, Any], right: str = "NEED_DATA", **fields: Any
) -> Further:
    """Nothing is known of an analyte today but this."""
    rules = "" if right == "MAY_AUTHORISE" else "LAB-14"
    sent = measured(analyte, value, SEVEN, **fields)
    return row(kind, words, D8, without(analyte), comes(sent, *around), right=right, rules=rules)


# ── what a range says in words ─────────────────────────────────────────────────────────────────────────────────────


def ranged(text: str, right: str = "NEED_DATA", gender: str = "female", high: float = 50) -> Further:
    """An AST of 100, which its number as a limit would let through, with these words beside the number."""
    range_ = [{"high": ucum(high), "text": text}]
    sent = bundle_of(patient(gender=gender), measured("ast", "100", SEVEN, referenceRange=range_))
    words = f"AST 100 of a {gender} patient, at most {high:g}, or {text!r}"
    rules = "" if right == "MAY_AUTHORISE" else "LAB-14"
    return row("range in words", words, D8, without("ast"), arrives(sent), right=right, rules=rules)


RANGES = (
    ranged("M <50, W <35"),
    ranged("M <50, W <35", gender="male"),
    ranged("<50 (M), <35 (W)"),
    ranged("Männer: < 50 Frauen: < 35"),
    ranged("10-50 (m) / 10-35 (w)"),
    ranged("women up to 35, men up to 50"),
    ranged("Adults <50; children <100"),
    ranged("Männer: bis 50"),
    ranged("♂ 10 - 50"),
    ranged("Kinder < 50"),
    ranged("pregnant: <50"),
    ranged("10.0-35.0"),
    ranged("<50 U/L", "MAY_AUTHORISE"),
    ranged("10 - 50 U/L", "MAY_AUTHORISE"),
    ranged("Frauen: bis 50", "MAY_AUTHORISE"),
    ranged("m/w: < 50,0", "MAY_AUTHORISE", gender="male"),
    ranged("see the leaflet", "MAY_AUTHORISE"),
)

# ── what is said to be absent, and stands there ────────────────────────────────────────────────────────────────────

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "error"}]}
ABSENCES = (
    only("absent", "its quantity", "ggt", "30", valueQuantity={**ucum(30), **ABSENT}, right="NEED_DATA or HOLD"),
    *(
        only("absent", words, "alp", "80", **fields)
        for words, fields in (
            ("its time", {"_effectiveDateTime": ABSENT}),
            ("its status", {"_status": ABSENT}),
            ("its code", {"code": {**code("6768-6"), **ABSENT}}),
            ("its limit", {"referenceRange": [{"high": {**ucum(120), **ABSENT}}]}),
        )
    ),
)

# ── of what it was measured ────────────────────────────────────────────────────────────────────────────────────────


def site(words: str, *coding: dict[str, str], text: str = "", right: str = "NEED_DATA") -> Further:
    """A potassium taken there."""
    where = {**({"text": text} if text else {}), "coding": list(coding)}
    return only("fluid", f"site: {words}", "potassium", "4.1", bodySite=where, right=right)


def method(text: str, right: str = "NEED_DATA", *coding: dict[str, str]) -> Further:
    """A potassium measured so."""
    return only(
        "fluid",
        f"method: {' / '.join((text, *(c['display'] for c in coding)))}",
        "potassium",
        "4.1",
        method={"text": text, "coding": list(coding)},
        right=right,
    )


FLUIDS = (
    site("CSF as a code alone", {"system": SNOMED, "code": "258450006"}),
    site("urine in the second coding", {"display": "arm"}, {"display": "Urine specimen"}),
    site("the left arm", {"display": "left arm"}, right="MAY_AUTHORISE"),
    only(
        "fluid",
        "site of its specimen",
        "potassium",
        "4.1",
        specimen("s", collection={"bodySite": {"text": "Urinary bladder"}}),
        **of("s"),
    ),
    method("Urine dipstick"),
    method("Liquor-Photometrie"),
    method("ISE", "NEED_DATA", {"display": "24 h urine"}),
    method("ISE", "MAY_AUTHORISE"),
    method("ISE, serum and urine", "MAY_AUTHORISE"),
)

# ── what the laboratory calls the number ───────────────────────────────────────────────────────────────────────────


def flagged(flag: str, analyte: str, value: str, right: str, spelled: str = "code") -> Further:
    """A value with a flag of the laboratory, and its limits where they are usual."""
    said: Any = [{"coding": [{"code": flag}]}]
    if spelled == "text":
        said = [{"text": flag}]
    elif spelled == "object":
        said = {"coding": [{"code": flag}]}
    limits = {"potassium": (3.5, 5.0), "platelets": (150, 400)}.get(analyte)
    unit = {"potassium": "mmol/L", "platelets": "10*9/L"}.get(analyte, "")
    range_ = {"referenceRange": [{"low": ucum(limits[0], unit), "high": ucum(limits[1], unit)}]} if limits else {}
    words = f"{analyte} {value} is flagged {flag!r} as {spelled}"
    return only("flags", words, analyte, value, interpretation=said, right=right, **range_)


FLAGS = (
    *(
        flagged(flag, "potassium", "4.1", "NEED_DATA")
        for flag in ("H", "HH", "HU", "L", "LL", "A", "AA", "QCF", ">", "<")
    ),
    flagged("N", "potassium", "4.1", "MAY_AUTHORISE"),
    flagged("H", "potassium", "5.1", "MAY_AUTHORISE"),
    flagged("Critical high", "ast", "30", "NEED_DATA", "text"),
    flagged("HH", "ast", "30", "NEED_DATA", "object"),
    flagged(">", "ast", "100", "NEED_DATA"),
    flagged(">", "ast", "300", "HOLD"),
    flagged("LL", "ast", "300", "HOLD or NEED_DATA"),
    flagged("L", "platelets", "120", "MAY_AUTHORISE"),
)


# ── when ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def lasting(words: str, end: str, right: str = "NEED_DATA") -> Further:
    """An AST of a period that begins today at seven."""
    sent = measured(
        "ast", "30", SEVEN, effectivePeriod={"start": SEVEN.isoformat(), "end": end}, effectiveDateTime=None
    )
    sent = {name: value for name, value in sent.items() if value is not None}
    return row("period", words, D8, without("ast"), comes(sent), right=right, rules="" if "MAY" in right else "LAB-04")


TIMES = (
    lasting("it ends before it begins", (SEVEN - HOUR).isoformat()),
    lasting("it ends on a day before", str((SEVEN - DAY).date())),
    lasting("it ends on a day to come", str((SEVEN + 2 * DAY).date())),
    lasting("nobody can read its end", "yesterday"),
    lasting("it ends today", str(SEVEN.date()), right="MAY_AUTHORISE"),
    only(
        "period",
        "its specimen is collected backwards",
        "ast",
        "30",
        specimen(
            "s",
            collection={"collectedPeriod": {"start": SEVEN.isoformat(), "end": (SEVEN - 3 * DAY).isoformat()}},
        ),
        **of("s"),
    ),
    only(
        "period",
        "its specimen came three days before it was taken",
        "ast",
        "30",
        specimen("s", receivedTime=(SEVEN - 3 * DAY).isoformat()),
        **of("s"),
    ),
)

# ── which one is the newest ────────────────────────────────────────────────────────────────────────────────────────


def again(words: str, analyte: str, first: str, corrected: str, story: Any = D8, **spelled: Any) -> Further:
    """A final, its correction without any stamp, then the final again in another spelling: that is no news (LAB-09)."""
    at = SEVEN if story is D8 else C2_AT - HOUR
    sent = [
        comes(measured(analyte, first, at, "o-1"), ago=55 * MIN),
        comes(measured(analyte, corrected, at, "o-1", status="corrected"), ago=45 * MIN),
        comes(measured(analyte, first, at, "o-1", **spelled), ago=20 * MIN),
    ]
    return row("sent again", words, story, without(analyte), *sent, right="HOLD", rules="")


def numbered_as(later: Any, earlier: Any) -> Further:
    """A version that closes, and after it an earlier one that does not."""
    sent = [
        comes(measured("ast", "300", SEVEN, "o-1", meta={"versionId": later}), ago=50 * MIN),
        comes(measured("ast", "30", SEVEN, "o-1", meta={"versionId": earlier}), ago=20 * MIN),
    ]
    return row(
        "sent again", f"{later} before {earlier}", D8, without("ast"), *sent, right="HOLD", rules="LAB-09 NON-08"
    )


NEWEST = (
    again("AST in U/l", "ast", "30", "300", unit="U/l"),
    again("AST in [iU]/L", "ast", "30", "300", unit="[iU]/L"),
    again("AST in U/l in words only", "ast", "30", "300", valueQuantity={**ucum(30), "unit": "U/l"}),
    again("bilirubin in mg/dl", "bilirubin", "0.6", "6", unit="mg/dl"),
    again("platelets in 10*3/uL", "platelets", "140", "8", C2, unit="10*3/uL"),
    again("AST half a minute later", "ast", "30", "300", effectiveDateTime=SEVEN.replace(second=30).isoformat()),
    again("AST with its name", "ast", "30", "300", code={"text": "AST", **code("1920-8")}),
    numbered_as('W/"2"', 'W/"1"'),
    numbered_as('"2"', "1"),
    numbered_as(2, 1),
    numbered_as("v10", "v9"),
)

# ── what its code means, and how it is called ──────────────────────────────────────────────────────────────────────


def called(analyte: str, value: str, name: str, right: str = "NEED_DATA") -> Further:
    """A known code of an analyte, and beside it a name."""
    known = measured(analyte, value, SEVEN)["code"]
    rules = "" if right == "MAY_AUTHORISE" else "LAB-12"
    sent = measured(analyte, value, SEVEN, code={**known, "text": name})
    return row("code and name", f"{analyte}: {name}", D8, without(analyte), comes(sent), right=right, rules=rules)


CALLED = (
    called("potassium", "4.1", "Potassium, urine"),
    called("potassium", "4.1", "Kalium im Urin"),
    called("potassium", "4.1", "Sodium"),
    called("potassium", "4.1", "Chloride"),
    called("ast", "30", "ALT (GPT)"),
    called("ast", "30", "CSF AST"),
    called("bilirubin", "0.6", "Kreatinin"),
    called("creatinine", "0.8", "Creatinine clearance"),
    called("platelets", "140", "Mean platelet volume"),
    called("albumin", "4", "Albumin/globulin ratio"),
    called("potassium", "4.1", "Kalium (Plasma)", "MAY_AUTHORISE"),
    called("ast", "30", "ASAT (GOT)", "MAY_AUTHORISE"),
    called("ldh", "200", "Lactic acid dehydrogenase", "MAY_AUTHORISE"),
    called("ast", "30", "Enzym 7", "MAY_AUTHORISE"),
)

# ── what stands around it ──────────────────────────────────────────────────────────────────────────────────────────


def listed(words: str, *around: dict[str, Any], right: str = "NEED_DATA", rules: str = "", **person: Any) -> Further:
    """An AST of today with an id, and other resources beside it."""
    sent = bundle_of(patient(**person), measured("ast", "30", SEVEN, "o-1"), *around)
    return row("around", words, D8, without("ast"), arrives(sent), right=right, rules=rules)


def document_of(status: str, **fields: Any) -> dict[str, Any]:
    """The first page of a document that lists the AST."""
    section = [{"section": [{"entry": [{"reference": "Observation/o-1"}]}]}]
    return {"resourceType": "Composition", "status": status, "subject": P1, "section": section, **fields}


def told(words: str, right: str = "NEED_DATA", **fields: Any) -> Further:
    """A report without any observation, which says something all the same."""
    report = {"resourceType": "DiagnosticReport", "id": "r-9", "status": "final", "subject": P1, **fields}
    rules = "LAB-12" if right == "NEED_DATA" else ""
    return row("report in words", words, D8, comes(report), right=right, rules=rules)


A_LIST = {
    "resourceType": "List",
    "mode": "snapshot",
    "subject": P1,
    "entry": [{"item": {"reference": "Observation/o-1"}}],
}
PDF = {"presentedForm": [{"contentType": "application/pdf", "data": "AAAA"}]}
AROUND = (
    listed("its document is entered in error", document_of("entered-in-error")),
    listed("its document is preliminary", document_of("preliminary"), rules="LAB-05"),
    listed("its document is final", document_of("final"), right="MAY_AUTHORISE"),
    listed("its list is entered in error", {**A_LIST, "status": "entered-in-error"}),
    listed("its list is current", {**A_LIST, "status": "current"}, right="MAY_AUTHORISE"),
    listed("its patient is not in use", active=False, rules="LAB-14"),
    listed("its patient was replaced, in another shape", link={"type": "replaced-by"}, rules="LAB-14"),
    row(
        "around",
        "its document is withdrawn later",
        D8,
        without("ast"),
        comes(measured("ast", "30", SEVEN, "o-1"), ago=50 * MIN),
        comes(document_of("entered-in-error")),
        right="NEED_DATA",
        rules="",
    ),
    only("around", "issued three days before it was drawn", "ast", "30", issued=(SEVEN - 3 * DAY).isoformat()),
    only("around", "marked as a test", "ast", "30", meta={"security": [{"code": "HTEST"}]}),
    only(
        "around",
        "a range that ends below where it begins",
        "ast",
        "30",
        referenceRange=[{"low": ucum(60), "high": ucum(50)}],
    ),
    only("around", "urine collected for a day", "potassium", "4.1", specimen={"display": "24h-Sammelurin"}),
    only("around", "of a drain", "potassium", "4.1", specimen={"display": "Drainagesekret"}),
    flagged("IND", "ast", "30", "NEED_DATA"),
    flagged("invalid", "ast", "30", "NEED_DATA", "text"),
    told("an attachment of a panel", code=code("24325-3"), **PDF),
    told("a conclusion without a code", conclusion="AST 300"),
    told("AST named by its code", code={"text": "GOT"}, **PDF),
    told("AST named as its result", code=code("24325-3"), result=[{"display": "AST 300"}]),
    told("a culture", "MAY_AUTHORISE", code={"text": "Blood culture"}, **PDF),
    told(
        "an image",
        "MAY_AUTHORISE",
        code={"coding": [{"system": "http://loinc.org", "code": "30746-2", "display": "Portable XR Chest"}]},
        category=[{"coding": [{"code": "RAD"}]}],
        conclusion="no infiltrate",
    ),
)


def a_test_of(words: str, *flags: str, right: str = "NEED_DATA") -> Further:
    """A pregnancy test of today that says negative in words, and these flags."""
    test = observation(
        "2106-3", id="p9", effectiveDateTime=SEVEN.isoformat(), valueQuantity=None, valueString="negative"
    )
    said = [{"coding": [{"code": flag}]} for flag in flags]
    return row("flags", words, D8, comes({**test, "interpretation": said}), right=right, rules="MON-11a")


PREGNANCY = (
    a_test_of("negative in words and positive as a flag", "POS"),
    a_test_of("negative in words and abnormal as a flag", "A"),
    a_test_of("negative twice", "NEG", right="MAY_AUTHORISE"),
)

ROWS = (*RANGES, *ABSENCES, *FLUIDS, *FLAGS, *TIMES, *NEWEST, *CALLED, *AROUND, *PREGNANCY)
