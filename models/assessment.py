"""What the two pure functions answer: `Assessment` from `assess`, `Accepted` or `Refused` from `judge`."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from models.base import Frozen, Instant, Number, content_hash
from models.facts import DoseSlot, Fact
from models.obligation_kinds import GRAVEST, REACTIONS, ObligationKind, kind_of_former
from models.people import PHYSICIANS, Actor, Role

RECORD_DIFFERS: Final = "RecordDiffers"
"""The type of a refusal that is not the last word on its message: once record and execution are at one it is judged anew."""


class CourseState(StrEnum):
    """Where the course stands (design §4). Only `assess` derives it; no handler sets it."""

    SCREENING = "screening"
    CYTOREDUCTION = "cytoreduction"
    LABS = "labs"
    DOSE_ADJUSTMENT = "dose_adjustment"
    PREMEDICATION = "premedication"
    INFUSION = "infusion"
    INFUSION_INTERRUPTED = "infusion_interrupted"
    OBSERVATION = "observation"
    REACTION = "reaction"
    HELD = "held"
    BETWEEN_DOSES = "between_doses"
    DOSE_OMITTED = "dose_omitted"
    CYCLE_REVIEW = "cycle_review"
    CORRECTION_REVIEW = "correction_review"
    DISCONTINUED = "discontinued"
    LIVER_MONITORING = "liver_monitoring"
    COMPLETED = "completed"
    CLOSED = "closed"


OVER: Final = frozenset({CourseState.COMPLETED, CourseState.CLOSED})
"""The states in which nothing is asked of anybody any more, and a course's execution completes."""


class Verdict(StrEnum):
    """The headline answer, gravest first (clinical reference §3.5)."""

    DISCONTINUED = "DISCONTINUED"
    HOLD_URGENT = "HOLD_URGENT"
    PROPOSE_DISCONTINUE = "PROPOSE_DISCONTINUE"
    HOLD = "HOLD"
    CYTOREDUCE = "CYTOREDUCE"
    BLOCK_CYCLE = "BLOCK_CYCLE"
    TOO_EARLY = "TOO_EARLY"
    DELAYED = "DELAYED"
    OMIT = "OMIT"
    NEED_DATA = "NEED_DATA"
    MAY_AUTHORISE = "MAY_AUTHORISE"
    MAY_START = "MAY_START"
    NO_DOSE_DUE = "NO_DOSE_DUE"


class Input(Frozen):
    """One value that a finding used, as a clinician reads it, with the fact that brought it."""

    name: str
    value: str
    taken_at: Instant | None = None
    fact: str | None = None


LONGEST_REASON = 500
"""Characters of a reason on a card; what a person wrote at greater length stands whole in the fact and the record."""


class Finding(Frozen):
    """One rule's answer. `verdict` is what it asks for, or `None` for a note that never blocks.

    `clears` says what would open it; `earliest_at` when that can be at the earliest, where time decides it. `subject`
    tells findings of one rule apart (`alt`, `antihistamine`); an override names rule and subject. `overridden` says who
    set it aside, why and until when; such a finding asks for nothing. `countersign` names an override of it that waits for
    its second signature.
    """

    rule: str
    verdict: Verdict | None = None
    reason: str
    subject: str = ""
    inputs: tuple[Input, ...] = ()
    clears: str | None = None
    earliest_at: Instant | None = None
    clause: str | None = None
    confidence: str | None = None
    override: str | None = None
    overridden: str | None = None
    countersign: str | None = None

    @property
    def binding(self) -> str:
        """The hash of what an override of this finding is given for: the rule, its subject and the values it used."""
        said = [(i.name, i.value, i.fact) for i in self.inputs] or self.reason
        return content_hash({"rule": self.rule, "subject": self.subject, "said": said})


class Turn(Frozen):
    """Whose turn it is besides the first one, what is asked of this role, and what ends it."""

    owner: Role
    action: str
    clears: str = ""


class DosePlan(Frozen):
    """The dose that is next: mg/m² x BSA -> mg (0.01, half up) -> mL at 0.25 mg/mL -> vials of 0.9 mg.

    `bsa_m2` is not rounded in the calculation (RND-02); it is shown with 2 decimals, or as many as give the same mg.
    `rounded_from` is the mg computed, where the prescriber chose to round them down.
    """

    cycle: int
    day: int
    mg_per_m2: Number
    bsa_m2: Number
    weight_kg: Number
    height_cm: Number
    mg: Number
    ml: Number
    vials: int
    level: str
    binding: str = ""
    rounded_from: Number | None = None

    @property
    def slot(self) -> DoseSlot:
        """Cycle and day of this dose."""
        return DoseSlot.model_validate({"cycle": self.cycle, "day": self.day})


