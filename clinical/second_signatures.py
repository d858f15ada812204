"""Overrides and second signatures (§3.6, COR-02)."""

from clinical.judging import Judged, Judging
from models.facts import Countersigned, OverrideGiven
from models.messages import Countersign, GiveOverride


def overridden(judging: Judging, message: GiveOverride) -> Judged:
    return judging.gated(OverrideGiven, binding="")


def countersigned(judging: Judging, message: Countersign) -> Judged:
    return judging.gated(Countersigned)
