"""The invented patient of the search, the people around the bed, and what a laboratory sends."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from models.chart import Chart, Course
from models.facts import LabResult
from models.people import Actor, Role
from models.pins import Acknowledgement, ProtocolPin
from models.protocol import Protocol
from models.sent import sent_result

MORNING = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
"""10:00 in Berlin on a Monday. No clock changes until October, so that the same story on other days is the same story."""
ZONE = "Europe/Berlin"
SUBJECT = "check:subject-1"

PRESCRIBER = Actor(role=Role.PRESCRIBER, id="p-1")
PHYSICIAN = Actor(role=Role.PHYSICIAN, id="d-1")
PHARMACIST = Actor(role=Role.PHARMACIST, id="a-1")
NURSE = Actor(role=Role.NURSE, id="n-1")
COORDINATOR = Actor(role=Role.COORDINATOR, id="c-1")
LABORATORY = Actor(role=Role.LABORATORY, id="lab-1")
PRESCRIBER_AS_PHARMACIST = Actor(role=Role.PHARMACIST, id=PRESCRIBER.id)
"""The same person in another role: two signatures of one person are one."""

# analyte: LOINC code, unit, a normal value, ULN, LLN
_TESTS: dict[str, tuple[str, str, str, str | None, str | None]] = {
    "wbc": ("6690-2", "10*9/L", "4.2", None, None),
    "anc": ("751-8", "10*9/L", "2.1", None, None),
    "platelets": ("777-3", "10*9/L", "140", None, None),
    "haemoglobin": ("718-7", "g/dL", "10.2", None, None),
    "alt": ("1742-6", "U/L", "30", "55", None),
    "ast": ("1920-8", "U/L", "28", "45", None),
    "alp": ("6768-6", "U/L", "80", "120", None),
    "bilirubin": ("1975-2", "mg/dL", "0.6", "1.2", None),
    "blasts": ("30376-8", "10*9/L", "0.5", None, None),
    "potassium": ("2823-3", "mmol/L", "4.1", None, None),
    "magnesium": ("19123-9", "mg/dL", "2.0", None, "1.7"),
    "calcium": ("17861-6", "mg/dL", "9.2", None, "8.5"),
    "albumin": ("1751-7", "g/dL", "4.0", None, None),
    "creatinine": ("2160-0", "mg/dL", "0.8", "1.2", None),
    "urate": ("3084-1", "mg/dL", "5.0", None, None),
    "phosphate": ("2777-1", "mg/dL", "3.4", None, None),
    "ldh": ("2532-0", "U/L", "210", None, None),
    "ggt": ("2324-2", "U/L", "30", "60", None),
    "lipase": ("3040-3", "U/L", "30", "60", None),
    "amylase": ("1798-8", "U/L", "50", "100", None),
    "qtcf": ("76634-5", "ms", "420", None, None),
    "weight": ("29463-7", "kg", "70", None, None),
    "temperature": ("8310-5", "Cel", "36.8", None, None),
}
COUNTS = ("wbc", "anc", "platelets", "haemoglobin")
LIVER = ("alt", "ast", "alp", "bilirubin")
ELECTROLYTES = ("potassium", "magnesium", "calcium", "albumin")
BEFORE_TREATMENT = (*COUNTS, *LIVER, *ELECTROLYTES, "blasts", "creatinine", "urate", "phosphate", "ldh")
CODE = {analyte: row[0] for analyte, row in _TESTS.items()}


def a_course(protocol: Protocol, pin: ProtocolPin) -> Chart:
    """The chart of an invented patient of 45 years at the start of a course: no fact yet."""
    course = Course(
        course_id="course-checked",
        zone=ZONE,
        subject_hash=SUBJECT,
        birth_on=date(1981, 1, 15),
        child_bearing_potential=False,
        invented=True,
        protocol=pin,
        acknowledged=tuple(Acknowledgement(divergence=d, reason="checked") for d in protocol.divergences),
        started_at=MORNING - timedelta(hours=1),
        started_by=PRESCRIBER,
    )
    return Chart(course=course)


def result(analyte: str, at: datetime, value: str | None = None, /, **changes: Any) -> LabResult:
    """One result, normal unless a value is given; `at` is when it was collected. Other fields by name."""
    found = _template(analyte, value).model_copy(update={"collected_at": at})
    return sent_result(**{**found.model_dump(), **changes}) if changes else found


@lru_cache(maxsize=512)
def _template(analyte: str, value: str | None) -> LabResult:
    code, unit, normal, uln, lln = _TESTS[analyte]
    return LabResult.model_validate(
        {
            "loinc": code,
            "unit": unit,
            "value": Decimal(value or normal),
            "uln": Decimal(uln) if uln else None,
            "lln": Decimal(lln) if lln else None,
            "status": "final",
            "sender": "lab-a",
        }
    )
