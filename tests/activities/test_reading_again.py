"""What could not be read is tried again inside `decide`: read, it is judged as if it had just come; else nothing changes."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from activities.decide import Decider
from activities.reading import Reader, in_lines
from clinical.judge import judge_machine
from models.assessment import Verdict
from models.chart import Chart
from models.deciding import Arrived, Outcome
from models.facts import LabResult, Premedication, UnreadableMessage, UnreadableResolved
from models.messages import LabResults, Message
from models.people import CLOCK
from models.record import RawMessage, Recorded
from plumbing.keys import KeyRing
from plumbing.payload_codec import EncryptionCodec
from tests.activities.test_decide import an_ask, asked
from tests.factories import D1, ChartBuilder, a_lab

H = timedelta(hours=1)
OURS = KeyRing.generate("k1")
FULL = OURS.with_new_key("k2")
OTHER = KeyRing.generate("k9")


def worker(ring: KeyRing = OURS, release: str = "1") -> Decider:
    return Decider(release, reader=Reader(EncryptionCodec(ring)))


async def arrived(
    content: dict[str, Any], name: str = "lab_results", sent: str = "signal", under: KeyRing = OURS
) -> Arrived:
    """What a workflow with our ring holds of a message that was encrypted under another: its codec has run before."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(content).encode())
    [opened] = await EncryptionCodec(OURS).decode(await EncryptionCodec(under).encode([payload]))
    return Arrived.model_validate({"name": name, "sent": sent, "payloads": (opened.SerializeToString(),)})


def an_alt(value: str, id: str = "labs-1", subject: str = "test:subject-1") -> dict[str, Any]:
    results = [a_lab("alt", value).model_dump(mode="json")]
    return {"id": id, "by": "laboratory:lis", "subject_hash": subject, "results": results}


class Run:
    """One run of a course as the workflow keeps it: facts, and the hash of each message id that was answered."""

    def __init__(self) -> None:
        self.chart = ChartBuilder().ready(D1).chart()
        self.known: dict[str, str] = {}
        self.raw: list[RawMessage] = []
        self.now = D1

    def told(self, *bite: Arrived, by: Decider | None = None) -> tuple[Outcome, Recorded]:
        ask = an_ask(self.chart, self.now, *bite)
        assert ask.state is not None
        state = ask.state.model_copy(update={"answered": self.known})
        answered = asked(ask.model_copy(update={"state": state}), by or worker())
        recorded = Recorded.model_validate_json(answered.content)
        self.chart = Chart(course=self.chart.course, facts=(*self.chart.facts, *recorded.facts))
        for outcome in answered.outcomes:
            for one in (outcome, outcome.inside):
                self.known |= {one.id: one.sha256} if one is not None and one.how == "judged" else {}
        self.raw += answered.raw
        return answered.outcomes[0], recorded

    async def reads_again(self, by: Decider, /, **changes: Any) -> tuple[Outcome, Recorded]:
        """The command, as the sweep sends it, for what was kept first."""
        kept = self.raw[0]
        fields = {"target": kept.sha256, "sent": kept.sent, "sent_name": kept.name}
        command = {"id": f"again-{len(self.known)}", "by": str(CLOCK), "raw_base64": in_lines(kept.raw_base64)}
        return self.told(await arrived({**command, **fields, **changes}, "read_again", "update"), by=by)

    @property
    def open(self) -> int:
        kinds = [type(f.what) for f in self.chart.facts]
        return kinds.count(UnreadableMessage) - kinds.count(UnreadableResolved)

    def of(self, message_id: str) -> list[Any]:
        return [f for f in self.chart.facts if f.message == message_id]


async def a_run_that_cannot_read(content: dict[str, Any], name: str = "lab_results", sent: str = "signal") -> Run:
    run = Run()
    outcome, _ = run.told(await arrived(content, name, sent, under=FULL))
    assert (outcome.how, run.open) == ("unreadable", 1)
    return run


