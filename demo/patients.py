"""Invented patients. Names are told on screen only; a course knows its patient by keyed hashes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from models.chart import Course
from models.people import Actor, Role
from models.pins import Acknowledgement
from plumbing.keys import SubjectKey, birth_hash, subject_hash
from plumbing.protocol_files import load_protocol, pin_of

SYSTEM = "urn:example:invented-hospital:patient-number"
PRESCRIBER = Actor(role=Role.PRESCRIBER, id="dr-ahorn")
PHYSICIAN = Actor(role=Role.PHYSICIAN, id="dr-birke")
PHARMACIST = Actor(role=Role.PHARMACIST, id="ph-ceder")
NURSE = Actor(role=Role.NURSE, id="n-distel")
COORDINATOR = Actor(role=Role.COORDINATOR, id="c-esche")
LABORATORY = Actor(role=Role.LABORATORY, id="lis")


@dataclass(frozen=True)
class Patient:
    """An invented patient: what a hospital would know, and where the story starts."""

    name: str
    number: str
    birth_on: date
    zone: str = "Europe/Berlin"
    height_cm: str = "170"
    weight_kg: str = "70"
    child_bearing_potential: bool = False

    @property
    def identifier(self) -> Mapping[str, str]:
        """The identifier that the invented laboratory writes on its results."""
        return {"system": SYSTEM, "value": self.number}

    def course(self, course_id: str, protocol: str, key: SubjectKey, started_at: datetime) -> Course:
        """The patient's course, every divergence of the protocol acknowledged by the prescriber."""
        named = load_protocol(protocol).divergences
        return Course(
            course_id=course_id,
            zone=self.zone,
            subject_hash=subject_hash(key, SYSTEM, self.number),
            birth_hash=birth_hash(key, self.birth_on),
            birth_on=self.birth_on,
            child_bearing_potential=self.child_bearing_potential,
            invented=True,
            protocol=pin_of(protocol),
            acknowledged=tuple(Acknowledgement(divergence=d, reason="invented patient of the demo") for d in named),
            started_at=started_at,
            started_by=PRESCRIBER,
        )


ANNA = Patient("Anna Beispiel (invented)", "X-1001", date(1979, 4, 3))
BERND = Patient("Bernd Muster (invented)", "X-1002", date(1961, 11, 20), height_cm="182", weight_kg="84")
CLARA = Patient("Clara Probe (invented)", "X-1003", date(1988, 8, 12), height_cm="165", weight_kg="58")
DORA = Patient("Dora Vorbild (invented)", "X-1004", date(1970, 2, 27), height_cm="168", weight_kg="63")
EMIL = Patient("Emil Exempel (invented)", "X-1005", date(1955, 6, 9), height_cm="176", weight_kg="79")
FRIEDA = Patient("Frieda Fiktiv (invented)", "X-1006", date(1993, 1, 30), height_cm="172", weight_kg="61")
GERD = Patient("Gerd Gedacht (invented)", "X-1007", date(1966, 10, 5), height_cm="180", weight_kg="88")
