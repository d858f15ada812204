"""What is kept with a chart never reaches a chart that excludes it: two longer charts of one beginning are strangers.

Asked in any order, at any instants, by several threads at once, each of a tree of charts answers as one that is read anew.
"""

import importlib
import pkgutil
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import _lru_cache_wrapper
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import clinical
import models
from clinical.assess import assess
from clinical.chart import told
from clinical.chart.stores import Store
from clinical.chart.told import told_by
from clinical.course.case import Case
from clinical.results import results
from models.assessment import Assessment
from models.base import Frozen
from models.chart import Chart
from models.facts import Fact, LabResult
from models.people import Role
from models.protocol import Protocol
from plumbing.protocol_files import load_protocol
from tests.examples import few, many, modest
from tests.factories import D1, LABEL, PROTOCOLS, ChartBuilder, a_lab
from tests.strategies import charts, facts

HOUR = timedelta(hours=1)
ANALYTES = ("alt", "ast", "bilirubin", "anc", "platelets", "wbc", "potassium", "qtcf", "weight")


@dataclass(frozen=True, repr=False)
class Question:
    """One chart of a tree, asked at one instant under one protocol."""

    chart: Chart
    at: datetime
    protocol: Protocol

    def __repr__(self) -> str:
        return f"{[fact.id for fact in self.chart.facts]} at {self.at:%d %H:%M} under {self.protocol.name}"

    def answer(self, chart: Chart | None = None) -> tuple[Assessment, dict[str, object]]:
        """The assessment, and what each analyte counts as: of this very chart, or of another one."""
        asked = chart or self.chart
        case = Case(asked, self.protocol, self.at)
        return assess(asked, self.protocol, self.at), {a: (case.holding(a), case.opening(a)) for a in ANALYTES}

    def anew(self) -> tuple[Assessment, dict[str, object]]:
        """The same of a chart that nobody has read before."""
        return self.answer(Chart(course=self.chart.course, facts=self.chart.facts))


def _odd(number: int, hours: float) -> Fact:
    """An ALT that counts only when a person confirms it."""
    builder, at = ChartBuilder(), D1 - hours * HOUR
    builder.add(a_lab("alt", "30", at=at, uln=Decimal(150)), at, Role.LABORATORY, id=f"odd-{number}")
    return builder.facts[0]


def _said(number: int, hours: float, body: dict[str, Any] | LabResult, by: Role) -> Fact:
    builder, at = ChartBuilder(), D1 - hours * HOUR
    builder.add(body, at, by, id=f"said-{number}-{hours}")
    return builder.facts[0]


def _about(target: int, number: int, hours: float, what: str, by: Role = Role.PRESCRIBER) -> Fact:
    """What a person says of an odd result, or what else can decide whether it counts."""
    name = f"odd-{target}"
    bodies: dict[str, dict[str, Any] | LabResult] = {
        "confirmed": {"kind": "result_confirmed", "target": name},
        "dismissed": {"kind": "unreadable_resolved", "target": name, "outcome": "dismissed", "reason": "a mistake"},
        "set aside": {"kind": "fact_set_aside", "target": name, "reason": "the rules cannot bear it"},
        "retracted": {"kind": "correction", "target": name, "reason": "another patient's"},
        "older": a_lab("alt", "30", at=D1 - 30 * HOUR),
        "newer": a_lab("alt", "160", at=D1 - HOUR / 2),
        "jump": a_lab("bilirubin", "9", at=D1 - HOUR),
    }
    return _said(number, hours, bodies[what], by)


ODD = 1
hours = st.sampled_from([0.25, 0.5, 1, 1.5, 2, 5])
odd_ones = st.builds(_odd, st.just(ODD), st.sampled_from([1, 1.5, 5]))
_SAID = ["confirmed"] * 4 + ["older"] * 4 + ["dismissed", "set aside", "retracted", "newer", "jump"]
words = st.sampled_from(_SAID)
people = st.sampled_from([Role.PRESCRIBER, Role.PRESCRIBER, Role.PHYSICIAN])
words_about = st.builds(_about, st.just(ODD), st.integers(1, 4), hours, words, people)
further = st.one_of(*[words_about] * 5, odd_ones, st.integers(1, 4).flatmap(facts))
spans = st.sampled_from([0] * 20 + [-200, -5, -0.25, 1, 3, 30, 200])
beginnings = st.just((ChartBuilder().ready().chart(), LABEL, D1)) | charts(most=1)


