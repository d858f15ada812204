"""Every limit that decides about a dose: just below, exactly at, and just above it, in each unit of the analyte.

What is only said or asked for has its table in `test_boundaries_of_notes.py`.
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.course.case import Case
from models.assessment import Refused, Verdict
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.boundaries import (
    ASKS,
    MULTIPLES,
    ULN_IN,
    Answer,
    Boundary,
    as_old_as,
    asking,
    asks,
    given,
    holds,
    kg,
    multiple_of_uln,
    obligation,
    result,
    saying,
    tries,
    verdict,
)
from tests.factories import ARTICLE, D1, EU, LABEL, LLN, ChartBuilder, PaperCourse
from tests.scenarios import (
    DAY,
    HOUR,
    MIN,
    SECOND,
    Story,
    after_cycles,
    after_transplant,
    charted,
    day,
    day_8,
    day_15,
    first_dose,
    lab,
    next_cycle,
    steps,
    then,
    toxic,
)
from tests.units import UNITS, has_image, in_unit

# ── patients of one limit ──────────────────────────────────────────────────────────────────────────────────────────


def ecg(ms: object, before: str = "420") -> Story:
    """Day 1 of cycle 2 with this QTcF, and another before the first dose."""
    seen = ({"kind": "ecg", "qtcf_ms": before}, {"kind": "ecg", "qtcf_ms": str(ms)})
    return then(next_cycle(), steps(charted(seen[0], ago=28 * DAY + HOUR), charted(seen[1])))


def born_on(on: date) -> Story:
    return lambda protocol: PaperCourse(ChartBuilder(protocol, birth_on=on).ready(), D1)


def birthdays(years: Decimal) -> tuple[date, date, date]:
    """One day too young, on the birthday, one day older, at the first dose."""
    birthday = date(D1.year - int(years), D1.month, D1.day)
    return birthday + DAY, birthday, birthday - DAY


def gained_lately(per_cent: Decimal, within: timedelta) -> Story:
    """Day 15, less than before treatment and so many per cent above a weight of 65 kg, taken so long before."""
    now = day_15(kg=format(65 * (1 + per_cent / 100), "f"))
    return then(now, charted({"kind": "weight", "kg": "65"}, ago=3 * HOUR + within))


def with_direct(per_cent: Decimal) -> Story:
    """Gilbert syndrome, bilirubin 2.5 mg/dL, so many per cent of it direct: above the ULN of the direct one."""
    documented = charted({"kind": "bilirubin_cause", "cause": "gilbert"}, ago=2 * DAY)
    direct = lab("bilirubin_direct", format(per_cent * Decimal("0.025"), "f"), ago=3 * HOUR)
    return then(day_8(bilirubin="2.5"), steps(documented, direct))


def cd22(per_cent: Decimal) -> Story:
    """Eligible but for the share of CD22-positive cells."""
    stated = {"cd22_positive": True, "b_cell_precursor_all": True, "relapsed_or_refractory": True, "ph_positive": False}
    said_so = {"kind": "eligibility", **stated, "method": "flow cytometry", "cd22_percent": str(per_cent)}
    return then(first_dose(), charted(said_so, by=Role.PRESCRIBER))


def child_with_two_signs(on: date) -> Story:
    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol, birth_on=on).ready()
        signs = {"hepatomegaly": True, "painful_hepatomegaly": False, "ascites": True, "ruq_pain": False}
        chart.add({"kind": "vod_examination", **signs, "oedema": False}, D1 - MIN, Role.PHYSICIAN)
        return PaperCourse(chart, D1)

    return story


def weighed_before_conditioning(ago: timedelta) -> Story:
    """60 kg three weeks before day 0, 70 kg so long before it, 72 kg now, with a high bilirubin."""

    def story(protocol: str) -> PaperCourse:
        course = after_transplant(10, bilirubin="2.4", kg="72")(protocol)
        day_0 = course.now - 10 * DAY
        with course.charting() as chart:
            chart.facts = [f for f in chart.facts if not (f.what.kind == "weight" and f.at > D1 and f.at < day_0)]
            chart.add({"kind": "weight", "kg": "60"}, day_0 - 21 * DAY)
            chart.add({"kind": "weight", "kg": "70"}, day_0 - ago)
        return course

    return story


def hvpg(mmhg: Decimal) -> Story:
    return then(after_transplant(10), charted({"kind": "imaging", "method": "hvpg", "hvpg_mmhg": str(mmhg)}))


def drawn_after(kind: dict[str, Any], **counts: str) -> Callable[[timedelta], Story]:
    """Counts of day 1 of cycle 2, drawn so long after something."""
    return lambda span: then(next_cycle(**counts), charted(kind, ago=3 * HOUR + span))


def child_bearing(ago: timedelta) -> Story:
    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol, child_bearing_potential=True).ready()
        chart.add({"kind": "pregnancy_test", "result": "negative"}, D1 - ago)
        return PaperCourse(chart, D1)

    return story


def premedicated(ago: timedelta) -> Story:
    """Signed and prepared, the three classes given so long ago."""

    def story(protocol: str) -> PaperCourse:
        course = first_dose()(protocol).authorised().prepared()
        with course.charting() as chart:
            for drug_class in ("corticosteroid", "antipyretic", "antihistamine"):
                chart.add({"kind": "premedication", "drug_class": drug_class}, course.now - ago)
        return course

    return story


def reconstituted(ago: timedelta, diluted_after: timedelta = MIN) -> Story:
    def story(protocol: str) -> PaperCourse:
        course = first_dose()(protocol).authorised().premedicated().later(hours=1)
        made_at = course.now - ago
        return course.prepared(reconstituted_at=made_at, dilution_started_at=made_at + diluted_after)

    return story


def small(weight: str) -> Story:
    """A small patient of 100 cm on day 8: 36 kg are exactly 1 m² and 0.50 mg."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).screened()
        chart.add({"kind": "height", "cm": "100"}, D1 - HOUR)
        chart.add({"kind": "weight", "kg": weight}, D1 - HOUR)
        return PaperCourse(chart.dose(1, 1, D1), day(8))

    return story


