"""The numbers of the released protocols are those of the clinical reference (parts A-D, G, K), each with its clause."""

from decimal import Decimal

import pytest

from models.protocol import Confidence, Entry, Override, Protocol
from plumbing.protocol_files import load_protocol, released_names
from tests.factories import ARTICLE, EU, LABEL, PROTOCOLS

NUMBERS = {
    # K: cycle1, later_cr_cri, later_no_response, window_days, min_gap_days
    "regimen.cycle1_d8": "0.5 mg/m2",
    "regimen.cycle1_d15": "0.5 mg/m2",
    "regimen.response_d1": "0.5 mg/m2",
    "regimen.response_d8": "0.5 mg/m2",
    "regimen.response_d15": "0.5 mg/m2",
    "regimen.no_response_d1": "0.8 mg/m2",
    "regimen.no_response_d8": "0.5 mg/m2",
    "regimen.no_response_d15": "0.5 mg/m2",
    "regimen.cycle1_max_length": "28 d",
    "regimen.later_length": "28 d",
    "regimen.window": "2 d",
    "regimen.min_gap": "6 d",
    "regimen.early_start": "6 h",
    "regimen.after_last_dose": "7 d",
    "regimen.max_cycles": "6 cycles",
    "regimen.cycles_before_transplant": "2 cycles",
    "regimen.max_cycles_before_transplant": "3 cycles",
    "regimen.stop_without_response_after": "3 cycles",
    "eligible.cd22_percent_above": "0 %",
    # K: liver_hold, haem, blast_target; CT-05, CT-13, CT-21
    "liver.bilirubin_max": "1.5 xULN",
    "liver.ast_alt_max": "2.5 xULN",
    "liver.isolated_bilirubin_max": "1.5 xULN",
    "liver.isolated_ast_alt_max": "2.5 xULN",
    "liver.direct_share_max": "20 %",
    # K: vod; VOD-01 … VOD-11
    "vod.bilirubin_from": "34 umol/L",
    "vod.signs_needed": "2 signs",
    "vod.gain_seattle_above": "2 %",
    "vod.gain_ino_vate_above": "2.5 %",
    "vod.gain_above": "5 %",
    "vod.seattle_until": "20 d",
    "vod.classical_until": "21 d",
    "vod.hvpg_from": "10 mmHg",
    "vod.adult_from": "18 years",
    "vod.conditioning": "7 d",
    "limits.anc_min": "1.0 10*9/L",
    "limits.platelets_min": "50 10*9/L",
    "limits.haem_persist": "28 d",
    "limits.blasts_max": "10 10*9/L",
    # BSA-08, QT-01 … QT-05, MON-16, DUR-02, HEM-09, CYT-05
    "limits.weight_change_max": "10 %",
    "limits.weight_gain_fluid": "5 %",
    "limits.qtcf_note": "450 ms",
    "limits.qtcf_max": "480 ms",
    "limits.qtcf_stop": "500 ms",
    "limits.qtcf_rise_max": "60 ms",
    "ecg.heart_rate_min": "40 /min",
    "ecg.heart_rate_max": "130 /min",
    "ecg.qrs_max": "120 ms",
    "confirm.uln_multiple": "20 1",
    "confirm.bilirubin_fold": "10 1",
    "confirm.same_message_apart": "5 %",
    "confirm.bilirubin_within": "24 h",
    "confirm.platelets_rise": "100 10*9/L",
    "confirm.platelets_within": "24 h",
    "confirm.seconds_below": "1 ms",
    "limits.potassium_min": "3.5 mmol/L",
    "limits.potassium_later_min": "3.0 mmol/L",
    "limits.potassium_later_note": "3.5 mmol/L",
    "limits.potassium_later_age": "7 d",
    "limits.fever": "38.0 Cel",
    "limits.interruption_max": "7 d",
    "limits.interruption_reduce": "14 d",
    "limits.interruption_stop": "28 d",
    "limits.recovery_alert": "14 d",
    "limits.recovery_max": "28 d",
    "levels.factor": "0.75 1",
    "levels.dropped_day": "15 day",
    "limits.transfusion_washout": "72 h",
    "limits.filgrastim_washout": "48 h",
    "limits.pegfilgrastim_washout": "7 d",
    "limits.cytoreduction_max": "7 d",
    # §3.7
    "ages.cbc_first": "24 h",
    "ages.cbc_day_1": "24 h",
    "ages.cbc_later": "48 h",
    "ages.liver": "48 h",
    "ages.qtcf": "7 d",
    "ages.electrolytes": "48 h",
    "ages.tls_chemistry": "48 h",
    "ages.pregnancy": "7 d",
    "ages.weight_first": "72 h",
    "ages.weight_day_1": "24 h",
    "ages.weight_later": "72 h",
    "ages.examination": "24 h",
    # PRE-07, K: recon, infusion, observe_min, t_recon_…
    "premedication.earliest": "120 min",
    "premedication.latest": "30 min",
    "preparation.concentration": "0.25 mg/mL",
    "preparation.vial_content": "0.9 mg",
    "preparation.to_dilution": "4 h",
    "preparation.to_end": "8 h",
    "preparation.infusion": "1 h",
    "preparation.bag_volume": "50 mL",
    "preparation.rate": "50 mL/h",
    "preparation.rounding_max": "10 %",
    "preparation.bag_min_dose": "0.5 mg",
    "preparation.bag_max_dose": "5 mg",
    "observation.minimum": "60 min",
    # MON-02, -03, -04; K: post_hsct_lft_interval_days, post_last_dose_vod_watch_days
    "monitoring.after_dose_from": "24 h",
    "monitoring.after_dose_until": "96 h",
    "monitoring.abnormal_from": "48 h",
    "monitoring.abnormal_until": "72 h",
    "monitoring.weekly": "7 d",
    "monitoring.grace": "24 h",
    "monitoring.last_dose_days": "56 d",
    "monitoring.transplant_first": "7 d",
    "monitoring.transplant_first_until": "30 d",
    "monitoring.transplant_second": "14 d",
    "monitoring.transplant_second_until": "60 d",
    "monitoring.transplant_third": "28 d",
    "monitoring.transplant_last_day": "100 d",
    # MON-01 … MON-15, K: contraception_months, no_breastfeeding_months; §7.2: daily while suspected
    "monitoring.suspected": "1 d",
    "monitoring.blood_count": "7 d",
    "monitoring.qt_drug": "7 d",
    "monitoring.tls_first_from": "6 h",
    "monitoring.tls_first_until": "12 h",
    "monitoring.tls_second": "24 h",
    "monitoring.tls_third": "48 h",
    "monitoring.tls_fourth": "72 h",
    "monitoring.tls_fifth": "7 d",
    "monitoring.contraception_women": "8 months",
    "monitoring.contraception_men": "5 months",
    "monitoring.breast_feeding": "2 months",
    "monitoring.marrow_from": "21 day",
    "monitoring.marrow_until": "28 day",
    "monitoring.marrow_cycles": "3 cycles",
    "monitoring.daily_examination_until": "21 d",
    # INF-03, §4.5, INF-06
    "observation.vital_signs_first": "15 min",
    "observation.vital_signs_second": "30 min",
    "observation.vital_signs_later": "30 min",
    "observation.death_grade": "5 1",
    "observation.resume_rate": "25 mL/h",
    # §7.1: SEV-01 … SEV-03
    "severity.criteria_needed": "2 criteria",
    "severity.risk_factors_needed": "2 factors",
    "severity.days_severe_until": "4 d",
    "severity.days_moderate_until": "7 d",
    "severity.bilirubin_mild_from": "34 umol/L",
    "severity.bilirubin_moderate_from": "51 umol/L",
    "severity.bilirubin_severe_from": "85 umol/L",
    "severity.bilirubin_very_severe_from": "136 umol/L",
    "severity.doubling": "2 x",
    "severity.doubling_within": "48 h",
    "severity.transaminases_moderate_above": "2 xULN",
    "severity.transaminases_severe_above": "5 xULN",
    "severity.transaminases_very_severe_above": "8 xULN",
    "severity.weight_moderate_from": "5 %",
    "severity.weight_very_severe_from": "10 %",
    "severity.creatinine_moderate_from": "1.2 xbaseline",
    "severity.creatinine_severe_from": "1.5 xbaseline",
    "severity.creatinine_very_severe_from": "2 xbaseline",
    "severity.platelets_moderate_from": "3 d",
    "severity.platelets_severe_from": "7 d",
    "severity.filtration_mild_below": "90 mL/min",
    "severity.filtration_moderate_below": "60 mL/min",
    "severity.filtration_severe_below": "30 mL/min",
    "severity.filtration_very_severe_below": "15 mL/min",
    # RISK-01, RISK-02
    "risk.alkylators": "2 drugs",
    "risk.age_high": "55 years",
    "risk.age_higher": "65 years",
    # TLS-01, TLS-02
    "tumour_lysis.before": "3 d",
    "tumour_lysis.after": "7 d",
    "tumour_lysis.within": "24 h",
    "tumour_lysis.tests_needed": "2 tests",
    "tumour_lysis.potassium[>= mmol/L]": "6.0 mmol/L",
    "tumour_lysis.phosphate[>= mmol/L]": "1.45 mmol/L",
    "tumour_lysis.phosphate[>= mg/dL]": "4.5 mg/dL",
    "tumour_lysis.phosphate_child[>= mmol/L]": "2.1 mmol/L",
    "tumour_lysis.phosphate_child[>= mg/dL]": "6.5 mg/dL",
    "tumour_lysis.calcium[<= mmol/L]": "1.75 mmol/L",
    "tumour_lysis.calcium[<= mg/dL]": "7.0 mg/dL",
    "tumour_lysis.urate[>= umol/L]": "476 umol/L",
    "tumour_lysis.urate[>= mg/dL]": "8.0 mg/dL",
    "tumour_lysis.creatinine_rise[>= umol/L above baseline]": "26.5 umol/L above baseline",
    "tumour_lysis.creatinine_rise[>= mg/dL above baseline]": "0.3 mg/dL above baseline",
    # §9.3: CRIT-01
    "critical.bilirubin_rise": "1 mg/dL",
    "critical.rise_within": "48 h",
    "critical.rows.anc.alert[< 10*9/L]": "0.5 10*9/L",
    "critical.rows.wbc.alert[< 10*9/L]": "1.0 10*9/L",
    "critical.rows.wbc.alert[> 10*9/L]": "50 10*9/L",
    "critical.rows.platelets.alert[< 10*9/L]": "20 10*9/L",
    "critical.rows.platelets.urgent[< 10*9/L]": "10 10*9/L",
    "critical.rows.haemoglobin.alert[< g/dL]": "7.0 g/dL",
    "critical.rows.potassium.alert[< mmol/L]": "2.8 mmol/L",
    "critical.rows.potassium.alert[> mmol/L]": "6.0 mmol/L",
    "critical.rows.sodium.alert[< mmol/L]": "120 mmol/L",
    "critical.rows.sodium.alert[> mmol/L]": "158 mmol/L",
    "critical.rows.calcium.alert[< mg/dL]": "6.5 mg/dL",
    "critical.rows.calcium.alert[> mg/dL]": "13 mg/dL",
    "critical.rows.calcium_ionised.alert[< mmol/L]": "0.8 mmol/L",
    "critical.rows.calcium_ionised.alert[> mmol/L]": "1.58 mmol/L",
    "critical.rows.magnesium.alert[< mg/dL]": "1.0 mg/dL",
    "critical.rows.magnesium.alert[> mg/dL]": "5.0 mg/dL",
    "critical.rows.phosphate.alert[<= mg/dL]": "1.0 mg/dL",
    "critical.rows.phosphate.alert[> mg/dL]": "9 mg/dL",
    "critical.rows.bilirubin.alert[>= mg/dL]": "3 mg/dL",
    "critical.rows.creatinine.alert[>= xbaseline]": "2 xbaseline",
    "critical.rows.inr.alert[> {INR}]": "3 {INR}",
    "critical.rows.qtcf.alert[> ms]": "500 ms",
    # K: response; RESP-01 … RESP-04
    "response.marrow_blasts_below": "5 %",
    "response.platelets_from": "100 10*9/L",
    "response.anc_from": "1.0 10*9/L",
    "response.mrd_below": "0.01 %",
    "response.transfusion_free": "7 d",
    "response.growth_factor_free": "7 d",
}
PLAUSIBLE = {
    "alt": ("1", "25000"),
    "ast": ("1", "25000"),
    "alp": ("3", "10000"),
    "ggt": ("1", "10000"),
    "bilirubin": ("0", "80"),
    "albumin": ("0.5", "7"),
    "creatinine": ("0.1", "30"),
    "potassium": ("1.0", "12"),
    "sodium": ("90", "200"),
    "magnesium": ("0.2", "20"),
    "calcium": ("2", "25"),
    "phosphate": ("0.2", "30"),
    "urate": ("0", "50"),
    "wbc": ("0", "1500"),
    "platelets": ("0", "5000"),
    "haemoglobin": ("1", "25"),
    "blasts_percent": ("0", "100"),
    "lipase": ("0", "50000"),
    "amylase": ("0", "50000"),
    "qtcf": ("200", "800"),
    "qt": ("200", "800"),
    "anc": ("0", "150"),
    "heart_rate": ("20", "300"),
    "weight": ("2", "500"),
    "height": ("20", "250"),
}
NEVER = ("IDN-01", "IDN-02", "VOD-01", "NON-01", "NON-02", "NON-05", "MON-11", "DAY-03", "PREP-12", "COR-02")
SECOND_PERSON = ("NON-06", "NON-08", "QT-01", "CYT-02", "HEM-01", "HEM-03", "HEM-05", "DOSE-08")
WITH_A_REASON = ("MON-16", "QT-02", "QT-05", "PRE-01")
NOBODY = ("ELIG-01", "DOSE-11", "DOSE-07", "DOSE-09", "LAB-05", "CONV-03")


