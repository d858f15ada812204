"""Second table, documents: refused entries (LAB-12), codes (LAB-13, 9.1), units (LAB-15), what stands around a value (LAB-14)."""

from typing import Any

from tests.factories import ULN
from tests.further.language import (
    C2,
    D8,
    D8_AT,
    Further,
    comes,
    measured,
    of,
    row,
    sends,
    specimen,
    without,
)
from tests.intake.builders import P1, code, observation, ucum
from tests.scenarios import DAY, HOUR

SEVEN = D8_AT - HOUR


# ── refused entries, codes ─────────────────────────────────────────────────────────────────────────────────────────


def coded(analyte: str, value: str, *coding: dict[str, str], text: str = "", **fields: Any) -> dict[str, Any]:
    """An observation under these codes, or under none but a text."""
    named = {**({"coding": list(coding)} if coding else {}), **({"text": text} if text else {})}
    return {**measured(analyte, value, SEVEN, **fields), "code": named}


def loinc(number: str, system: str = "http://loinc.org", display: str = "") -> dict[str, str]:
    """A code in a spelling of its system."""
    return {"system": system, "code": number, **({"display": display} if display else {})}


MODIFIED = {"modifierExtension": [{"url": "urn:invented:not-true", "valueBoolean": True}]}
REFUSED = (
    row(
        "refused entry",
        "platelets under a local code",
        D8,
        comes(coded("platelets", "8", loinc("THRO", "urn:lab", "Thrombozyten"))),
        right="NEED_DATA",
        rules="LAB-12",
    ),
    row(
        "refused entry",
        "bilirubin as a text without any code",
        D8,
        comes(coded("bilirubin", "5", text="Bilirubin gesamt")),
        right="NEED_DATA",
        rules="LAB-12",
    ),
    row(
        "refused entry",
        "an AST with a modifier extension",
        D8,
        comes(measured("ast", "300", SEVEN, **MODIFIED)),
        right="NEED_DATA",
        rules="LAB-12 LAB-14",
    ),
    row(
        "refused entry",
        "two codes of two analytes",
        D8,
        comes(coded("ast", "300", loinc("1920-8"), loinc("6768-6"))),
        right="NEED_DATA",
        rules="LAB-12",
    ),
    row(
        "refused entry",
        "two codes of two analytes of which a person chose one",
        D8,
        comes(coded("alt", "30", {**loinc("1742-6"), "userSelected": True}, loinc("1920-8"))),
        right="NEED_DATA",
        rules="LAB-12",
    ),
    row(
        "refused entry",
        "an observation inside another resource",
        D8,
        comes(
            {
                "resourceType": "DiagnosticReport",
                "id": "r-9",
                "status": "final",
                "code": code("24325-3"),
                "subject": P1,
                "contained": [{"resourceType": "Basic", "id": "b", "contained": [measured("ast", "300", SEVEN, "in")]}],
            }
        ),
        right="NEED_DATA",
        rules="LAB-12",
    ),
)


def called(analyte: str, value: str, name: str, unit: str = "") -> Further:
    """A result of today under a code of the laboratory's own, by this name; without a unit that is known."""
    quantity = {"value": float(value), **({"unit": unit} if unit else {})}
    sent = coded(analyte, value, loinc("x9", "urn:lab", name), valueQuantity=quantity, referenceRange=None)
    return row("names", name, D8, comes(sent), right="NEED_DATA", rules="LAB-12")


