"""What a document holds besides plain results closes the gate for what it may be, and is seen (LAB-08, LAB-12 … LAB-15).

Each document arrives on day 8 of a course with everything in order. All patients are invented.
"""

from collections.abc import Callable
from typing import Any

import pytest

from clinical.coding.codes import BOUND_ONLY, LOINC
from clinical.coding.meaning import READ, meaning
from clinical.coding.names import fits_specimen
from models.assessment import Verdict
from models.facts import NO_CODE, LabResult
from models.messages import LabResults
from models.people import Role
from tests.factories import LABEL, PaperCourse
from tests.further.documents import SEVEN, coded, loinc, measured
from tests.further.language import D8, arrives, comes
from tests.intake import builders
from tests.intake.builders import bundle, patient, results, ucum, unread, withdrawn

Resource = dict[str, Any]
OPEN = Verdict.MAY_AUTHORISE


def after(*resources: Resource) -> PaperCourse:
    course = D8(LABEL)
    comes(*resources)(course)
    return course


def closed_for(course: PaperCourse, rule: str, *words: str) -> None:
    card = course.card
    assert card.verdict is not OPEN, card.sentence()
    said = [f.reason for f in card.standing if f.rule == rule]
    assert all(any(word in reason for reason in said) for word in words), (
        rule,
        words,
        [f.reason for f in card.standing],
    )


def test_without_any_document_the_dose_may_be_authorised() -> None:
    assert D8(LABEL).card.verdict is OPEN


# ── a code that is not known ───────────────────────────────────────────────────────────────────────────────────────


def test_what_has_neither_code_nor_name_may_be_anything() -> None:
    assert meaning(LabResult(loinc=NO_CODE)).analytes == READ
    course = after({**measured("alt", "900", SEVEN), "code": {}, "valueQuantity": {"value": 5}})
    closed_for(course, "LAB-12", "may be anything")


def test_an_unknown_code_stands_on_the_card_by_code_name_value_and_unit_and_on_the_worklist() -> None:
    course = after(coded("platelets", "8", loinc("49999-9", display="platelets?"), status="final"))
    closed_for(course, "LAB-13", "platelets? 8.0 10*9/L as 49999-9")
    due = [o for o in course.card.obligations if o.rule == "LAB-12"]
    assert [o.title for o in due] == ["a result that may be platelets cannot be used"]
    (fact,) = (f.id for f in course.chart.facts if isinstance(f.what, LabResult) and f.what.loinc == "49999-9")
    course.does("resolve_unreadable", Role.PHYSICIAN, target=fact, outcome="dismissed", reason="a research assay")
    assert course.card.verdict is OPEN
    assert not [o for o in course.card.obligations if o.rule == "LAB-12"]


def test_an_unknown_code_of_something_else_is_only_shown() -> None:
    lpa = {
        **coded("platelets", "30", loinc("43583-4", display="Lipoprotein a")),
        "valueQuantity": {"value": 30, "unit": "furlong"},
    }
    card = after(lpa).card
    assert card.verdict is OPEN
    assert [f.reason for f in card.findings if f.rule == "LAB-13"] == [
        "not known here: Lipoprotein a 30 furlong as 43583-4"
    ]


@pytest.mark.parametrize(("code", "bound"), BOUND_ONLY.items())
def test_a_code_that_measures_a_bound_may_close_and_never_opens(code: str, bound: str) -> None:
    from clinical.coding.codes import bound_of

    assert {bound_of(code, sent) for sent in (None, "=", "")} == {bound}
    assert bound_of(code, bound[0]) == bound[0]


def test_granulocytes_are_asked_about() -> None:
    closed_for(after(coded("anc", "3", loinc("30394-1"))), "LAB-13", "not the same")


def test_conjugated_bilirubin_is_not_direct_bilirubin() -> None:
    assert {LOINC["15152-2"], LOINC["29760-6"]} == {"bilirubin_conjugated"}


# ── what must not be read ──────────────────────────────────────────────────────────────────────────────────────────

