"""Observations and bundles into draws. All patients are invented by the builders or by Synthea."""

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.fhir import MAX_RESULTS
from intake.outcome import Intake, Refusal
from intake.strict_json import MAX_BYTES, MAX_DEPTH
from models.bounds import LARGEST_BYTES
from models.facts import LabResult, LabStatus
from tests.examples import examples
from tests.intake.builders import (
    ANYBODY,
    LABORATORY,
    MRN,
    NORMAL,
    P1,
    THERAPEUTIC,
    arrives,
    bundle,
    code,
    expecting,
    hash_of,
    identified,
    lost,
    observation,
    patient,
    ranges,
    read,
    result_of,
    results,
    said,
    ucum,
    unread,
    urn,
)
from tests.intake.samples import (
    SAMPLES,
    expected_of,
    needs_samples,
    observations_in,
    parts,
    sample,
    single_observations,
)

LARGE = 256 * 1024

# ── a result in the sender's words ─────────────────────────────────────────────────────────────────────────────────


def test_a_liver_enzyme_keeps_value_unit_limits_and_times() -> None:
    result = result_of(
        observation(
            valueQuantity=ucum(160),
            referenceRange=[{"low": ucum(10), "high": ucum(55)}],
            issued="2026-03-02T09:00:00.123+01:00",
            method={"coding": [{"code": "M", "display": "IFCC without P-5'-P"}]},
            performer=[{"reference": "Organization/o1", "display": "Invented Laboratory"}],
            identifier=[{"value": "A-77"}],
        )
    )
    assert result == LabResult(
        loinc="1742-6",
        display="1742-6",
        value=Decimal(160),
        unit="U/L",
        uln=Decimal(55),
        lln=Decimal(10),
        limit_unit="U/L",
        collected_at=datetime(2026, 3, 2, 6, 10, tzinfo=UTC),
        issued_at=datetime(2026, 3, 2, 8, 0, 0, 123000, tzinfo=UTC),
        status=LabStatus.FINAL,
        sender="Invented Laboratory",
        accession="A-77",
        method="IFCC without P-5'-P",
    )


def test_the_message_is_the_patients_and_the_laboratorys() -> None:
    (message,) = read(bundle(patient(birthDate="1980-02-29"), observation())).messages
    assert (message.subject_hash, message.birth_hash) == (hash_of(MRN, "100"), "birth:1980-02-29")
    assert (message.by, message.at, message.course_id) == (LABORATORY, None, None)


DIGITS = ["1.0", "1.00", "0.10", "38", "0", "-1", "1000000000000000000", "0.1234567890123456789"]
NO_DIGITS = ["1e400", "-1e400", "1e-22", "1e19", "0e-400", "1e99999999999999999999", "1." + "1" * 40]


@pytest.mark.parametrize("digits", DIGITS)
def test_digits_stay_as_the_laboratory_wrote_them(digits: str) -> None:
    raw = json.dumps(bundle(patient(), observation())).replace('"value": 38', f'"value": {digits}').encode()
    (result,) = results(read(raw))
    assert str(result.value) == digits


@pytest.mark.parametrize("digits", NO_DIGITS)
def test_a_number_no_laboratory_can_mean_is_words(digits: str) -> None:
    raw = json.dumps(bundle(patient(), observation())).replace('"value": 38', f'"value": {digits}').encode()
    (result,) = results(read(raw))
    assert result.value is None
    assert result.text
    assert result.unit == "U/L"
    assert len(result.model_dump_json()) < 1000


@pytest.mark.parametrize("value", ["38", True, [38], {"value": 38}])
def test_a_value_that_is_no_json_number_is_words(value: Any) -> None:
    result = result_of(observation(valueQuantity=ucum(value)))
    assert result.value is None
    assert result.text


@pytest.mark.parametrize("comparator", ["<", "<=", ">=", ">"])
def test_a_comparator_stays_with_its_number(comparator: str) -> None:
    result = result_of(observation(valueQuantity=ucum(5, comparator=comparator)))
    assert (result.comparator, result.value) == (comparator, Decimal(5))


@pytest.mark.parametrize("comparator", ["ad", "~", "", ["<"], 3])
def test_an_unknown_comparator_turns_the_number_into_words(comparator: Any) -> None:
    result = result_of(observation(valueQuantity=ucum(5, comparator=comparator)))
    assert (result.value, result.comparator) == (None, None)
    assert "5" in str(result.text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"valueString": " haemolytic, see note "}, "haemolytic, see note"),
        ({"valueString": "160"}, "160"),
        ({"valueInteger": 160}, "160"),
        ({"valueBoolean": False}, "false"),
        ({"valueCodeableConcept": {"text": "Not detected", "coding": [{"display": "ND"}]}}, "Not detected / ND"),
        ({"valueCodeableConcept": {"coding": [{"code": "1"}, {"code": "2", "display": "Positive"}]}}, "Positive"),
        ({"valueRatio": {"numerator": {"value": 1}}}, '{"numerator": {"value": "1"}}'),
        ({"valueQuantity": [160]}, '["160"]'),
        ({"valueString": ""}, None),
        ({}, None),
    ],
)
def test_what_is_no_quantity_is_words_and_never_a_number(value: dict[str, Any], text: str | None) -> None:
    result = result_of(said(**value))
    assert (result.value, result.text) == (None, text)


