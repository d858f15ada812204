"""Tried inputs with their right answer: how a row of a table is carried out, and how its answer is compared.

The table of the hospital stands beside the sample data (`cases/cases.tsv`), the project's own in `tests/clinical`. Both say
in words what must come out; here is the one place that knows what the words mean.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from clinical.assess import ORDER
from clinical.decide import decide
from intake.chart_file import read_chart
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject, Intake
from models.assessment import Refused, Verdict
from models.carried import DecideRequest
from models.chart import Chart
from models.messages import Message, NamedMessage
from models.people import Role
from plumbing.protocol_files import load_protocol, pin_of
from tests.factories import LABEL, PEOPLE, PaperCourse
from tests.intake.builders import birth_hash_of, hash_of

DOSING = frozenset({"authorise_dose", "verify_dose", "start_infusion"})
"""What must be shut where the answer is that the dose is held."""
VERDICTS = re.compile(r"\b(" + "|".join(ORDER) + r")\b")


@dataclass(frozen=True)
class Tried:
    """One row: a chart, the documents that arrive in its course, when it is asked about, and what is right then."""

    chart: str
    documents: tuple[str, ...]
    at: datetime
    right: str
    rules: tuple[str, ...]
    kind: str

    @property
    def name(self) -> str:
        """The row as the name of a test case."""
        return (
            self.documents[0].removesuffix("-1.fhir.json") if self.documents else self.chart.removesuffix(".chart.json")
        )


def read_table(path: Path) -> tuple[Tried, ...]:
    """The rows of a table: tab separated, its first line names the columns."""
    head, *lines = path.read_text().splitlines()
    rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    return tuple(
        Tried(
            row["chart"],
            tuple(row["then_documents"].split()),
            datetime.fromisoformat(row["at"]),
            row["right"],
            tuple(row["rules"].split()),
            row["kind"],
        )
        for row in rows
    )


def carried_out(row: Tried, folder: Path) -> PaperCourse:
    """The course that the row speaks of, asked about at its time."""
    chart = read_chart((folder / row.chart).read_bytes(), pin_of(LABEL), row.at).chart
    documents = [(folder / name).read_bytes() for name in row.documents]
    return arrived(chart, documents, row.at)


def arrived(chart: Chart, documents: Iterable[bytes], at: datetime) -> PaperCourse:
    """The chart after these documents came at 08:30, 08:45, 09:00 of the day of `at`, as the service reads and judges them."""
    came = at.replace(hour=8, minute=30)
    for raw in documents:
        chart = received(chart, raw, came)
        came += timedelta(minutes=15)
    course = PaperCourse.__new__(PaperCourse)
    course.__dict__ = {"chart": chart, "protocol": load_protocol(LABEL), "now": at, "_count": 0}
    return course


def received(chart: Chart, raw: bytes, at: datetime) -> Chart:
    """The chart after a document: whose it is is looked up first, as the inbox does, and then it is read for that course."""
    whose = _read(raw, None)
    course = chart.course.model_copy(
        update={"subject_hash": next(iter(whose.subjects), chart.course.subject_hash), "birth_hash": None}
    )
    chart = chart.model_copy(update={"course": course})
    for message in _read(raw, course.subject_hash).messages:
        chart = judged(chart, message, at)
    return chart


def judged(chart: Chart, message: Message, at: datetime) -> Chart:
    """The chart after the decision on one message, which must be accepted."""
    request = DecideRequest(chart=chart, now=at, message=NamedMessage.of(message))
    decision = decide(request, load_protocol(LABEL), "test")
    assert not isinstance(decision.ruling, Refused), decision.ruling
    return chart.with_facts(*decision.facts)


def _read(raw: bytes, subject_hash: str | None) -> Intake:
    expected = ExpectedSubject(hash_of, birth_hash_of, subject_hash)
    return read_fhir(raw, expected=expected, by=PEOPLE[Role.LABORATORY])


# ── what the words of a table mean ─────────────────────────────────────────────────────────────────────────────────


def answers(course: PaperCourse, right: str, rules: tuple[str, ...] = ()) -> None:
    """The course answers what the row says. Words that nobody has given a meaning are an error of the table."""
    for words, means in _MEANINGS.items():
        found = re.fullmatch(words, right)
        if found:
            means(course, found)
            return
    raise AssertionError(f"nobody has said what {right!r} means")


def _verdict(course: PaperCourse, found: re.Match[str]) -> None:
    """One of these verdicts, or a graver one where the row says `at least`; and no command lets the dose through."""
    named = [Verdict(word) for word in VERDICTS.findall(found[0])]
    least = ORDER[: max(map(ORDER.index, named)) + 1] if found[0].startswith("at least") else named
    card = course.card
    assert card.verdict in least, card.sentence()
    if not {*least} & {Verdict.MAY_AUTHORISE, Verdict.MAY_START}:
        assert {c.command for c in card.commands if c.may} & DOSING == set()


def _says(course: PaperCourse, rule: str) -> str:
    card = course.card
    said = [f"{f.rule} {f.reason}" for f in card.findings if f.rule.startswith(rule)]
    due = [f"{o.rule} {o.title} {o.standing}" for o in card.obligations if o.rule.startswith(rule)]
    assert said + due, f"{rule} says nothing: {[f.rule for f in card.findings]}"
    return " / ".join(said + due)


def _overdue(course: PaperCourse, found: re.Match[str]) -> None:
    _says(course, found["rule"])


def _deviation(course: PaperCourse, found: re.Match[str]) -> None:
    _says(course, found["rule"])


def _total(course: PaperCourse, found: re.Match[str]) -> None:
    totals = course.card.cycle_totals_mg_per_m2
    assert any(re.match(rf"{found['cycle']}: {re.escape(found['total'])}\b(?!\.)", total) for total in totals), totals


def _not_of_this_weight(course: PaperCourse, found: re.Match[str]) -> None:
    card = course.card
    assert card.dose is None or str(card.dose.weight_kg) != found["kg"], card.dose
    assert any(f.rule in ("COR-04", "BSA-08", "BSA-05") for f in card.findings), [f.rule for f in card.findings]


def _asks_for_a_reason(course: PaperCourse, _: re.Match[str]) -> None:
    cycle = int((course.card.next_dose or "C1D1")[1:].partition("D")[0])
    refused = course.refused("start_next_cycle", Role.PRESCRIBER, cycle=cycle)
    assert "reason" in refused.message, refused
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=cycle, reason="no donor yet, and he is in remission")


def _refused(course: PaperCourse, found: re.Match[str]) -> None:
    answer = next(c for c in course.card.commands if c.command == found["command"])
    assert not answer.may, course.card.sentence()


_MEANINGS: dict[str, Callable[[PaperCourse, re.Match[str]], Any]] = {
    r"obligation or finding (?P<rule>\S+) overdue": _overdue,
    r"deviation (?P<rule>\S+) on the card": _deviation,
    r"(?P<cycle>C\d) total (?P<total>[\d.]+)": _total,
    r"dose not from (?P<kg>\d+) kg; the card says why it changed": _not_of_this_weight,
    r"a reason is asked": _asks_for_a_reason,
    r"(?P<command>[a-z_]+) refused": _refused,
    rf"(at least )?({'|'.join(ORDER)})( \([^)]*\))?( or ({'|'.join(ORDER)}))*": _verdict,
}


def one(document: Any) -> bytes:
    """A document as bytes."""
    return json.dumps(document).encode()
