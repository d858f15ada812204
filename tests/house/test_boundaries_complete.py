"""Every number of a protocol is tried at its boundary, or a named test says what else it is good for."""

import ast
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from plumbing.protocol_files import load_protocol
from tests.clinical.test_boundaries import BOUNDARIES, PLAUSIBLE
from tests.clinical.test_boundaries_of_notes import NOTED
from tests.factories import LABEL, PROTOCOLS

CLINICAL = Path(__file__).resolve().parents[1] / "clinical"

ELSEWHERE: dict[str, tuple[str, tuple[str, ...]]] = {
    "regimen.cycle1_d": ("a dose", ("test_dosing.py::test_the_first_cycle_follows_the_protocol",)),
    "regimen.response_d": ("a dose", ("test_dosing.py::test_the_second_cycle_follows_the_response",)),
    "regimen.no_response_d": ("a dose", ("test_dosing.py::test_the_second_cycle_follows_the_response",)),
    "regimen.day8_offset": (
        "a nominal day, in the middle of its window",
        ("test_dose_windows.py::test_day_8_may_be_given_from_the_sixth_to_the_ninth_date_after_day_1",),
    ),
    "regimen.day15_offset": (
        "a nominal day, in the middle of its window",
        ("test_dose_windows.py::test_day_15_keeps_its_window_and_six_dates_from_the_actual_day_8",),
    ),
    "calls.snooze_max": (
        "how far ahead a person may put a call off",
        ("test_gravest_calls.py::test_a_call_is_put_off_for_four_hours_at_most",),
    ),
    "levels.factor": (
        "a share",
        ("test_interruption.py::test_two_weeks_of_toxicity_reduce_the_next_cycle_by_a_quarter",),
    ),
    "levels.dropped_day": (
        "a day of the cycle",
        ("test_interruption.py::test_a_second_reduction_leaves_two_doses_of_the_reduced_size",),
    ),
    "preparation.concentration": ("a factor", ("test_dosing.py::test_ml_is_four_times_mg_and_never_rounded_further",)),
    "preparation.vial_content": (
        "what a vial yields: one vial up to it, two above",
        ("test_dosing.py::test_the_boundaries_of_a_vial", "test_dosing.py::test_vials_are_just_enough"),
    ),
    "preparation.vial_labelled": (
        "what a vial says of itself",
        ("test_protocol_numbers.py::test_the_eu_text_differs_from_the_label_where_the_reference_says",),
    ),
    "preparation.bag_volume": (
        "what the bag holds: more than it is questioned",
        ("test_amounts.py::test_a_reading_above_what_the_bag_holds_is_questioned",),
    ),
    "preparation.bag_max_dose": (
        "no body that is plausible reaches it: tried with a lower one",
        ("test_preparation.py::test_a_dose_above_the_limit_of_the_bag_is_asked_of_the_pharmacy",),
    ),
    "preparation.rate": (
        "the full rate: a rest may go on at it, and at none above",
        ("test_interrupted_infusion.py::test_the_rate_is_above_nothing_and_not_above_the_full_one",),
    ),
    "preparation.infusion": (
        "how long a full bag runs",
        ("test_bedside.py::test_a_full_bag_starts_within_seven_hours_of_reconstitution",),
    ),
    "preparation.dose_decimals": ("digits", ("test_dosing.py::test_mg_is_rounded_half_up_to_a_hundredth",)),
    "observation.resume_rate": (
        "a rate that is proposed",
        ("test_reactions.py::test_grade_2_that_is_over_proposes_half_the_rate",),
    ),
    "response.mrd_below": (
        "no value of it is on file: the question names it",
        ("test_lysis_alerts_and_response.py::test_mrd_negative_means_below_1_in_10_000_by_a_named_method",),
    ),
    "monitoring.contraception_": (
        "calendar months, the day itself included",
        (
            "test_after_dose_dates.py::test_who_can_bear_a_child_reads_eight_months_of_contraception_and_two_without_breast_feeding",
            "test_after_dose_dates.py::test_who_cannot_reads_five_months_for_a_man_whose_partner_can",
        ),
    ),
    "monitoring.prophylaxis_again": (
        "a calendar month",
        ("test_watch.py::test_mon_10_it_is_asked_for_at_the_last_dose_and_every_month_to_the_end_of_monitoring",),
    ),
    "monitoring.breast_feeding": (
        "calendar months, the day itself included",
        (
            "test_after_dose_dates.py::test_who_can_bear_a_child_reads_eight_months_of_contraception_and_two_without_breast_feeding",
        ),
    ),
}
"""Numbers that are no limit: what they are, and the tests that would fail if they were others."""

OF_THEIR_OWN_SHAPE = {
    "observation.ends_call_before": ("test_time_limits.py::test_who_is_called_half_an_hour_before_and_at_the_limit",),
    "observation.infusion_fit": (
        "test_amounts.py::test_an_infusion_that_fits_its_rate_is_not_asked_about",
        "test_amounts.py::test_one_that_does_not_fit_is_asked_about_at_once",
    ),
    "vod.rising_days": (
        "test_vod_in_words.py::test_in_a_child_bilirubin_counts_from_34_umol_or_when_it_rose_on_three_days",
    ),
    "ctcae.rows.": ("test_ctcae.py::test_every_limit_just_below_at_and_just_above",),
    "plausible.hcg.": ("test_pregnancy.py::test_a_result_counts_before_every_dose_whatever_the_chart_says_of_her",),
    **{
        f"plausible.{analyte}.": ("test_boundaries.py::test_every_hard_limit_of_plausibility_in_each_unit",)
        for analyte in PLAUSIBLE
    },
    **{
        f"plausible.{analyte}.": (
            "test_plausibility.py::test_a_hard_limit_itself_counts_and_what_lies_beyond_does_not",
        )
        for analyte in (
            *("qt", "qtc", "qtcb", "heart_rate", "temperature"),
            *("calcium_corrected", "calcium_ionised", "egfr", "inr"),
        )
    },
}
"""Limits that are tried at their boundary by a test which is not one of the two tables."""

TABLES = {**BOUNDARIES, **NOTED}


@cache
def named_in(file: str) -> frozenset[str]:
    tree = ast.parse((CLINICAL / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_number_has_its_boundary_or_a_reason(protocol: str) -> None:
    entries = load_protocol(protocol).entries()
    numbers = {path for path, e in entries if isinstance(e.value, Decimal) and not isinstance(e.value, bool)}
    begins = (*ELSEWHERE, *OF_THEIR_OWN_SHAPE)
    assert not {p for p in numbers - set(TABLES) if not p.startswith(begins)}, "give each a row in one of the tables"


def test_no_boundary_and_no_reason_is_out_of_date() -> None:
    paths = {path for path, _ in load_protocol(LABEL).entries()}
    assert not set(TABLES) - paths
    assert not set(BOUNDARIES) & set(NOTED)
    left = paths - set(TABLES)
    assert not [b for b in (*ELSEWHERE, *OF_THEIR_OWN_SHAPE) if not any(p.startswith(b) for p in left)]


@pytest.mark.parametrize("begins", [*ELSEWHERE, *OF_THEIR_OWN_SHAPE])
def test_the_test_that_is_named_for_a_number_is_there(begins: str) -> None:
    named = ELSEWHERE[begins][1] if begins in ELSEWHERE else OF_THEIR_OWN_SHAPE[begins]
    assert named
    for test in named:
        file, _, function = test.partition("::")
        assert function in named_in(file), f"{begins}: {test} is not there"
