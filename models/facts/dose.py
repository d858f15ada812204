"""One dose: its signature, its infusion, reactions and observation, and what is decided on it."""

from typing import Literal

from models.base import Day, Frozen, Instant, Name, Number, Words
from models.facts.common import Grade
from models.facts.treatment import DoseSlot


class DoseAuthorised(DoseSlot):
    """A prescriber's signature under exactly one dose; `binding` is the hash of all that it was given for (§3.5)."""

    kind: Literal["dose_authorised"] = "dose_authorised"
    mg: Number
    level: str
    weight_kg: Number
    binding: str
    earlier_start_reason: str | None = None


class DoseVerified(DoseSlot):
    """A pharmacist's second check of dose, weight and level of one authorisation."""

    kind: Literal["dose_verified"] = "dose_verified"
    authorisation: str
    mg: Number


class InfusionStarted(DoseSlot):
    """The infusion began at the fact's `at`; `local_on` is that day in the course's zone (DAY-03)."""

    kind: Literal["infusion_started"] = "infusion_started"
    mg: Number
    preparation_id: Name
    identifiers_checked: tuple[Name, ...] = ()
    local_on: Day | None = None
    level: str = "L0"


class InfusionEndDetails(Frozen):
    """How the infusion ended (at the fact's `at`): whole, or stopped before its end with the amount given."""

    stopped_early: bool = False
    given_mg: Number | None = None
    note: str | None = None


class InfusionCompleted(InfusionEndDetails):
    """The real end of the infusion; observation starts here (INF-02)."""

    kind: Literal["infusion_completed"] = "infusion_completed"


class InterruptionDetails(Frozen):
    """The infusion was interrupted at the fact's `at`; `infused_ml` is what had run in, where it was read (INF-05)."""

    infused_ml: Number | None = None
    reason: str | None = None


class InfusionInterrupted(InterruptionDetails):
    """The infusion stands still; the 8 h clock of the preparation runs on (PREP-12)."""

    kind: Literal["infusion_interrupted"] = "infusion_interrupted"


class ResumptionDetails(Frozen):
    """The infusion goes on at this rate in mL/h (INF-06)."""

    rate_ml_per_h: Number


class InfusionResumed(ResumptionDetails):
    """The infusion goes on at the fact's `at` with what was left in the bag."""

    kind: Literal["infusion_resumed"] = "infusion_resumed"
    remaining_ml: Number


class AdministrationDetails(DoseSlot):
    """A dose given elsewhere or during downtime, started at the fact's `at`."""

    mg: Number
    ended_at: Instant | None = None
    where: str | None = None


class AdministrationReported(AdministrationDetails):
    """A dose that happened outside this service: charted, counted for spacing, never refused."""

    kind: Literal["administration"] = "administration"
    local_on: Day | None = None


class ReactionDetails(Frozen):
    """An infusion-related reaction; the grade may follow under the same `reaction_id` (CT-27)."""

    reaction_id: Name
    grade: Grade | None = None
    symptoms: str | None = None
    resolved_at: Instant | None = None


class Reaction(ReactionDetails):
    """What was reported of a reaction, first seen at the fact's `at`."""

    kind: Literal["reaction"] = "reaction"


class ObservationEnded(Frozen):
    """The end of observation; `minutes` since the real end of the infusion. Before 60 it is incomplete (INF-04)."""

    kind: Literal["observation_ended"] = "observation_ended"
    minutes: int
    complete: bool
    note: str | None = None


class DoseDecisionDetails(DoseSlot):
    """What the prescriber decides about a dose whose window passed or that is held (DAY-06, DUR-05): with its cause.

    `until` is the date to which it is postponed.
    """

    decision: Literal["give", "omit", "postpone"]
    cause: Literal["toxicity", "logistics", "infection", "patient", "other"]
    until: Day | None = None
    reason: Words


class DoseDecided(DoseDecisionDetails):
    """The prescriber's decision on one dose."""

    kind: Literal["dose_decided"] = "dose_decided"


class RoundingDetails(DoseSlot):
    """A dose rounded down to whole vials by a signed choice, at most 10 % (RND-01, RND-02)."""

    mg: Number
    reason: str | None = None


class RoundingChosen(RoundingDetails):
    """The mg chosen in place of `from_mg`; it lapses when the computed dose changes."""

    kind: Literal["rounding_chosen"] = "rounding_chosen"
    from_mg: Number


class DroppedDoseChosen(DoseSlot):
    """The dose of the cycle that is left out at level L2 (LVL-03)."""

    kind: Literal["dropped_dose_chosen"] = "dropped_dose_chosen"


class OverrideDetails(DoseSlot):
    """A finding of `rule` set aside for one dose (§3.6); `subject` tells findings of one rule apart, such as `alt`."""

    rule: Name
    subject: str | None = None
    reason: Words


class OverrideGiven(OverrideDetails):
    """A prescriber's override; `binding` is the hash of the values that it was given for."""

    kind: Literal["override"] = "override"
    binding: str


class CountersignDetails(Frozen):
    """A second signature: under an override, or under a correction review; `target` is the id the card names."""

    target: Name
    note: str | None = None


class Countersigned(CountersignDetails):
    """The second person's signature (OVR-02, COR-02)."""

    kind: Literal["countersigned"] = "countersigned"


class HoldSet(Frozen):
    """A hold that a person set."""

    kind: Literal["hold"] = "hold"
    reason: Words
