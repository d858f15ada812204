"""Invented patients for tests: builders that read aloud and show only the fact under test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from clinical.assess import assess
from clinical.judge import judge
from demo.bundles import BLOOD_COUNT as CBC
from demo.bundles import LIVER_PANEL as LIVER
from demo.bundles import NORMAL
from models.assessment import Accepted, Assessment, Refused
from models.chart import Chart, Course
from models.facts import CYCLE_DAYS, Fact, LabResult
from models.messages import MESSAGES
from models.people import Actor, Role
from models.pins import Acknowledgement
from models.sent import fact_as_sent, sent_result
from plumbing.protocol_files import load_protocol, pin_of

LABEL, ARTICLE, EU = "us-label-2024.1", "article-2025.1", "eu-smpc-2023.1"
PROTOCOLS = (LABEL, ARTICLE, EU)
D1 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""09:00 in Berlin on a Monday: the first dose of the courses here."""

CODES = {
    "wbc": ("6690-2", "10*9/L"),
    "anc": ("751-8", "10*9/L"),
    "platelets": ("777-3", "10*9/L"),
    "haemoglobin": ("718-7", "g/dL"),
    "blasts_percent": ("26446-5", "%"),
    "blasts": ("30376-8", "10*9/L"),
    "alt": ("1742-6", "U/L"),
    "ast": ("1920-8", "U/L"),
    "alp": ("6768-6", "U/L"),
    "bilirubin": ("1975-2", "mg/dL"),
    "bilirubin_direct": ("1968-7", "mg/dL"),
    "potassium": ("2823-3", "mmol/L"),
    "magnesium": ("19123-9", "mg/dL"),
    "calcium": ("17861-6", "mg/dL"),
    "albumin": ("1751-7", "g/dL"),
    "creatinine": ("2160-0", "mg/dL"),
    "urate": ("3084-1", "mg/dL"),
    "phosphate": ("2777-1", "mg/dL"),
    "ldh": ("2532-0", "U/L"),
    "ggt": ("2324-2", "U/L"),
    "lipase": ("3040-3", "U/L"),
    "amylase": ("1798-8", "U/L"),
    "calcium_ionised": ("1995-0", "mmol/L"),
    "inr": ("6301-6", "{INR}"),
    "sodium": ("2951-2", "mmol/L"),
    "egfr": ("98979-8", "mL/min/{1.73_m2}"),
    "calcium_corrected": ("29265-6", "mmol/L"),
    "qtcf": ("76634-5", "ms"),
    "weight": ("29463-7", "kg"),
    "height": ("8302-2", "cm"),
}
ULN = {"alt": "55", "ast": "45", "alp": "120", "bilirubin": "1.2", "bilirubin_direct": "0.3", "creatinine": "1.2"}
ULN |= {"ggt": "60", "lipase": "60", "amylase": "100"}
LLN = {"magnesium": "1.7", "calcium": "8.5"}
NO_HISTORY = dict.fromkeys(("hypersensitivity", "severe_vod", "vod_ongoing", "serious_liver_disease"), False)
PREMEDICATION = ("corticosteroid", "antipyretic", "antihistamine")
PEOPLE = {role: Actor(role=role, id=f"{role}-1") for role in Role}


def a_course(protocol: str = LABEL, **changes: Any) -> Course:
    """The course of an invented patient of 45 years in Berlin who cannot bear a child."""
    fields: dict[str, Any] = {
        "course_id": "course-invented-1",
        "zone": "Europe/Berlin",
        "subject_hash": "test:subject-1",
        "birth_on": date(1981, 1, 15),
        "child_bearing_potential": False,
        "invented": True,
        "protocol": pin_of(protocol),
        "acknowledged": tuple(
            Acknowledgement(divergence=d, reason="invented patient") for d in ("DIV-01", "DIV-03", "DIV-07")
        )
        if protocol == ARTICLE
        else (),
        "started_at": D1 - timedelta(days=3),
        "started_by": PEOPLE[Role.PRESCRIBER],
    }
    return Course(**{**fields, **changes})


