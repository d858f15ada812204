"""What several kinds of fact share: cycles, days, grades."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

CYCLE_DAYS = (1, 8, 15)

CycleNumber = Annotated[int, Field(ge=1, le=100)]
"""One more than a message may say (`models.bounds`): the cycle that follows has a number too."""

DoseDay = Literal[1, 8, 15]

Grade = Annotated[int, Field(ge=1, le=5)]


class PremedicationClass(StrEnum):
    """The three classes before every dose (PRE-01)."""

    CORTICOSTEROID = "corticosteroid"
    ANTIPYRETIC = "antipyretic"
    ANTIHISTAMINE = "antihistamine"
