"""The people around one invented patient, doing in order what a course needs. Used by the demo and by the stories."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHistoryEventFilterType

from demo import bundles
from demo.driver import Clock
from demo.patients import LABORATORY, NURSE, PHARMACIST, PHYSICIAN, PRESCRIBER, Patient
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject, Intake
from models.assessment import Assessment, Receipt
from models.messages import COMMANDS
from models.people import Actor
from models.status import Status
from plumbing.keys import SubjectKey, birth_hash, subject_hash
from services.courses import CourseClient, CourseError

NO_SIGNS = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)
CLASSES = ("corticosteroid", "antipyretic", "antihistamine")

ANSWER_WITHIN = timedelta(minutes=2)
"""Longer than a person would wait: a first start under load is slow, and is no failure."""
LOOKS = 6
"""As long for a look, which waits some 20 s itself while the course is deciding."""
Seen = TypeVar("Seen")


class Bedside:
    """One course, its patient and its clock. Message ids count up, so that every step is its own message."""

    def __init__(
        self, courses: CourseClient, clock: Clock, course_id: str, patient: Patient, key: SubjectKey, run: str = "a"
    ) -> None:
        self.courses = courses
        self.clock = clock
        self.course_id = course_id
        self.patient = patient
        self._key = key
        self._run = run
        self._messages = 0
        self._started_at: datetime | None = None

    def move_to(self, client: Client) -> None:
        """Go on over another connection: the server was started again."""
        self.courses = CourseClient(client, self.courses.task_queue)
        self.clock = Clock(client, self.course_id)

    # ── one message each ───────────────────────────────────────────────────────────────────────────────────────────

    async def do(self, command: str, by: Actor, *, message_id: str | None = None, **fields: Any) -> Receipt:
        """Give one command. Raises `CommandRefused` when a rule or a role says no."""
        self._messages += 1
        content = {"id": message_id or f"{self.course_id}-{self._run}{self._messages}", "by": str(by), **fields}
        given = COMMANDS[command].model_validate_json(json.dumps(content))
        return await self.courses.command(self.course_id, given, ANSWER_WITHIN)

    async def send_labs(self, values: Mapping[str, str], collected_at: datetime | None = None, **more: Any) -> Intake:
        """A draw as the invented laboratory sends it, through intake; returns when the course has decided on it."""
        at = collected_at or await self.clock.now()
        raw = bundles.bundle(self.patient.identifier, self.patient.birth_on.isoformat(), at, values, **more)
        return await self.send_bundle(raw)

    async def send_bundle(self, raw: bytes) -> Intake:
        """A FHIR document through intake to the course."""
        course = (await self.courses.chart(self.course_id)).course
        expected = ExpectedSubject(
            hash_of=partial(subject_hash, self._key),
            birth_hash_of=partial(birth_hash, self._key),
            subject_hash=course.subject_hash,
        )
        read = read_fhir(raw, expected=expected, by=LABORATORY)
        for message in read.messages:
            await self.courses.send(self.course_id, message)
        await self.status()
        return read

    async def status(self) -> Status:
        """Where the course stands now that everything sent before is judged."""
        return await self._seen(self.courses.settled)

    async def into_next_run(self, act: Awaitable[object]) -> Status:
        """Do what ends the current run, and come back when the next one is there."""
        handle = self.courses.handle(self.course_id)
        run_id = (await handle.describe()).run_id
        await act
        closing = self.courses.client.get_workflow_handle(self.course_id, run_id=run_id).fetch_history_events(
            wait_new_event=True, event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
        )
        async for _ in closing:
            break
        return await self.status()

    async def card(self) -> Assessment:
        """The whole assessment, once everything sent before is judged."""
        await self.status()
        return await self._seen(self.courses.assessment)

    async def _seen(self, look: Callable[[str], Awaitable[Seen]]) -> Seen:
        """A look, again while a course under load is too busy to answer. Raises `CourseError`."""
        for _ in range(LOOKS - 1):
            try:
                return await look(self.course_id)
            except CourseError as fault:
                if fault.type != "NoAnswer":
                    raise
        return await look(self.course_id)

    # ── what a dose needs ──────────────────────────────────────────────────────────────────────────────────────────

    async def screen(self) -> None:
        """Consent, eligibility, height, weight, ECG; what is given against infection."""
        stated = {"cd22_positive": True, "b_cell_precursor_all": True, "relapsed_or_refractory": True}
        await self.find({"kind": "consent", "given": True}, PHYSICIAN)
        await self.find({"kind": "eligibility", **stated, "method": "flow cytometry"}, PRESCRIBER)
        await self.find({"kind": "height", "cm": self.patient.height_cm})
        await self.weigh()
        await self.ecg()
        await self.protect()

    async def find(self, finding: Mapping[str, Any], by: Actor = NURSE) -> Receipt:
        """Record one finding."""
        return await self.do("record_finding", by, finding=dict(finding))

    async def protect(self) -> Receipt:
        """A physician says what is given against infection."""
        return await self.find({"kind": "prophylaxis", "against": "pneumocystis", "given": True}, PHYSICIAN)

    async def weigh(self, kg: str | None = None) -> Receipt:
        """Today's weight."""
        return await self.find({"kind": "weight", "kg": kg or self.patient.weight_kg})

    async def ecg(self, qtcf_ms: str = "420") -> Receipt:
        """An ECG."""
        return await self.find({"kind": "ecg", "qtcf_ms": qtcf_ms})

    async def examine(self) -> None:
        """No sign of VOD, no fever, no bleeding."""
        await self.find({"kind": "vod_examination", **NO_SIGNS}, PHYSICIAN)
        calm = {"temperature_c": "36.8", "infection": False, "active_bleeding": False}
        await self.find({"kind": "infection_bleeding", **calm})

    async def prepare_day(self, cycle: int, day: int, **values: str) -> None:
        """Labs, weight and examinations of the day of a dose; day 1 also ECG, electrolytes, pancreas, C1D8 tumour lysis."""
        wanted = bundles.EVERYTHING if day == 1 else (*bundles.BLOOD_COUNT, *bundles.LIVER_PANEL)
        if (cycle, day) == (1, 8):
            wanted = (*wanted, *bundles.TUMOUR_LYSIS)
        pancreas = bundles.PANCREAS if cycle > 1 and day == 1 else {}
        await self.send_labs({**{a: bundles.NORMAL[a] for a in wanted}, **pancreas, **values})
        if cycle > 1 or day > 1:
            await self.weigh()
        if cycle > 1 and day == 1:
            await self.ecg()
        await self.examine()

    async def sign(self, cycle: int, day: int) -> Assessment:
        """The prescriber authorises the dose on the card, the pharmacist checks it."""
        card = await self.card()
        mg = str(card.dose.mg) if card.dose else "0"
        await self.do("authorise_dose", PRESCRIBER, cycle=cycle, day=day, mg=mg)
        await self.do("verify_dose", PHARMACIST, cycle=cycle, day=day, mg=mg)
        return card

    async def premedicate(self) -> None:
        """All three classes, now, and at one time: a server that skips time may lose the later of two timers that lie within
        a tenth of a second, when the work of the earlier outlasts it.
        """
        at = (await self.clock.now()).isoformat()
        for drug_class in CLASSES:
            await self.do("record_premedication", NURSE, drug_class=drug_class, at=at)

    async def make(self, cycle: int, day: int) -> str:
        """The pharmacist reconstitutes and dilutes the dose on the card; returns the preparation's id."""
        dose = (await self.card()).dose
        assert dose is not None, "there is no dose on the card to prepare"
        now = await self.clock.now()
        preparation_id = f"{self.course_id}-c{cycle}d{day}-{self._messages}"
        await self.do(
            "record_preparation",
            PHARMACIST,
            preparation_id=preparation_id,
            reconstituted_at=now.isoformat(),
            dilution_started_at=now.isoformat(),
            mg=str(dose.mg),
            vials=dose.vials,
        )
        return preparation_id

    async def ready_to_start(self, cycle: int, day: int) -> str:
        """Signed, checked, premedicated 45 min ago, prepared: the start may come."""
        await self.sign(cycle, day)
        await self.premedicate()
        await self.clock.advance(timedelta(minutes=45))
        return await self.make(cycle, day)

    async def start(self, cycle: int, day: int, preparation_id: str, **more: Any) -> Receipt:
        """Start the infusion, two identifiers checked."""
        identifiers = ["patient number", "date of birth"]
        given: dict[str, Any] = {
            "cycle": cycle,
            "day": day,
            "preparation_id": preparation_id,
            "identifiers_checked": identifiers,
        }
        receipt = await self.do("start_infusion", NURSE, **given, **more)
        self._started_at = await self.clock.now()
        return receipt

    async def end(self, after: timedelta = timedelta(hours=1), **more: Any) -> Receipt:
        """The infusion ended so long after its start: charted with that time, as a step of the clock may go too far."""
        now = await self.clock.now()
        at = now if self._started_at is None else min(now, self._started_at + after)
        return await self.do("complete_infusion", NURSE, at=at.isoformat(), **more)

    async def give(self, cycle: int, day: int) -> datetime:
        """A whole dose: prepared, started, ended after an hour, observed for an hour. Returns the start."""
        preparation_id = await self.ready_to_start(cycle, day)
        await self.vital_signs()
        await self.start(cycle, day, preparation_id)
        started_at = await self.clock.now()
        await self.watched(15, 15, 30)
        await self.end()
        await self.watched(30, 30)
        await self.do("end_observation", NURSE)
        return started_at

    async def vital_signs(self) -> Receipt:
        """Vital signs as they should be, taken now."""
        calm = {"heart_rate_per_min": "72", "systolic_mmhg": "124", "diastolic_mmhg": "76"}
        return await self.find(
            {"kind": "vital_signs", **calm, "temperature_c": "36.7", "oxygen_saturation_percent": "98"}
        )

    async def watched(self, *minutes: int) -> None:
        """So many minutes at the bedside, one span after another, each ended by vital signs."""
        for span in minutes:
            await self.clock.advance(timedelta(minutes=span))
            await self.vital_signs()

    async def respond(self, cycle: int, response: str = "CR", **more: Any) -> Receipt:
        """A physician records the response of a cycle."""
        return await self.do("record_response", PHYSICIAN, cycle=cycle, response=response, **more)

    async def liver_test(self, **values: str) -> Intake:
        """A liver panel, drawn now."""
        return await self.send_labs({**{a: bundles.NORMAL[a] for a in bundles.LIVER_PANEL}, **values})

    async def transplant(self, on: date | None = None) -> Receipt:
        """A transplant, now or on a day."""
        when = {"transplanted_on": on.isoformat()} if on else {"transplanted_at": (await self.clock.now()).isoformat()}
        return await self.do("record_transplant", PRESCRIBER, **when)

    async def to_next_due(self) -> Assessment:
        """Skip to the next obligation that is not due yet; returns the card then."""
        now = await self.clock.now()
        coming = [o.due_at for o in (await self.card()).obligations if o.due_at > now]
        if coming:
            await self.clock.advance_to(min(coming))
        return await self.card()