def _next_in(parent: Chart, index: int, fact: Fact) -> Fact:
    """The fact under an id that is new to its chart; in a sibling another fact may have the same one."""
    return fact.model_copy(update={"id": f"next-{len(parent.facts) + index}"})


@st.composite
def trees(draw: st.DrawFn) -> list[Question]:
    """Questions about charts of one beginning, most of them when all facts are known, for only then is anything kept."""
    start, name, now = draw(beginnings)
    nodes = [start.with_facts(draw(odd_ones))]
    for _ in range(draw(st.integers(2, 5))):
        parent, added = draw(st.sampled_from(nodes[:2])), draw(st.lists(further, min_size=1, max_size=2))
        nodes.append(parent.with_facts(*(_next_in(parent, i, fact) for i, fact in enumerate(added))))
    last = max([now, *(fact.recorded_at for node in nodes for fact in node.facts)])
    rules = st.sampled_from([name] * 9 + list(PROTOCOLS))
    asked = [nodes[0], *draw(st.permutations(nodes[1:])), *draw(st.lists(st.sampled_from(nodes), max_size=3))]
    return [Question(node, last + draw(spans) * HOUR, load_protocol(draw(rules))) for node in asked]


def _differ(questions: list[Question]) -> list[Question]:
    return [question for question in questions if question.answer() != question.anew()]


@modest
@given(trees())
def test_a_tree_of_charts_asked_in_any_order_answers_as_charts_read_anew(questions: list[Question]) -> None:
    assert _differ(questions) == []


@few
@given(trees())
def test_threads_that_ask_one_tree_at_once_are_answered_as_by_charts_read_anew(questions: list[Question]) -> None:
    with _hurried(), ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(Question.answer, questions))
    assert answers == [question.anew() for question in questions]


@contextmanager
def _hurried() -> Iterator[None]:
    """Threads take turns as often as they can, so that each meets the others half-way."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _questions_of_the_accident() -> list[Question]:
    """An odd result; a chart in which it is confirmed, and a sibling in which an older one came instead."""
    beginning = ChartBuilder().ready().chart().with_facts(_odd(1, 1.5))
    confirmed = beginning.with_facts(_about(1, 1, 0.5, "confirmed"))
    sibling = beginning.with_facts(_about(1, 2, 0.25, "older"))
    return [Question(chart, D1, load_protocol(LABEL)) for chart in (beginning, confirmed, sibling)]


def test_a_confirmed_result_stays_unknown_in_the_sibling_without_the_confirmation() -> None:
    beginning, confirmed, sibling = _questions_of_the_accident()
    assert beginning.answer()[1]["alt"] != confirmed.answer()[1]["alt"]
    assert sibling.answer()[1]["alt"] == beginning.answer()[1]["alt"]
    assert sibling.answer() == sibling.anew()


def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault of before: one store for a chart and all its longer ones, with readings that rest on a person's word."""
    alone = results.Results._read_one

    def read_one(self: results.Results, analyte: str, fact: Fact, sent: LabResult) -> Any:
        stored = self.reading.memory._alone
        known = stored.get(fact.id)
        if known is not None and known[0] is fact and isinstance(known[1], results.Known):
            return known[1]
        found = alone(self, analyte, fact, sent)
        if sent is fact.what:
            stored[fact.id] = fact, found
        return found

    def longer(self: told.Memory, changed: int) -> told.Memory:
        kept = {key: basis for key, basis in self.answers.items() if not basis.marks & changed}
        return told.Memory(self._protocol, Store(kept), self._alone)

    monkeypatch.setattr(results.Results, "_read_one", read_one)
    monkeypatch.setattr(told.Memory, "longer", longer)


def test_the_property_notices_the_fault_that_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    _as_it_was(monkeypatch)
    assert [question.chart.facts[-1].id for question in _differ(_questions_of_the_accident())] == ["said-2-0.25"]
    seeking = settings(parent=many, max_examples=1000, derandomize=True, database=None, phases=[Phase.generate])
    assert find(trees(), lambda questions: _differ(questions) != [], settings=seeking)