Standing = Literal["coming", "due", "overdue"]
Rung = Literal["due", "overdue", "again"]


def _kind_of_former(said: dict[str, Any]) -> ObligationKind:
    """Earlier releases kept an obligation without its kind."""
    return kind_of_former(said.get("key", ""))


class CallAnswer(Frozen):
    """Who has taken a call, or put it off until `until`, and when (CALL-01)."""

    by: Actor
    at: Instant
    until: Instant | None = None

    def words(self, zone: tzinfo = UTC) -> str:
        """`acknowledged by nurse:n-1`, `snoozed until 14:30 on 3 March by nurse:n-1`; of no zone in UTC, which is said."""
        if self.until is None:
            return f"acknowledged by {self.by}"
        until = self.until.astimezone(zone)
        clock = f"{until:%H:%M}{' UTC' if zone is UTC else ''}"
        return f"snoozed until {clock} on {until.day} {until:%B} by {self.by}"

    def is_for(self, role: Role) -> bool:
        """Whether it answers the calls to this role; a prescriber is a physician."""
        return self.by.role is role or (role is Role.PHYSICIAN and self.by.role in PHYSICIANS)


class Obligation(Frozen):
    """Something due from somebody. Its instants depend on facts and protocol, never on the time of asking.

    `due_at` is reached at `now >= due_at`; it is overdue at `now > overdue_at`. `next_change_at` is the first rung
    strictly after the time of asking, or none. `also` are those who are called for it besides its owner (CALL-01); with
    `once` they are not called again when it is overdue. `answers` are what they said last: that silences, and never closes.
    """

    key: str
    kind: ObligationKind = Field(default_factory=_kind_of_former)
    title: str
    rule: str
    owner: Role
    also: tuple[Role, ...] = ()
    due_at: Instant
    overdue_at: Instant
    standing: Standing
    next_change_at: Instant | None = None
    clears: str
    once: bool = False
    answers: tuple[CallAnswer, ...] = ()

    @property
    def owners(self) -> tuple[Role, ...]:
        """Everybody who is called for it, its owner first."""
        return (self.owner, *self.also)

    def called(self, rung: Rung, now: datetime) -> tuple[Role, ...]:
        """Who is called when this rung fires now: nobody who has taken the call or put it off."""
        if rung == "overdue" and self.once:
            return ()
        quiet = [a for a in self.answers if a.until is None or now < a.until]
        return tuple(role for role in self.owners if not any(a.is_for(role) for a in quiet))

    def standing_at(self, now: datetime) -> Standing:
        """How it stands at another time, were nothing done about it."""
        return "overdue" if now > self.overdue_at else "due" if now >= self.due_at else "coming"

    def as_of(self, now: datetime) -> "Obligation":
        """The same obligation as it stands then."""
        return self.model_copy(update={"standing": self.standing_at(now)})

    def rungs_until(self, now: datetime) -> tuple[Rung, ...]:
        """The rungs behind where it stands, up to then, in order."""
        order = get_args(Standing)
        return tuple(order[order.index(self.standing) + 1 : order.index(self.standing_at(now)) + 1])


class CommandAnswer(Frozen):
    """Whether a command may be given now; if not, the refusal's type and what stands in the way, by rule.

    `why` of one that may be given: what it asks for.
    """

    command: str
    may: bool
    refusal: str | None = None
    why: str | None = None
    rules: tuple[str, ...] = ()
    earliest_at: Instant | None = None


OF_A_SIGNATURE = (Verdict.MAY_AUTHORISE, Verdict.MAY_START)
"""Nothing holds the dose: what is left is to sign, check, prepare and start it."""
SIGNING = (CourseState.DOSE_ADJUSTMENT, CourseState.PREMEDICATION)
AT_THE_CHAIR = (CourseState.REACTION, CourseState.INFUSION, CourseState.INFUSION_INTERRUPTED)