def test_two_values_are_words_because_one_of_them_is_wrong() -> None:
    result = result_of(observation(valueString="see comment"))
    assert result.value is None
    assert "see comment" in str(result.text)
    assert "38" in str(result.text)


def test_an_absent_value_gives_its_reason() -> None:
    reason = {"coding": [{"code": "error", "display": "Error"}]}
    result = result_of(said(dataAbsentReason=reason))
    assert (result.value, result.absent_reason) == (None, "Error")


@pytest.mark.parametrize("reason", [{"text": "clotted"}, {}, "clotted"])
def test_a_value_beside_a_reason_for_its_absence_is_words(reason: Any) -> None:
    result = result_of(observation(valueQuantity=ucum(38, comparator="<"), dataAbsentReason=reason))
    assert (result.value, result.comparator, result.text) == (None, None, "<38")
    assert result.absent_reason


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        ({"unit": "units per litre", "system": "http://unitsofmeasure.org", "code": "U/L"}, "U/L"),
        ({"unit": "IU per litre", "system": "urn:house", "code": "U/L"}, "IU per litre"),
        ({"unit": "giga.l-1"}, "giga.l-1"),
        ({"code": "KUL"}, "KUL"),
        ({"unit": "mg/dL", "system": "http://unitsofmeasure.org"}, "mg/dL"),
        ({}, None),
    ],
)
def test_the_unit_is_the_ucum_code_or_else_the_senders_words(quantity: dict[str, Any], unit: str | None) -> None:
    assert result_of(observation(valueQuantity={"value": 1, **quantity})).unit == unit


@pytest.mark.parametrize("status", list(LabStatus))
def test_every_status_of_fhir_arrives(status: LabStatus) -> None:
    assert result_of(observation(status=str(status))).status is status


@pytest.mark.parametrize("status", ["bogus", "FINAL", 1, ["final"], {"a": 1}, None])
def test_another_status_is_unknown_and_not_final(status: Any) -> None:
    assert result_of(observation(status=status)).status is LabStatus.UNKNOWN


def test_long_words_are_cut() -> None:
    long = "x" * 5000
    result = result_of(said(valueString=long, method={"text": long}, identifier=[{"value": long}]), sender="s")
    assert (len(str(result.text)), len(str(result.method)), len(str(result.accession))) == (
        2000,
        200,
        len("sha256:") + 64,
    )


# ── limits of the laboratory ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reference_ranges", "uln"),
    [
        (ranges(55), 55),
        (ranges(55, type=NORMAL), 55),
        (ranges(55, type=NORMAL) + ranges(400, type=THERAPEUTIC), 55),
        (ranges(55, "55.0"), None),
        (ranges(55, 55), 55),
        (ranges(55, 41), None),
        (ranges(55, type=NORMAL) + ranges(41), None),
        (ranges(400, type=THERAPEUTIC), None),
        (ranges(55, type={"text": "Normal Range"}), None),
        (ranges("55"), None),
        ([{"text": "10 - 55"}], None),
        ([{"high": ucum(55, comparator="<")}], None),
        ([{"high": ucum(55)}, {"high": ucum(55, "ukat/L")}], None),
        ("10-55", None),
        ([], None),
    ],
)
def test_the_upper_limit_is_taken_only_where_there_is_no_doubt(reference_ranges: Any, uln: int | None) -> None:
    assert result_of(observation(referenceRange=reference_ranges)).uln == uln


def test_limits_have_the_unit_that_stands_with_them() -> None:
    result = result_of(observation(referenceRange=[{"high": ucum("1", "ukat/L")}, {"high": ucum(1, "ukat/L")}]))
    assert result.uln is None
    result = result_of(observation(referenceRange=[{"high": ucum(1, "ukat/L")}]))
    assert (result.unit, result.uln, result.limit_unit) == ("U/L", Decimal(1), "ukat/L")


def test_a_lower_limit_in_another_unit_is_left_out() -> None:
    result = result_of(observation(referenceRange=[{"low": ucum(1, "mg/dL"), "high": ucum(2, "mmol/L")}]))
    assert (result.uln, result.lln, result.limit_unit) == (Decimal(2), None, "mmol/L")


def test_a_lower_limit_alone_keeps_its_unit() -> None:
    result = result_of(observation(referenceRange=[{"low": ucum(1, "mg/dL")}]))
    assert (result.uln, result.lln, result.limit_unit) == (None, Decimal(1), "mg/dL")


# ── when it was drawn ──────────────────────────────────────────────────────────────────────────────────────────────


def timed(**effective: Any) -> LabResult:
    return result_of(observation(**{"effectiveDateTime": None, "issued": "2026-03-02T09:00:00Z", **effective}))


@pytest.mark.parametrize(
    ("effective", "collected_at"),
    [
        ({"effectiveInstant": "2026-03-02T07:10:00.5Z"}, datetime(2026, 3, 2, 7, 10, 0, 500000, tzinfo=UTC)),
        ({"effectiveDateTime": "2026-03-02T07:10-05:00"}, datetime(2026, 3, 2, 12, 10, tzinfo=UTC)),
        (
            {"effectivePeriod": {"start": "2026-03-02T07:10:00Z", "end": "2026-03-03T07:10:00Z"}},
            datetime(2026, 3, 2, 7, 10, tzinfo=UTC),
        ),
    ],
)
def test_the_time_of_the_draw(effective: dict[str, Any], collected_at: datetime) -> None:
    result = timed(**effective)
    assert (result.collected_at, result.collected_text) == (collected_at, None)