def entries(protocol: Protocol) -> dict[str, Entry]:
    return dict(protocol.entries())


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize(("path", "value"), NUMBERS.items())
def test_a_number_is_that_of_the_reference(name: str, path: str, value: str) -> None:
    entry = entries(load_protocol(name))[path]
    assert f"{entry.value} {entry.unit}" == value


@pytest.mark.parametrize(
    ("path", "label", "article", "divergence"),
    [
        ("regimen.cycle1_d1", Decimal("0.8"), Decimal("0.5"), "DIV-01"),
        ("regimen.cycle1_length", Decimal(21), Decimal(28), "DIV-03"),
        ("premedication.mandatory", False, True, "DIV-07"),
    ],
)
def test_the_article_departs_from_the_label_in_three_named_places(
    path: str, label: object, article: object, divergence: str
) -> None:
    ours, theirs = entries(load_protocol(LABEL))[path], entries(load_protocol(ARTICLE))[path]
    assert (ours.value, theirs.value) == (label, article)
    assert (ours.divergence, theirs.divergence) == (None, divergence)


def test_the_article_departs_from_the_label_nowhere_else() -> None:
    label, article = entries(load_protocol(LABEL)), entries(load_protocol(ARTICLE))
    differing = {path for path in label if label[path] != article[path]}
    assert differing == {"regimen.cycle1_d1", "regimen.cycle1_length", "premedication.mandatory"}
    assert load_protocol(ARTICLE).divergences == ("DIV-01", "DIV-03", "DIV-07")
    assert load_protocol(LABEL).divergences == ()


