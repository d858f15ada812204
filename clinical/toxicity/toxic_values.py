"""Which laboratory values are toxicity, how grave, and which of them a physician puts down to another cause (NON-10, DUR-09).

One reading for both: the hold of NON-06, and the clock of an interruption, which counts the holds of NON-02 and NON-08 too.
A value above the limits of NON-08 is taken as of grade 2 at least, whatever version grades it (AMB-13).
"""

from datetime import datetime
from typing import NamedTuple

from clinical.chart.once import once
from clinical.coding.units import label
from clinical.results.known import Known, recorded_at
from clinical.toxicity.bilirubin import bilirubin_exempt
from clinical.toxicity.ctcae import Grade, baselines_of, grade_of
from clinical.toxicity.liver import PANEL, above_limits
from clinical.treatment.treatment import Treatment
from models.facts import ToxicityAttribution
from models.people import PHYSICIANS


class ToxicValue(NamedTuple):
    """One value of a test: when it was drawn, whether it is toxicity, and whether that counts as caused by InO."""

    at: datetime
    holds: bool
    counts: bool


@once
def graded_tests(case: Treatment) -> tuple[str, ...]:
    """The tests that feed NON-06 (NON-10)."""
    rows = case.protocol.ctcae.rows.values()
    return tuple(dict.fromkeys(analyte for row in rows if row.feeds_non_06 for analyte in row.analytes))


@once
def toxic_values(case: Treatment, analyte: str) -> tuple[ToxicValue, ...]:
    """Every value of a test, oldest first, of twins the graver. One left open shows no recovery: the one before speaks."""
    holds = counts = False
    values: list[ToxicValue] = []
    gone = {k.fact for k in case.results.gone(analyte)}
    for twins in case.results.minutes_against(analyte):
        grades = [(one, gravity(case, one)) for one in twins]
        held = [(one, grade) for one, grade in grades if grade]
        if held:
            holds, counts = True, any(not attributed_elsewhere(case, one, grade) for one, grade in held)
        elif all(grade is not None and one.fact not in gone for one, grade in grades):
            holds = counts = False
        values.append(ToxicValue(twins[-1].collected_at, holds, counts))
    return tuple(values)


def gravity(case: Treatment, result: Known) -> int | None:
    """The grade of a value that is toxicity, else 0; `None` where a comparator or a missing limit leaves it open."""
    above = above_limits(case, result) if result.analyte in PANEL else False
    if exempt(case, result) or (above is False and _surely_normal(case, result)):
        return 0
    grade = grade_of(case, result) if under_treatment(case, result) else None
    graded = False if grade is None else counts_as_toxic(case, result, grade)
    needed = case.protocol.limits.toxicity_grade.count
    if above or graded:
        return max(needed, grade.number if grade is not None and graded else 0)
    return None if above is None or graded is None else 0


def exempt(case: Treatment, result: Known) -> bool:
    """NON-11: a bilirubin of Gilbert syndrome or haemolysis is no toxicity."""
    return result.analyte == "bilirubin" and bilirubin_exempt(case, result)


def under_treatment(case: Treatment, result: Known) -> bool:
    """What was drawn before the first dose is the state before treatment, not a toxicity of it (CTN-01)."""
    return case.first_dose_at is not None and result.collected_at >= case.first_dose_at


def counts_as_toxic(case: Treatment, result: Known, grade: Grade) -> bool | None:
    """Of grade >= 2 and worse than before treatment; `None` where a comparator or a missing limit leaves it open."""
    needed = case.protocol.limits.toxicity_grade.count
    if grade.number < needed:
        return False
    before = [None if one is None else grade_of(case, one) for one in baselines_of(case, result.analyte)]
    below = max(needed - 1, min(0 if one is None else one.least for one in before))
    return True if grade.least > below else None if grade.number > below else False


def _surely_normal(case: Treatment, result: Known) -> bool:
    """At or below its ULN and its value before treatment: every row that feeds NON-06 begins above one of them."""
    if result.uln is None or result.above(result.uln) is not False:
        return False
    return all(
        before is None or (before.is_exact and result.above(result.in_unit(before.canonical)) is False)
        for before in baselines_of(case, result.analyte)
    )


# ── another cause ──────────────────────────────────────────────────────────────────────────────────────────────────


def attributed_elsewhere(case: Treatment, result: Known, grade: int) -> bool:
    """A physician's last word that covers this value names another cause.

    A word covers the episode that had been reported when it was given, up to its worst grade then: a worse grade, or a
    new episode after a recovery, asks again.
    """
    words = _attributions(case, result.analyte)
    episode = _episode(case, result) if words else []
    elsewhere = False
    for said_at, due_to_ino in words:
        seen = [g for recorded_at, g in episode if recorded_at <= said_at]
        if seen and grade <= max(seen):
            elsewhere = not due_to_ino
    return elsewhere


def _attributions(case: Treatment, analyte: str) -> list[tuple[datetime, bool]]:
    names = {analyte, label(analyte).lower()}
    found = case.reading.of(ToxicityAttribution)
    return [
        (fact.recorded_at, word.due_to_ino)
        for fact, word in found
        if word.term.strip().lower() in names and fact.by.role in PHYSICIANS
    ]


def _episode(case: Treatment, result: Known) -> list[tuple[datetime, int]]:
    """When each value of the same unbroken toxicity became known, with its grade."""
    run: list[tuple[datetime, int]] = []
    mine = False
    gone = {k.fact for k in case.results.gone(result.analyte)}
    for twins in case.results.minutes_against(result.analyte):
        grades = [(one, gravity(case, one)) for one in twins]
        held = [(one, grade) for one, grade in grades if grade]
        if held:
            run += [(recorded_at(one), grade) for one, grade in held]
            mine = mine or result.fact in {one.fact for one, _ in held}
        elif all(grade is not None and one.fact not in gone for one, grade in grades):
            if mine:
                break
            run = []
    return run