@pytest.mark.parametrize(
    "words",
    [
        "2026-03-02",
        "2026-03",
        "2026-03-02T07:10:00",
        "2026-02-31T07:10:00Z",
        "20260302T071000Z",
        "0001-01-01T00:00:00+14:00",
        "this morning",
        "٢٠٢٦-03-02T07:10:00Z",
    ],
)
def test_what_is_no_certain_instant_stays_the_senders_words(words: str) -> None:
    result = timed(effectiveDateTime=words)
    assert (result.collected_at, result.collected_text) == (None, words)


def test_two_times_of_the_draw_are_words() -> None:
    result = timed(effectiveDateTime="2026-03-02T07:10:00Z", effectivePeriod={"start": "2026-03-02T07:10:00Z"})
    assert result.collected_at is None
    assert "2026-03-02T07:10:00Z" in str(result.collected_text)


def test_the_time_of_issue_never_stands_in_for_the_draw() -> None:
    result = timed()
    assert (result.collected_at, result.collected_text) == (None, None)
    assert result.issued_at == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


# ── codes and parts ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "coded", [None, {"text": "ALT"}, {"coding": [{"system": "urn:house", "code": "1742-6"}]}, "1742-6", code(" ")]
)
def test_a_result_without_a_loinc_code_is_refused_by_name(coded: Any) -> None:
    intake = read(bundle(patient(), observation(id="obs-1", code=coded), observation("1920-8")))
    assert [r.loinc for r in results(intake)] == ["1920-8"]
    (refused,) = [r for r in intake.refused if r.type is Refusal.NO_LOINC]
    assert (refused.where, refused.resource_type) == ("entry 2 (obs-1)", "Observation")


def test_two_different_loinc_codes_are_refused_though_a_person_chose_one() -> None:
    codings = [*code("1975-2")["coding"], *code("1968-7")["coding"], *code("1975-2")["coding"]]
    assert lost(read(bundle(patient(), observation(code={"coding": codings})))) == [Refusal.SEVERAL_LOINCS]
    codings[1]["userSelected"] = True
    assert lost(read(bundle(patient(), observation(code={"coding": codings})))) == [Refusal.SEVERAL_LOINCS]
    assert result_of(observation(code={"coding": [codings[0], codings[2]]})).loinc == "1975-2"


def test_components_are_results_with_codes_values_and_limits_of_their_own() -> None:
    panel = said(
        code={"text": "Liver panel"},
        component=[
            {"code": code("1742-6"), "valueQuantity": ucum(160), "referenceRange": ranges(55)},
            {"code": code("1920-8"), "dataAbsentReason": {"text": "haemolysed"}},
            {"code": {"text": "house code"}, "valueQuantity": ucum(3)},
            "no component",
        ],
    )
    intake = read(bundle(patient(), panel))
    alt, ast = results(intake)
    assert (alt.loinc, alt.value, alt.uln) == ("1742-6", Decimal(160), Decimal(55))
    assert (ast.loinc, ast.value, ast.uln, ast.absent_reason) == ("1920-8", None, None, "haemolysed")
    assert alt.collected_at == ast.collected_at == datetime(2026, 3, 2, 6, 10, tzinfo=UTC)
    assert alt.status is ast.status is LabStatus.FINAL
    assert [(r.where, r.type) for r in intake.refused[1:]] == [
        ("entry 2, component 3", Refusal.NO_LOINC),
        ("entry 2, component 4", Refusal.NO_LOINC),
    ]


def test_an_observation_with_a_value_and_components_is_both() -> None:
    both = observation(component=[{"code": code("1920-8"), "valueQuantity": ucum(3)}])
    assert [r.loinc for r in results(read(bundle(patient(), both)))] == ["1742-6", "1920-8"]


def test_an_observation_without_anything_is_a_result_without_a_value() -> None:
    result = result_of(said(component=[]))
    assert (result.loinc, result.value, result.text, result.absent_reason) == ("1742-6", None, None, None)


@pytest.mark.parametrize("modifier", [{"modifierExtension": [{"url": "urn:not"}]}, {"implicitRules": "urn:other"}])
def test_a_modifier_that_is_not_understood_is_refused(modifier: dict[str, Any]) -> None:
    assert lost(read(bundle(patient(), observation(**modifier)))) == [Refusal.MODIFIED]


def test_a_modifier_of_one_component_costs_that_component_only() -> None:
    part = {"code": code("1920-8"), "valueQuantity": ucum(3)}
    intake = read(bundle(patient(), said(component=[{**part, "modifierExtension": [{}]}, part])))
    assert lost(intake) == [Refusal.MODIFIED]
    assert len(results(intake)) == 1


def test_a_result_about_the_donor_is_not_the_patients() -> None:
    assert lost(read(bundle(patient(), observation(focus=[{"display": "donor"}])))) == [Refusal.ABOUT_ANOTHER]


