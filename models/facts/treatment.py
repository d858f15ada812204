"""Response, cytoreduction, premedication and preparation."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from models.base import Frozen, Instant, Name, Number
from models.facts.common import CycleNumber, DoseDay, PremedicationClass


class Response(StrEnum):
    """Response at the end of a cycle (RESP-01, RESP-02). `not_assessable` counts as missing (DATA-03)."""

    CR = "CR"
    CRI = "CRi"
    NONE = "none"
    NOT_ASSESSABLE = "not_assessable"


class ResponseDetails(Frozen):
    """The response of one cycle; MRD negative is RESP-03."""

    cycle: CycleNumber
    response: Response
    marrow_blasts_percent: Number | None = None
    mrd_negative: bool | None = None
    mrd_method: str | None = None
    extramedullary_disease: bool | None = None


class ResponseRecorded(ResponseDetails):
    """A physician's word on the response; only this one decides a dose."""

    kind: Literal["response"] = "response"


class ResponseProposed(ResponseDetails):
    """A response without a physician behind it: a worklist item until `record_response` confirms it."""

    kind: Literal["response_proposed"] = "response_proposed"


class CytoreductionDetails(Frozen):
    """Cytoreduction before the first dose (CYT-01)."""

    agent: Literal["hydroxyurea", "corticosteroid", "vincristine", "other"]
    action: Literal["started", "stopped"] = "started"
    note: str | None = None


class Cytoreduction(CytoreductionDetails):
    """Cytoreduction started or stopped at the fact's `at`."""

    kind: Literal["cytoreduction"] = "cytoreduction"


class PremedicationDetails(Frozen):
    """One premedication of one class; given at the fact's `at`."""

    drug_class: PremedicationClass
    drug: str | None = None
    dose: str | None = None


class Premedication(PremedicationDetails):
    """A premedication that was given."""

    kind: Literal["premedication"] = "premedication"


class PreparationDetails(Frozen):
    """One preparation: the 4 h and 8 h clocks start with the reconstitution of its first vial (PREP-11, PREP-12).

    `drawn_ml` is what was drawn from the vials, `total_ml` the volume after dilution; `None` = not charted.
    """

    preparation_id: Name
    reconstituted_at: Instant
    dilution_started_at: Instant | None = None
    mg: Number
    vials: Annotated[int, Field(ge=1, le=99)]
    drawn_ml: Number | None = None
    total_ml: Number | None = None


class Preparation(PreparationDetails):
    """A preparation, made under the authorisation that stood when it was recorded (None: there was none)."""

    kind: Literal["preparation"] = "preparation"
    authorisation: str | None = None


class DoseSlot(Frozen):
    """Which dose: cycle and nominal day of the cycle."""

    cycle: CycleNumber
    day: DoseDay

    def __str__(self) -> str:
        return f"C{self.cycle}D{self.day}"
