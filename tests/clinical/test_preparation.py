"""What a preparation must hold (VIAL-01, PREP-03, PREP-04, PREP-19) and allergies to premedication (PRE-01, PRE-07)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.dosing.dosing import dose_notes
from models.assessment import Verdict
from models.facts import DoseSlot, Preparation
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import ARTICLE, D1, LABEL, ChartBuilder, PaperCourse, notes

MIN, H, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
START = {"cycle": 1, "day": 1, "preparation_id": "bag-1", "identifiers_checked": ["name", "birth date"]}


def prepared(protocol: str = LABEL, **fields: Any) -> PaperCourse:
    """The first dose (1.45 mg on the label) signed, premedicated and prepared as charted."""
    course = PaperCourse(ChartBuilder(protocol).ready(), D1).authorised().premedicated().later(hours=1)
    return course.prepared(**fields)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"vials": 1}, "VIAL-01"),  # 0.9 mg
        ({"vials": 2}, None),
        ({"vials": 3}, None),
        ({"drawn_ml": "5.79"}, "PREP-03"),
        ({"drawn_ml": "5.80"}, None),
        ({"drawn_ml": "5.8"}, None),
        ({"drawn_ml": "5.81"}, "PREP-03"),
        ({"total_ml": "49.9"}, "PREP-04"),
        ({"total_ml": "50"}, None),
        ({"total_ml": "50.1"}, "PREP-04"),
    ],
    ids=str,
)
def test_vials_and_volumes_are_those_of_the_dose(fields: dict[str, Any], rule: str | None) -> None:
    course = prepared(**fields)
    assert (course.card.verdict is Verdict.MAY_START) == (rule is None)
    if rule is not None:
        assert course.refused("start_infusion", Role.NURSE, **START).rules == (rule,)


@pytest.mark.parametrize(("after", "usable"), [(4 * H, True), (4 * H + SECOND, False)], ids=["4 h", "a second more"])
def test_dilution_starts_within_four_hours_of_reconstitution(after: timedelta, usable: bool) -> None:
    course = PaperCourse(ChartBuilder().ready(), D1).authorised().premedicated().later(hours=1)
    course.prepared(reconstituted_at=course.now - after, dilution_started_at=course.now)
    assert (course.card.verdict is Verdict.MAY_START) == usable


@pytest.mark.parametrize(
    ("kg", "mg", "noted"), [("20.8", "0.50", False), ("20.7", "0.49", True), ("21", "0.50", False)]
)
def test_a_dose_below_half_a_milligram_is_asked_of_the_pharmacy(kg: str, mg: str, noted: bool) -> None:
    chart = ChartBuilder(ARTICLE).ready().without("weight", "height")
    chart.add({"kind": "height", "cm": "170"}, D1 - H)
    chart.add({"kind": "weight", "kg": kg}, D1 - H)
    card = PaperCourse(chart, D1).card
    assert card.dose is not None
    assert (str(card.dose.mg), "PREP-19" in notes(card)) == (mg, noted)


@pytest.mark.parametrize(("limit", "noted"), [("1.44", True), ("1.45", False), ("1.46", False)])
def test_a_dose_above_the_limit_of_the_bag_is_asked_of_the_pharmacy(limit: str, noted: bool) -> None:
    label = load_protocol(LABEL)
    entry = type(label.preparation.bag_max_dose).model_validate(
        {**label.preparation.bag_max_dose.model_dump(), "value": Decimal(limit)}
    )
    preparing = label.preparation.model_copy(update={"bag_max_dose": entry})
    case = Case(ChartBuilder().ready().chart(), label.model_copy(update={"preparation": preparing}), D1)
    said = [f.rule for f in dose_notes(case, DoseSlot(cycle=1, day=1))]
    assert ("PREP-19" in said) == noted


def test_the_concentration_limits_are_those_of_the_50_ml_bag() -> None:
    preparing = load_protocol(LABEL).preparation
    low, high = (m.number / preparing.bag_volume.number for m in (preparing.bag_min_dose, preparing.bag_max_dose))
    assert (low, high) == (Decimal("0.01"), Decimal("0.1"))


# ── allergies ──────────────────────────────────────────────────────────────────────────────────────────────────────

ALLERGY = {"kind": "allergy", "substance": "Diphenhydramine", "premedication_class": "antihistamine"}


def test_a_missing_class_names_the_allergy_that_is_charted_against_it() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    course.does("record_finding", Role.NURSE, finding=ALLERGY)
    course.authorised().premedicated("corticosteroid", "antipyretic").later(hours=1).prepared()
    (missing,) = [f for f in course.card.findings if f.rule == "PRE-07"]
    assert missing.clears is not None
    assert missing.clears.endswith("; charted allergy: Diphenhydramine")


@pytest.mark.parametrize(("drug", "noted"), [(" diphenhydramine ", True), ("cetirizine", False), (None, False)])
def test_premedication_given_against_an_allergy_is_said_while_it_counts(drug: str | None, noted: bool) -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    course.does("record_finding", Role.NURSE, finding=ALLERGY)
    course.does("record_premedication", Role.NURSE, drug_class="antihistamine", drug=drug)
    assert ("PRE-01" in notes(course.card)) == noted
    course.now = D1 + 120 * MIN + SECOND
    assert "PRE-01" not in notes(course.card)


@pytest.mark.parametrize("amiss", ["dilution_started_at", "reconstituted_at"])
def test_a_preparation_charted_amiss_names_the_command_that_mends_it(amiss: str) -> None:
    """PREP-11, PREP-12: its name is charted once, so that saying it again is refused, and names the same command."""
    ahead = D1 + 64 * MIN
    charted = (
        {"reconstituted_at": ahead, "dilution_started_at": ahead} if amiss == "reconstituted_at" else {amiss: None}
    )
    course = prepared(**charted)
    bag = next(f for f in course.chart.facts if isinstance(f.what, Preparation))
    said = f"correct_fact of {bag.id} by a pharmacist"
    assert (course.card.owner, course.card.next_action, course.card.next_action_clears) == (
        Role.PHARMACIST,
        "correct what is charted of the preparation",
        f"{said} with {amiss}",
    )
    again = bag.what.model_dump(exclude={"kind", "authorisation"}, exclude_none=True)
    assert said in course.refused("record_preparation", Role.PHARMACIST, **again).message
    right = bag.what.model_copy(update={"reconstituted_at": course.now, "dilution_started_at": course.now})
    course.does("correct_fact", Role.PHARMACIST, target=bag.id, replacement=right.model_dump(), reason="mistyped")
    assert course.card.verdict is Verdict.MAY_START


@pytest.mark.parametrize("claimed", [None, "cli-another/0"])
def test_idn_02_a_corrected_preparation_stays_under_the_signature_that_it_was_made_under(claimed: str | None) -> None:
    course = prepared(dilution_started_at=None)
    assert course.refused("start_infusion", Role.NURSE, **START).rules == ("PREP-11",)
    bag = next(f for f in course.chart.facts if isinstance(f.what, Preparation))
    mended = bag.what.model_copy(update={"dilution_started_at": course.now, "authorisation": claimed})
    course.does("correct_fact", Role.PHARMACIST, target=bag.id, replacement=mended.model_dump(), reason="time left out")
    assert course.card.verdict is Verdict.MAY_START
    course.does("start_infusion", Role.NURSE, **START)