def decimal_or_not(words: str) -> object:
    return words == "yes" if words in ("yes", "no") else Decimal(words)


EU_DIFFERS = {
    "eligible.min_age_years": ("1", "18", "EU-01"),
    "eligible.tki_failure_required": ("no", "yes", "EU-02"),
    "eligible.cd22_percent_required": ("no", "yes", "EU-03"),
    "eligible.history_contraindicates": ("no", "yes", "EU-04"),
    "prompts.hydrate_and_lower_urate": ("no", "yes", "EU-05"),
    "preparation.vial_labelled": ("0.9", "1", "EU-06"),
    "limits.haem_persist_proposes": ("yes", "no", "EU-07"),
    "prompts.resuscitation_at_hand": ("no", "yes", "EU-10"),
}


@pytest.mark.parametrize(("path", "words"), EU_DIFFERS.items())
def test_the_eu_text_differs_from_the_label_where_the_reference_says(path: str, words: tuple[str, str, str]) -> None:
    ours, theirs = entries(load_protocol(LABEL))[path], entries(load_protocol(EU))[path]
    assert (ours.value, theirs.value) == (decimal_or_not(words[0]), decimal_or_not(words[1]))
    assert theirs.clause == words[2]


def test_the_eu_text_has_every_other_number_of_the_label_and_names_no_divergence() -> None:
    """EU-11. That a vial yields 0.9 mg is the same number, read in no EU text (VIAL-01)."""
    label, eu = entries(load_protocol(LABEL)), entries(load_protocol(EU))
    assert {path for path in label if label[path].value != eu[path].value} == set(EU_DIFFERS)
    ages = {"risk.age_high", "risk.age_higher"}  # EU-08: the text that names them
    assert {path for path in label if label[path] != eu[path]} == {*EU_DIFFERS, *ages, "preparation.vial_content"}
    assert {eu[path].clause for path in ages} == {"EU-08"}
    assert eu["preparation.vial_content"].confidence is Confidence.UNVERIFIED
    assert load_protocol(EU).divergences == ()