class Assessment(Frozen):
    """Where the course stands as of one instant, until another (`valid_until`, none: time alone changes nothing).

    `owner` is whose turn it is, `next_action` what is asked of this role, `others` whose turn it is at the same time.
    `signatures` are those that stand under the next dose or the one at the bedside, `lapsed` those that do no more, each
    with why. `under_way` is the dose at the bedside in words.
    """

    state: CourseState
    verdict: Verdict
    as_of: Instant
    valid_until: Instant | None
    cycle: int
    protocol: str
    next_dose: str | None = None
    findings: tuple[Finding, ...] = ()
    dose: DosePlan | None = None
    obligations: tuple[Obligation, ...] = ()
    commands: tuple[CommandAnswer, ...] = ()
    divergences: tuple[str, ...] = ()
    cycle_totals_mg_per_m2: tuple[str, ...] = ()
    owner: Role = Role.PRESCRIBER
    next_action: str = ""
    next_action_clears: str = ""
    others: tuple[Turn, ...] = ()
    signatures: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    under_way: str = ""

    @property
    def standing(self) -> tuple[Finding, ...]:
        """The findings that ask for something, gravest first."""
        return tuple(f for f in self.findings if f.verdict is not None)

    @property
    def turns(self) -> tuple[tuple[Role, str], ...]:
        """Whose turn it is, and what is asked of each."""
        first = ((self.owner, self.next_action),) if self.next_action else ()
        return (*first, *((turn.owner, turn.action) for turn in self.others))

    @property
    def whose_turn(self) -> tuple[tuple[Role, str], ...]:
        """Who is called to what is gravest (CALL-01), then the turns, and everybody else who is overdue, with what is."""
        in_the_turn = (
            REACTIONS if self.state in AT_THE_CHAIR else frozenset[ObligationKind]()
        )  # it has the better words
        calls = [o for o in self.calling if o.kind not in in_the_turn]
        called = [(owner, "; ".join(o.title for o in calls if owner in o.owners)) for owner in _owners_of(calls)]
        asked = {owner for owner, _ in (*called, *self.turns)}
        late: dict[Role, list[str]] = {}
        for obligation in self.overdue:
            for owner in obligation.owners:
                if owner not in asked:
                    late.setdefault(owner, []).append(obligation.title)
        return (*called, *self.turns, *((owner, f"overdue: {', '.join(titles)}") for owner, titles in late.items()))

    @property
    def calling(self) -> tuple[Obligation, ...]:
        """What physician and nurse must come to at once and nobody has settled (CALL-01), the oldest first."""
        grave = [o for o in self.obligations if o.kind in GRAVEST and o.standing != "coming" and not o.once]
        return tuple(sorted(grave, key=lambda o: (o.due_at, o.key)))

    @property
    def overdue(self) -> tuple[Obligation, ...]:
        """What is overdue, the gravest first."""
        late = [o for o in self.obligations if o.standing == "overdue"]
        return tuple(sorted(late, key=lambda o: (o.kind not in GRAVEST, o.due_at, o.key)))

    @property
    def lacking(self) -> tuple[Finding, ...]:
        """What is still missing between a signature and the start, while nothing asks for more."""
        if self.verdict not in OF_A_SIGNATURE:
            return ()
        return tuple(f for f in self.findings if f.verdict is None and f.clears is not None)

    @property
    def set_aside(self) -> tuple[Finding, ...]:
        """The findings that people have set aside for the next dose."""
        return tuple(f for f in self.findings if f.overridden is not None)

    def asked_by(self, finding: Finding) -> str:
        """What a finding asks for, in words; data are not missing yet while the dose that needs them is too early."""
        if finding.overridden is not None:
            return "set aside"
        if finding.verdict is Verdict.NEED_DATA and self.verdict in (Verdict.TOO_EARLY, Verdict.OMIT):
            return "will be needed"
        return str(finding.verdict) if finding.verdict is not None else ""

    def next_step(self) -> str:
        """What would be answered to the next step towards the dose, if it were tried now; empty where no dose is next."""
        if self.next_dose is None:
            return ""
        rules = {f.rule for f in self.lacking}
        command = "authorise_dose" if "OWN-01" in rules else "verify_dose" if "OWN-02" in rules else "start_infusion"
        if self.state is CourseState.CYCLE_REVIEW:
            command = "start_next_cycle"
        elif self.verdict not in OF_A_SIGNATURE:
            command = "authorise_dose"
        answer = next((a for a in self.commands if a.command == command), None)
        if answer is None:
            return ""
        return f"{command} may be given" if answer.may else f"{answer.why}"

    @property
    def headline(self) -> str:
        """The verdict and its dose; of a dose that was signed also how far it is, for nothing is left to authorise."""
        about = f" for {self.next_dose}" if self.next_dose else ""
        return f"{self.verdict}{about}{self._how_far()}"

    def _how_far(self) -> str:
        """What the next step would meet of a dose that was authorised and may not be started yet (§3.5 rows 9 and 10)."""
        rules = {f.rule for f in self.lacking}
        if self.verdict is not Verdict.MAY_AUTHORISE or self.state not in SIGNING or "OWN-01" in rules:
            return ""
        return (
            ", authorised and not checked yet" if "OWN-02" in rules else ", authorised and checked, not yet MAY_START"
        )

    @property
    def called_now(self) -> tuple[Obligation, ...]:
        """The gravest that became known at this very instant (CALL-01); a reaction as long as it goes on."""
        reaction = self.state is CourseState.REACTION
        return tuple(
            o
            for o in self.obligations
            if o.kind in GRAVEST and (o.due_at == self.as_of or (reaction and o.kind in REACTIONS))
        )

    @property
    def next_due(self) -> Obligation | None:
        """The obligation that is due first."""
        return min(self.obligations, key=lambda o: (o.due_at, o.key), default=None)

    def sentence(self) -> str:
        """One sentence for a receipt and the Web UI: the verdict, its first reason with its rule, what is overdue."""
        first = next((f for f in self.findings if f.verdict is self.verdict), None)
        because = f" – {first.rule}: {first.reason}" if first else ""
        because = because or (f" – {self.under_way}" if self.under_way else "")
        turn = "; ".join(f"{owner}: {action}" for owner, action in self.turns) if self.verdict in OF_A_SIGNATURE else ""
        return f"{self.headline}{because}{f' – {turn}' if turn else ''}{self._what_is_due()}"

    def _what_is_due(self) -> str:
        """What is overdue, the gravest first; where no dose is next and nothing is grave, what is due first: it is what the
        course is about.
        """
        if self.overdue:
            return f"; overdue: {', '.join(o.title for o in self.overdue)}"
        due = self.next_due
        if (
            due is None
            or self.next_dose is not None
            or any(o.kind in GRAVEST and o.standing == "due" for o in self.obligations)
        ):
            return ""
        return f"; next: {due.title}"