NAMES = (
    called("alt", "900", "Alaninaminotransferase", "E/l"),
    called("alt", "900", "S-Alaninaminotransferas"),
    called("alt", "900", "АЛТ"),
    called("alt", "900", "ALT (post donor transplant)", "U/L"),
    called("bilirubin", "9", "Gesamtbilirubin"),
    called("platelets", "8", "Thrombozytenzahl", "Tsd/µl"),
    called("platelets", "8", "Trombocyter", "x10e9/l"),
    called("platelets", "8", "Blutplättchen"),
    called("platelets", "8", "Platelets, CD61 antibody method", "10*9/L"),
    called("potassium", "7.9", "Serumkalium"),
    called("potassium", "7.9", "Kalium (nicht Urin)", "mmol/L"),
    called("creatinine", "9", "Kreatinin i.S. (Clearance)", "mg/dL"),
    called("creatinine", "9", "Serum creatinine (for clearance)", "mg/dL"),
    called("wbc", "0.1", "Leukocytes, corrected for reticulocytes", "10*9/L"),
    row(
        "names",
        "a code without a name",
        D8,
        comes(coded("alt", "900", loinc("ALAT", "urn:lab"), loinc("99999-9"), text="Enzym 1")),
        right="NEED_DATA",
        rules="LAB-13",
    ),
    row(
        "names",
        "a name beside an unknown code that has another name",
        D8,
        comes(coded("alt", "900", loinc("99999-9", display="ALT (new method)"), text="Enzym 1")),
        right="NEED_DATA",
        rules="LAB-13",
    ),
    *(
        row(
            "names",
            f"{name} is another",
            D8,
            comes(coded(analyte, value, loinc("x9", "urn:lab", name))),
            right="MAY_AUTHORISE",
            rules="LAB-13",
        )
        for analyte, value, name in (
            ("potassium", "79", "Urinkalium"),
            ("potassium", "79", "Kalium (Urin)"),
            ("creatinine", "9", "Kreatininclearance"),
            ("platelets", "8", "Thrombozytenvolumen"),
            ("platelets", "8", "Platelet antibodies"),
            ("weight", "3.1", "Birth weight"),
        )
    ),
)

CODES = (
    row(
        "codes",
        "two codes that both mean AST",
        D8,
        comes(coded("ast", "300", loinc("1920-8"), loinc("30239-8"))),
        right="HOLD",
        rules="LAB-12 NON-08",
    ),
    row(
        "codes",
        "LOINC as an OID",
        D8,
        comes(coded("ast", "300", loinc("1920-8", "urn:oid:2.16.840.1.113883.6.1"))),
        right="HOLD",
        rules="LAB-12 NON-08",
    ),
    row(
        "codes",
        "LOINC with a slash",
        D8,
        comes(coded("alp", "700", loinc("6768-6", "http://loinc.org/"))),
        right="HOLD",
        rules="LAB-12 NON-06",
    ),
    row("codes", "ALP 700 as 77141-0", D8, sends("alp", "700", loinc="77141-0"), right="HOLD", rules="9.1 NON-06"),
    row(
        "codes",
        "bilirubin 3.5 as 42719-5",
        D8,
        sends("bilirubin", "3.5", loinc="42719-5"),
        right="HOLD",
        rules="9.1 NON-08",
    ),
    row(
        "codes",
        "bilirubin 60 umol/L as 54363-7",
        D8,
        sends("bilirubin", "60", loinc="54363-7", unit="umol/L", uln="20"),
        right="HOLD",
        rules="9.1 NON-08",
    ),
    row(
        "codes",
        "platelets 15 as 97995-5 before a new cycle",
        C2,
        sends("platelets", "15", loinc="97995-5"),
        right="HOLD",
        rules="9.1 HEM-03",
    ),
    row(
        "codes",
        "potassium 2.4 as 77142-8",
        D8,
        sends("potassium", "2.4", loinc="77142-8"),
        right="HOLD",
        rules="9.1 QT-05",
    ),
    row(
        "codes",
        "platelets in plasma open nothing",
        C2,
        without("platelets"),
        sends("platelets", "140", loinc="13056-7"),
        right="NEED_DATA or HOLD",
        rules="9.1",
    ),
    row(
        "codes",
        "granulocytes are no neutrophils",
        C2,
        without("anc"),
        sends("anc", "2.1", loinc="30394-1"),
        right="NEED_DATA",
        rules="9.1",
    ),
    row(
        "codes",
        "an unknown code that is called platelets",
        D8,
        sends("platelets", "8", loinc="99999-9", display="Platelets [#/volume]"),
        right="NEED_DATA",
        rules="LAB-13",
    ),
    row(
        "codes",
        "an unknown code that is called creatine kinase",
        D8,
        sends("ggt", "900", loinc="2157-6", display="Creatine kinase"),
        right="MAY_AUTHORISE",
        rules="LAB-13",
    ),
    row(
        "codes",
        "chloride under its own code",
        D8,
        sends("potassium", "101", loinc="2075-0", display="Chloride", unit="mmol/L"),
        right="MAY_AUTHORISE",
        rules="LAB-13",
    ),
)


# ── units, and what stands around a value ──────────────────────────────────────────────────────────────────────────