# ── who is meant (IDN-01) ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "entries",
    [
        [{"resource": patient()}, {"resource": observation()}],
        [{"resource": observation()}, {"resource": patient()}],
        [urn("a", patient(id="x")), {"resource": observation(subject={"reference": "urn:uuid:a"})}],
        [{"resource": patient()}, {"resource": observation(subject={"reference": "Patient/p1/_history/2"})}],
        [
            {"fullUrl": "https://lab.invalid/Patient/9", "resource": patient()},
            {"resource": observation(subject={"reference": "https://lab.invalid/Patient/9"})},
        ],
        [{"resource": observation(subject={"reference": "#p1"}, contained=[patient()])}],
        [{"resource": observation(subject={"identifier": {"system": MRN, "value": " 100 "}})}],
        [{"resource": observation(subject={"reference": "Patient/7", **identified("100")})}],
        [
            {"resource": patient(identifier=[{"system": "urn:x", "value": "1"}, {"system": MRN, "value": "100"}])},
            {"resource": observation(subject={**P1, **identified("1", "urn:x")})},
        ],
        [{"resource": patient()}, {"resource": patient()}, {"resource": observation()}],
        [{"resource": patient()}, {"resource": patient("200", id="p2")}, {"resource": observation()}],
    ],
)
def test_a_subject_that_is_the_courses(entries: list[dict[str, Any]]) -> None:
    intake = read({"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert not lost(intake)
    assert [m.subject_hash for m in intake.messages] == [hash_of(MRN, "100")]


@pytest.mark.parametrize(
    "resources",
    [
        [patient("200"), observation()],
        [patient(None), observation()],
        [patient(identifier=[{"value": "100"}]), observation()],
        [patient(identifier=[{"system": " ", "value": "100"}]), observation()],
        [observation()],
        [patient(), observation(subject={"reference": "urn:uuid:gone", **identified("100")})],
        [patient(), observation(subject={"reference": "#p1"})],
        [observation(subject={"reference": "#p1"}, contained=[patient(), patient("200")])],
        [patient(), patient("200"), observation()],
        [patient(), patient("200"), observation(subject={"reference": "Patient/p1", "identifier": {"value": "100"}})],
        [
            patient(),
            patient("200"),
            observation(subject={**P1, **identified("100")}),
        ],
        [
            patient("200"),
            observation(subject={**P1, **identified("100")}),
        ],
        [patient(), observation(subject={**P1, **identified("200")})],
        [observation(subject={"type": "Device", **identified("100")})],
        [observation(subject={"reference": "Group/1", **identified("100")})],
        [{**patient(), "resourceType": "Group"}, observation(subject={"reference": "Group/p1"})],
        [patient(birthDate="1980"), observation()],
        [patient(birthDate="1980-W05-3"), observation()],
        [patient(birthDate="1980-02-31"), observation()],
        [patient(birthDate=19800229), observation()],
    ],
)
def test_a_subject_that_is_not_certainly_the_courses(resources: list[dict[str, Any]]) -> None:
    intake = read(bundle(*resources))
    assert not intake.messages
    assert lost(intake) == [Refusal.SUBJECT_MISMATCH]


@pytest.mark.parametrize("system", [{}, {"system": ""}, {"system": " "}, {"system": 5}])
def test_a_number_without_its_system_is_nobody(system: dict[str, Any]) -> None:
    """Even if a course was started on such a number: every hospital has a patient 100."""
    document = bundle(patient(identifier=[{**system, "value": "100"}]), observation())
    for course_system in ("", " ", "5"):
        assert not read(document, expected=expecting("100", course_system)).messages


def test_two_patients_in_one_bundle_end_in_no_course() -> None:
    other = observation("1920-8", id="other", subject={"reference": "Patient/p2"})
    document = bundle(patient(), patient("200", id="p2"), observation(id="mine"), other)
    for expected in (expecting("100"), expecting("200"), ANYBODY):
        intake = read(document, expected=expected)
        assert not intake.messages
        assert lost(intake) == [Refusal.SUBJECT_MISMATCH] * 2
    assert [r.where for r in intake.refused[2:]] == ["entry 3 (mine)", "entry 4 (other)"]


def test_an_unreadable_observation_of_another_patient_still_stops_the_bundle() -> None:
    other = observation(code={"text": "no code"}, subject={"reference": "Patient/p2"})
    assert not read(bundle(patient(), patient("200", id="p2"), observation(), other)).messages


@pytest.mark.parametrize("subject", [None, {}, {"display": "Bed 4"}, {"reference": " "}, "Patient/p1", []])
def test_a_missing_subject_stops_the_bundle(subject: Any) -> None:
    intake = read(bundle(patient(), observation(), observation(subject=subject)))
    assert not intake.messages
    assert lost(intake) == [Refusal.SUBJECT_MISMATCH, Refusal.SUBJECT_MISSING]


def test_two_birth_dates_are_not_one_patient() -> None:
    first, second = patient(birthDate="1980-02-29"), patient(id="p2", birthDate="1981-01-01")
    second_one = observation("1920-8", subject={"reference": "Patient/p2"})
    assert not read(bundle(first, second, observation(), second_one)).messages
    same = {**second, "birthDate": "1980-02-29"}
    (message,) = read(bundle(first, same, observation(), second_one)).messages
    assert message.birth_hash == "birth:1980-02-29"


def test_without_a_course_the_first_identifier_that_all_share_is_the_subject() -> None:
    one = patient(identifier=[{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}])
    by_identifier = observation("1920-8", subject={"identifier": {"system": "urn:b", "value": "2"}})
    assert read(bundle(one, observation()), expected=ANYBODY).messages[0].subject_hash == hash_of("urn:a", "1")
    (message,) = read(bundle(one, observation(), by_identifier), expected=ANYBODY).messages
    assert message.subject_hash == hash_of("urn:b", "2")


def test_a_refusal_holds_no_value_of_the_patient() -> None:
    secret = "Zaphod-1234567"
    person = patient(secret, id=secret, name=[{"family": secret}], birthDate="1952-03-11")
    other = observation(
        id="Zaphod, bed 4",
        code={"text": secret},
        valueString=secret,
        subject={"reference": f"Patient/{secret}", "display": secret},
    )
    for expected in (expecting(secret), expecting("200")):
        intake = read(bundle(person, other, {"resourceType": f"{secret}!", "id": secret}), expected=expected)
        assert len(intake.refused) == 3
        assert "Zaphod" not in repr(intake.refused)


# ── draws and message ids ──────────────────────────────────────────────────────────────────────────────────────────


def test_one_message_for_each_time_specimen_and_report() -> None:
    serum, blood = {"reference": "Specimen/1"}, {"reference": "Specimen/2"}
    later = "2026-03-02T08:00:00Z"
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"value": "R-1"}],
        "result": [{"reference": "Observation/o5"}],
    }
    intake = read(
        bundle(
            patient(),
            observation("1742-6", id="o1", specimen=serum, identifier=[{"value": "own-1"}]),
            observation("1920-8", id="o2", specimen=serum, effectiveDateTime="2026-03-02T06:10:00Z"),
            observation("777-3", id="o3", specimen=blood),
            observation("1742-6", id="o4", specimen=serum, effectiveDateTime=later),
            observation("1975-2", id="o5", specimen=serum),
            report,
        )
    )
    assert [[r.loinc for r in m.results] for m in intake.messages] == [
        ["1742-6", "1920-8"],
        ["777-3"],
        ["1742-6"],
        ["1975-2"],
    ]
    assert intake.messages[3].results[0].report_id == "R-1"
    assert len({m.id for m in intake.messages}) == 4