@pytest.mark.parametrize(("analyte", "limits"), PLAUSIBLE.items())
def test_hard_limits_are_those_of_the_reference(analyte: str, limits: tuple[str, str]) -> None:
    plausible = load_protocol(LABEL).plausible[analyte]
    assert (plausible.low.number, plausible.high.number) == (Decimal(limits[0]), Decimal(limits[1]))


@pytest.mark.parametrize(
    ("override", "rules"),
    [
        (Override.NEVER, NEVER),
        (Override.SECOND_PERSON, SECOND_PERSON),
        (Override.PRESCRIBER, WITH_A_REASON),
        (Override.NONE, NOBODY),
    ],
)
def test_who_may_override_a_rule_is_as_the_reference_says(override: Override, rules: tuple[str, ...]) -> None:
    protocol = load_protocol(LABEL)
    assert {rule: protocol.rule(rule).override for rule in rules} == dict.fromkeys(rules, override)


@pytest.mark.parametrize("name", released_names())
def test_every_leaf_and_every_rule_names_a_source_that_the_file_explains(name: str) -> None:
    protocol = load_protocol(name)
    used = {e.source for e in entries(protocol).values()} | {r.source for r in protocol.rules.values()}
    assert used <= set(protocol.sources)


@pytest.mark.parametrize("name", released_names())
def test_what_nobody_has_published_is_marked_as_a_proposal(name: str) -> None:
    protocol = load_protocol(name)
    ours = [e for e in entries(protocol).values() if e.source == "site"]
    assert {e.confidence for e in ours} == {Confidence.PROPOSED}
    assert {r.confidence for r in protocol.rules.values() if r.source == "site"} == {Confidence.PROPOSED}
    unread = [e for e in entries(protocol).values() if e.source == "label-unread"]
    assert {e.confidence for e in unread} == {Confidence.UNVERIFIED}