async def test_with_the_key_back_it_is_judged_as_if_it_had_just_come_and_closes_the_gate_by_its_value() -> None:
    run = await a_run_that_cannot_read(an_alt("160"))
    run.now = D1 + H
    outcome, recorded = await run.reads_again(worker(FULL))
    assert (outcome.how, outcome.refusal) == ("judged", None)
    assert outcome.inside is not None
    assert (outcome.inside.how, outcome.inside.id, outcome.inside.sent) == ("judged", "labs-1", "signal")
    resolved, alt = (f for f in recorded.facts if isinstance(f.what, UnreadableResolved | LabResult))
    assert isinstance(resolved.what, UnreadableResolved)
    assert (resolved.what.outcome, resolved.by) == ("read", CLOCK)
    assert (alt.id, alt.recorded_at) == ("labs-1/0", run.now)
    assert [m.name for m in recorded.messages] == ["read_again", "lab_results"]
    assert recorded.assessment.verdict is Verdict.HOLD
    assert run.open == 0


async def test_its_answer_is_kept_so_that_the_message_sent_again_is_a_repeat() -> None:
    run = await a_run_that_cannot_read(an_alt("160"))
    await run.reads_again(worker(FULL))
    outcome, recorded = run.told(await arrived(an_alt("160")))
    assert (outcome.how, recorded.facts) == ("known", ())


async def test_what_still_cannot_be_read_is_refused_and_nothing_else_changes() -> None:
    run = await a_run_that_cannot_read(an_alt("160"))
    before = run.chart
    outcome, recorded = await run.reads_again(worker(OTHER))
    assert outcome.refusal is not None
    assert (outcome.refusal.type, outcome.inside) == ("StillUnreadable", None)
    assert "unknown-key" in outcome.refusal.message
    assert (run.chart, recorded.tried_again) == (before, (run.raw[0].sha256,))


@pytest.mark.parametrize(
    ("changes", "type"),
    [
        ({"target": "ab" * 32}, "NoSuchMessage"),
        ({"raw_base64": in_lines(base64.b64encode(b"\x0a\x00").decode())}, "StillUnreadable"),
        ({"raw_base64": ["not base64"]}, "StillUnreadable"),
        ({"sent": "update"}, "StillUnreadable"),
        ({"sent_name": "clinical_findings"}, "StillUnreadable"),
        ({"by": "nurse:n-1"}, "RoleNotAllowed"),
        ({"by": "prescriber:p-1"}, "RoleNotAllowed"),
        ({"course_id": "course-2"}, "WrongCourse"),
    ],
)
async def test_an_administrator_has_read_again_what_is_open_by_its_very_bytes(changes: Any, type: str) -> None:
    run = await a_run_that_cannot_read(an_alt("160"))
    before = run.chart
    outcome, _ = await run.reads_again(worker(FULL), **changes)
    assert outcome.refusal is not None
    assert (outcome.refusal.type, run.chart) == (type, before)
    assert "labs-1" not in run.known


async def test_what_a_person_dismissed_is_not_read_behind_their_back_and_is_news_when_it_is_sent_again() -> None:
    run = Run()
    lost = await arrived(an_alt("160"), under=FULL)
    run.told(lost)
    assert run.told(lost)[0].how == "known"
    said = {"id": "d-1", "by": "physician:p-1", "target": run.raw[0].sha256, "outcome": "dismissed", "reason": "old"}
    run.told(await arrived(said, "resolve_unreadable", "update"))
    outcome, _ = await run.reads_again(worker(FULL))
    assert outcome.refusal is not None
    assert (outcome.refusal.type, run.open) == ("NoSuchMessage", 0)
    assert (run.told(lost)[0].how, run.open) == ("unreadable", 1)


async def test_one_that_came_again_readable_meanwhile_is_settled_without_a_second_fact() -> None:
    run = await a_run_that_cannot_read(an_alt("160"))
    run.told(await arrived(an_alt("160")))
    outcome, recorded = await run.reads_again(worker(FULL))
    assert outcome.inside is not None
    assert outcome.inside.how == "known"
    assert [m.name for m in recorded.messages] == ["read_again"]
    assert (len(run.of("labs-1")), run.open) == (1, 0)