def a_lab(
    analyte: str, value: str | None = None, *, at: datetime = D1 - timedelta(hours=2), **changes: Any
) -> LabResult:
    """One result, normal unless a value is given; `at` is when it was collected."""
    code, unit = CODES[analyte]
    fields: dict[str, Any] = {
        "loinc": code,
        "value": Decimal(value if value is not None else NORMAL[analyte]),
        "unit": unit,
        "uln": Decimal(ULN[analyte]) if analyte in ULN else None,
        "lln": Decimal(LLN[analyte]) if analyte in LLN else None,
        "collected_at": at,
        "status": "final",
        "sender": "lab-a",
    }
    return sent_result(**{**fields, **changes})


class ChartBuilder:
    """Facts added one by one, each recorded when it was true unless said otherwise."""

    def __init__(self, protocol: str = LABEL, **course: Any) -> None:
        self.course = a_course(protocol, **course)
        self.facts: list[Fact] = []

    def add(self, body: dict[str, Any] | Any, at: datetime, by: Role = Role.NURSE, **header: Any) -> str:
        """One fact; returns its id."""
        fact_id = header.pop("id", None) or self._next_id()
        what = fact_as_sent(body if isinstance(body, dict) else body.model_dump(mode="json"))
        fields = {"id": fact_id, "by": str(PEOPLE[by]), "at": at, "recorded_at": at, "what": what, **header}
        self.facts.append(Fact.model_validate_json(json.dumps(fields, default=lambda v: v.isoformat())))
        return fact_id

    def _next_id(self) -> str:
        taken = {f.id for f in self.facts}
        return next(fact_id for n in count(len(taken) + 1) if (fact_id := f"f{n}") not in taken)

    def labs(self, at: datetime, *analytes: str, recorded_at: datetime | None = None, **values: str) -> None:
        """Normal results of these analytes (all when none is named), with some values given."""
        for analyte in dict.fromkeys((*(analytes or (() if values else NORMAL)), *values)):
            self.add(a_lab(analyte, values.get(analyte), at=at), at, Role.LABORATORY, recorded_at=recorded_at or at)

    def screened(self, at: datetime = D1 - timedelta(hours=20)) -> "ChartBuilder":
        """Consent, eligibility, height, weight, ECG."""
        self.add({"kind": "consent", "given": True}, at)
        stated: dict[str, Any] = {"cd22_positive": True, "b_cell_precursor_all": True, "relapsed_or_refractory": True}
        if self.course.protocol.name == EU:
            stated |= {"cd22_percent": "95", "ph_positive": False}
            self.add({"kind": "medical_history", **NO_HISTORY}, at, Role.PHYSICIAN)
        self.add({"kind": "eligibility", **stated, "method": "flow cytometry"}, at, Role.PRESCRIBER)
        self.add({"kind": "height", "cm": "170"}, at)
        self.add({"kind": "weight", "kg": "70"}, at)
        self.add({"kind": "ecg", "qtcf_ms": "420"}, at)
        return self

    def examined(self, at: datetime) -> "ChartBuilder":
        """No sign of VOD, no fever, no bleeding."""
        signs = ("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema")
        in_children = ("refractory_thrombocytopenia", "weight_gain_despite_diuretics")
        none = dict.fromkeys((*signs, *in_children), False)
        self.add({"kind": "vod_examination", **none}, at, Role.PHYSICIAN)
        self.add(
            {"kind": "infection_bleeding", "temperature_c": "36.8", "infection": False, "active_bleeding": False}, at
        )
        return self

    def result(self, analyte: str, value: str | None, at: datetime, /, **changes: Any) -> str:
        """One result as the laboratory sent it (its `value` may be no number); returns its fact id."""
        recorded_at = changes.pop("recorded_at", at)
        lab = sent_result(**{**a_lab(analyte, value, at=at).model_dump(), **changes})
        return self.add(lab, at, Role.LABORATORY, recorded_at=recorded_at)

    def ready(self, at: datetime = D1, **values: str) -> "ChartBuilder":
        """Everything that C1D1 at this instant requires, with some laboratory values given."""
        self.screened(at - timedelta(hours=20))
        self.labs(at - timedelta(hours=2), *NORMAL, **values)
        return self.examined(at - timedelta(hours=1))

    def ready_again(self, at: datetime, *, kg: str = "70", **values: str) -> "ChartBuilder":
        """Everything that a later day 8 or 15 at this instant requires, with some laboratory values given."""
        self.labs(at - timedelta(hours=3), *CBC, *LIVER, **values)
        self.add({"kind": "weight", "kg": kg}, at - timedelta(hours=3))
        return self.examined(at - timedelta(hours=1))

    def ready_for_cycle(
        self, at: datetime, response: str = "CR", of_cycle: int = 1, *, kg: str = "70", **values: str
    ) -> "ChartBuilder":
        """Everything that day 1 of a later cycle at this instant requires, with some laboratory values given."""
        self.labs(at - timedelta(hours=3), *NORMAL, **values)
        self.add({"kind": "weight", "kg": kg}, at - timedelta(hours=3))
        self.add({"kind": "ecg", "qtcf_ms": "425"}, at - timedelta(hours=3))
        self.add({"kind": "response", "cycle": of_cycle, "response": response}, at - timedelta(hours=4), Role.PHYSICIAN)
        return self.examined(at - timedelta(hours=1))

    def dose(self, cycle: int, day: int, at: datetime, *, observed: bool = True) -> "ChartBuilder":
        """A dose that was given here, ended after an hour and (unless said otherwise) observed for an hour."""
        started = {
            "kind": "infusion_started",
            "cycle": cycle,
            "day": day,
            "mg": "0.91",
            "preparation_id": f"p-{cycle}-{day}",
        }
        self.add({**started, "identifiers_checked": ["name", "birth date"]}, at)
        self.add({"kind": "infusion_completed"}, at + timedelta(hours=1))
        if observed:
            self.add({"kind": "observation_ended", "minutes": 60, "complete": True}, at + timedelta(hours=2))
        return self

    def without(self, *kinds: str) -> "ChartBuilder":
        """All facts of these kinds, and all results of these analytes, taken out again."""
        codes = {CODES[kind][0] for kind in kinds if kind in CODES}
        gone = [f for f in self.facts if f.what.kind in kinds or getattr(f.what, "loinc", None) in codes]
        self.facts = [f for f in self.facts if f not in gone]
        return self

    def cycle(self, number: int, at: datetime, *, response: str | None = None, **details: Any) -> "ChartBuilder":
        """A whole cycle from its day 1: three doses, and (if one is given) the response at its end."""
        if number > 1:
            self.add({"kind": "cycle_started", "cycle": number}, at - timedelta(hours=1), Role.PRESCRIBER)
        for day in CYCLE_DAYS:
            self.dose(number, day, at + timedelta(days=day - 1))
        if response is not None:
            assessed = {"kind": "response", "cycle": number, "response": response, **details}
            self.add(assessed, at + timedelta(days=20), Role.PHYSICIAN)
        return self

    def chart(self) -> Chart:
        """The chart so far, in the order of recording."""
        return Chart(course=self.course, facts=tuple(sorted(self.facts, key=lambda f: f.recorded_at)))