class Receipt(Frozen):
    """The answer to a message: which decision it became and where the course stands after it."""

    message_id: str
    decision: int
    state: CourseState
    verdict: Verdict
    sentence: str

    @classmethod
    def of(cls, message_id: str, decision: int, card: Assessment) -> "Receipt":
        """The answer to a message that became this decision: what is new and grave is said first (CALL-01)."""
        now = "".join(said_now(o) for o in card.called_now)
        return cls(
            message_id=message_id,
            decision=decision,
            state=card.state,
            verdict=card.verdict,
            sentence=f"{now}{card.sentence()}",
        )


def _owners_of(calls: Sequence[Obligation]) -> dict[Role, None]:
    """Everybody who is called, each once."""
    return dict.fromkeys(owner for o in calls for owner in o.owners)


def said_now(o: Obligation) -> str:
    """What must be done now, by which rule, what ends it, and who is called."""
    return f"now: {o.title} ({o.rule}; clears with {o.clears}; called: {' and '.join(o.owners)}). "


class Accepted(Frozen):
    """The command may happen; these facts follow from it."""

    outcome: Literal["accepted"] = "accepted"
    facts: tuple[Fact, ...]


class Refused(Frozen):
    """The command may not happen: a stable `type`, a sentence, and what is missing, by which clause, what clears it."""

    outcome: Literal["refused"] = "refused"
    type: str
    message: str
    findings: tuple[Finding, ...] = ()
    earliest_at: Instant | None = None

    @property
    def final(self) -> bool:
        """Whether it is the answer to every repeat of its message."""
        return self.type != RECORD_DIFFERS

    @property
    def rules(self) -> tuple[str, ...]:
        """The rule ids behind the refusal, in order, each once."""
        return tuple(dict.fromkeys(f.rule for f in self.findings))

    @property
    def type_and_rules(self) -> str:
        """What may be read by everybody: `DoseGateClosed (NON-08, DATA-02)`."""
        return f"{self.type} ({', '.join(self.rules)})" if self.rules else self.type


Ruling = Annotated[Accepted | Refused, Field(discriminator="outcome")]


def earliest(*instants: datetime | None) -> datetime | None:
    """The first of the instants that are given."""
    return min((i for i in instants if i is not None), default=None)