def running(protocol: str) -> PaperCourse:
    course = first_dose()(protocol).ready_to_start()
    course.started()
    return course


def observed(protocol: str) -> PaperCourse:
    course = running(protocol).later(hours=1)
    course.does("complete_infusion", Role.NURSE)
    return course


def observation_is_complete(protocol: str, minutes: timedelta, unit: str) -> bool:
    course = observed(protocol)
    course.now += minutes
    return bool(course.does("end_observation", Role.NURSE, note="to the ward").what.complete)


def rounding_is_refused(protocol: str, per_cent: Decimal, unit: str) -> bool:
    course = day_8()(protocol)
    mg = format(Decimal("0.91") * (1 - per_cent / 100), "f")
    return isinstance(course.judged("choose_rounding", Role.PRESCRIBER, cycle=1, day=8, mg=mg), Refused)


def reaction(grade: int) -> Story:
    def story(protocol: str) -> PaperCourse:
        course = running(protocol).later(minutes=5)
        course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=int(grade))
        return course

    return story


def abnormal(protocol: str) -> PaperCourse:
    return day_8(alt="100")(protocol)


def suspected(protocol: str) -> PaperCourse:
    return after_transplant(10, bilirubin="2.4", kg="74.2", signs={"ascites": True})(protocol)


def low_for(days: object) -> Story:
    def story(protocol: str) -> PaperCourse:
        first = 29 if protocol == ARTICLE else 22
        at = day(first + int(str(days)))
        chart = ChartBuilder(protocol).ready().cycle(1, D1).ready_for_cycle(day(first), anc="0.9")
        return PaperCourse(chart.ready_for_cycle(at, anc="0.9"), at)

    return story


def earlier_by(span: timedelta) -> Story:
    """Day 8 on the sixth date, so much earlier by the wall clock than day 1 at 17:00 local time."""
    first = D1 + 8 * HOUR
    asked = first + 6 * DAY - span
    return lambda protocol: PaperCourse(ChartBuilder(protocol).ready(first).dose(1, 1, first).ready_again(asked), asked)


