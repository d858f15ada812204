"""The numbers of the clinical reference, written down apart from the protocol files: what the files and the rules are held to."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from plumbing.protocol_files import load_protocol
from tests.factories import ARTICLE, EU

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
    "vod.watch_gain_above": "2 %",
    "vod.watch_within": "7 d",
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
    # M: INF-07
    "observation.ends_call_before": "30 min",
    "observation.infusion_fit": "25 %",
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
"""Parts A-D and K: path -> value and unit as they are printed."""

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
"""§2.4: path -> the label's value, the EU text's value, clause."""

ARTICLE_DIFFERS = {
    "regimen.cycle1_d1": "0.5 mg/m2",
    "regimen.cycle1_length": "28 d",
}
"""§2.5: DIV-01, DIV-03."""

SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Printed(NamedTuple):
    """A number as the reference prints it."""

    number: Decimal
    unit: str

    @property
    def span(self) -> timedelta:
        """The number as a length of time."""
        return SPANS[self.unit] * float(self.number)


def printed(path: str, protocol: str) -> Printed:
    """The number of a path under a protocol. One that the reference does not print is our own: it stands in the file."""
    entry = dict(load_protocol(protocol).entries())[path]
    if protocol == EU and path in EU_DIFFERS:
        return Printed(Decimal(EU_DIFFERS[path][1]), entry.unit)
    words = (ARTICLE_DIFFERS if protocol == ARTICLE else {}).get(path) or NUMBERS.get(path)
    if words is None:
        return Printed(entry.number, entry.unit)
    number, unit = words.split(" ", 1)
    return Printed(Decimal(number), unit)