# ── the shape that keeps it so ─────────────────────────────────────────────────────────────────────────────────────

UNCHANGING = (str, bytes, int, float, bool, type(None), Decimal, datetime, date, timedelta, Enum, ZoneInfo, type, range)


def _changeable(value: object) -> Iterator[object]:
    """What within a kept answer somebody could change."""
    if isinstance(value, UNCHANGING):
        return
    if isinstance(value, tuple | frozenset):
        parts: list[object] = list(value)
    elif isinstance(value, MappingProxyType):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, results.Series):
        parts = [getattr(value, name) for name in results.Series.__slots__]
    elif isinstance(value, Frozen):
        parts = [getattr(value, name) for name in type(value).model_fields]
    elif is_dataclass(value) and not isinstance(value, type) and _is_frozen(value):
        parts = [getattr(value, field.name) for field in fields(value)]
    else:
        yield value
        return
    for part in parts:
        yield from _changeable(part)


def _is_frozen(value: Any) -> bool:
    try:
        setattr(value, fields(value)[0].name, getattr(value, fields(value)[0].name))
    except FrozenInstanceError:
        return True
    return False


@few
@given(charts())
def test_no_answer_that_is_kept_can_be_changed(drawn: tuple[Chart, str, datetime]) -> None:
    chart, name, now = drawn
    protocol = load_protocol(name)
    at = max([now, *(f.recorded_at for f in chart.facts)])
    assess(chart, protocol, at)
    memory = told_by(chart).memory(protocol)
    assert memory.answers
    found = {key: list(_changeable(basis.answer)) for key, basis in memory.answers.items()}
    assert {key: parts for key, parts in found.items() if parts} == {}


def test_a_changeable_answer_would_be_noticed() -> None:
    @dataclass
    class Loose:
        number: int

    assert list(_changeable((1, [2]))) == [[2]]
    assert list(_changeable(({"a": 1}, Loose(1)))) == [{"a": 1}, Loose(1)]


# ── what the rules share between courses ───────────────────────────────────────────────────────────────────────────

KEPT_WHOLE = {"clinical.results.cuts._SPEAKING"}
"""Changed while rules run: each entry is put in whole, beside the very list that it was made from."""


def _modules() -> Iterator[Any]:
    for package in (clinical, models):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def _shared() -> Mapping[str, object]:
    """Every container that a module of the rules or of the vocabulary holds, as it looks now."""
    return {
        f"{module.__name__}.{name}": (len(value), tuple(map(id, value)))
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, dict | list | set) and not name.startswith("__")
    }


def test_no_question_changes_what_a_module_of_the_rules_holds() -> None:
    before = _shared()
    for question in _questions_of_the_accident():
        question.answer()
    after = _shared()
    assert {name for name in after if after[name] != before.get(name)} <= KEPT_WHOLE
    assert len(after) > 20


def test_what_the_rules_cache_by_argument_is_asked_of_values_alone() -> None:
    """A cached function may be worked out twice by two threads: so it must follow from its arguments and nothing else."""
    cached = {
        f"{module.__name__}.{name}"
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, _lru_cache_wrapper) and value.__module__ == module.__name__
    }
    words = {
        "clinical.coding.names.named",
        "clinical.coding.names.names_another",
        "clinical.coding.units.atoms",
        "clinical.coding.units.measured_in",
        "clinical.results.results._as_sent",
    }
    assert cached == {"clinical.chart.calendar.zone_named", "clinical.toxicity.ecg.fridericia", *words}


@few
@given(st.lists(charts(most=3), min_size=4, max_size=4))
def test_courses_decided_in_threads_at_once_are_decided_as_alone(drawn: list[tuple[Chart, str, datetime]]) -> None:
    questions = [Question(chart, now, load_protocol(name)) for chart, name, now in drawn]
    barrier = threading.Barrier(len(questions))

    def together(question: Question) -> object:
        barrier.wait()
        return question.answer()

    with _hurried(), ThreadPoolExecutor(len(questions)) as threads:
        answers = list(threads.map(together, questions))
    assert answers == [question.anew() for question in questions]