async def test_one_whose_id_was_used_for_something_else_or_that_is_about_somebody_else_waits_for_a_person() -> None:
    reused = await a_run_that_cannot_read(an_alt("160"))
    reused.told(await arrived(an_alt("31")))
    stranger = await a_run_that_cannot_read(an_alt("160", subject="test:subject-2"))
    for run, why in ((reused, "MessageIdReused"), (stranger, "SubjectMismatch")):
        _, recorded = await run.reads_again(worker(FULL))
        assert [r.type for r in recorded.refused_messages] == [why]
        assert (run.open, len(run.raw)) == (0, 2)


async def test_a_statement_was_true_when_it_came_and_a_request_is_not_carried_out_days_later() -> None:
    given = {"id": "pre-1", "by": "nurse:n-1", "drug_class": "antipyretic"}
    run = await a_run_that_cannot_read(given, "record_premedication", "update")
    run.now = D1 + 3 * H
    outcome, _ = await run.reads_again(worker(FULL))
    assert outcome.inside is not None
    assert (outcome.inside.how, outcome.inside.sent) == ("judged", "update")
    [fact] = run.of("pre-1")
    assert isinstance(fact.what, Premedication)
    assert (fact.at, fact.recorded_at) == (D1, run.now)

    asking = await a_run_that_cannot_read({"id": "hold-1", "by": "nurse:n-1", "reason": "unwell"}, "hold", "update")
    outcome, recorded = await asking.reads_again(worker(FULL))
    assert (outcome.refusal, outcome.inside, asking.open) == (None, None, 0)
    assert "whoever asks for it still, asks again" in str(recorded.facts)
    assert (asking.of("hold-1"), "hold-1" in asking.known) == ([], False)


async def test_a_rule_that_fails_on_it_again_leaves_it_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    run, draw = Run(), await arrived(an_alt("160"))
    with monkeypatch.context() as broken:
        broken.setattr("clinical.decide.judge_machine", fails_on_labs)
        assert run.told(draw)[0].how == "set_aside"
        again, recorded = run.told(draw)  # its sender does not know; it waits once
        assert (again.how, recorded.facts, run.open) == ("set_aside", (), 1)
        failed, recorded = await run.reads_again(worker(release="2"))
        assert failed.refusal is not None
        assert (failed.refusal.type, failed.inside, run.open) == ("StillUnreadable", None, 1)
        assert "a rule failed on it" in failed.refusal.message
        assert recorded.tried_again == (run.raw[0].sha256,)
    outcome, recorded = await run.reads_again(worker(release="3"))
    assert (outcome.refusal, run.open, recorded.assessment.verdict) == (None, 0, Verdict.HOLD)


async def test_a_reader_that_raises_on_a_message_leaves_it_unreadable_and_what_is_behind_it_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, draw = Run(), await arrived(an_alt("160"))
    with monkeypatch.context() as broken:
        broken.setattr("activities.reading.read_payload", raises)
        run.told(draw)
    assert run.open == 1
    assert run.raw[0].whole
    assert "reading it failed: OverflowError" in run.raw[0].reason
    _, recorded = run.told(await arrived(an_alt("300", id="labs-2")))
    assert recorded.assessment.verdict is Verdict.HOLD
    outcome, _ = await run.reads_again(worker(release="2"))
    assert (outcome.refusal, run.open) == (None, 0)


def raises(*_: Any) -> Any:
    raise OverflowError("planted")


def fails_on_labs(chart: Chart, message: Message, *more: Any) -> Any:
    if isinstance(message, LabResults):
        raise ValueError("planted")
    return judge_machine(chart, message, *more)


async def test_the_largest_message_that_is_kept_whole_can_be_brought_again() -> None:
    noise = base64.b64encode(bytes(n * n % 251 for n in range(180_000))).decode()
    run = await a_run_that_cannot_read({**an_alt("160"), "ignored": noise})
    run.raw[0] = run.raw[0].model_copy()
    assert run.raw[0].whole
    outcome, _ = await run.reads_again(worker(FULL))
    assert outcome.refusal is None
