"""Alert limits (CRIT-01): a value past its limit is said on the card; an expected nadir is said once and then quiet."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from clinical.chart.once import once
from clinical.coding.codes import BOUND_ONLY
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.gates.signs import infection_or_bleeding
from clinical.results.cuts import past, speaking
from clinical.results.known import NO_MORE, Known
from clinical.toxicity.ctcae import baselines_of, grade_of
from clinical.toxicity.ecg import qtcf_history, qtcf_holding
from models.assessment import Finding
from models.base import plain
from models.protocol import Cut


class Critical(NamedTuple):
    """A value past its alert limit that calls: why, since when, and whether it is a nadir that was expected."""

    result: Known
    why: str
    since: datetime
    once: bool


@once
def critical(case: Case) -> tuple[Critical, ...]:
    """CALL-01: the last usable value of each test that lies past its alert limit, however old, until a later one does not.

    Each such value calls anew. An expected nadir calls once and when it worsens; with fever, infection or bleeding, and
    below the urgent limit, it calls as everything else does.
    """
    return tuple(found for analyte in case.protocol.critical.rows for found in _calling(case, analyte))


def _calling(case: Case, analyte: str) -> Iterator[Critical]:
    history = qtcf_history(case) if analyte == "qtcf" else case.results.against(analyte)
    held = qtcf_holding(case) if analyte == "qtcf" else case.holding(analyte)
    for result in sorted(held, key=lambda k: not _urgent(case, k)):
        limit = _limit_passed(case, result)
        rise = _risen(case, result) if analyte == "bilirubin" and limit is None else None
        if limit is None and rise is None:
            continue
        why = f"alert limit {limit.shown()}" if limit else f"risen from {rise.said}" if rise else ""
        since, expected = _known_at(case, result), _expected_nadir(case, result) and not _urgent(case, result)
        if expected:
            since = _worst_since(case, history) or since
        elif _of_a_nadir(case, result):
            since = max(since, _febrile_since(case) or since)
        yield Critical(result, why, since, expected)
        return


def _worst_since(case: Case, history: tuple[Known, ...]) -> datetime | None:
    """When the lowest value of the nadir became known that lasts to the end of these values."""
    nadir: list[Known] = []
    for one in history:
        nadir = [*nadir, one] if _limit_passed(case, one) is not None else []
    worst = min(nadir, key=lambda k: (k.canonical, k.collected_at), default=None)
    return None if worst is None else _known_at(case, worst)


def _known_at(case: Case, result: Known) -> datetime:
    """When a result became known; an ECG that a person charted has no laboratory's time."""
    return result.recorded_at or case.recorded.get(result.fact, result.collected_at)


def critical_values(case: Case) -> Iterator[Finding]:
    """The last value of each test that lies past its alert limit, while it is fresh; of twins the graver. It never holds."""
    for analyte in case.protocol.critical.rows:
        held = qtcf_holding(case) if analyte == "qtcf" else case.holding(analyte)
        fresh = [k for k in held if _fresh(case, k)]
        past_limit = [k for k in fresh if _limit_passed(case, k) is not None]
        loud = sorted((k for k in past_limit if not _quiet(case, k)), key=lambda k: not _urgent(case, k))
        for found in loud[:1]:
            limit = _limit_passed(case, found)
            assert limit is not None
            yield _said(case, found, f"alert limit {limit.shown()}", urgent=_urgent(case, found))
        risen = [(k, _risen(case, k)) for k in fresh] if analyte == "bilirubin" and not past_limit else []
        for found, rise in [(k, before) for k, before in risen if before is not None][:1]:
            words = f"risen by at least {case.protocol.critical.bilirubin_rise.shown()}"
            yield _said(case, found, f"{words} within {case.protocol.critical.rise_within.shown()}", rise)


def ending(result: Known) -> str:
    """What ends the call: of a value that can be used no more, a physician may also say that it was wrong (E1)."""
    if result.gone:
        return f"a later usable value within the limit, or a physician's correct_fact of {result.fact}"
    return "a later value within the limit"


def _fresh(case: Case, result: Known) -> bool:
    return not case.reading.passed(result.collected_at + case.protocol.ctcae.noted_for.span)


def _said(case: Case, result: Known, why: str, *earlier: Known, urgent: bool = False) -> Finding:
    grade = grade_of(case, result)
    graded = f", {grade.shown()}" if grade is not None and grade.least else ""
    called = "urgent: " if urgent else ""
    reason = (
        f"{called}{label(result.analyte)} {result.comparator or ''}{plain(result.value)} {result.unit}, {why}{graded}"
    )
    if result.gone:
        reason += f"{NO_MORE}: it calls until {ending(result)}"
    inputs = tuple(k.shown() for k in (result, *earlier))
    return case.finding("CRIT-01", None, reason, inputs=inputs, subject=result.analyte)


def _limit_passed(case: Case, result: Known) -> Cut | None:
    """A comparator that leaves it open counts as past; that a code measures only a bound tells nothing of the limit."""
    counts = ("yes",) if result.comparator == BOUND_ONLY.get(result.loinc) else ("yes", "open")
    baselines = baselines_of(case, result.analyte)
    cuts = speaking(case.protocol.critical.rows[result.analyte].alert, result)
    return next((cut for cut in cuts for one in baselines if past(cut, result, one) in counts), None)


def _urgent(case: Case, result: Known) -> bool:
    row = case.protocol.critical.rows[result.analyte]
    return any(past(cut, result) in ("yes", "open") for cut in speaking(row.urgent, result))


def _risen(case: Case, result: Known) -> Known | None:
    """The lowest earlier bilirubin of the last 48 h, where the latest lies at least 1 mg/dL above it."""
    limits = case.protocol.critical
    since = result.collected_at - limits.rise_within.span
    earlier = [k for k in case.results.against(result.analyte) if since <= k.collected_at < result.collected_at]
    lowest = min(earlier, key=lambda k: k.canonical, default=None)
    if lowest is None or result.canonical - lowest.canonical < limits.bilirubin_rise.number:
        return None
    return lowest


def _quiet(case: Case, result: Known) -> bool:
    """An expected nadir that was said before, is not worse now, and comes without fever, infection or bleeding."""
    if not _expected_nadir(case, result):
        return False
    nadir: list[Known] = []
    for one in case.results.history(result.analyte):
        if one.collected_at >= result.collected_at:
            break
        nadir = [*nadir, one] if _limit_passed(case, one) is not None else []
    return bool(nadir) and result.canonical >= min(k.canonical for k in nadir)


def _expected_nadir(case: Case, result: Known) -> bool:
    """Neutrophils or platelets after the first dose, without fever, infection or bleeding."""
    return _of_a_nadir(case, result) and not _holding_signs(case)


def _of_a_nadir(case: Case, result: Known) -> bool:
    expected, first = result.analyte in case.protocol.critical.nadirs.words, case.first_dose_at
    return expected and first is not None and result.collected_at >= first


def _febrile_since(case: Case) -> datetime | None:
    """When the fever, infection or bleeding that stands became known."""
    seen = {value.fact for finding in _holding_signs(case) for value in finding.inputs}
    return max((at for fact, at in case.recorded.items() if fact in seen), default=None) if seen else None


def _holding_signs(case: Case) -> list[Finding]:
    """Fever, infection or bleeding that holds a dose (MON-16); a note on it holds none."""
    return [finding for finding in infection_or_bleeding(case) if finding.verdict is not None]
