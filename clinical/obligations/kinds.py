"""The one table of what can be open: for each kind what meets it, its harm, its words, its owners. A test holds it total."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from clinical.chart.once import once
from clinical.course.case import Case
from clinical.monitoring.due import Due
from clinical.obligations import closures
from clinical.obligations.closures import MetBy, charted, tests_for
from clinical.obligations.harm import Harm
from models.assessment import CallAnswer, Obligation, earliest
from models.facts import (
    CallAcknowledged,
    CallSnoozed,
    DoseDecided,
    Ecg,
    InfusionCompleted,
    InfusionInterrupted,
    LabResult,
    NoTransplantDeclared,
    ObservationEnded,
    Prophylaxis,
    Reaction,
    ResultConfirmed,
    RiskAccepted,
    Toxicity,
    Transplant,
    UnreadableResolved,
    VitalSigns,
    VodExamination,
    VodJudged,
)
from models.obligation_kinds import ObligationKind as K
from models.people import Role


class Kind(NamedTuple):
    """What holds of every obligation of a kind. `words` say it where nothing more is known; the first owner answers for it."""

    words: str
    harm: Harm
    met_by: MetBy
    owners: tuple[Role, ...]


_PHYSICIAN, _PRESCRIBER = (Role.PHYSICIAN,), (Role.PRESCRIBER,)
_NURSE, _COORDINATOR, _ADMINISTRATOR = (Role.NURSE,), (Role.COORDINATOR,), (Role.ADMINISTRATOR,)
_BOTH = (Role.PHYSICIAN, Role.NURSE)
"""CALL-01: whoever of the two is nearer looks at the patient."""
_REPORTED = charted("the reaction was reported further", Reaction)
_DIED = charted("it was graded again", Reaction, Toxicity)
_RESULT = charted("a usable result, or a correction, came", LabResult)

KINDS: Final[Mapping[K, Kind]] = MappingProxyType(
    {
        K.REACTION: Kind("a reaction without a grade", Harm.GRAVEST, _REPORTED, _BOTH),
        K.REACTION_RUNNING: Kind("a reaction that is not over", Harm.GRAVEST, _REPORTED, _BOTH),
        K.REACTION_BACK: Kind("a reaction that came back", Harm.GRAVEST, _REPORTED, _BOTH),
        K.DEATH: Kind("a death: close the record and report it", Harm.GRAVEST, _DIED, _BOTH),
        K.CRITICAL: Kind("a value past its alert limit", Harm.GRAVEST, _RESULT, _BOTH),
        K.IMPLAUSIBLE: Kind("a value implausibly high", Harm.GRAVEST, _RESULT, _BOTH),
        K.PREGNANCY: Kind("a positive pregnancy test", Harm.GRAVEST, closures.nothing, _BOTH),
        K.VOD: Kind("signs of VOD", Harm.GRAVEST, charted("a physician judged", VodJudged), _BOTH),
        K.INFUSION_LIMIT: Kind(
            "the infusion must end before the drug expires",
            Harm.GRAVEST,
            closures.infusion,
            (Role.NURSE, Role.PHYSICIAN),
        ),
        K.INFUSION_ASKED: Kind(
            "an infusion that does not fit its rate, its limit or its course",
            Harm.GRAVEST,
            charted(
                "somebody confirmed or corrected it",
                ResultConfirmed,
                InfusionCompleted,
                InfusionInterrupted,
                DoseDecided,
            ),
            (Role.NURSE, Role.PHYSICIAN),
        ),
        K.LATE_VALUE: Kind("a late value of before a dose", Harm.URGENT, closures.late_value, _PRESCRIBER),
        K.RISK: Kind(
            "a hard risk alert before conditioning",
            Harm.HELD_DOSE,
            charted("a physician signed it", RiskAccepted),
            _PHYSICIAN,
        ),
        K.UNREADABLE: Kind(
            "a message that could not be read",
            Harm.MESSAGE,
            charted("somebody read it", UnreadableResolved),
            _PHYSICIAN,
        ),
        K.LOST: Kind("lost to follow-up", Harm.LIVER_TEST, charted("a result came", LabResult), _PHYSICIAN),
        K.RULES: Kind("rules could not be evaluated", Harm.URGENT, closures.nothing, _ADMINISTRATOR),
        K.INFUSION: Kind("the infusion ends", Harm.OBSERVATION, closures.infusion, _NURSE),
        K.OBSERVATION: Kind(
            "observation ends", Harm.OBSERVATION, charted("observation was ended", ObservationEnded), _NURSE
        ),
        K.BROKEN_OFF: Kind(
            "observation was broken off",
            Harm.OBSERVATION,
            charted("the patient was looked at", VitalSigns, VodExamination),
            _PHYSICIAN,
        ),
        K.VITAL_SIGNS: Kind("vital signs", Harm.OBSERVATION, charted("vital signs were charted", VitalSigns), _NURSE),
        K.PREPARATION: Kind(
            "a preparation expires", Harm.PREPARATION, closures.preparation, (Role.PHARMACIST, Role.NURSE)
        ),
        K.LIVER_TEST: Kind("a liver test", Harm.LIVER_TEST, closures.liver_test, _COORDINATOR),
        K.LIVER_TEST_AFTER_DOSE: Kind(
            "the liver test after a dose", Harm.LIVER_TEST, closures.liver_test_after_dose, _COORDINATOR
        ),
        K.EXAMINATION: Kind(
            "the examination for signs of VOD",
            Harm.LIVER_TEST,
            charted("the patient was examined", VodExamination),
            _NURSE,
        ),
        K.BLOOD_COUNT: Kind(
            "the weekly blood count", Harm.DOSE, tests_for(lambda case: case.protocol.ages.cbc_analytes), _COORDINATOR
        ),
        K.TUMOUR_LYSIS: Kind(
            "tests for tumour lysis",
            Harm.LIVER_TEST,
            tests_for(lambda case: case.protocol.monitoring.tls_analytes),
            _COORDINATOR,
        ),
        K.ECG: Kind(
            "ECG and electrolytes after a drug that prolongs QT",
            Harm.DOSE,
            charted("an ECG came", Ecg, LabResult),
            _COORDINATOR,
        ),
        K.PANCREAS: Kind(
            "amylase and lipase", Harm.DOSE, tests_for(lambda case: case.protocol.monitoring.pancreas), _COORDINATOR
        ),
        K.PROPHYLAXIS: Kind(
            "infection: prophylaxis", Harm.DOSE, charted("prophylaxis was charted", Prophylaxis), _PHYSICIAN
        ),
        K.MARROW: Kind("marrow at the end of a cycle", Harm.DOSE, closures.marrow, _PHYSICIAN),
        K.DOSE: Kind("the next dose", Harm.DOSE, closures.dose, _PRESCRIBER),
        K.BEFORE: Kind("what is needed before a dose", Harm.DOSE, closures.before, _COORDINATOR),
        K.FIRST_DOSE: Kind("nothing is given", Harm.DOSE, closures.first_dose, _PRESCRIBER),
        K.CYTOREDUCTION: Kind("cytoreduction: how to go on", Harm.DOSE, closures.first_dose, _PHYSICIAN),
        K.TRANSPLANT: Kind(
            "whether a transplant is planned",
            Harm.DOSE,
            charted("the prescriber said it", NoTransplantDeclared, Transplant),
            _PRESCRIBER,
        ),
        K.MONITORING_ENDS: Kind("monitoring ends", Harm.LIVER_TEST, closures.the_end, _COORDINATOR),
        K.AGAIN: Kind("something is still overdue", Harm.DOSE, closures.no_longer_overdue, _COORDINATOR),
        K.REFUSED: Kind("a message that was not taken into the chart", Harm.MESSAGE, closures.nothing, _COORDINATOR),
        K.UNKNOWN: Kind("what this release does not know", Harm.URGENT, closures.nothing, _COORDINATOR),
    }
)


def harm_of(kind: K) -> Harm:
    """The class of an obligation of this kind."""
    return KINDS[kind].harm


def owned(case: Case, due: Due) -> Obligation:
    """The obligation that an open thing is, with what was said to its call; those of its kind own it, unless its rule names
    others.
    """
    owner, *also = due.owners or KINDS[due.kind].owners
    said = answers(case).get((due.key, due.due_at), ())
    ahead = [answer.until for answer in said if answer.until is not None and case.reading.is_ahead(answer.until)]
    if ahead:
        due = due._replace(next_change_at=earliest(due.next_change_at, *ahead))
    fields = {name: value for name, value in due._asdict().items() if name != "owners"}
    return Obligation(owner=owner, also=tuple(also), answers=said, **fields)


@once
def answers(case: Case) -> Mapping[tuple[str, datetime], tuple[CallAnswer, ...]]:
    """What each role said last to each call (CALL-01)."""
    told = [fact for kind in (CallAcknowledged, CallSnoozed) for fact, _ in case.reading.of(kind)]
    found: dict[tuple[str, datetime], dict[Role, CallAnswer]] = {}
    for fact in case.reading.in_order("call_acknowledged", "call_snoozed") if told else ():
        what = fact.what
        if isinstance(what, CallAcknowledged | CallSnoozed):
            until = what.until if isinstance(what, CallSnoozed) else None
            answer = CallAnswer(by=fact.by, at=fact.recorded_at, until=until)
            found.setdefault((what.obligation, what.due_at), {})[fact.by.role] = answer
    return MappingProxyType({key: tuple(by_role.values()) for key, by_role in found.items()})
