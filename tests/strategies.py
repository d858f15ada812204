"""Charts as hypothesis makes them: a plausible start, and facts from small pools thrown in, so that they meet."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from models.chart import Chart
from models.facts import DoseSlot, Fact
from models.people import Role
from models.sent import kept_as_sent
from tests.factories import D1, PEOPLE, PREMEDICATION, PROTOCOLS, ChartBuilder, PaperCourse, a_lab

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")

protocols = st.sampled_from(PROTOCOLS)
zones = st.sampled_from(ZONES)

_days = st.sampled_from([-30, -8, -3, -1, 0, 1, 3, 6, 7, 8, 9, 14, 16, 20, 21, 22, 27, 28, 35, 42, 56, 100, 101, 160])
_seconds = st.sampled_from([0, 1, 59, 600, 3599, 3600, 7200, 30 * 60, 61 * 60, 12 * 3600, 23 * 3600, 86399])
moments = st.builds(lambda days, seconds: D1 + timedelta(days=days, seconds=seconds), _days, _seconds)
"""Instants at whole seconds around a course that starts at `D1`; few enough to fall on each other."""

_maybe = st.sampled_from([None, True, False])
_number = st.sampled_from(["0", "0.4", "1", "1.2", "1.8", "1.81", "5", "10", "49", "55", "70", "138", "170", "500"])
_number_of_any_size = _number | st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12).map(
    lambda d: format(round(d, 6), "f")
)
_cycles = st.sampled_from([1, 1, 1, 2, 2, 3, 4, 7])
_slots = st.fixed_dictionaries({"cycle": _cycles, "day": st.sampled_from([1, 8, 15])})
_days_of_year = moments.map(lambda at: at.date().isoformat())
_reasons = st.just("as charted")


def _body(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), **fields})


def _with_slot(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda body, slot: {**body, **slot}, _body(kind, **fields), _slots)


def _lab(analyte: str, value: str, at: datetime, changes: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = kept_as_sent({**a_lab(analyte, value, at=at).model_dump(mode="json"), **changes})
    return kept


lab_results = st.builds(
    _lab,
    st.sampled_from(["alt", "ast", "alp", "bilirubin", "anc", "platelets", "wbc", "blasts_percent", "potassium"])
    | st.sampled_from(["calcium", "albumin", "magnesium", "creatinine", "ggt", "blasts", "weight", "height", "qtcf"]),
    _number_of_any_size,
    moments,
    st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from(["final", "corrected", "preliminary", "cancelled", "entered-in-error", "odd"]),
            "comparator": st.sampled_from(["<", "<=", ">", ">=", "~"]),
            "unit": st.sampled_from(["U/L", "ukat/L", "mg/dL", "umol/L", "10*9/L", "/uL", "s", "kg", "", "cups"]),
            "uln": st.sampled_from([None, "0", "1.2", "55"]),
            "lln": st.sampled_from([None, "0", "1.7", "8.5"]),
            "collected_at": st.sampled_from([None, "yesterday", "2026-03-02T07:00:00", "0001-01-01T00:00:00Z"]),
            "value": st.sampled_from([None, "haemolysed", "1E+400", "NaN"]),
            "accession": st.sampled_from(["a-1", "a-2"]),
            "issued_at": moments.map(datetime.isoformat),
            "resource": st.sampled_from(["lab|r-1", "lab|r-2"]),
            "identifiers": st.sampled_from([["lab|i-1"], ["lab|i-1", "lab|i-2"]]),
            "version": st.integers(1, 3),
        },
    ),
)
withdrawals = _body(
    "result_withdrawn",
    how=st.sampled_from(["entered-in-error", "cancelled", "deleted"]),
    resource=st.sampled_from([None, "lab|r-1", "lab|r-9"]),
    accession=st.sampled_from([None, "a-1", "a-9"]),
    loincs=st.sampled_from([None, ["1742-6"], ["777-3", "751-8"]]),
    version=st.none() | st.integers(1, 3),
)

FINDINGS = {
    "consent": _body("consent", given=st.booleans()),
    "eligibility": _body(
        "eligibility",
        cd22_positive=_maybe,
        b_cell_precursor_all=_maybe,
        relapsed_or_refractory=_maybe,
        method=st.sampled_from([None, "flow cytometry"]),
    ),
    "pregnancy_test": _body("pregnancy_test", result=st.sampled_from(["negative", "positive", "unclear"])),
    "height": _body("height", cm=_number_of_any_size),
    "weight": _body("weight", kg=_number_of_any_size),
    "ecg": _body("ecg", qtcf_ms=st.sampled_from([None, "0", "420", "480", "481", "485", "801", "1000000"])),
    "vod_examination": _body(
        "vod_examination",
        ruq_pain=_maybe,
        hepatomegaly=_maybe,
        painful_hepatomegaly=_maybe,
        ascites=_maybe,
        oedema=_maybe,
    ),
    "infection_bleeding": _body(
        "infection_bleeding",
        temperature_c=st.sampled_from([None, "36.8", "38.0"]),
        infection=_maybe,
        active_bleeding=_maybe,
    ),
    "toxicity": _body(
        "toxicity", term=st.sampled_from(["rash", "Rash", "nausea"]), grade=st.integers(0, 5), attributed_to_ino=_maybe
    ),
    "transfusion": _body("transfusion", product=st.sampled_from(["platelets", "red_cells"])),
    "g_csf": _body("g_csf", drug=st.sampled_from(["filgrastim", "pegfilgrastim"])),
    "toxicity_attribution": _body(
        "toxicity_attribution", term=st.sampled_from(["alt", "bilirubin", "rash"]), due_to_ino=st.booleans()
    ),
    "bilirubin_cause": _body("bilirubin_cause", cause=st.sampled_from(["gilbert", "haemolysis"])),
    "cytopenia_attribution": _body(
        "cytopenia_attribution",
        lineage=st.sampled_from(["anc", "platelets", "both"]),
        due_to=st.sampled_from(["leukaemia", "inotuzumab", "other"]),
        disease=st.sampled_from([None, "stable", "improved", "worse"]),
    ),
    "medical_history": _body(
        "medical_history", severe_vod=_maybe, serious_liver_disease=_maybe, transplant_before=_maybe
    ),
    "weight_accepted": _body("weight_accepted", kg=_number),
    "vital_signs": _body("vital_signs", heart_rate_per_min=st.sampled_from([None, "80"])),
    "imaging": _body(
        "imaging",
        method=st.sampled_from(["ultrasound", "elastography", "hvpg", "histology"]),
        suggests_vod=_maybe,
        hvpg_mmhg=st.sampled_from([None, "9.9", "10"]),
    ),
    "medication": _body(
        "medication",
        drug=st.just("ondansetron"),
        action=st.sampled_from(["started", "stopped"]),
        qt_prolonging=_maybe,
    ),
    "prophylaxis": _body("prophylaxis", against=st.sampled_from(["bacteria", "vod"]), given=st.booleans()),
    "allergy": _body(
        "allergy", substance=st.just("a drug"), premedication_class=st.sampled_from([None, *PREMEDICATION])
    ),
    "result_confirmed": _body("result_confirmed", target=st.sampled_from([f"f{i}" for i in range(1, 40)])),
    "risk_accepted": _body(
        "risk_accepted", risk=st.sampled_from(["two_alkylators", "bilirubin_at_uln"]), reason=_reasons
    ),
}
REPORTS = {
    "lab_result": lab_results,
    **FINDINGS,
    "response": _body(
        "response",
        cycle=_cycles,
        response=st.sampled_from(["CR", "CRi", "none", "not_assessable"]),
        mrd_negative=_maybe,
    ),
    "cytoreduction": _body(
        "cytoreduction", agent=st.just("hydroxyurea"), action=st.sampled_from(["started", "stopped"])
    ),
    "premedication": _body("premedication", drug_class=st.sampled_from(PREMEDICATION)),
    "preparation": _body(
        "preparation",
        preparation_id=st.sampled_from(["bag-1", "bag-2"]),
        reconstituted_at=moments.map(datetime.isoformat),
        dilution_started_at=st.none() | moments.map(datetime.isoformat),
        mg=st.sampled_from(["1.45", "0.91"]),
        vials=st.just(2),
        authorisation=st.none() | st.sampled_from([f"f{i}" for i in range(1, 40)]),
    ),
    "infusion_interrupted": _body("infusion_interrupted", infused_ml=st.sampled_from([None, "16.7"])),
    "vod_judged": _body("vod_judged", judgement=st.sampled_from(["suspected", "confirmed", "excluded", "resolved"])),
    "infusion_completed": _body("infusion_completed", stopped_early=st.booleans()),
    "administration": _with_slot(
        "administration", mg=st.just("0.91"), ended_at=st.none() | moments.map(datetime.isoformat)
    ),
    "reaction": _body(
        "reaction",
        reaction_id=st.sampled_from(["r-1", "r-2"]),
        grade=st.sampled_from([None, 1, 1, 2, 2, 3, 4]),
        resolved_at=st.none() | moments.map(datetime.isoformat),
    ),
    "transplant": _body("transplant", transplanted_at=moments.map(datetime.isoformat))
    | _body("transplant", transplanted_on=_days_of_year),
}
_targets = st.sampled_from([f"f{i}" for i in range(1, 60)])
_call = {"obligation": st.sampled_from(["reaction-running-r", "dose-C1D8"]), "due_at": moments.map(datetime.isoformat)}
OTHERS = {
    "result_withdrawn": withdrawals,
    "unreadable_message": _body(
        "unreadable_message",
        signal=st.just("lab_results"),
        sha256=st.sampled_from(["aa" * 32, "bb" * 32]),
        size=st.just(3),
        reason=st.just("not JSON"),
        head_base64=st.just("e30="),
    ),
    "response_proposed": _body("response_proposed", cycle=_cycles, response=st.sampled_from(["CR", "none"])),
    "dose_authorised": _with_slot(
        "dose_authorised", mg=st.just("0.91"), level=st.just("L0"), weight_kg=_number, binding=st.just("b" * 64)
    ),
    "dose_verified": _with_slot("dose_verified", authorisation=_targets, mg=st.just("0.91")),
    "infusion_started": _with_slot("infusion_started", mg=st.just("0.91"), preparation_id=st.just("bag-1")),
    "infusion_resumed": _body("infusion_resumed", rate_ml_per_h=st.just("25"), remaining_ml=st.just("33.3")),
    "dose_decided": _with_slot(
        "dose_decided",
        decision=st.sampled_from(["give", "omit", "postpone"]),
        cause=st.sampled_from(["toxicity", "logistics"]),
        until=st.none() | _days_of_year,
        reason=_reasons,
    ),
    "rounding_chosen": _with_slot("rounding_chosen", mg=st.just("0.9"), from_mg=st.sampled_from(["0.91", "1.45"])),
    "dropped_dose_chosen": _with_slot("dropped_dose_chosen"),
    "override": _with_slot(
        "override",
        rule=st.sampled_from(["NON-08", "QT-02", "PRE-07"]),
        subject=st.sampled_from([None, "alt"]),
        binding=st.just("b" * 64),
        reason=_reasons,
    ),
    "countersigned": _body("countersigned", target=_targets),
    "cycle_extended": _body("cycle_extended", cycle=st.just(1), because=st.sampled_from(["response", "toxicity"])),
    "course_closed": _body(
        "course_closed", reason=st.sampled_from(["death", "transfer", "lost_to_follow_up", "patient_stops"])
    ),
    "protocol_amended": _body(
        "protocol_amended", protocol=st.just({"name": "other", "sha256": "0" * 64}), reason=_reasons
    ),
    "divergence_acknowledged": _body("divergence_acknowledged", divergence=st.just("DIV-01"), reason=_reasons),
    "transplant_plan_withdrawn": _body("transplant_plan_withdrawn", reason=_reasons),
    "observation_ended": _body("observation_ended", minutes=st.just(60), complete=st.booleans()),
    "hold": _body("hold", reason=_reasons),
    "hold_released": _body("hold_released", hold=_targets, reason=_reasons),
    "cycle_started": _body("cycle_started", cycle=_cycles),
    "dosing_finished": _body("dosing_finished", reason=_reasons),
    "discontinued": _body("discontinued", reason=_reasons),
    "monitoring_started": _body("monitoring_started"),
    "no_transplant": _body("no_transplant"),
    "transplant_planned": _body("transplant_planned"),
    "fact_set_aside": _body("fact_set_aside", target=_targets, reason=_reasons),
    "unreadable_resolved": _body(
        "unreadable_resolved",
        target=_targets | st.sampled_from(["aa" * 32]),
        outcome=st.just("dismissed"),
        reason=_reasons,
    ),
    "rung_fired": _body(
        "rung_fired",
        obligation=st.sampled_from(["liver-test-after-C1D1", "dose-C1D8"]),
        rung=st.sampled_from(["due", "overdue"]),
        due_at=moments.map(datetime.isoformat),
    ),
    "call_acknowledged": _body("call_acknowledged", **_call),
    "call_snoozed": _body("call_snoozed", until=moments.map(datetime.isoformat), **_call),
    "obligation_met": _body(
        "obligation_met",
        obligation=st.just("dose-C1D8"),
        due_at=moments.map(datetime.isoformat),
        how=st.sampled_from(["met", "withdrawn"]),
    ),
    "record_compared": _body(
        "record_compared",
        outcome=st.sampled_from(["equal", "behind", "away", "ahead", "other"]),
        words=st.just("the record holds decision 7"),
    ),
    "record_reconciled": _body("record_reconciled", reason=_reasons),
    "without_record": _body("without_record", command=st.just("start_infusion"), reason=_reasons),
    "correction": _body(
        "correction", target=_targets, replacement=st.none() | st.one_of(*REPORTS.values()), reason=_reasons
    ),
}
BODIES = {**REPORTS, **OTHERS}
"""One strategy for every kind of fact; a test holds that none is missing."""


@st.composite
def facts(draw: st.DrawFn, number: int) -> Fact:
    """One fact of any kind, true at one moment and recorded at that or a later one."""
    what = draw(st.one_of(*BODIES.values()))
    at, recorded_at = sorted([draw(moments), draw(moments)])
    by = PEOPLE[draw(st.sampled_from([Role.PRESCRIBER, Role.NURSE, Role.LABORATORY]))]
    fields = {"id": f"x{number}", "by": str(by), "at": at, "recorded_at": draw(st.sampled_from([at, recorded_at]))}
    return Fact.model_validate_json(json.dumps({**fields, "what": what}, default=datetime.isoformat))


def _screening(b: ChartBuilder) -> PaperCourse:
    return PaperCourse(b.screened(), D1)


def _first_dose_ready(b: ChartBuilder) -> PaperCourse:
    return PaperCourse(b.ready(), D1 - timedelta(minutes=70))


def _first_dose_may_start(b: ChartBuilder) -> PaperCourse:
    return PaperCourse(b.ready(D1), D1).ready_to_start()


def _first_infusion_runs(b: ChartBuilder) -> PaperCourse:
    course = _first_dose_may_start(b)
    course.started()
    return course


def _observed(b: ChartBuilder) -> PaperCourse:
    return PaperCourse(b.ready().dose(1, 1, D1, observed=False), D1 + timedelta(minutes=70))


def _second_dose_ready(b: ChartBuilder) -> PaperCourse:
    at = D1 + timedelta(days=7)
    return PaperCourse(b.ready().dose(1, 1, D1).ready_again(at), at)


def _second_dose_held(b: ChartBuilder) -> PaperCourse:
    at = D1 + timedelta(days=7)
    return PaperCourse(b.ready().dose(1, 1, D1).ready_again(at, bilirubin="2.2", alt="160"), at)


def _second_cycle_ready(b: ChartBuilder) -> PaperCourse:
    at = D1 + timedelta(days=28)
    return PaperCourse(b.ready().cycle(1, D1).ready_for_cycle(at), at)


def _dosing_finished(b: ChartBuilder) -> PaperCourse:
    b.ready().cycle(1, D1, response="CR").add({"kind": "dosing_finished", "reason": "enough"}, D1 + timedelta(days=21))
    return PaperCourse(b, D1 + timedelta(days=21))


def _no_transplant(b: ChartBuilder) -> PaperCourse:
    course = _dosing_finished(b)
    course.does("declare_no_transplant", Role.PRESCRIBER)
    return course


def _transplanted(b: ChartBuilder) -> PaperCourse:
    course = _dosing_finished(b).later(days=14)
    course.does("record_transplant", Role.PRESCRIBER, transplanted_on=course.now.date())
    return course


STAGES = (
    _screening,
    _first_dose_ready,
    _first_dose_may_start,
    _first_infusion_runs,
    _observed,
    _second_dose_ready,
    _second_dose_held,
    _second_cycle_ready,
    _dosing_finished,
    _no_transplant,
    _transplanted,
)


@lru_cache
def staged(stage: Callable[[ChartBuilder], PaperCourse], protocol: str, zone: str) -> PaperCourse:
    """A course at this stage; made once, for its chart never changes."""
    return stage(ChartBuilder(protocol, zone=zone))


_near = st.sampled_from([-86400, -3600, -1, 0, 1, 1800, 3600, 7200, 86400, 3 * 86400, 60 * 86400])


@st.composite
def charts(draw: st.DrawFn, most: int = 6) -> tuple[Chart, str, datetime]:
    """A chart that reached some stage, facts left out and thrown in, its protocol, and a moment near that stage."""
    protocol = draw(protocols)
    course = staged(draw(st.sampled_from(STAGES)), protocol, draw(zones))
    left_out = draw(st.sets(st.sampled_from(range(len(course.chart.facts))), max_size=2))
    kept = [f for i, f in enumerate(course.chart.facts) if i not in left_out]
    thrown_in = [draw(facts(i)) for i in range(draw(st.integers(0, most)))]
    patient = course.chart.course.model_copy(update={"child_bearing_potential": draw(_maybe)})
    whole = Chart(course=patient, facts=tuple(sorted([*kept, *thrown_in], key=lambda f: f.recorded_at)))
    now = draw(moments | _near.map(lambda seconds: course.now + timedelta(seconds=seconds)))
    return whole, protocol, now


def command_contents(slot: DoseSlot, mg: str, known_ids: list[str]) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """By command what it may say in a course whose next dose is this: well formed, at times to the point."""
    dose = {"cycle": slot.cycle, "day": slot.day}
    ids = st.sampled_from([*known_ids, "nothing"])
    identifiers = ["name", "birth date"]
    return {
        "authorise_dose": st.sampled_from([dose, {**dose, "mg": mg}, {**dose, "mg": "9.99"}]),
        "verify_dose": st.just({**dose, "mg": mg}),
        "start_infusion": st.just({**dose, "preparation_id": "bag-1", "identifiers_checked": identifiers}),
        "interrupt_infusion": st.just({"infused_ml": "16.7"}),
        "resume_infusion": st.just({"rate_ml_per_h": "25"}),
        "complete_infusion": st.just({}),
        "end_observation": st.just({}),
        "hold": st.just({"reason": "unwell"}),
        "release_hold": st.builds(lambda hold: {"hold": hold, "reason": "well again"}, ids),
        "start_next_cycle": st.just({"cycle": slot.cycle}),
        "finish_dosing": st.just({"reason": "enough"}),
        "discontinue": st.just({"reason": "harm"}),
        "declare_no_transplant": st.just({}),
        "plan_transplant": st.just({}),
        "withdraw_transplant_plan": st.just({"reason": "no donor"}),
        "decide_dose": st.just({**dose, "decision": "give", "cause": "logistics", "reason": "a bed is free"}),
        "choose_rounding": st.just({**dose, "mg": mg}),
        "choose_dropped_dose": st.just({"cycle": slot.cycle, "day": 8}),
        "override": st.builds(
            lambda rule: {**dose, "rule": rule, "reason": "benefit"},
            st.sampled_from(["NON-08", "NON-02", "PRE-07", "QT-02", "MON-16"]),
        ),
        **dict.fromkeys(("acknowledge", "snooze"), st.just({"obligation": f"dose-{slot}", "until": D1.isoformat()})),
        "countersign": st.builds(lambda target: {"target": target}, ids),
        "extend_cycle": st.just({"cycle": 1, "because": "toxicity"}),
        "correct_fact": st.builds(lambda target: {"target": target, "reason": "it was wrong"}, ids),
        "move_to_current_build": st.just({}),
        "reconcile_record": st.just({"reason": "compared line by line"}),
        "set_fact_aside": st.builds(lambda target: {"target": target, "reason": "the rules fail on it"}, ids),
        "acknowledge_divergence": st.just({"divergence": "DIV-01", "reason": "known"}),
        "amend_protocol": st.just({"protocol": {"name": "other", "sha256": "0" * 64}, "reason": "a newer text"}),
    }


def commands(slot: DoseSlot, mg: str, known_ids: list[str]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A command by name with its content."""
    contents = command_contents(slot, mg, known_ids)
    return st.one_of(*(st.tuples(st.just(name), fields) for name, fields in contents.items()))
