"""Alert limits (CRIT-01): a value past its limit is said on the card; an expected nadir is said once and then quiet."""

from collections.abc import Iterator

from clinical.case import Case
from clinical.ctcae import baseline_of, grade_of
from clinical.cuts import past, speaking
from clinical.ecg import latest_qtcf
from clinical.results import Known
from clinical.units import label
from models.assessment import Finding
from models.base import plain
from models.facts import InfectionBleedingCheck
from models.protocol import Cut


def critical_values(case: Case) -> Iterator[Finding]:
    """The latest value of each test that lies past its alert limit, while it is fresh. A note: it never holds."""
    for analyte in case.protocol.critical.rows:
        found = latest_qtcf(case) if analyte == "qtcf" else case.latest(analyte)
        if not isinstance(found, Known) or not _fresh(case, found):
            continue
        limit = _limit_passed(case, found)
        rise = _risen(case, found) if analyte == "bilirubin" and limit is None else None
        if limit is not None and not _quiet(case, found):
            yield _said(case, found, f"alert limit {limit.shown()}", urgent=_urgent(case, found))
        elif rise is not None:
            words = f"risen by at least {case.protocol.critical.bilirubin_rise.shown()}"
            yield _said(case, found, f"{words} within {case.protocol.critical.rise_within.shown()}", rise)


def _fresh(case: Case, result: Known) -> bool:
    return not case.reading.passed(result.collected_at + case.protocol.ctcae.noted_for.span)


def _said(case: Case, result: Known, why: str, *earlier: Known, urgent: bool = False) -> Finding:
    grade = grade_of(case, result)
    graded = f", {grade.shown()}" if grade is not None and grade.least else ""
    called = "urgent: " if urgent else ""
    reason = (
        f"{called}{label(result.analyte)} {result.comparator or ''}{plain(result.value)} {result.unit}, {why}{graded}"
    )
    inputs = tuple(k.shown() for k in (result, *earlier))
    return case.finding("CRIT-01", None, reason, inputs=inputs, subject=result.analyte)


def _limit_passed(case: Case, result: Known) -> Cut | None:
    """A comparator that leaves it open counts as past."""
    row, baseline = case.protocol.critical.rows[result.analyte], baseline_of(case, result.analyte)
    cuts = speaking(row.alert, result)
    return next((cut for cut in cuts if past(cut, result, baseline) in ("yes", "open")), None)


def _urgent(case: Case, result: Known) -> bool:
    row = case.protocol.critical.rows[result.analyte]
    return any(past(cut, result) in ("yes", "open") for cut in speaking(row.urgent, result))


def _risen(case: Case, result: Known) -> Known | None:
    """The lowest earlier bilirubin of the last 48 h, where the latest lies at least 1 mg/dL above it."""
    limits = case.protocol.critical
    since = result.collected_at - limits.rise_within.span
    earlier = [k for k in case.results.history(result.analyte) if since <= k.collected_at < result.collected_at]
    lowest = min(earlier, key=lambda k: k.canonical, default=None)
    if lowest is None or result.canonical - lowest.canonical < limits.bilirubin_rise.number:
        return None
    return lowest


def _quiet(case: Case, result: Known) -> bool:
    """An expected nadir that was said before, is not worse now, and comes without fever, infection or bleeding."""
    expected = result.analyte in case.protocol.critical.nadirs.words
    if (
        not expected
        or case.first_dose_at is None
        or result.collected_at < case.first_dose_at
        or _febrile_or_bleeding(case)
    ):
        return False
    nadir: list[Known] = []
    for one in case.results.history(result.analyte):
        if one.collected_at >= result.collected_at:
            break
        nadir = [*nadir, one] if _limit_passed(case, one) is not None else []
    return bool(nadir) and result.canonical >= min(k.canonical for k in nadir)


def _febrile_or_bleeding(case: Case) -> bool:
    latest = case.reading.latest(InfectionBleedingCheck)
    if latest is None:
        return False
    seen, fever = latest[1], case.protocol.limits.fever.number
    return bool(
        seen.infection or seen.active_bleeding or (seen.temperature_c is not None and seen.temperature_c >= fever)
    )