def in_unit(analyte: str, value: str, unit: str, right: str, rules: str, uln: str = "", story: Any = D8) -> Further:
    """A value of today in another spelling of its unit, with its limit in the same."""
    limit = {"uln": uln or ULN.get(analyte)}
    words = f"{analyte} {value} {unit}"
    return row("units", words, story, sends(analyte, value, unit=unit, **limit), right=right, rules=rules)


UNITS = (
    in_unit("ast", "300", "U/l", "HOLD", "LAB-15 NON-08"),
    in_unit("ast", "300", "[IU]/L", "HOLD", "LAB-15 NON-08"),
    in_unit("ggt", "400", "[iU]/L", "HOLD", "LAB-15 NON-06"),
    in_unit("bilirubin", "60", "umol/l", "HOLD", "LAB-15 NON-08", "20"),
    in_unit("creatinine", "5", "mg/dl", "HOLD", "LAB-15 NON-06"),
    in_unit("potassium", "2.4", "meq/L", "HOLD", "LAB-15 QT-05"),
    in_unit("platelets", "15", "10^9/L", "HOLD", "LAB-15 HEM-03", story=C2),
    in_unit("anc", "0.4", "10^3/uL", "HOLD", "LAB-15 HEM-01", story=C2),
    in_unit("bilirubin", "0.6", "mg/dl", "MAY_AUTHORISE", "LAB-15"),
    in_unit("lipase", "200", "K/uL", "NEED_DATA", "LAB-15"),
)
CHILD = {"referenceRange": [{"high": ucum(400), "age": {"high": ucum(5, "a")}}]}
CONTRADICTED = {"referenceRange": [{"high": ucum(400), "text": "< 55"}]}
AROUND = (
    row(
        "around",
        "potassium of urine",
        D8,
        comes(
            {**measured("potassium", "4.1", SEVEN), **of("s")},
            specimen(
                "s", type={"text": "urine", "coding": [{"system": "http://snomed.info/sct", "code": "122575003"}]}
            ),
        ),
        right="NEED_DATA",
        rules="LAB-14",
    ),
    row(
        "around",
        "an AST of a specimen entered in error",
        D8,
        comes({**measured("ast", "30", SEVEN), **of("s")}, specimen("s", status="entered-in-error")),
        right="NEED_DATA",
        rules="LAB-14",
    ),
    row(
        "around",
        "an ALP of a specimen drawn four days before",
        D8,
        comes(
            {**measured("alp", "80", SEVEN), **of("s")},
            specimen("s", collection={"collectedDateTime": (SEVEN - 4 * DAY).isoformat()}),
        ),
        right="NEED_DATA",
        rules="LAB-14",
    ),
    row(
        "around",
        "an AST with the limit of a child",
        D8,
        comes(measured("ast", "300", SEVEN, **CHILD)),
        right="NEED_DATA or HOLD",
        rules="LAB-14",
    ),
    row(
        "around",
        "an AST whose limit says another number in words",
        D8,
        comes(measured("ast", "300", SEVEN, **CONTRADICTED)),
        right="NEED_DATA or HOLD",
        rules="LAB-14 CONV-03",
    ),
    row(
        "around",
        "a bilirubin of a period that ends tomorrow",
        D8,
        comes(
            {
                key: value
                for key, value in {
                    **measured("bilirubin", "0.6", SEVEN),
                    "effectivePeriod": {"start": SEVEN.isoformat(), "end": (SEVEN + DAY).isoformat()},
                }.items()
                if key != "effectiveDateTime"
            }
        ),
        right="NEED_DATA",
        rules="LAB-14",
    ),
    row(
        "around",
        "a GGT with two different known units",
        D8,
        comes(measured("ggt", "30", SEVEN, valueQuantity=ucum(30, "U/L") | {"unit": "ukat/L"})),
        right="NEED_DATA",
        rules="LAB-14",
    ),
    row(
        "around",
        "an AST with a modifier extension on its specimen",
        D8,
        comes({**measured("ast", "30", SEVEN), **of("s")}, specimen("s", **MODIFIED)),
        right="NEED_DATA",
        rules="LAB-14",
    ),
)