def test_an_observations_own_identifier_does_not_part_a_panel() -> None:
    panel = [observation(code, identifier=[{"value": f"own-{code}"}]) for code in ("1742-6", "1920-8")]
    (message,) = read(bundle(patient(), *panel)).messages
    assert [r.accession for r in message.results] == ["own-1742-6", "own-1920-8"]


@pytest.mark.parametrize(
    ("specimen", "accession"),
    [
        ({"reference": "Specimen/s1"}, "ACC-1"),
        ({"reference": "urn:uuid:s2"}, "S-2"),
        ({"reference": "#s3"}, "ACC-3"),
        ({"reference": "Specimen/elsewhere"}, "Specimen/elsewhere"),
        ({"identifier": {"value": "S-4"}}, "S-4"),
        ({"reference": "urn:uuid:elsewhere"}, None),
        ({"reference": "Patient/p1"}, "Patient/p1"),
        ("S-5", None),
    ],
)
def test_the_accession_is_the_same_in_every_document_about_the_specimen(specimen: Any, accession: str | None) -> None:
    contained = {"resourceType": "Specimen", "id": "s3", "accessionIdentifier": {"value": "ACC-3"}}
    entries = [
        {"resource": patient()},
        {"resource": observation(specimen=specimen, contained=[contained])},
        {"resource": {"resourceType": "Specimen", "id": "s1", "accessionIdentifier": {"value": "ACC-1"}}},
        urn("s2", {"resourceType": "Specimen", "identifier": [{"system": "x"}, {"value": "S-2"}]}),
    ]
    (result,) = results(read({"resourceType": "Bundle", "entry": entries}))
    assert result.accession == accession


@pytest.mark.parametrize(
    ("full_url", "report_id"), [("https://lab.invalid/DiagnosticReport/r1", "r1"), ("urn:uuid:r1", None)]
)
def test_a_reports_own_id_counts_only_if_it_outlives_the_document(full_url: str, report_id: str | None) -> None:
    report = {"resourceType": "DiagnosticReport", "id": "r1", "result": [{"reference": "urn:uuid:o"}]}
    entries = [{"resource": patient()}, urn("o", observation()), {"fullUrl": full_url, "resource": report}]
    (result,) = results(read({"resourceType": "Bundle", "entry": entries}))
    assert result.report_id == report_id


@pytest.mark.parametrize(
    ("performer", "sender"),
    [
        ([{"display": "Dr Who", "reference": "Practitioner/1"}, {"display": "Lab", "type": "Organization"}], "Lab"),
        ([{"display": "Dr Who", "reference": "Practitioner/1"}], "Dr Who"),
        ([{"display": "Lab"}], "Lab"),
        ([{"display": "The patient", "reference": "Patient/p1"}], None),
        ([{"display": "The patient", "reference": "urn:uuid:p1"}], None),
        ([{"display": "A sister", "type": "RelatedPerson"}], None),
        ([{"reference": "Organization/1"}], None),
        ("Lab", None),
    ],
)
def test_the_sender_is_a_performer_but_never_the_patient(performer: Any, sender: str | None) -> None:
    assert result_of(observation(performer=performer)).sender == sender
    assert result_of(observation(performer=performer), sender="interface-7").sender == "interface-7"


def test_a_draw_of_many_results_becomes_several_messages() -> None:
    many = [{"code": code(f"{n}-0"), "valueBoolean": True} for n in range(MAX_RESULTS + 1)]
    messages = read(bundle(patient(), said(component=many))).messages
    assert [len(m.results) for m in messages] == [MAX_RESULTS, 1]
    assert messages[0].id != messages[1].id