def cycle_of(response: str, **more: Any) -> Callable[[Any], Story]:
    return lambda cycles: after_cycles(int(cycles), response, **more)


def last_dose_on_17(days: Any) -> Story:
    at = day(17 + int(days))

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1).dose(1, 8, day(10)).dose(1, 15, day(17))
        return PaperCourse(chart.ready_for_cycle(at, "none"), at)

    return story


def third_cycle(days: Any) -> Story:
    """Cycle 3 asked for so many days after day 1 of cycle 2."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().cycle(1, D1, response="CR").cycle(2, day(29))
        at = day(29 + int(days))
        return PaperCourse(chart.ready_for_cycle(at, "CR", 2), at)

    return story


def extended(days: Any) -> Story:
    """Cycle 2 asked for so many days after day 1 of a first cycle that was extended."""
    at = day(1 + int(days))

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().cycle(1, D1)
        chart.add({"kind": "cycle_extended", "cycle": 1, "because": "response"}, day(17), Role.PRESCRIBER)
        return PaperCourse(chart.ready_for_cycle(at), at)

    return story


def signs_of_vod(number: Any) -> Story:
    """So many signs, none of them enough alone: bilirubin, ascites, weight."""
    signs: list[dict[str, Any]] = [{"bilirubin": "2.4"}, {"signs": {"ascites": True}}, {"kg": "74.2"}]
    return after_transplant(10, **{k: v for sign in signs[: int(number)] for k, v in sign.items()})


def long_cycle(protocol: str) -> bool:
    return protocol == ARTICLE


def unusable(analyte: str) -> Answer:
    """Nothing but this result: whether it can be used."""

    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        chart = ChartBuilder(protocol)
        limits = {"uln": Decimal(ULN_IN[unit])} if unit in ULN_IN else {}
        limits |= {"lln": Decimal("0.1")} if analyte in LLN else {}
        chart.result(analyte, in_unit(analyte, value, unit), D1 - HOUR, unit=unit, **limits)
        return not Case(chart.chart(), load_protocol(protocol), D1).opening(analyte).values

    return answer


ONE = {"step": Decimal(1)}

BOUNDARIES: dict[str, tuple[Boundary, ...]] = {
    # windows, spacing, cycles
    "regimen.window": (
        Boundary(">", given(lambda days: day_8(8 + int(days)), verdict(Verdict.DELAYED)), **ONE),
        Boundary(
            "<",
            lambda p, days, u: day_8(8 - int(days))(p).card.verdict is not Verdict.TOO_EARLY,
            **ONE,
            note="two days before is shut by the six dates: day 7 is the first",
        ),
    ),
    "regimen.min_gap": (Boundary("<", given(lambda days: day_8(1 + int(days)), asking("DAY-03")), **ONE),),
    "regimen.cycle1_length": (
        Boundary("<", given(lambda days: next_cycle(1 + int(days)), verdict(Verdict.TOO_EARLY)), **ONE),
    ),
    "regimen.later_length": (Boundary("<", given(third_cycle, verdict(Verdict.TOO_EARLY)), **ONE),),
    "regimen.cycle1_max_length": (Boundary("<", given(extended, verdict(Verdict.TOO_EARLY)), **ONE),),
    "regimen.after_last_dose": (
        Boundary(
            "<",
            lambda p, days, u: last_dose_on_17(days if not long_cycle(p) else 12)(p).card.verdict is Verdict.TOO_EARLY,
            **ONE,
        ),
    ),
    "regimen.early_start": (Boundary(">", given(earlier_by, verdict(Verdict.TOO_EARLY)), step=MIN),),
    "regimen.max_cycles": (Boundary(">=", given(cycle_of("CR"), asking("DOSE-09")), **ONE),),
    "regimen.cycles_before_transplant": (
        Boundary(">=", given(cycle_of("CR", mrd=True, planned=True), asking("DOSE-08")), **ONE),
    ),
    "regimen.max_cycles_before_transplant": (
        Boundary(">=", given(cycle_of("CR", mrd=False, planned=True), asking("DOSE-08")), **ONE),
    ),
    "regimen.stop_without_response_after": (Boundary(">=", given(cycle_of("none"), asking("DOSE-07")), **ONE),),
    # eligibility
    "eligible.min_age_years": (Boundary("<", given(born_on, verdict(Verdict.PROPOSE_DISCONTINUE)), of=birthdays),),
    "eligible.cd22_percent_above": (
        Boundary(
            "<=",
            given(cd22, asking("EU-03")),
            under=EU,
            of=lambda v: (v, v, v + Decimal("0.1")),
            note="none is below 0",
        ),
    ),
    # liver
    "liver.bilirubin_max": (
        Boundary(">", multiple_of_uln(day_8(alt="165"), "bilirubin", "NON-02"), units=MULTIPLES["bilirubin"]),
    ),
    "liver.ast_alt_max": tuple(
        Boundary(">", multiple_of_uln(day_8(bilirubin="2.2"), enzyme, "NON-02"), units=MULTIPLES["alt"])
        for enzyme in ("alt", "ast")
    ),
    "liver.isolated_bilirubin_max": (
        Boundary(">", multiple_of_uln(day_8(), "bilirubin", "NON-08"), units=MULTIPLES["bilirubin"]),
    ),
    "liver.isolated_ast_alt_max": tuple(
        Boundary(">", multiple_of_uln(day_8(), enzyme, "NON-08"), units=MULTIPLES["alt"]) for enzyme in ("alt", "ast")
    ),
    "liver.direct_share_max": (Boundary(">", given(with_direct, asking("NON-08"))),),
    # VOD
    "vod.bilirubin_from": (
        Boundary(
            ">=",
            lambda p, v, u: asks(
                after_transplant(
                    10,
                    bilirubin=in_unit("bilirubin", v, u, "umol/L"),
                    unit=u,
                    signs={"ascites": True},
                )(p).card,
                "VOD-05",
            ),
            analyte="bilirubin",
            printed_in="umol/L",
        ),
    ),
    "vod.signs_needed": (Boundary(">=", given(signs_of_vod, asking("VOD-05")), **ONE),),
    "vod.gain_seattle_above": (
        Boundary(">", given(lambda g: after_transplant(10, bilirubin="2.4", kg=kg(g)), asking("VOD-01"))),
    ),
    "vod.gain_ino_vate_above": (
        Boundary(">", given(lambda g: after_transplant(10, bilirubin="2.4", kg=kg(g)), asking("VOD-11"))),
    ),
    "vod.gain_above": (
        Boundary(">", given(lambda g: after_transplant(10, bilirubin="2.4", kg=kg(g)), asking("VOD-05"))),
    ),
    "vod.seattle_until": (
        Boundary("<=", given(lambda d: after_transplant(int(d), bilirubin="2.4", kg="72"), asking("VOD-01")), **ONE),
    ),
    "vod.classical_until": (
        Boundary(
            "<=",
            given(
                lambda d: after_transplant(int(d), bilirubin="2.4", kg="74", signs={"ascites": True}), asking("VOD-03")
            ),
            **ONE,
        ),
        Boundary(
            ">",
            given(
                lambda d: after_transplant(int(d), bilirubin="2.4", kg="74", signs={"ascites": True}), asking("VOD-04")
            ),
            **ONE,
        ),
    ),
    "vod.hvpg_from": (Boundary(">=", given(hvpg, asking("VOD-07")), step=Decimal("0.1")),),
    "vod.adult_from": (Boundary("<", given(child_with_two_signs, asking("VOD-10")), of=birthdays),),
    "vod.conditioning": (Boundary("<", given(weighed_before_conditioning, asking("VOD-05")), step=SECOND),),
    "vod.watch_gain_above": (Boundary(">", given(lambda g: gained_lately(g, 2 * DAY), saying("ALERT-01"))),),
    "vod.watch_within": (
        Boundary("<=", given(lambda span: gained_lately(Decimal(3), span), saying("ALERT-01")), step=SECOND),
    ),
    # counts, blasts
    "limits.anc_min": (Boundary("<", result(next_cycle(), "anc", "HEM-01"), analyte="anc"),),
    "limits.platelets_min": (
        Boundary("<", result(next_cycle(), "platelets", "HEM-03"), step=Decimal(1), analyte="platelets"),
    ),
    "limits.blasts_max": (Boundary(">", result(first_dose(), "blasts", "CYT-02"), analyte="blasts"),),
    "limits.haem_persist": (Boundary(">", given(low_for, asking("HEM-02")), **ONE),),
    "limits.transfusion_washout": (
        Boundary(
            "<",
            given(
                drawn_after({"kind": "transfusion", "product": "platelets"}, platelets="60"), verdict(Verdict.NEED_DATA)
            ),
            step=SECOND,
        ),
    ),
    "limits.filgrastim_washout": (
        Boundary(
            "<",
            given(drawn_after({"kind": "g_csf", "drug": "filgrastim"}, anc="1.4"), verdict(Verdict.NEED_DATA)),
            step=SECOND,
        ),
    ),
    "limits.pegfilgrastim_washout": (
        Boundary(
            "<",
            given(drawn_after({"kind": "g_csf", "drug": "pegfilgrastim"}, anc="1.4"), verdict(Verdict.NEED_DATA)),
            step=SECOND,
        ),
    ),
    # weight
    "limits.weight_change_max": (Boundary(">", lambda p, v, u: day_8(kg=kg(-v))(p).card.dose.weight_kg != 70),),
    "limits.weight_gain_fluid": (Boundary(">", lambda p, v, u: next_cycle(kg=kg(v))(p).card.dose.weight_kg == 70),),
    # heart
    "limits.qtcf_note": (Boundary(">=", given(ecg, saying("QT-03")), **ONE),),
    "limits.qtcf_max": (Boundary(">", given(lambda ms: ecg(ms, "450"), asking("QT-02")), **ONE),),
    "limits.qtcf_stop": (Boundary(">", given(lambda ms: ecg(ms, "460"), asking("QT-01")), **ONE),),
    "limits.qtcf_rise_max": (Boundary(">", given(lambda ms: ecg(410 + ms, "410"), asking("QT-01")), **ONE),),
    "limits.potassium_min": (Boundary("<", result(first_dose(), "potassium", "QT-05"), analyte="potassium"),),
    "limits.potassium_later_min": (Boundary("<", result(day_8(), "potassium", "QT-05", ago=DAY), analyte="potassium"),),
    "limits.potassium_later_note": (
        Boundary("<", given(lambda k: then(day_8(), lab("potassium", str(k), ago=DAY)), saying("QT-05"))),
    ),
    "limits.potassium_later_age": (
        Boundary(
            "<=", given(lambda ago: then(day_8(), lab("potassium", "3.2", ago=ago)), saying("QT-05")), step=SECOND
        ),
    ),
    # the patient
    "limits.fever": (
        Boundary(
            ">=",
            given(
                lambda t: then(
                    day_8(),
                    charted(
                        {
                            "kind": "infection_bleeding",
                            "temperature_c": str(t),
                            "infection": False,
                            "active_bleeding": False,
                        }
                    ),
                ),
                asking("MON-16"),
            ),
            step=Decimal("0.1"),
        ),
    ),
    "limits.toxicity_grade": (
        Boundary(
            ">=",
            given(
                lambda g: then(day_8(), charted({"kind": "toxicity", "term": "rash", "grade": int(g)})),
                asking("NON-06"),
            ),
            **ONE,
        ),
    ),
    "limits.cytoreduction_max": (
        Boundary(
            ">=",
            lambda p, ago, u: any(
                o.rule == "CYT-05" and o.standing != "coming"
                for o in then(
                    first_dose(blasts="25"), charted({"kind": "cytoreduction", "agent": "hydroxyurea"}, ago=ago)
                )(p).card.obligations
            ),
            step=SECOND,
        ),
    ),
    # the ladder
    "limits.interruption_max": (
        Boundary(">=", given(lambda d: toxic(8, int(d)), lambda card: card.next_dose != "C1D8"), **ONE),
    ),
    "limits.interruption_stop": (Boundary(">", given(lambda d: toxic(15, int(d)), asking("DUR-05")), **ONE),),
    "limits.interruption_reduce": (
        Boundary(
            ">=",
            given(
                lambda d: toxic(15, int(d), asked=max(29, 15 + int(d))),
                lambda card: card.dose is not None and card.dose.level != "L0",
            ),
            **ONE,
        ),
    ),
    # ages
    "ages.cbc_first": (
        Boundary(">", as_old_as(first_dose(), 2 * HOUR, "DATA-01", subject="haemoglobin"), step=SECOND),
    ),
    "ages.cbc_day_1": (
        Boundary(">", as_old_as(next_cycle(), 3 * HOUR, "DATA-03", subject="haemoglobin"), step=SECOND),
    ),
    "ages.cbc_later": (Boundary(">", as_old_as(day_8(), 3 * HOUR, "DATA-02", subject="haemoglobin"), step=SECOND),),
    "ages.liver": tuple(
        Boundary(">", as_old_as(story, ago, rule, subject="alt"), step=SECOND)
        for story, ago, rule in (
            (first_dose(), 2 * HOUR, "DATA-01"),
            (day_8(), 3 * HOUR, "DATA-02"),
            (next_cycle(), 3 * HOUR, "DATA-03"),
        )
    ),
    "ages.qtcf": tuple(
        Boundary(">", as_old_as(story, ago, rule, subject="qtcf"), step=SECOND)
        for story, ago, rule in ((first_dose(), 20 * HOUR, "DATA-01"), (next_cycle(), 3 * HOUR, "DATA-03"))
    ),
    "ages.electrolytes": tuple(
        Boundary(">", as_old_as(story, ago, rule, subject="potassium"), step=SECOND)
        for story, ago, rule in ((first_dose(), 2 * HOUR, "DATA-01"), (next_cycle(), 3 * HOUR, "DATA-03"))
    ),
    "ages.tls_chemistry": (Boundary(">", as_old_as(first_dose(), 2 * HOUR, "DATA-01", subject="urate"), step=SECOND),),
    "ages.pregnancy": (Boundary(">", given(child_bearing, asking("DATA-01", subject="pregnancy test")), step=SECOND),),
    "ages.weight_first": (Boundary(">", as_old_as(first_dose(), 20 * HOUR, "DATA-01", subject="weight"), step=SECOND),),
    "ages.weight_day_1": (Boundary(">", as_old_as(next_cycle(), 3 * HOUR, "DATA-03", subject="weight"), step=SECOND),),
    "ages.weight_later": (Boundary(">", as_old_as(day_8(), 3 * HOUR, "DATA-02", subject="weight"), step=SECOND),),
    "ages.examination": tuple(
        Boundary(">", as_old_as(day_8(), HOUR, rule), step=SECOND) for rule in ("MON-15", "MON-16")
    ),
    "ages.future_tolerance": (
        # of the time at which it came, which is a second before the story's now
        Boundary(
            ">", given(lambda ahead: then(day_8(), lab("alt", "30", ago=SECOND - ahead)), asking("LAB-04")), step=SECOND
        ),
    ),
    # at the bedside
    "premedication.earliest": (Boundary("<=", given(premedicated, verdict(Verdict.MAY_START)), step=SECOND),),
    "premedication.latest": (Boundary(">=", given(premedicated, verdict(Verdict.MAY_START)), step=SECOND),),
    "preparation.to_dilution": (
        Boundary("<=", given(lambda after: reconstituted(5 * HOUR, after), verdict(Verdict.MAY_START)), step=SECOND),
    ),
    "preparation.to_end": (
        Boundary(
            "<=",
            given(lambda ago: reconstituted(ago - HOUR), verdict(Verdict.MAY_START)),
            step=SECOND,
            note="a full bag runs for an hour",
        ),
    ),
    "preparation.rounding_max": (Boundary(">", rounding_is_refused),),
    "preparation.bag_min_dose": (
        Boundary("<", given(small, saying("PREP-19")), of=lambda v: ("35", "36", "37"), note="0.49, 0.50, 0.51 mg"),
    ),
    "observation.minimum": (Boundary(">=", observation_is_complete, step=SECOND),),
    "observation.overdue_after": (
        Boundary(">", obligation(observed, lambda c: c.now + HOUR, "INF-02", "overdue"), step=SECOND),
    ),
    "observation.infusion_overdue_after": (
        Boundary(">", obligation(running, lambda c: c.now + HOUR, "INF-01", "overdue"), step=SECOND),
    ),
    "observation.stop_grade": (Boundary(">=", given(reaction, verdict(Verdict.DISCONTINUED)), **ONE),),
    "observation.running_grade": (
        Boundary(
            ">=", given(reaction, lambda card: card.verdict in (Verdict.HOLD_URGENT, Verdict.DISCONTINUED)), **ONE
        ),
    ),
    # obligations
    "monitoring.after_dose_from": (
        Boundary(">=", obligation(day_8(), lambda c: D1, "MON-02", "due", "overdue"), step=SECOND),
    ),
    "monitoring.after_dose_until": (
        Boundary(
            ">",
            obligation(
                lambda p: PaperCourse(ChartBuilder(p).ready().dose(1, 1, D1), D1), lambda c: D1, "MON-02", "overdue"
            ),
            step=SECOND,
        ),
    ),
    "monitoring.abnormal_from": (
        Boundary(">=", obligation(abnormal, lambda c: c.now - 3 * HOUR, "LAB-07", "due", "overdue"), step=SECOND),
    ),
    "monitoring.abnormal_until": (
        Boundary(">", obligation(abnormal, lambda c: c.now - 3 * HOUR, "LAB-07", "overdue"), step=SECOND),
    ),
    "monitoring.weekly": (
        Boundary(">=", obligation(day_8(), lambda c: day(8) - 3 * HOUR, "MON-04", "due", "overdue"), step=SECOND),
    ),
    "monitoring.grace": (
        Boundary(">", obligation(day_8(), lambda c: day(15) - 3 * HOUR, "MON-04", "overdue"), step=SECOND),
    ),
    "calls.gravest": (
        Boundary(">", obligation(suspected, lambda c: c.now - 2 * HOUR, "ALERT-02", "overdue", key="vod"), step=SECOND),
    ),
}

PLAUSIBLE = (
    *("bilirubin_direct", "sodium", "magnesium", "calcium", "qtcf"),
    "alt",
    "ast",
    "alp",
    "ggt",
    "bilirubin",
    "potassium",
    "wbc",
    "anc",
    "platelets",
    "lipase",
    "amylase",
    "creatinine",
    "urate",
    "phosphate",
    "albumin",
    "haemoglobin",
    "blasts",
    "blasts_percent",
    "ldh",
)


@pytest.mark.parametrize(("path", "boundary", "protocol", "unit", "position"), tries(BOUNDARIES))
def test_every_limit_from_both_sides(path: str, boundary: Boundary, protocol: str, unit: str, position: int) -> None:
    holds(path, boundary, protocol, unit, position)


@pytest.mark.parametrize("analyte", PLAUSIBLE)
@pytest.mark.parametrize(("end", "sign"), [("low", "<"), ("high", ">")])
def test_every_hard_limit_of_plausibility_in_each_unit(analyte: str, end: str, sign: str) -> None:
    limit = getattr(load_protocol(LABEL).plausible[analyte], end).number
    points = (limit - Decimal("0.001"), limit, limit + Decimal("0.001"))
    for unit in UNITS[analyte]:
        for point, wanted in zip(points, ASKS[sign], strict=True):
            if point != limit or has_image(analyte, limit, unit):
                assert unusable(analyte)(LABEL, point, unit) == wanted, f"{analyte} {end} {point} in {unit}"