def test_every_number_of_the_file_is_looked_at_here() -> None:
    """A new number must be put beside its clause, or named as our own below."""
    ours = {
        "calls.urgent",
        "calls.ordinary",
        "regimen.day8_offset",
        "regimen.day15_offset",
        "ages.future_tolerance",
        "preparation.dose_decimals",
        "observation.overdue_after",
        "observation.infusion_overdue_after",
        "observation.vital_signs_before",
        "observation.vital_signs_early",
        "observation.vital_signs_overdue_after",
        "monitoring.before_dose",
        "monitoring.tls_early",
        "monitoring.tls_late",
        "monitoring.prophylaxis_since",
        "observation.stop_grade",
        "observation.running_grade",
        "limits.toxicity_grade",
        "ctcae.noted_from",
        "ctcae.noted_for",
        "response.counts_within",
        "risk.salvage_line_from",
        "risk.cycles_above",
    }
    protocol = load_protocol(LABEL)
    numbers = {
        p
        for p, e in entries(protocol).items()
        if isinstance(e.value, Decimal) and not p.startswith(("plausible", "ctcae.rows"))  # test_ctcae.py has these
    }
    differing = {"regimen.cycle1_d1", "regimen.cycle1_length", "eligible.min_age_years", "preparation.vial_labelled"}
    assert numbers == set(NUMBERS) | ours | differing
