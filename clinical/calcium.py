"""Calcium corrected for albumin: the laboratory's own, or computed from total calcium and albumin (reference §9.2)."""

from dataclasses import replace

from clinical.case import Case
from clinical.required import corrected_calcium_source
from clinical.results import Known
from clinical.signs import ALBUMIN_NORMAL_G_DL, CALCIUM_PER_ALBUMIN


def corrected_calcium(case: Case) -> Known | None:
    """The latest corrected calcium in the unit of its calcium; `None` where calcium or albumin is missing or unknown."""
    source = corrected_calcium_source(case)
    if source is not None and not isinstance(source, Known):
        return None
    return correct(source or case.known("calcium"), case.known("albumin"))


def correct(calcium: Known | None, albumin: Known | None) -> Known | None:
    """One calcium with one albumin. A comparator on either leaves the sum open, so that nothing is computed."""
    if calcium is None or calcium.analyte == "calcium_corrected":
        return calcium
    if albumin is None or not {calcium.comparator, albumin.comparator} <= {None, "="}:
        return None
    correction = calcium.in_unit(CALCIUM_PER_ALBUMIN * (ALBUMIN_NORMAL_G_DL - albumin.canonical))
    return replace(calcium, analyte="calcium_corrected", value=calcium.value + correction)
