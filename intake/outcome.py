"""What every reader takes and answers, whatever the format: whose results are expected, messages, refused entries."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from models.base import Frozen
from models.messages import LabResults


class Refusal(StrEnum):
    """Why an entry is in no message. A door may branch on it: what is in `LOST_NOTHING` lost no result, the others may."""

    BAD_JSON = "BadJson"
    TOO_LARGE = "TooLarge"
    NOT_FHIR = "NotFhir"
    NOT_AN_OBSERVATION = "NotAnObservation"
    MODIFIED = "ModifierNotUnderstood"
    CONTRADICTED = "ContradictsItself"
    ABOUT_ANOTHER = "NotAboutThePatient"
    NO_LOINC = "NoLoinc"
    SEVERAL_LOINCS = "SeveralLoincs"
    SUBJECT_MISSING = "SubjectMissing"
    SUBJECT_MISMATCH = "SubjectMismatch"
    ONLY_A_PANEL = "OnlyAPanel"
    NOT_READ_THERE = "NotReadThere"
    TOO_MANY_GROUPS = "TooManyGroups"
    WITHDRAWS_ANOTHER = "WithdrawsAnother"
    SPECIMEN = "SpecimenUnfit"
    RANGE = "RangeUnfit"
    ONLY_IN_WORDS = "OnlyInWords"
    PATIENT_REPLACED = "PatientReplaced"


LOST_NOTHING: Final = frozenset({Refusal.NOT_AN_OBSERVATION, Refusal.ONLY_A_PANEL})
"""Resources that hold no result of their own."""


class RefusedEntry(Frozen):
    """One entry (or a part of one) that became no result. `reason` holds words of ours only, never a patient's value.

    `where` counts from 1 as a person does: `entry 3 (obs-alt), component 2`; `document` is all that was sent. `kept` says
    that it is in a message all the same, as a result or withdrawal that nobody may use: what it may be is unknown (LAB-12).
    """

    where: str
    resource_type: str
    type: Refusal
    reason: str
    kept: bool = False


class Intake(Frozen):
    """What became of one document: every entry is in a message or named in `refused`.

    Text is cut to sane lengths, so that a message stays far below what Temporal takes. `subjects` are the keyed hashes
    of every identifier that all its results share: the patient may be known here by another one than the first.
    """

    messages: tuple[LabResults, ...] = ()
    refused: tuple[RefusedEntry, ...] = ()
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpectedSubject:
    """Whose results a document may hold (IDN-01). The hashes are the caller's, because the key is not known here.

    Without `subject_hash` (the patient is looked up afterwards) a message carries the first identifier that all
    results of the document share: still one patient a document. `chosen`: a person names the patient, of a document that
    takes results back and says of nobody whose they are. `born` is the hash of the patient's own birth date, where it is
    known: a document that says another one is not certainly about this patient. `whoever`: only what the document says is
    asked, not of whom, and its messages are for no course.
    """

    hash_of: Callable[[str, str], str]
    birth_hash_of: Callable[[date], str]
    subject_hash: str | None = None
    chosen: bool = False
    born: str | None = None
    whoever: bool = False
