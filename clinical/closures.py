"""What meets an obligation, by how its key begins: the words for what was charted since its rung fired, or none."""

from collections.abc import Callable
from datetime import datetime

from clinical import due
from clinical.before_dose import missing_before
from clinical.case import Case
from clinical.course_over import monitoring_over
from clinical.late_values import answered
from clinical.liver_tests import panels
from clinical.results import recorded_at
from models.base import Frozen
from models.facts import (
    CYCLE_DAYS,
    CycleStarted,
    DosingFinished,
    Ecg,
    InfusionStarted,
    LabResult,
    NoTransplantDeclared,
    ObservationEnded,
    Prophylaxis,
    Reaction,
    ResponseRecorded,
    Transplant,
    UnreadableResolved,
    VitalSigns,
    VodExamination,
    VodJudged,
)
from models.protocol import Entry

MetBy = Callable[[Case, str, datetime, datetime], str | None]
"""From the key, the time it was due and the time since when people know: what met it, in words."""


def _charted(words: str, *kinds: type[Frozen]) -> MetBy:
    """Met by any fact of these kinds that was recorded since."""

    def rule(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
        return words if any(f.recorded_at >= since for kind in kinds for f, _ in case.reading.of(kind)) else None

    return rule


def _tests_for(analytes: Callable[[Case], Entry]) -> MetBy:
    """Met when each of these analytes has a usable result that was known since."""

    def rule(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
        histories = [case.results.history(analyte) for analyte in analytes(case).words]
        came = all(any(recorded_at(k) >= since for k in history) for history in histories)
        return "the tests came" if came else None

    return rule


def _liver_test(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    """A complete panel; the one after a dose is met only by one drawn when it was due, or later (MON-02)."""
    after_dose = key.startswith(f"{due.LIVER}-after-C")
    found = [p for p in panels(case) if p.recorded_at >= since and (p.at >= due_at or not after_dose)]
    return "a complete liver panel came" if found else None


def _dose(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    slot = key.removeprefix(f"{due.DOSE}-")
    if any(str(dose.slot) == slot for dose in case.doses):
        return "the dose was given"
    if not slot.endswith(f"D{CYCLE_DAYS[0]}"):
        return None
    started = any(f"C{what.cycle}D{CYCLE_DAYS[0]}" == slot for _, what in case.reading.of(CycleStarted))
    finished = any(f.recorded_at >= since for f, _ in case.reading.of(DosingFinished))
    return "the cycle was started" if started else "dosing was finished" if finished else None


def _before(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    slot = case.slot_after_all
    if key == f"{due.BEFORE}-{slot}" and not missing_before(case, slot):
        return "everything is there"
    given = any(key == f"{due.BEFORE}-{dose.slot}" for dose in case.doses)
    return "the dose was given" if given else None


def _infusion(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    return "the infusion ended, or went on" if _ended_or_changed(case, key) else None


def _ended_or_changed(case: Case, key: str) -> bool:
    return any(key == f"{due.INFUSION}-{dose.slot}" for dose in case.doses)


def _marrow(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    cycle = key.removeprefix(f"{due.MARROW}-C")
    told = any(str(what.cycle) == cycle and f.recorded_at >= since for f, what in case.reading.of(ResponseRecorded))
    return f"the response of cycle {cycle} was recorded" if told else None


def _preparation(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    used = any(key == due.key_of(due.PREPARATION, what.preparation_id) for _, what in case.reading.of(InfusionStarted))
    return "the preparation was started" if used else None


def _cytoreduction(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    return "the first dose was given" if case.doses else None


def _late_value(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    return "a physician answered" if answered(case, since) else None


def _first_dose(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    return "the first dose was given" if case.doses else None


def _no_longer_overdue(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    over = case.closed is not None or monitoring_over(case)
    return None if over else "nothing of it is overdue any more"


def _the_end(case: Case, key: str, due_at: datetime, since: datetime) -> str | None:
    return "monitoring ended" if case.closed is None and monitoring_over(case) else None


MET_BY: tuple[tuple[str, MetBy], ...] = (
    (f"{due.LIVER}-", _liver_test),
    (f"{due.DOSE}-", _dose),
    (f"{due.BEFORE}-", _before),
    (f"{due.INFUSION}-", _infusion),
    (f"{due.OBSERVATION}-", _charted("observation was ended", ObservationEnded)),
    (f"{due.BROKEN_OFF}-", _charted("the patient was looked at", VitalSigns, VodExamination)),
    (f"{due.VITAL_SIGNS}-", _charted("vital signs were charted", VitalSigns)),
    (f"{due.PREPARATION}-", _preparation),
    (f"{due.EXAMINATION}-", _charted("the patient was examined", VodExamination)),
    (due.BLOOD_COUNT, _tests_for(lambda case: case.protocol.ages.cbc_analytes)),
    (due.TUMOUR_LYSIS, _tests_for(lambda case: case.protocol.monitoring.tls_analytes)),
    (due.PANCREAS, _tests_for(lambda case: case.protocol.monitoring.pancreas)),
    (f"{due.ECG}-", _charted("an ECG came", Ecg, LabResult)),
    (f"{due.PROPHYLAXIS}-", _charted("prophylaxis was charted", Prophylaxis)),
    (f"{due.MARROW}-", _marrow),
    (due.CYTOREDUCTION, _cytoreduction),
    (due.MONITORING_ENDS, _the_end),
    (due.TRANSPLANT, _charted("the prescriber said it", NoTransplantDeclared, Transplant)),
    (f"{due.UNREADABLE}-", _charted("somebody read it", UnreadableResolved)),
    (f"{due.IMPLAUSIBLE}-", _charted("a usable result, or a correction, came", LabResult)),
    (f"{due.LATE_VALUE}-", _late_value),
    (due.FIRST_DOSE, _first_dose),
    (f"{due.AGAIN}-", _no_longer_overdue),
    (f"{due.REACTION}-", _charted("the reaction was reported further", Reaction)),
    ("vod-judgement", _charted("a physician judged", VodJudged)),
    ("lost-to-follow-up", _charted("a result came", LabResult)),
)
"""How a key begins -> what meets it."""