def test_the_same_document_twice_is_the_same_messages() -> None:
    document = bundle(patient(), observation(), observation("777-3", effectiveDateTime="2026-03-02"))
    first, again = read(document), read(json.dumps(document, indent=4).encode())
    assert first == again
    assert len(first.messages) == 2
    assert all(m.id.startswith("fhir-") and len(m.id) == 29 for m in first.messages)


def test_another_content_is_another_message() -> None:
    documents = (
        bundle(patient(), observation()),
        bundle(patient(), observation(status="corrected")),
        bundle(patient(), observation(valueQuantity=ucum(39))),
        bundle(patient(birthDate="1980-02-29"), observation()),
    )
    assert len({read(document).messages[0].id for document in documents}) == 4


# ── every entry is accounted for ───────────────────────────────────────────────────────────────────────────────────


def test_other_resources_are_listed_by_name() -> None:
    inside = {"resourceType": "Basic", "contained": [observation()]}
    intake = read(bundle(patient(), observation(), {"resourceType": "Encounter", "id": "e"}, inside))
    assert (len(results(intake)), len(unread(intake))) == (1, 1)
    assert [(r.where, r.resource_type, r.type) for r in intake.refused] == [
        ("entry 1", "Patient", Refusal.NOT_AN_OBSERVATION),
        ("entry 3", "Encounter", Refusal.NOT_AN_OBSERVATION),
        ("entry 4", "Basic", Refusal.NOT_AN_OBSERVATION),
        ("entry 4, observation 1 inside it", "Observation", Refusal.NOT_READ_THERE),
    ]


AST = observation()
IN_PARAMETERS = [{"name": "who", "resource": patient()}, {"name": "more", "part": [{"name": "o", "resource": AST}]}]
LINES = "\n".join(json.dumps(one) for one in (patient(), AST)).encode()


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"resourceType": "Parameters", "parameter": IN_PARAMETERS}, "parameter 2, part 1"),
        (bundle(bundle(patient(), AST)), "entry 1, entry 2"),
        (bundle(patient(), bundle(bundle(AST))), "entry 2, entry 1, entry 1"),
        (bundle(patient(), {"resourceType": "Parameters", "parameter": [{"resource": AST}]}), "entry 2, parameter 1"),
        ([patient(), AST], "item 2"),
        ([bundle(patient(), AST)], "item 1, entry 2"),
        (LINES, "item 2"),
        (LINES + b"\n\n", "item 2"),
    ],
)
def test_a_document_of_another_shape_is_read_and_each_place_is_named(document: Any, where: str) -> None:
    intake = read(document)
    assert results(intake) == results(read(bundle(patient(), AST)))
    spoilt = json.dumps(AST).replace("1742-6", "").encode()
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    lost_there = read(raw.replace(json.dumps(AST).encode(), spoilt))
    assert [r.where for r in lost_there.refused if r.kept] == [where]


@pytest.mark.parametrize("name", [None, "observation", "Observation ", "Observations", ["Observation"], 5])
def test_an_observation_that_does_not_say_so_is_not_lost(name: Any) -> None:
    intake = read(bundle(patient(), {**observation(), "resourceType": name}))
    assert (len(results(intake)), len(unread(intake))) == (0, 1)


def test_a_request_that_cannot_be_read_may_change_anything() -> None:
    entries = [{"resource": patient()}, {"request": [{"method": "DELETE", "url": "Observation/o"}]}]
    assert len(unread(read({"resourceType": "bundle", "entry": entries}))) == 1


def test_what_does_not_say_which_resource_it_is_is_named() -> None:
    intake = read({"name": "a list of values", "values": [1, 2]})
    assert [(r.where, r.type) for r in intake.refused] == [("document", Refusal.NOT_FHIR)]


def test_lines_of_which_one_is_torn_are_no_document() -> None:
    assert [r.type for r in read(LINES[:-5]).refused] == [Refusal.BAD_JSON]


@pytest.mark.parametrize("entry", [None, 5, [], {}, {"request": {"method": "GET"}}, {"resource": "Observation"}])
def test_an_entry_without_a_resource_is_listed(entry: Any) -> None:
    document = {"resourceType": "Bundle", "entry": [entry, {"resource": patient()}, {"resource": observation()}]}
    intake = read(document)
    assert len(intake.messages) == 1
    assert ("entry 1", Refusal.NOT_FHIR) in [(r.where, r.type) for r in intake.refused]


@pytest.mark.parametrize("document", [[], "Observation", 5, None, {}, {"resourceType": "Bundle", "entry": {}}])
def test_what_is_no_fhir_at_all(document: Any) -> None:
    intake = read(document)
    assert [(r.where, r.type) for r in intake.refused] == [("document", Refusal.NOT_FHIR)]
    assert not intake.messages


def test_an_observation_alone_is_read_like_a_bundle_of_one() -> None:
    alone = observation(subject=identified("100"))
    assert read(alone).messages == read(bundle(alone)).messages
    assert read(observation(subject=None)).refused[0].where == "document"


def test_an_empty_bundle_is_nothing() -> None:
    assert read({"resourceType": "Bundle", "type": "searchset"}) == Intake()


# ── bytes that are no document ─────────────────────────────────────────────────────────────────────────────────────


AS_DEEP_AS_MAY_BE = "[" * (MAX_DEPTH - 4) + "]" * (MAX_DEPTH - 4)  # bundle, list, entry and resource are around it


