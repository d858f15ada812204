"""Reports and panels: what they list or contain is read, and what they say can only take certainty away."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.fhir_groups import MAX_GROUPS
from intake.outcome import LOST_NOTHING, Intake, Refusal
from models.facts import LabStatus
from tests.examples import examples
from tests.intake.builders import (
    ANYBODY,
    MRN,
    P1,
    arrives,
    bundle,
    hash_of,
    identified,
    lost,
    observation,
    patient,
    ranges,
    read,
    results,
    said,
    ucum,
    urn,
)
from tests.intake.samples import needs_samples, sample, samples_of

DRAWN = "2026-03-02T07:10:00+01:00"
DRAWN_AT = datetime(2026, 3, 2, 6, 10, tzinfo=UTC)
EARLIER = "2026-03-01T07:10:00+01:00"


def to(*references: str) -> list[dict[str, Any]]:
    return [{"reference": r} for r in references]


def report(*references: str, **fields: Any) -> dict[str, Any]:
    """A final report R-1 about patient p1, drawn at DRAWN, that lists these; a field given as `None` is left out."""
    usual = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "identifier": [{"value": "R-1"}],
        "status": "final",
        "subject": P1,
        "effectiveDateTime": DRAWN,
        "result": to(*references),
    }
    return {key: value for key, value in {**usual, **fields}.items() if value is not None}


def inside(id: str = "alt", loinc: str = "1742-6", **fields: Any) -> dict[str, Any]:
    """An observation as it stands inside a report: it leaves subject and time to the report."""
    return observation(loinc, **{"id": id, "subject": None, "effectiveDateTime": None, **fields})


def panel(*references: str, loinc: str = "24325-3", **fields: Any) -> dict[str, Any]:
    return said(code={"coding": [{"system": "http://loinc.org", "code": loinc}]}, hasMember=to(*references), **fields)


def refusals(intake: Intake) -> list[tuple[str, str]]:
    """What was refused and may have lost a result, with its place."""
    return [(r.where, str(r.type)) for r in intake.refused if r.type not in LOST_NOTHING]


# ── observations inside a report ───────────────────────────────────────────────────────────────────────────────────


def test_an_observation_inside_a_report_takes_from_it_what_it_leaves_out() -> None:
    around = {
        "performer": [{"type": "Organization", "display": "Invented Laboratory"}],
        "specimen": [{"identifier": {"value": "S-1"}}],
        "issued": "2026-03-02T09:00:00Z",
    }
    intake = read(bundle(patient(birthDate="1980-02-29"), report("#alt", contained=[inside()], **around)))
    (message,) = intake.messages
    (result,) = message.results
    assert (message.subject_hash, message.birth_hash) == (hash_of(MRN, "100"), "birth:1980-02-29")
    assert (result.sender, result.accession, result.report_id) == ("Invented Laboratory", "S-1", "R-1")
    assert (result.collected_at, result.issued_at) == (DRAWN_AT, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert (result.status, result.value) == (LabStatus.FINAL, 38)


def test_what_an_observation_inside_a_report_says_itself_stands() -> None:
    own = {
        "effectiveDateTime": EARLIER,
        "issued": "2026-03-01T09:00:00Z",
        "performer": [{"display": "Its own"}],
        "specimen": {"identifier": {"value": "S-0"}},
    }
    around = {"performer": [{"display": "Laboratory"}], "specimen": to("Specimen/1"), "issued": "2026-03-02T09:00:00Z"}
    (result,) = results(read(bundle(patient(), report("#alt", contained=[inside(**own)], **around))))
    assert (result.sender, result.accession) == ("Its own", "S-0")
    assert result.collected_at == datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
    assert result.issued_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_two_specimens_of_a_report_are_none_of_an_observation_inside_it() -> None:
    (result,) = results(
        read(bundle(patient(), report("#alt", contained=[inside()], specimen=to("Specimen/1", "Specimen/2"))))
    )
    assert result.accession is None


def test_a_report_alone_is_a_document() -> None:
    person = patient(id="someone")
    alone = report("#alt", subject={"reference": "#someone"}, contained=[person, inside(), inside("ast", "1920-8")])
    intake = read(alone)
    assert [r.loinc for r in results(intake)] == ["1742-6", "1920-8"]
    assert [(r.where, r.type) for r in intake.refused] == [("document", Refusal.NOT_AN_OBSERVATION)]
    assert read(bundle(alone)).messages == intake.messages


def test_a_place_inside_a_report_is_named() -> None:
    contained = [patient(), inside("obs-9", code={"text": "house code"})]
    intake = read(bundle(patient(), report("#obs-9", contained=contained)))
    assert refusals(intake) == [("entry 2, contained 2 (obs-9)", "NoLoinc")]


@pytest.mark.parametrize(
    "effective",
    [
        {"effectiveDateTime": "2026-03-02"},
        {"effectiveDateTime": "2026-03-02T07:10:00"},
        {"effectiveDateTime": None},
        {"effectiveDateTime": None, "effectivePeriod": {"start": DRAWN}},
        {"effectivePeriod": {"start": DRAWN}},
        {"_effectiveDateTime": {"extension": []}},
        {"effectiveDateTime": None, "issued": DRAWN},
    ],
)
def test_a_report_without_one_certain_instant_lends_no_time(effective: dict[str, Any]) -> None:
    (result,) = results(read(bundle(patient(), report("#alt", contained=[inside()], **effective))))
    assert (result.collected_at, result.collected_text) == (None, None)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"effectiveDateTime": "2026-03-02"}, "2026-03-02"),
        ({"effectivePeriod": {"end": DRAWN}}, f'{{"end": "{DRAWN}"}}'),
        ({"_effectiveDateTime": {"extension": [{"url": "urn:data-absent-reason"}]}}, None),
        ({"effectiveDateTime": None, "effectiveAge": {"value": 5}}, None),
    ],
)
def test_an_observation_that_says_anything_of_its_time_takes_no_other(own: dict[str, Any], words: str | None) -> None:
    (result,) = results(read(bundle(patient(), report("#alt", contained=[inside(**own)]))))
    assert (result.collected_at, result.collected_text) == (None, words)


@pytest.mark.parametrize(
    ("references", "contained", "timed"),
    [
        (["#alt"], [inside()], ["1742-6"]),
        ([], [inside()], []),
        (["#alt"], [inside(), inside("ast", "1920-8")], ["1742-6"]),
        (["#panel"], [panel("#alt", id="panel", subject=None), inside()], ["1742-6"]),
        (["#alt"], [inside(), inside("alt", "1920-8")], []),
        (["Observation/alt"], [inside()], []),
    ],
)
def test_a_report_lends_its_time_to_what_it_lists(
    references: list[str], contained: list[dict[str, Any]], timed: list[str]
) -> None:
    read_back = results(read(bundle(patient(), report(*references, contained=contained))))
    assert [r.loinc for r in read_back if r.collected_at == DRAWN_AT and r.loinc != "24325-3"] == timed


def test_a_panel_with_its_members_inside_lends_no_time() -> None:
    intake = read(bundle(patient(), panel("#alt", contained=[inside()])))
    (result,) = results(intake)
    assert (result.loinc, result.collected_at) == ("1742-6", None)
    assert [r.where for r in intake.refused if r.type is Refusal.ONLY_A_PANEL] == ["entry 2"]


# ── observations beside a report ───────────────────────────────────────────────────────────────────────────────────


def test_an_observation_beside_a_report_keeps_its_own_words() -> None:
    """Else a result that is sent with its report would be another one than the same result sent alone."""
    one = observation(id="alt", effectiveDateTime=None)
    around = {"performer": [{"display": "Lab"}], "specimen": to("Specimen/1"), "issued": DRAWN}
    (alone,) = results(read(bundle(patient(), one)))
    (listed,) = results(read(bundle(patient(), one, report("Observation/alt", **around))))
    assert listed == alone.model_copy(update={"report_id": "R-1"})
    assert listed.collected_at is None


@pytest.mark.parametrize(
    "reference", ["Observation/alt", "Observation/alt/_history/3", "urn:uuid:alt", " urn:uuid:alt"]
)
def test_a_report_lists_by_every_kind_of_reference(reference: str) -> None:
    entries = [{"resource": patient()}, urn("alt", observation(id="alt")), {"resource": report(reference)}]
    (result,) = results(read({"resourceType": "Bundle", "entry": entries}))
    assert result.report_id == "R-1"


def test_a_reference_inside_one_report_means_nothing_in_another() -> None:
    first = report("#alt", contained=[inside()])
    second = report(
        "#alt", identifier=[{"value": "R-2"}], status="entered-in-error", contained=[inside("alt", "1920-8")]
    )
    read_back = results(read(bundle(patient(), first, second)))
    assert [(r.loinc, r.report_id, r.status) for r in read_back] == [
        ("1742-6", "R-1", LabStatus.FINAL),
        ("1920-8", "R-2", LabStatus.ENTERED_IN_ERROR),
    ]


def test_the_nearest_report_gives_its_identifier() -> None:
    resources = [
        observation(id="alt"),
        panel("Observation/alt", id="panel"),
        report("Observation/panel", identifier=[{"value": "R-far"}]),
        report("Observation/alt", id="r2", identifier=[{"value": "R-near"}]),
    ]
    (result,) = results(read(bundle(patient(), *resources)))
    assert result.report_id == "R-near"
    (result,) = results(read(bundle(patient(), *resources[:3])))
    assert result.report_id == "R-far"


# ── status flows down ──────────────────────────────────────────────────────────────────────────────────────────────

STATUSES = [
    ("final", "final", "final"),
    ("preliminary", "final", "preliminary"),
    ("partial", "final", "preliminary"),
    ("registered", "final", "registered"),
    ("registered", "preliminary", "registered"),
    ("preliminary", "registered", "registered"),
    ("preliminary", "unknown", "unknown"),
    ("final", "preliminary", "preliminary"),
    ("final", "unknown", "unknown"),
    ("final", "no status", "unknown"),
    # A corrected report does not say which result was corrected.
    ("corrected", "final", "final"),
    ("amended", "final", "final"),
    ("appended", "final", "final"),
    ("corrected", "preliminary", "preliminary"),
    # A correction is not held back: as preliminary it would let stand what it corrects.
    ("preliminary", "corrected", "corrected"),
    ("partial", "amended", "amended"),
    # What is withdrawn is withdrawn, whoever says so.
    ("cancelled", "final", "cancelled"),
    ("cancelled", "corrected", "cancelled"),
    ("cancelled", "entered-in-error", "entered-in-error"),
    ("entered-in-error", "final", "entered-in-error"),
    ("entered-in-error", "cancelled", "entered-in-error"),
    ("final", "cancelled", "cancelled"),
    ("final", "entered-in-error", "entered-in-error"),
    # A report of unknown status says nothing; a word that FHIR does not know may be a withdrawal.
    ("unknown", "final", "final"),
    (None, "final", "final"),
    ("withdrawn", "final", "unknown"),
    ("withdrawn", "corrected", "unknown"),
    ("withdrawn", "entered-in-error", "entered-in-error"),
    (["final"], "final", "unknown"),
    ({}, "final", "unknown"),
]


@pytest.mark.parametrize(("reported", "own", "stands"), STATUSES)
def test_the_status_of_a_report_flows_down(reported: Any, own: str, stands: str) -> None:
    around = {"status": reported}
    beside = bundle(patient(), observation(id="alt", status=own), report("Observation/alt", **around))
    within = bundle(patient(), report("#alt", contained=[inside(status=own)], **around))
    through = bundle(
        patient(),
        observation(id="alt", status=own),
        panel("Observation/alt", id="panel"),
        report("Observation/panel", **around),
    )
    for document in (beside, within, through):
        assert [str(r.status) for r in results(read(document))] == [stands]


def test_what_is_inside_a_withdrawn_report_is_withdrawn_also_where_it_is_not_listed() -> None:
    document = bundle(patient(), report("#alt", contained=[inside(), inside("ast", "1920-8")], status="cancelled"))
    assert [r.status for r in results(read(document))] == [LabStatus.CANCELLED] * 2


def test_a_withdrawn_panel_withdraws_its_members() -> None:
    members = [observation(id="alt"), observation("1920-8", id="ast", status="cancelled")]
    document = bundle(patient(), *members, panel("Observation/alt", "Observation/ast", status="entered-in-error"))
    assert {r.status for r in results(read(document))} == {LabStatus.ENTERED_IN_ERROR}


def test_of_several_reports_the_most_doubtful_counts() -> None:
    one = observation(id="alt")
    reports = [report("Observation/alt", id=f"r{n}", status=s) for n, s in enumerate(("final", "partial", "final"))]
    assert [r.status for r in results(read(bundle(patient(), one, *reports)))] == [LabStatus.PRELIMINARY]
    withdrawn = report("Observation/alt", id="r9", status="cancelled")
    assert [r.status for r in results(read(bundle(patient(), one, *reports, withdrawn)))] == [LabStatus.CANCELLED]


def test_two_observations_of_one_name_are_withdrawn_both() -> None:
    document = bundle(
        patient(), observation(id="a"), observation("1920-8", id="a"), report("Observation/a", status="cancelled")
    )
    assert [r.status for r in results(read(document))] == [LabStatus.CANCELLED] * 2


@pytest.mark.parametrize("modifier", [{"modifierExtension": [{"url": "urn:draft"}]}, {"implicitRules": "urn:other"}])
def test_a_modifier_of_a_report_that_is_not_understood_stops_its_results(modifier: dict[str, Any]) -> None:
    beside = [observation(id="alt"), observation("1920-8", id="ast")]
    intake = read(
        bundle(patient(), *beside, report("Observation/alt", "#inner", contained=[inside("inner")], **modifier))
    )
    assert [r.loinc for r in results(intake)] == ["1920-8"]
    assert refusals(intake) == [
        ("entry 2 (alt)", "ModifierNotUnderstood"),
        ("entry 4, contained 1 (inner)", "ModifierNotUnderstood"),
    ]


def test_a_panel_about_the_donor_makes_its_members_the_donors() -> None:
    intake = read(bundle(patient(), observation(id="alt"), panel("Observation/alt", focus=[{"display": "donor"}])))
    assert not results(intake)
    assert lost(intake) == [Refusal.ABOUT_ANOTHER] * 2


# ── panels ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_panel_is_read_as_its_members() -> None:
    members = [observation(id="alt", referenceRange=ranges(55)), observation("1920-8", id="ast")]
    intake = read(bundle(patient(), panel("Observation/alt", "Observation/ast", id="liver"), *members))
    assert [r.loinc for r in results(intake)] == ["1742-6", "1920-8"]
    assert [(r.where, r.type) for r in intake.refused[1:]] == [("entry 2 (liver)", Refusal.ONLY_A_PANEL)]
    assert refusals(intake) == []


@pytest.mark.parametrize("own", [{"valueQuantity": ucum(3)}, {"dataAbsentReason": {"text": "clotted"}}])
def test_a_panel_with_a_word_of_its_own_is_a_result_too(own: dict[str, Any]) -> None:
    intake = read(bundle(patient(), panel("Observation/alt", **own), observation(id="alt")))
    assert [r.loinc for r in results(intake)] == ["24325-3", "1742-6"]
    assert not lost(intake)


def test_a_panel_whose_members_are_elsewhere_is_a_result_without_a_value() -> None:
    intake = read(bundle(patient(), panel("Observation/alt"), observation("1920-8", id="ast")))
    assert [(r.loinc, r.value) for r in results(intake)] == [("24325-3", None), ("1920-8", 38)]


def test_an_analyte_that_names_itself_is_no_panel() -> None:
    (result,) = results(read(bundle(patient(), said(id="alt", hasMember=to("Observation/alt")))))
    assert (result.loinc, result.value) == ("1742-6", None)


def test_panels_in_a_circle_end() -> None:
    circle = [panel("Observation/b", id="a"), panel("Observation/a", "Observation/alt", id="b", status="preliminary")]
    intake = read(bundle(patient(), *circle, observation(id="alt")))
    assert [(r.loinc, r.status) for r in results(intake)] == [("1742-6", LabStatus.PRELIMINARY)]
    assert [r.type for r in intake.refused[1:]] == [Refusal.ONLY_A_PANEL] * 2


# ── who is meant (IDN-01) ──────────────────────────────────────────────────────────────────────────────────────────

OTHER = {"reference": "Patient/p2"}


@pytest.mark.parametrize(
    "resources",
    [
        [report("Observation/alt", subject=OTHER)],
        [report("Observation/panel", subject=OTHER), panel("Observation/alt", id="panel")],
        [report("#inner", subject=OTHER, contained=[inside("inner")])],
        [report("#inner", contained=[inside("inner", subject=OTHER)])],
        [report("#inner", contained=[inside("inner", subject={"display": "Bed 4"})])],
        [report("Observation/alt", subject={"reference": "Patient/elsewhere"})],
        [report("Observation/alt", subject={"reference": "#p9"})],
        [report("Observation/alt", subject=identified("200"))],
        [report("#inner", subject=None, contained=[inside("inner")])],
    ],
)
def test_a_report_that_is_not_certainly_about_the_patient_stops_the_document(resources: list[dict[str, Any]]) -> None:
    intake = read(bundle(patient(), patient("200", id="p2"), observation(id="alt"), *resources))
    assert not intake.messages
    assert {Refusal.SUBJECT_MISMATCH, Refusal.SUBJECT_MISSING} >= set(lost(intake))


@pytest.mark.parametrize(
    "subject", [None, {"display": "Bed 4"}, {"reference": "Patient/7"}, identified("100"), {"reference": "Patient/p1"}]
)
def test_a_report_that_does_not_contradict_lets_its_results_pass(subject: dict[str, Any] | None) -> None:
    elsewhere = {"reference": "Patient/7", **identified("100")}
    intake = read(
        bundle(patient(), observation(id="alt", subject=elsewhere), report("Observation/alt", subject=subject))
    )
    assert [m.subject_hash for m in intake.messages] == [hash_of(MRN, "100")]


def test_a_report_that_lists_nothing_here_may_be_about_anybody() -> None:
    assert read(
        bundle(patient(), patient("200", id="p2"), observation(), report("Observation/x", subject=OTHER))
    ).messages


def test_every_identifier_that_all_share_is_told() -> None:
    one = patient(identifier=[{"system": "urn:a", "value": "1"}, {"system": MRN, "value": "100"}])
    intake = read(bundle(one, report("#alt", contained=[inside()])), expected=ANYBODY)
    assert intake.subjects == (hash_of("urn:a", "1"), hash_of(MRN, "100"))
    assert [m.subject_hash for m in intake.messages] == [hash_of("urn:a", "1")]
    (message,) = read(bundle(one, report("#alt", contained=[inside()]))).messages
    assert message.subject_hash == hash_of(MRN, "100")
    assert read(bundle(one, observation(subject=OTHER)), expected=ANYBODY).subjects == ()


# ── what is not here ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_says_how_much_of_it_is_elsewhere() -> None:
    intake = read(bundle(patient(), observation(id="alt"), report("Observation/alt", "Observation/ast", "#gone")))
    (told,) = [r for r in intake.refused if r.resource_type == "DiagnosticReport"]
    assert told.type is Refusal.NOT_AN_OBSERVATION
    assert "2 of 3 are not in this document" in told.reason


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
@pytest.mark.parametrize(
    "withdrawing",
    [report("Observation/ast"), report("Observation/alt", "Observation/ast"), report(), panel("Observation/ast")],
)
def test_a_withdrawal_of_what_is_not_here_waits_for_a_person(status: str, withdrawing: dict[str, Any]) -> None:
    intake = read(bundle(patient(), observation(id="alt"), {**withdrawing, "status": status}))
    assert refusals(intake) == [("entry 3", "WithdrawsAnother")]


def test_a_withdrawal_of_what_is_here_needs_nobody() -> None:
    document = bundle(patient(), observation(id="alt"), report("Observation/alt", status="entered-in-error"))
    assert refusals(read(document)) == []


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        ({"resourceType": "Composition", "contained": [observation()]}, "entry 3, observation 1 inside it"),
        (
            report("#a", contained=[inside("a", contained=[observation()])]),
            "entry 3, observation 1 inside it",
        ),
        (report(extension=[{"valueReference": observation()}]), "entry 3, observation 1 inside it"),
    ],
)
def test_an_observation_too_deep_to_be_read_is_named(resource: dict[str, Any], where: str) -> None:
    assert refusals(read(bundle(patient(), observation(), resource))) == [(where, "NotReadThere")]


def test_an_observation_outside_the_entries_is_named() -> None:
    document = {**bundle(patient(), observation()), "contained": [observation()]}
    document["entry"].append({"response": {"outcome": observation()}})
    assert refusals(read(document)) == [
        ("entry 3", "NotFhir"),
        ("document, observation 1 outside its entries", "NotReadThere"),
        ("document, observation 2 outside its entries", "NotReadThere"),
    ]


# ── anything at all ────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = ("a", "b", "c", "d")
REFERENCES = [f"{place}{name}" for place in ("#", "Observation/", "DiagnosticReport/") for name in NAMES]
SAID = ["final", "preliminary", "partial", "corrected", "cancelled", "entered-in-error", "unknown", "odd", None]
CERTAIN = [LabStatus.UNKNOWN, LabStatus.REGISTERED, LabStatus.PRELIMINARY, LabStatus.FINAL]


@st.composite
def anything(draw: st.DrawFn, kinds: tuple[str, ...], depth: int = 0) -> dict[str, Any]:
    """A report or an observation of p1 that lists and contains anything, and says anything."""
    kind = draw(st.sampled_from(kinds))
    fields: dict[str, Any] = {
        "id": draw(st.sampled_from(NAMES)),
        "status": draw(st.sampled_from(SAID)),
        "result" if kind == "DiagnosticReport" else "hasMember": to(
            *draw(st.lists(st.sampled_from(REFERENCES), max_size=3))
        ),
        "subject": draw(st.sampled_from([P1, P1, None])) if depth else P1,
    }
    if depth < 2:
        inner = anything(("Observation", "DiagnosticReport"), depth + 1)
        fields["contained"] = draw(st.lists(inner, max_size=2))
    if kind == "DiagnosticReport":
        return report(**fields)
    number = draw(st.integers(1, 9999))
    return observation(f"{number}-0", valueQuantity=draw(st.sampled_from([ucum(38), None])), **fields)


def observations_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("resourceType") == "Observation":
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from observations_in(item)


@examples(300)
@given(st.lists(anything(("Observation", "DiagnosticReport")), max_size=5))
def test_every_observation_is_in_a_message_or_named(resources: list[dict[str, Any]]) -> None:
    document = bundle(patient(), *resources)
    intake = read(document)
    named = [r for r in intake.refused if r.resource_type == "Observation" and r.type is not Refusal.WITHDRAWS_ANOTHER]
    assert len(results(intake)) + len(named) == len(list(observations_in(document)))
    assert intake == read(document)
    assert arrives(intake)


@examples(300)
@given(st.lists(anything(("Observation", "DiagnosticReport")), max_size=5))
def test_no_group_makes_a_result_more_certain_than_it_says(resources: list[dict[str, Any]]) -> None:
    document = bundle(patient(), *resources)
    said_itself = {o["code"]["coding"][0]["code"]: o.get("status") for o in observations_in(document)}
    once = Counter(o["code"]["coding"][0]["code"] for o in observations_in(document))
    for result in results(read(document)):
        own = said_itself[result.loinc]
        if once[result.loinc] == 1 and result.status != own and result.status in CERTAIN:
            assert own not in CERTAIN or CERTAIN.index(result.status) < CERTAIN.index(own)
            assert own not in ("cancelled", "entered-in-error")


@pytest.mark.parametrize("more", [0, 1])
def test_a_result_of_absurdly_many_reports_is_refused(more: int) -> None:
    reports = [report("Observation/alt", id=f"r{n}") for n in range(MAX_GROUPS + more)]
    intake = read(bundle(patient(), observation(id="alt"), *reports))
    assert (len(results(intake)), lost(intake)) == (1 - more, [Refusal.TOO_MANY_GROUPS] * more)


def test_a_document_full_of_circles_is_read() -> None:
    """As many groups as fit, each of which lists all by one name."""
    one = json.dumps({"resourceType": "Observation", "id": "a", "hasMember": to("Observation/a")})
    room = 256 * 1024 // (len(one) + 16) - 1
    raw = json.dumps({"resourceType": "Bundle", "entry": [{"resource": json.loads(one)}] * room}).encode()
    intake = read(raw)
    assert room > 2000
    assert len(intake.refused) == room


# ── real files ─────────────────────────────────────────────────────────────────────────────────────────────────────


@needs_samples
def test_a_report_without_its_observations_says_so() -> None:
    intake = read(sample(samples_of("us-core-9.0.0/examples/diagnosticreport-cbc.json")[0]))
    assert [(r.where, r.type) for r in intake.refused] == [("document", Refusal.NOT_AN_OBSERVATION)]
    assert "8 of 8 are not in this document" in intake.refused[0].reason


@needs_samples
def test_a_report_of_the_specification_lends_its_observations_no_time() -> None:
    (path,) = samples_of("fhir-r4-examples/diagnosticreport-example.json")
    document = sample(path)
    document["entry"].append({"resource": patient(id="pat2")})
    assert {r.collected_at for r in results(read(json.dumps(document, default=float).encode()))} == {None}
    inner = [entry["resource"] for entry in document["entry"] if entry["resource"]["resourceType"] == "Observation"]
    whole = {**document["entry"][0]["resource"], "contained": inner, "result": to(*(f"#{o['id']}" for o in inner))}
    contained = read(json.dumps(bundle(whole, patient(id="pat2")), default=float).encode())
    assert {r.collected_at for r in results(contained)} == {datetime(2011, 3, 3, 21, 30, tzinfo=UTC)}
    assert len(results(contained)) == 17