MODIFIER = [{"url": "urn:invented:not-true", "valueBoolean": True}]
AST = measured("ast", "30", SEVEN)
MEANS: dict[str, tuple[str, Callable[[], list[Resource]]]] = {
    "a modifier on the observation": ("LAB-14", lambda: [{**AST, "modifierExtension": MODIFIER}]),
    "a modifier in its range": (
        "LAB-14",
        lambda: [{**AST, "referenceRange": [{"high": ucum(45), "modifierExtension": MODIFIER}]}],
    ),
    "a modifier on its patient": ("LAB-14", lambda: [AST, patient(id="p1", modifierExtension=MODIFIER)]),
    "implicit rules": ("LAB-14", lambda: [{**AST, "implicitRules": "urn:invented:rules"}]),
    "a focus": ("LAB-14", lambda: [{**AST, "focus": [{"reference": "Specimen/x"}]}]),
    "two codes of two analytes": ("LAB-12", lambda: [coded("ast", "30", loinc("1920-8"), loinc("2324-2"))]),
    "one code known and one not": ("LAB-12", lambda: [coded("ast", "30", loinc("1920-8"), loinc("99999-9"))]),
    "a code of the table in a foreign system": ("LAB-12", lambda: [coded("ast", "30", loinc("1920-8", "urn:lab"))]),
    "a name without a code": ("LAB-12", lambda: [coded("ast", "30", text="ASAT")]),
    "inside another resource": (
        "LAB-14",
        lambda: [{"resourceType": "List", "id": "l", "contained": [{**AST, "id": "inner"}]}],
    ),
    "a replaced record": (
        "LAB-14",
        lambda: [AST, patient(id="p1", link=[{"type": "replaced-by", "other": {"reference": "Patient/p9"}}])],
    ),
    **{
        f"a specimen that is {status}": (
            "LAB-14",
            lambda status=status: [
                {**AST, "specimen": {"reference": "Specimen/s"}},
                {"resourceType": "Specimen", "id": "s", "status": status},
            ],
        )
        for status in ("unsatisfactory", "entered-in-error", "unavailable", "what?")
    },
    **{
        f"a specimen of {kind['text']}": (
            "LAB-14",
            lambda kind=kind: [
                {**AST, "specimen": {"reference": "Specimen/s"}},
                {"resourceType": "Specimen", "id": "s", "type": kind},
            ],
        )
        for kind in (
            {"text": "urine"},
            {"text": "CSF"},
            {"text": "pleural fluid"},
            {"text": "cord blood"},
            {"text": "??"},
        )
    },
    "a range of women for a man": (
        "LAB-14",
        lambda: [
            {**AST, "referenceRange": [{"high": ucum(45), "appliesTo": [{"text": "female"}]}]},
            patient(id="p1", gender="male"),
        ],
    ),
    "a range of pregnancy": (
        "LAB-14",
        lambda: [{**AST, "referenceRange": [{"high": ucum(45), "appliesTo": [{"text": "pregnant"}]}]}],
    ),
    "a range that says two things": (
        "LAB-14",
        lambda: [{**AST, "referenceRange": [{"high": ucum(450), "text": "< 45 U/L"}]}],
    ),
    "units that contradict": ("LAB-14", lambda: [{**AST, "valueQuantity": {**ucum(30), "unit": "ukat/L"}}]),
    "units of the limit that contradict": (
        "LAB-14",
        lambda: [{**AST, "referenceRange": [{"high": {**ucum(45), "unit": "ukat/L"}}]}],
    ),
}


@pytest.mark.parametrize("what", MEANS)
def test_what_must_not_be_read_makes_its_analyte_unknown_and_waits_on_the_worklist(what: str) -> None:
    rule, made = MEANS[what]
    resources = made()
    others = [r for r in resources if r["resourceType"] == "Patient"]
    course = D8(LABEL)
    entries = [*(others or [patient()]), *(r for r in resources if r["resourceType"] != "Patient")]
    arrives(bundle(*entries))(course)
    closed_for(course, rule, "AST")
    assert [o for o in course.card.obligations if o.rule == "LAB-12"]


FINE: dict[str, list[Resource]] = {
    "blood in words": [{"text": "Venous blood"}],
    "blood by SNOMED": [{"coding": [{"system": "http://snomed.info/sct", "code": "119364003"}]}],
    "a tube": [{"text": "EDTA"}],
}


