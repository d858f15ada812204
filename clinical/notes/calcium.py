"""Calcium corrected for albumin: the laboratory's own, or computed from total calcium and albumin (reference §9.2)."""

from dataclasses import replace

from clinical.course.case import Case
from clinical.gates.signs import ALBUMIN_NORMAL_G_DL, CALCIUM_PER_ALBUMIN
from clinical.results.known import Known


def corrected_calcium(case: Case) -> tuple[Known, ...]:
    """The last corrected calcium in the unit of its calcium, of each of its twins with each albumin that holds (LAB-11)."""
    albumins: tuple[Known | None, ...] = case.holding("albumin") or (None,)
    pairs = [
        (one, albumin) for one in case.results.holding_among("calcium", "calcium_corrected") for albumin in albumins
    ]
    found = (correct(one, albumin) for one, albumin in pairs)
    return tuple(dict.fromkeys(known for known in found if known is not None))


def correct(calcium: Known | None, albumin: Known | None) -> Known | None:
    """One calcium with one albumin. A comparator on either leaves the sum open, so that nothing is computed."""
    if calcium is None or calcium.analyte == "calcium_corrected":
        return calcium
    if albumin is None or not {calcium.comparator, albumin.comparator} <= {None, "="}:
        return None
    correction = calcium.in_unit(CALCIUM_PER_ALBUMIN * (ALBUMIN_NORMAL_G_DL - albumin.canonical))
    return replace(calcium, analyte="calcium_corrected", value=calcium.value + correction)