def reported(
    words: str, *around: dict[str, Any], panel: bool = False, right: str = "NEED_DATA", **named: Any
) -> Further:
    """An AST of today that names no specimen, in a report or panel that does; no other AST is of today."""
    group: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": "r-9",
        "status": "final",
        "code": code("24325-3"),
    }
    group |= {"subject": P1, "result": [{"reference": "Observation/a9"}]}
    if panel:
        group |= {"resourceType": "Observation", "hasMember": group.pop("result")}
    group |= named or {"specimen": {"reference": "Specimen/s"} if panel else [{"reference": "Specimen/s"}]}
    ast = measured("ast", "30", SEVEN, "a9")
    where = "panel" if panel else "report"
    steps = (without("ast"), comes(ast, group, *around))
    return row("specimen of a group", f"{where}: {words}", D8, *steps, right=right, rules="LAB-14")


URINE = {"type": {"text": "urine"}}
TEN_DAYS = {"collection": {"collectedDateTime": (SEVEN - 10 * DAY).isoformat()}}
WHOLE = specimen("whole", status="unsatisfactory")
SPECIMENS_OF_GROUPS = (
    *(
        reported(words, specimen("s", **fields), WHOLE, panel=panel)
        for panel in (False, True)
        for words, fields in (
            ("unsatisfactory", {"status": "unsatisfactory"}),
            ("entered in error", {"status": "entered-in-error"}),
            ("of urine", URINE),
            ("drawn ten days before", TEN_DAYS),
            ("of somebody else", {"subject": {"identifier": {"system": "urn:invented:mrn", "value": "200"}}}),
            ("taken from one that is unsatisfactory", {"parent": [{"reference": "Specimen/whole"}]}),
        )
    ),
    reported("urine in words alone", specimen={"display": "Urine"}),
    reported(
        "a reference out of the document that is called CSF", specimen=[{"reference": "Specimen/x", "display": "CSF"}]
    ),
    reported("serum", specimen("s", status="available", type={"text": "Serum"}), right="MAY_AUTHORISE"),
    reported("a number in words", specimen=[{"display": "sample 4711"}], right="MAY_AUTHORISE"),
    row(
        "specimen of a group",
        "its own specimen counts before that of the report",
        D8,
        without("ast"),
        comes(
            {**measured("ast", "30", SEVEN, "a9"), **of("own")},
            specimen("own", type={"text": "Serum"}),
            specimen("other", status="unsatisfactory"),
            {
                "resourceType": "DiagnosticReport",
                "id": "r-9",
                "status": "final",
                "code": code("24325-3"),
                "subject": P1,
                "result": [{"reference": "Observation/a9"}],
                "specimen": [{"reference": "Specimen/own"}, {"reference": "Specimen/other"}],
            },
        ),
        right="MAY_AUTHORISE",
        rules="LAB-14",
    ),
    row(
        "specimen of a group",
        "an AST whose body site is CSF",
        D8,
        without("ast"),
        comes(measured("ast", "30", SEVEN, bodySite={"text": "CSF"})),
        right="NEED_DATA",
        rules="LAB-14",
    ),
)


SNOMED = "http://snomed.info/sct"


def a_word_of_hcg(words: str, right: str, text: str, *coding: dict[str, str]) -> Further:
    """A pregnancy test in urine whose value is a concept."""
    value = {"text": text, "coding": list(coding)}
    test = observation("2106-3", id="p9", effectiveDateTime=SEVEN.isoformat(), valueQuantity=None)
    return row(
        "pregnancy concept", words, D8, comes({**test, "valueCodeableConcept": value}), right=right, rules="MON-11a"
    )


PREGNANCY = (
    a_word_of_hcg("negative and positive", "NEED_DATA", "Negative", loinc("10828004", SNOMED, "Positive")),
    a_word_of_hcg("negative with the code of positive", "NEED_DATA", "Negative", loinc("10828004", SNOMED)),
    a_word_of_hcg("positive and not detected", "NEED_DATA", "Positive", loinc("x", "urn:lab", "Not detected")),
    a_word_of_hcg("negative and see note", "NEED_DATA", "Negative", loinc("x", "urn:lab", "see note")),
    a_word_of_hcg("positive twice", "HOLD", "Positiv", loinc("10828004", SNOMED, "Positive (qualifier value)")),
    a_word_of_hcg("negative twice", "MAY_AUTHORISE", "Neg.", loinc("260385009", SNOMED, "Negative (qualifier value)")),
    a_word_of_hcg("negative beside a code of the house", "MAY_AUTHORISE", "negative", loinc("n7", "urn:lab")),
)

ROWS = (*REFUSED, *NAMES, *CODES, *UNITS, *AROUND, *SPECIMENS_OF_GROUPS, *PREGNANCY)