@pytest.mark.parametrize("kind", FINE)
def test_a_specimen_of_blood_changes_nothing(kind: str) -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "status": "available", "type": FINE[kind][0]}
    assert after({**AST, "specimen": {"reference": "Specimen/s"}}, specimen).card.verdict is OPEN


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "10 - 45 U/L", "low": ucum(10)},
        {"text": "<= 45"},
        {"text": "siehe Befund"},
        {"appliesTo": [{"text": "male"}]},
        {"age": {"low": {"value": 18, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"}}},
    ],
)
def test_a_range_that_fits_is_used(fields: Resource) -> None:
    course = D8(LABEL)
    one = {**AST, "referenceRange": [{"high": ucum(45), **fields}]}
    arrives(bundle(patient(gender="male", birthDate="1981-01-15"), one))(course)
    assert course.card.verdict is OPEN, course.card.sentence()


def test_urine_is_the_right_specimen_of_a_pregnancy_test_in_urine_only() -> None:
    assert fits_specimen("2106-3", "Urine")
    assert not fits_specimen("2106-3", "Serum")
    assert not fits_specimen("2118-8", "Urine")


def test_the_older_time_gives_the_age_and_more_than_a_day_apart_is_unknown() -> None:
    def drawn(at: str) -> LabResult:
        specimen = {"resourceType": "Specimen", "id": "s", "collection": {"collectedDateTime": at}}
        one = builders.observation(effectiveDateTime="2026-03-02T08:00:00+01:00", specimen={"reference": "Specimen/s"})
        found = builders.read(bundle(patient(), one, specimen))
        return (*results(found), *unread(found))[0]

    day_before = drawn("2026-03-01T09:00:00+01:00")
    assert (day_before.doubt, day_before.collected_at.isoformat()) == (None, "2026-03-01T08:00:00+00:00")  # type: ignore[union-attr]
    assert drawn("2026-03-02").doubt is None
    for apart in ("2026-03-01T07:59:00+01:00", "2026-02-28", "2026-03-04T09:00:00+01:00", "2026-03-02T08:00:00"):
        found = drawn(apart)
        assert found.doubt, apart
        assert found.collected_at is not None
        assert found.collected_at.isoformat() >= "2026-03-02T07:00:00+00:00"


# ── identities and withdrawals ─────────────────────────────────────────────────────────────────────────────────────


def only(message: LabResults) -> LabResult:
    (result,) = message.results
    return result


def test_identity_and_version_of_a_result_are_the_senders() -> None:
    one = builders.observation(
        id="o-1",
        meta={"versionId": "3", "lastUpdated": "2026-03-02T09:00:00+01:00"},
        identifier=[
            {"system": "urn:lab:result", "value": "R1"},
            {"system": "urn:lab:order", "value": "O1", "type": {"coding": [{"code": "PLAC"}]}},
        ],
    )
    alone, (inside,) = (
        builders.read({**one, "subject": builders.identified("100")}),
        builders.read(bundle(patient(), one)).messages,
    )
    first, second = only(alone.messages[0]), only(inside)
    assert first.resource == second.resource == "laboratory:lab-1|o-1"
    assert (first.version, first.identifiers) == (3, ("urn:lab:result|R1",))
    assert first.updated_at is not None
    there = {"fullUrl": "https://lab-b.example/fhir/Observation/o-1", "resource": one}
    (elsewhere,) = builders.read({"resourceType": "Bundle", "entry": [{"resource": patient()}, there]}).messages
    assert only(elsewhere).home == "https://lab-b.example/fhir"


def test_a_number_that_several_analytes_share_names_no_result() -> None:
    order = {"identifier": [{"system": "urn:lab", "value": "ORDER-7"}]}
    found = builders.read(bundle(patient(), builders.observation(**order), builders.observation("1920-8", **order)))
    assert [r.identifiers for r in results(found)] == [None, None]


def test_components_of_one_resource_are_results_of_their_own() -> None:
    parts = [{"code": builders.code(c), "valueQuantity": ucum(30)} for c in ("1742-6", "1920-8")]
    found = builders.read(bundle(patient(), builders.said(id="o", component=parts)))
    assert [r.resource for r in results(found)] == ["laboratory:lab-1|o#1742-6", "laboratory:lab-1|o#1920-8"]


DELETIONS = {
    "Observation/o-alt": {"resource": "laboratory:lab-1|o-alt"},
    "https://lab.example/fhir/Observation/o-alt": {"resource": "laboratory:lab-1|o-alt"},
    "Observation?identifier=urn:lab|R1": {"identifiers": ("urn:lab|R1",)},
    "DiagnosticReport/r-1": {"report_id": "r-1"},
    "": {},
}


@pytest.mark.parametrize("url", DELETIONS)
def test_a_deletion_in_a_transaction_takes_back_what_it_names(url: str) -> None:
    gone = {"request": {"method": "DELETE", "url": url}}
    found = builders.read({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient()}, gone]})
    (one,) = withdrawn(found)
    assert one.how == "deleted"
    assert {name: getattr(one, name) for name in ("resource", "identifiers", "report_id")} == {
        **dict.fromkeys(("resource", "identifiers", "report_id")),
        **DELETIONS[url],
    }


