"""The vocabulary: values that stay what they are, keep what cannot be read, and travel without losing a digit."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.assessment import Assessment, CourseState, Finding, Obligation, Verdict
from models.base import Day, Instant, Number, canonical_json, content_hash, plain
from models.chart import Chart
from models.facts import CYCLE_DAYS, DoseSlot, Fact, LabResult, LabStatus, Transplant, Weight
from models.messages import (
    COMMANDS,
    MESSAGES,
    CorrectFact,
    Hold,
    LabResults,
    NamedMessage,
    RecordFinding,
    ResolveUnreadable,
    StartInfusion,
)
from models.people import Actor, By, Role
from models.protocol import Confidence, Entry
from models.sent import sent_result
from tests.examples import many, modest
from tests.factories import D1, LABEL, ChartBuilder, a_course, a_lab
from tests.strategies import charts, facts

instant, day, number = TypeAdapter(Instant), TypeAdapter(Day), TypeAdapter(Number)


# ── times and numbers ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", ["2026-02-31T08:00:00Z", "1899-12-31T08:00:00Z", "2026-13-01T08:00:00Z", "2200-01-01T08:00:00Z"]
)
def test_an_instant_written_as_it_is_kept_is_refused_like_any_other(text: str) -> None:
    for written in (text, text.replace("Z", "+00:00")):
        with pytest.raises(ValidationError):
            instant.validate_python(written)


@pytest.mark.parametrize("text", ["2026-03-02T08:00:00Z", "2026-03-02T08:00:00.123456Z", "1900-01-01T00:00:00Z"])
def test_an_instant_written_as_it_is_kept_is_read_like_any_other(text: str) -> None:
    read = instant.validate_python(text)
    assert read == instant.validate_python(text.replace("Z", "+00:00")) == instant.validate_json(f'"{text}"')
    assert read.tzinfo is UTC
    assert instant.dump_python(read, mode="json") == text


def test_an_instant_is_kept_in_utc() -> None:
    read = instant.validate_json('"2026-03-02T09:00:00+01:00"')
    assert read == D1
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:00:00",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59Z",
        "1899-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2199-12-31T23:59:59-01:00",
        "1900-01-01T00:00:00+01:00",
        "yesterday",
    ],
)
def test_a_time_without_zone_or_outside_all_courses_is_no_instant(text: str) -> None:
    with pytest.raises(ValidationError):
        instant.validate_json(f'"{text}"')


@pytest.mark.parametrize(("text", "valid"), [("1900-01-01", True), ("1899-12-31", False), ("2200-01-01", False)])
def test_a_date_lies_in_the_years_of_courses(text: str, valid: bool) -> None:
    try:
        assert day.validate_json(f'"{text}"') == date.fromisoformat(text)
    except ValidationError:
        assert not valid


@many
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_a_number_travels_as_text_without_losing_a_digit(value: Decimal) -> None:
    written = number.dump_json(value).decode()
    assert "E" not in written.upper().strip('"')
    assert number.validate_json(written).as_tuple() == value.as_tuple()


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "sNaN", "1E+400", "1E-400", "9" * 60, "1e19"])
def test_a_number_of_no_sane_size_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        number.validate_json(f'"{text}"')


@pytest.mark.parametrize(("value", "text"), [("1.6E+2", "160"), ("0.50", "0.50"), ("-0", "-0"), ("1E-3", "0.001")])
def test_a_number_is_shown_as_a_person_writes_it(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_the_same_content_has_the_same_hash_whatever_its_order_or_zone() -> None:
    berlin = datetime.fromisoformat("2026-03-02T09:00:00+01:00")
    assert content_hash({"a": 1, "b": berlin}) == content_hash({"b": D1, "a": 1})
    assert canonical_json({"b": Decimal("1.0"), "a": D1}) == '{"a":"2026-03-02T08:00:00+00:00","b":"1.0"}'
    assert content_hash({"a": Decimal("1.0")}) != content_hash({"a": Decimal("1.00")})


@pytest.mark.parametrize("text", ['"7_0"', '"٧٠"', '"７０"', "true", '"NaN"', '"1E+400"', '"7O"', '""', "null", "[70]"])
def test_a_number_in_no_plain_digits_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        number.validate_json(text)
    with pytest.raises(ValidationError):
        Weight.model_validate_json(f'{{"kg": {text}}}')


@pytest.mark.parametrize("text", ['"70"', "70", "7e1", '" 70"', '"70.0"', '"7E+1"'])
def test_a_number_is_read_from_text_and_from_a_json_number(text: str) -> None:
    assert number.validate_json(text) == Weight.model_validate_json(f'{{"kg": {text}}}').kg == 70


# ── laboratory results ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", ["haemolysed", "NaN", "1E+400", "1_60", "１６０", True, [], {"a": 1}], ids=repr)
def test_a_value_that_is_no_number_is_kept_as_text(value: Any) -> None:
    result = sent_result(loinc="1742-6", value=value)
    assert result.value is None
    assert result.text == str(value)


@pytest.mark.parametrize(
    "time", ["2026-03-02T09:00:00", "this morning", 1772438400, "0001-01-01T00:00:00+14:00"], ids=repr
)
def test_a_time_that_cannot_be_read_is_kept_as_text(time: Any) -> None:
    result = sent_result(loinc="1742-6", collected_at=time)
    assert result.collected_at is None
    assert result.collected_text == str(time)


def test_a_garbled_limit_status_or_issue_time_does_not_lose_the_result() -> None:
    odd = {"loinc": "1742-6", "value": "30", "uln": "high", "lln": {}, "status": "odd", "issued_at": "noon"}
    result = sent_result(**odd)
    assert (result.value, result.uln, result.lln, result.issued_at) == (Decimal(30), None, None, None)
    assert result.status is LabStatus.UNKNOWN


@many
@given(
    st.dictionaries(
        st.sampled_from(["value", "collected_at", "issued_at", "uln", "lln", "status"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just({"nested": 1}),
    )
)
def test_a_draw_is_never_lost_over_one_garbled_field(fields: dict[str, Any]) -> None:
    result = sent_result(loinc="1742-6", **fields)
    assert LabResult.model_validate_json(result.model_dump_json()) == result


def _kept(text: str) -> str:
    """A fact as an earlier release stored it, with this text where the number stands."""
    fields = {**a_lab("alt").model_dump(mode="json"), "value": text}
    (fact,) = ChartBuilder().screened().facts[:1]
    return json.dumps({**fact.model_dump(mode="json"), "what": fields})


@pytest.mark.parametrize(
    ("text", "read"), [("7_0", 70), ("٧٠", 70), (" 70", 70), ("7E+1", 70), ("1E+30", Decimal("1E+30"))]
)
def test_a_result_that_an_earlier_release_kept_is_decoded_also_where_none_would_be_read_so_today(
    text: str, read: Decimal
) -> None:
    fact = Fact.model_validate_json(_kept(text))
    assert isinstance(fact.what, LabResult)
    assert fact.what.value == read
    assert Fact.model_validate_json(fact.model_dump_json()) == fact


@pytest.mark.parametrize("text", ["7_0", "٧٠", "1E+30"])
def test_the_same_text_in_a_message_is_words(text: str) -> None:
    message = {"id": "m", "by": "laboratory:l", "subject_hash": "s", "results": [{"loinc": "1742-6", "value": text}]}
    read = MESSAGES["lab_results"].model_validate_json(json.dumps(message))
    assert isinstance(read, LabResults)
    assert (read.results[0].value, read.results[0].text) == (None, text)


def test_a_status_of_a_later_release_is_one_that_is_not_used() -> None:
    newer = {**a_lab("alt").model_dump(mode="json"), "status": "confirmed-by-two"}
    assert LabResult.model_validate_json(json.dumps(newer)).status is LabStatus.UNKNOWN


def test_a_result_put_in_place_of_another_is_read_leniently_too() -> None:
    garbled = {"kind": "lab_result", "loinc": "1742-6", "value": "haemolysed", "collected_at": "yesterday"}
    fields = {"id": "m", "by": "nurse:n", "target": "f1", "reason": "a slip", "replacement": garbled}
    message = MESSAGES["correct_fact"].model_validate_json(json.dumps(fields))
    assert isinstance(message, CorrectFact)
    assert isinstance(message.replacement, LabResult)
    assert (message.replacement.text, message.replacement.collected_text) == ("haemolysed", "yesterday")
    resolving = {"id": "m", "by": "nurse:n", "target": "f1", "reason": "read", "outcome": "transcribed"}
    again = MESSAGES["resolve_unreadable"].model_validate_json(json.dumps({**resolving, "values": [garbled]}))
    assert isinstance(again, ResolveUnreadable)
    assert again.values == (message.replacement,)


# ── facts, charts, messages ────────────────────────────────────────────────────────────────────────────────────────


@many
@given(facts(0))
def test_every_fact_travels_unchanged(fact: Fact) -> None:
    assert Fact.model_validate_json(fact.model_dump_json()) == fact


@modest
@given(charts())
def test_every_chart_travels_unchanged(charted: tuple[Chart, str, datetime]) -> None:
    chart, _, _ = charted
    assert Chart.model_validate_json(chart.model_dump_json()) == chart


def test_a_value_is_never_changed() -> None:
    with pytest.raises(ValidationError):
        a_course().zone = "UTC"
    chart = ChartBuilder().chart()
    (fact,) = ChartBuilder().screened().facts[:1]
    assert (chart.facts, chart.with_facts(fact).facts) == ((), (fact,))


def test_an_older_worker_reads_a_newer_value_and_a_person_is_told_of_a_slip() -> None:
    newer = {**a_lab("alt").model_dump(mode="json"), "of_a_later_release": 1}
    assert LabResult.model_validate(newer) == a_lab("alt")
    with pytest.raises(ValidationError):
        Entry.model_validate(
            {"value": "1", "unit": "d", "clause": "X", "source": "s", "confidence": "verified", "x": 1}
        )


def test_a_transplant_has_a_time_or_a_day() -> None:
    with pytest.raises(ValidationError):
        Transplant()
    assert Transplant(transplanted_on=date(2026, 3, 1)).transplanted_at is None


@pytest.mark.parametrize("slot", [{"cycle": 0, "day": 1}, {"cycle": 1, "day": 2}, {"cycle": 101, "day": 1}])
def test_a_dose_is_one_of_days_1_8_and_15(slot: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        DoseSlot.model_validate(slot)
    assert str(DoseSlot(cycle=2, day=8)) == "C2D8"
    assert CYCLE_DAYS == (1, 8, 15)


@pytest.mark.parametrize(("text", "role"), [("nurse:n-17", Role.NURSE), ("prescriber: p-3", Role.PRESCRIBER)])
def test_an_actor_is_written_role_and_id(text: str, role: Role) -> None:
    actor: Actor = TypeAdapter(By).validate_json(f'"{text}"')
    assert actor.role is role
    assert str(actor) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["nurse", "janitor:j-1", "nurse:", ""])
def test_an_actor_without_role_or_id_is_nobody(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(By).validate_json(f'"{text}"')


def test_the_same_message_has_the_same_update_id_and_another_content_another() -> None:
    one = Hold(id="m-1", by=Actor(role=Role.NURSE, id="n-1"), reason="unwell")
    same = Hold.model_validate_json(one.model_dump_json())
    other = one.model_copy(update={"reason": "well"})
    assert one.update_id() == same.update_id() == f"m-1:{one.content_hash()[:16]}:1"
    assert one.update_id() != other.update_id()


def test_two_commands_of_like_content_are_not_the_same_message() -> None:
    by = Actor(role=Role.PRESCRIBER, id="p-1")
    slots = {"id": "m-1", "by": by, "reason": "enough"}
    hashes = {COMMANDS[name](**slots).content_hash() for name in ("hold", "finish_dosing", "discontinue")}
    assert len(hashes) == 3


def test_a_message_travels_by_name() -> None:
    by = Actor(role=Role.NURSE, id="n-1")
    message = RecordFinding.model_validate(
        {"id": "m-2", "by": by, "finding": {"kind": "weight", "kg": Decimal("70.50")}}
    )
    named = NamedMessage.of(message)
    assert named.read() == message
    assert (named.name, named.sha256) == ("record_finding", message.content_hash())
    assert set(MESSAGES) > set(COMMANDS)


def test_identifiers_are_never_empty_words() -> None:
    by = Actor(role=Role.NURSE, id="n-1")
    start = {"id": "m", "by": by, "cycle": 1, "day": 1, "preparation_id": "b", "identifiers_checked": ("name", "")}
    with pytest.raises(ValidationError):
        StartInfusion(**start)


# ── assessments ────────────────────────────────────────────────────────────────────────────────────────────────────


def a_card(**changes: Any) -> Assessment:
    fields = {"state": CourseState.HELD, "verdict": Verdict.HOLD, "as_of": D1, "valid_until": None, "cycle": 1}
    return Assessment(**{**fields, "protocol": LABEL, **changes})


def test_a_card_says_its_verdict_and_first_reason_in_one_sentence() -> None:
    note = Finding(rule="QT-03", reason="QTcF 455 ms")
    hold = Finding(rule="NON-08", verdict=Verdict.HOLD, reason="ALT 160 U/L")
    card = a_card(next_dose="C1D8", findings=(note, hold))
    assert card.sentence() == "HOLD for C1D8 – NON-08: ALT 160 U/L"
    assert card.standing == (hold,)
    assert a_card(verdict=Verdict.NO_DOSE_DUE).sentence() == "NO_DOSE_DUE"


def test_the_next_thing_due_is_the_earliest() -> None:
    def due(key: str, at: datetime) -> Obligation:
        fields = {"key": key, "title": key, "rule": "MON-02", "owner": Role.COORDINATOR, "clears": "a panel"}
        return Obligation(**fields, due_at=at, overdue_at=at + timedelta(hours=24), standing="coming")

    card = a_card(obligations=(due("a", D1 + timedelta(hours=2)), due("b", D1)))
    assert card.next_due is not None
    assert card.next_due.key == "b"
    assert a_card().next_due is None


# ── protocol entries ───────────────────────────────────────────────────────────────────────────────────────────────


def an_entry(value: Any, unit: str = "d") -> Entry:
    return Entry(value=value, unit=unit, clause="DOSE-04", source="site", confidence=Confidence.PROPOSED)


@pytest.mark.parametrize(
    ("unit", "span"), [("min", timedelta(minutes=6)), ("h", timedelta(hours=6)), ("d", timedelta(days=6))]
)
def test_a_span_is_written_in_minutes_hours_or_days(unit: str, span: timedelta) -> None:
    assert an_entry(Decimal(6), unit).span == span


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (an_entry(Decimal("1.5"), "xULN"), "1.5 xULN"),
        (an_entry(Decimal(28)), "28 d"),
        (an_entry(Decimal(2), "1"), "2"),
        (an_entry(True, "1"), "true"),
        (an_entry(("alt", "ast"), "1"), "alt, ast"),
    ],
)
def test_an_entry_is_shown_as_a_person_reads_it(entry: Entry, shown: str) -> None:
    assert entry.shown() == shown


def test_a_list_is_no_number_and_a_number_no_list() -> None:
    with pytest.raises(TypeError):
        _ = an_entry(("alt",)).number
    with pytest.raises(TypeError):
        _ = an_entry(True).number
    with pytest.raises(TypeError):
        _ = an_entry(Decimal(1)).words