def raw_with(text: str) -> bytes:
    return json.dumps(bundle(patient(), observation(note="HERE"))).replace('"HERE"', text).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xff"}',
        raw_with("NaN"),
        raw_with("Infinity"),
        raw_with("-Infinity"),
        raw_with('"\\ud800"'),
        raw_with('{"\\udfff": 1}'),
        raw_with('["\\u0000"]'),
        raw_with('"\\u001b"'),
        raw_with('"\x01"'),
        raw_with('{"a": 1, "a": 1}'),
        raw_with("1, "),
        raw_with(f"[{AS_DEEP_AS_MAY_BE}]"),
        raw_with('"\\"' + "[" * MAX_BYTES)[:MAX_BYTES],
        b"[" * LARGE,
        b'{"a":' * (LARGE // 5),
        b'"' + b'\\"' * (LARGE // 2 - 1),
    ],
)
def test_json_that_means_nothing_certain_is_refused(raw: bytes) -> None:
    intake = read(raw)
    assert [(r.where, r.type) for r in intake.refused] == [("document", Refusal.BAD_JSON)]
    assert not intake.messages


@pytest.mark.parametrize(
    "text",
    ['"\\ud83d\\ude00 \\t\\r\\n"', AS_DEEP_AS_MAY_BE, "1e400", '"µmol"'],
)
def test_unusual_json_is_still_json(text: str) -> None:
    assert len(read(raw_with(text)).messages) == 1


def test_brackets_in_a_text_are_no_depth() -> None:
    assert len(read(raw_with('"' + '[\\"{' * MAX_DEPTH + '"')).messages) == 1


def test_a_byte_order_mark_is_read_over() -> None:
    raw = json.dumps(bundle(patient(), observation())).encode()
    assert read(b"\xef\xbb\xbf" + raw) == read(raw)


def test_a_compressed_document_is_read_or_refused_by_what_is_in_it() -> None:
    raw = json.dumps(bundle(patient(), observation())).encode()
    packed = gzip.compress(raw)
    assert read(packed) == read(raw)
    for damaged in (packed[:-9], packed[:20] + b"x" + packed[21:], packed + b"more"):
        assert [r.type for r in read(damaged).refused] == [Refusal.BAD_JSON]
    assert [r.type for r in read(gzip.compress(raw.ljust(MAX_BYTES + 1))).refused] == [Refusal.TOO_LARGE]


def test_a_document_is_at_most_16_mib() -> None:
    raw = json.dumps(bundle(patient(), observation())).encode()
    assert MAX_BYTES == 16 * 1024 * 1024
    assert len(read(raw.ljust(MAX_BYTES)).messages) == 1
    intake = read(raw.ljust(MAX_BYTES + 1))
    assert [(r.type, r.reason) for r in intake.refused] == [(Refusal.TOO_LARGE, "more than 16 MiB")]
    assert not intake.messages