def test_a_deletion_of_something_else_is_none() -> None:
    gone = {"request": {"method": "DELETE", "url": "Encounter/e-1"}}
    found = builders.read({"resourceType": "Bundle", "entry": [{"resource": patient()}, gone]})
    assert not found.messages


def test_a_deletion_without_any_patient_reaches_nobody_and_is_said() -> None:
    found = builders.read(
        {"resourceType": "Bundle", "entry": [{"request": {"method": "DELETE", "url": "Observation/o"}}]}
    )
    assert not found.messages
    assert [str(r.type) for r in found.refused] == ["WithdrawsAnother"]


CHANGED = {
    "a patch": {"request": {"method": "PATCH", "url": "Observation/o-1"}, "resource": {"resourceType": "Binary"}},
    "a refused specimen": {
        "resource": {"resourceType": "Specimen", "status": "unsatisfactory", "subject": builders.P1}
    },
    "words only": {
        "resource": {"resourceType": "DiagnosticReport", "status": "final", "subject": builders.P1, "conclusion": "x"}
    },
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_only_casts_doubt_stands_on_the_worklist_and_ends_by_a_persons_word(what: str) -> None:
    course = D8(LABEL)
    arrives({"resourceType": "Bundle", "entry": [{"resource": patient()}, CHANGED[what]]})(course)
    closed_for(course, "LAB-12")
    (fact,) = [f.id for f in course.chart.facts if isinstance(f.what, LabResult) and f.what.loinc == NO_CODE]
    assert [o for o in course.card.obligations if o.rule == "LAB-12"], [o.title for o in course.card.obligations]
    reason = "the laboratory was asked: nothing of this patient"
    course.does("resolve_unreadable", Role.PHYSICIAN, target=fact, outcome="dismissed", reason=reason)
    assert course.card.verdict is OPEN, course.card.sentence()


@pytest.mark.parametrize("listed", [[], [{"reference": "Observation/elsewhere"}]])
@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_a_withdrawn_report_of_results_that_are_not_here_closes_the_gate(listed: list[Resource], status: str) -> None:
    report = {"resourceType": "DiagnosticReport", "id": "r", "status": status, "subject": builders.P1, "result": listed}
    course = after(report)
    closed_for(course, "LAB-09", "withdrawn")
    asked = [o for o in course.card.obligations if o.title == "a result was withdrawn that is not known here"]
    assert len(asked) == 1


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawal_that_names_no_code_may_be_of_any_result(status: str) -> None:
    gone = {"resourceType": "Observation", "id": "nobody-knows", "status": status, "subject": builders.P1, "code": {}}
    closed_for(after(gone), "LAB-09", "withdrawn")


def test_a_deleted_resource_takes_all_its_components() -> None:
    range_ = {"referenceRange": [{"high": ucum(50)}]}
    parts = [{"code": builders.code(c), "valueQuantity": ucum(30), **range_} for c in ("1742-6", "1920-8")]
    named = {"effectiveDateTime": SEVEN.isoformat(), "code": {"text": "both"}}
    both = builders.said(**named, id="both", component=parts)
    course = after(both)
    assert course.card.verdict is OPEN, course.card.sentence()
    gone = {"request": {"method": "DELETE", "url": "Observation/both"}}
    arrives({"resourceType": "Bundle", "entry": [{"resource": patient()}, gone]})(course)
    assert not [f for f in course.card.findings if f.rule == "LAB-09"], "it found what it deletes"
    gone["request"]["url"] = "Observation/another"
    arrives({"resourceType": "Bundle", "entry": [{"resource": patient()}, gone]})(course)
    closed_for(course, "LAB-09", "withdrawn")


def test_an_entry_that_is_forgotten_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law is kept by what is kept: with refused entries forgotten, as they once were, the gate stays open."""
    from intake import fhir

    read = fhir._Reading.take

    def forgetful(self: Any, *entries: Any) -> Any:
        refused = list(read(self, *entries))
        for draw, kept in self.draws.items():
            self.draws[draw] = [r for r in kept if r.loinc != NO_CODE and r.doubt is None]
        self.draws = {draw: kept for draw, kept in self.draws.items() if kept}
        return refused

    monkeypatch.setattr(fhir._Reading, "take", forgetful)
    assert after(coded("ast", "300", text="ASAT")).card.verdict is OPEN