class PaperCourse:
    """A course conducted by the rules alone, without a server: commands judged one by one at `now`."""

    def __init__(self, builder: ChartBuilder, now: datetime) -> None:
        self.chart = builder.chart()
        self.protocol = load_protocol(builder.course.protocol.name)
        self.now = now
        self._count = 0

    @property
    def card(self) -> Assessment:
        """What the people at the bedside see now. Whatever a test is about, no two open things have one key."""
        card = assess(self.chart, self.protocol, self.now)
        keys = [obligation.key for obligation in card.obligations]
        assert len(set(keys)) == len(keys), f"one key for two open things: {keys}"
        return card

    def judged(self, name: str, by: Role | Actor, **fields: Any) -> Accepted | Refused:
        """The ruling on one command; nothing is charted."""
        self._count += 1
        actor = PEOPLE[by] if isinstance(by, Role) else by
        content = {"id": f"m{self._count}-{name}", "by": str(actor), **fields}
        text = json.dumps(content, default=lambda v: v.isoformat() if isinstance(v, datetime | date) else str(v))
        return judge(self.chart, MESSAGES[name].model_validate_json(text), self.protocol, self.now)

    def does(self, name: str, by: Role | Actor, **fields: Any) -> Fact:
        """A command that is accepted; its first fact."""
        ruling = self.judged(name, by, **fields)
        assert isinstance(ruling, Accepted), ruling
        self.chart = self.chart.with_facts(*ruling.facts)
        return ruling.facts[0]

    def refused(self, name: str, by: Role | Actor, **fields: Any) -> Refused:
        """A command that is refused."""
        ruling = self.judged(name, by, **fields)
        assert isinstance(ruling, Refused), ruling
        return ruling

    @contextmanager
    def charting(self) -> Iterator[ChartBuilder]:
        """Facts go into the chart as they are, whatever the rules say of them."""
        builder = ChartBuilder(self.chart.course.protocol.name)
        builder.course, builder.facts = self.chart.course, list(self.chart.facts)
        yield builder
        self.chart = builder.chart()

    def later(self, **span: float) -> "PaperCourse":
        """Time goes by."""
        self.now += timedelta(**span)
        return self

    def authorised(self, cycle: int = 1, day: int = 1, **fields: Any) -> "PaperCourse":
        """Signed by the prescriber and checked by the pharmacist."""
        signed = self.does("authorise_dose", Role.PRESCRIBER, cycle=cycle, day=day, **fields)
        self.does("verify_dose", Role.PHARMACIST, cycle=cycle, day=day, mg=str(signed.what.mg))
        return self

    def premedicated(self, *classes: str) -> "PaperCourse":
        """All three classes (or those named) given now."""
        for drug_class in classes or PREMEDICATION:
            self.does("record_premedication", Role.NURSE, drug_class=drug_class)
        return self

    def prepared(self, preparation_id: str = "bag-1", **fields: Any) -> "PaperCourse":
        """One bag of the dose on the card, reconstituted and diluted now."""
        plan = self.card.dose
        assert plan is not None
        made = {"reconstituted_at": self.now, "dilution_started_at": self.now, "mg": str(plan.mg), "vials": plan.vials}
        self.does("record_preparation", Role.PHARMACIST, preparation_id=preparation_id, **{**made, **fields})
        return self

    def ready_to_start(self, cycle: int = 1, day: int = 1) -> "PaperCourse":
        """Signed, checked, premedicated, prepared; an hour later, so that the premedication is in its window."""
        self.authorised(cycle, day).premedicated()
        return self.later(hours=1).prepared()

    def started(self, cycle: int = 1, day: int = 1, preparation_id: str = "bag-1") -> Fact:
        """The infusion runs."""
        return self.does(
            "start_infusion",
            Role.NURSE,
            cycle=cycle,
            day=day,
            preparation_id=preparation_id,
            identifiers_checked=["name", "birth date"],
        )


def standing_rules(card: Assessment) -> list[str]:
    """The rules that ask for something, gravest first, each once."""
    return list(dict.fromkeys(f.rule for f in card.standing))


def notes(card: Assessment) -> Iterator[str]:
    """The rules that only say something."""
    return (f.rule for f in card.findings if f.verdict is None)