# ── anything at all ────────────────────────────────────────────────────────────────────────────────────────────────

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=12)
FHIR_WORDS = st.sampled_from(
    [
        "Observation",
        "Patient",
        "Patient/p1",
        "#p1",
        "http://loinc.org",
        "1742-6",
        MRN,
        "100",
        "final",
        "2026-03-02",
        "<",
    ]
)
JSON = st.recursive(
    SCALARS | FHIR_WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    *("code", "coding", "system", "subject", "reference", "identifier", "value", "valueQuantity", "valueString"),
    *("valueCodeableConcept", "comparator", "effectiveDateTime", "effectivePeriod", "start", "issued", "status"),
    *("method", "performer", "display", "specimen", "component", "referenceRange", "high", "low", "type", "text"),
    *("dataAbsentReason", "contained", "id", "birthDate", "focus", "modifierExtension"),
]
SHAPED = st.recursive(
    SCALARS | FHIR_WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@examples(200)
@given(JSON)
def test_any_json_is_read_or_refused(document: Any) -> None:
    assert isinstance(read(document), Intake)


@examples(200)
@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\0123eE+-.NaInfiy ', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    assert isinstance(read(raw), Intake)


@examples(400)
@given(st.dictionaries(st.sampled_from(FIELDS), SHAPED, max_size=5), st.booleans())
def test_an_observation_of_any_shape_is_a_result_or_a_named_refusal(fields: dict[str, Any], of_patient: bool) -> None:
    kept = {key: value for key, value in fields.items() if key not in ("contained", "subject") or of_patient}
    raw = json.dumps(bundle(patient(), observation(**kept)))
    intake = read(raw.encode())
    assert intake == read(raw.encode())
    assert arrives(intake)
    if lost(intake) != [Refusal.BAD_JSON]:
        assert len(results(intake)) + len(lost(intake)) >= 1
        assert {r.where for r in intake.refused} >= {"entry 1"}


# ── real files ─────────────────────────────────────────────────────────────────────────────────────────────────────


@needs_samples
def test_every_single_sample_observation_becomes_a_result_or_a_named_refusal() -> None:
    seen = Counter[str]()
    for name, raw, document in single_observations():
        intake = read(raw)
        whole = parts(document) if "subject" in document else 1  # SubjectMissing names it as one
        assert len(results(intake)) + len(lost(intake)) == whole, name
        assert intake == read(raw), name
        assert arrives(intake), name
        seen.update(["observations", *["results"] * len(results(intake)), *lost(intake)])
    refused = {"NoLoinc": 5, "SeveralLoincs": 2, "SubjectMissing": 1, "RangeUnfit": 3}
    assert seen == {"observations": 106, "results": 102, **refused}


@needs_samples
def test_every_observation_of_a_converted_laboratory_message_becomes_a_result_or_a_named_refusal() -> None:
    seen = Counter[str]()
    for path in sorted((SAMPLES / "hl7v2-microsoft/expected-fhir").glob("*.json")):
        document, raw = sample(path), path.read_bytes()
        intake = read(raw, expected=expected_of(document))
        of_observations = [*results(intake), *(one for one in lost(intake) if one is not Refusal.ONLY_IN_WORDS)]
        assert len(of_observations) == sum(map(parts, observations_in(document))), path.name
        assert intake == read(raw, expected=expected_of(document)), path.name
        seen.update(["files", *["messages"] * len(intake.messages), *["results"] * len(results(intake)), *lost(intake)])
    assert seen == {"files": 5, "messages": 12, "results": 50, "NoLoinc": 1, "SpecimenUnfit": 1, "OnlyInWords": 2}


@needs_samples
def test_the_blood_count_of_the_specification_is_one_draw_of_one_report() -> None:
    document = sample(SAMPLES / "fhir-r4-examples/diagnosticreport-example.json")
    assert (
        lost(read(json.dumps(document, default=float).encode())) == [Refusal.SUBJECT_MISMATCH] * 17
    )  # no patient in it
    document["entry"].append({"resource": patient(id="pat2")})
    (message,) = read(json.dumps(document, default=float).encode()).messages
    assert len(message.results) == 17
    assert {(r.sender, r.report_id, r.collected_at) for r in message.results} == {
        ("Acme Laboratory, Inc", "5234342", None)
    }


@needs_samples
def test_a_chart_of_years_is_read_whole_and_nothing_is_parted_from_its_report() -> None:
    seen = Counter[str]()
    for path in sorted((SAMPLES / "synthea-r4-lft").glob("*.json.gz")):
        document, raw = sample(path), gzip.decompress(path.read_bytes())
        intake = read(raw, expected=expected_of(document))
        assert len(results(intake)) + len(lost(intake)) == sum(map(parts, observations_in(document)))
        assert arrives(intake)
        assert not read(raw, expected=expecting("somebody else")).messages
        reports = [frozenset(r.report_id for r in m.results) for m in intake.messages]
        assert all(len(one) == 1 for one in reports)
        assert len(reports) == len({(m.results[0].report_id, m.results[0].collected_at) for m in intake.messages})
        seen.update([*["messages"] * len(intake.messages), *["results"] * len(results(intake)), *lost(intake)])
    assert seen["results"] == 1407


@needs_samples
def test_a_real_potassium_keeps_its_limits_and_has_no_time() -> None:
    name = "observation-serum-potassium.json"
    (raw,) = [raw for found, raw, _ in single_observations() if found == name]
    (result,) = results(read(raw))
    assert (result.loinc, result.value, result.unit) == ("2823-3", Decimal("5.4"), "mmol/L")
    assert (result.lln, result.uln, result.limit_unit) == (Decimal("3.5"), Decimal("5.5"), "mmol/L")
    assert (result.collected_at, result.collected_text) == (None, "2005-07-05")
    assert result.accession == "Specimen/specimen-example-serum"


@needs_samples
def test_the_decimals_of_the_specification_keep_their_digits_or_become_words() -> None:
    """The file has neither subject nor codes; they are put in as text, so that its numbers stay as they are."""
    text = (SAMPLES / "fhir-r4-examples/observation-decimal.json").read_text()
    coded = text.replace('"text": "Component"', f'"coding": {json.dumps(code("1742-6")["coding"])}')
    subject = json.dumps(identified("100"))
    whole = coded.replace('"status": "final",', f'"status": "final", "subject": {subject},')
    read_back = results(read(whole.encode()))
    assert [str(r.value) for r in read_back] == ["1.0", "1.00", "1.0", "None", "1000000000000000000", "None", "None"]
    assert [r.text for r in read_back if r.text] == ["1E-22", "1.000000000000000000E-245", "-1.000000000000000000E+245"]


def test_a_draw_of_many_words_is_sent_in_several_messages_that_a_course_takes() -> None:
    wordy = [said(valueString="w" * 2000, id=f"o{n}") for n in range(100)]
    found = read(bundle(patient(), *wordy))
    assert sum(len(m.results) for m in found.messages) == len(wordy)
    assert len({m.id for m in found.messages}) == len(found.messages) > 1
    assert all(len(m.model_dump_json().encode()) <= LARGEST_BYTES for m in found.messages)


@pytest.mark.parametrize(
    ("document", "read_so"),
    [
        ({"resourceType": "Observation", "id": "a1", "status": "entered-in-error"}, True),
        (observation(subject=None, status="cancelled", id="a1"), True),
        (observation(subject=None, id="a1"), False),
        (observation(subject={"display": "somebody"}, status="cancelled", id="a1"), False),
        (observation(status="cancelled", id="a1"), False),
        (bundle(patient("200"), observation(subject=None, status="cancelled", id="a1")), False),
    ],
    ids=["bare", "cancelled", "a value", "of a name", "of a reference", "beside a patient"],
)
def test_a_person_names_the_patient_only_of_what_takes_back_and_names_nobody(document: Any, read_so: bool) -> None:
    assert not read(document).messages
    chosen = read(document, expected=replace(expecting(), chosen=True))
    assert [m.subject_hash for m in chosen.messages] == [expecting().subject_hash] * read_so
