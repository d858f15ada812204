"""Nothing that arrives is without a bound: each text, list, number and time of each message, just inside and just outside."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from models import bounds
from models.bounds import bounded, read_bounded, shortened
from models.facts import Fact, Preparation
from models.messages import COMMANDS, MESSAGES, SIGNALS, LabResults, Message, RecordPreparation, ReportReaction
from models.people import Actor
from tests.extremes import Leaf, Speaker, leaves, limits, with_one
from tests.factories import D1, PEOPLE, a_lab

LEAVES = [(kind, leaf) for kind, model in MESSAGES.items() for leaf in leaves(model) if leaf.name not in ("id", "by")]
BY = {"id": "m-1", "by": "prescriber:p-1"}


def read(kind: str, content: dict[str, Any]) -> Message | tuple[str, ...]:
    return read_bounded(MESSAGES[kind], json.dumps({**content, **BY}).encode())


def with_value(kind: str, leaf: Leaf, value: Any) -> Message | tuple[str, ...]:
    return read(kind, with_one(MESSAGES[kind], leaf, value))


@pytest.mark.parametrize("kind", MESSAGES)
def test_what_stands_at_a_bound_is_read_and_what_lies_beyond_it_is_not(kind: str) -> None:
    tried = 0
    for leaf in (leaf for of, leaf in LEAVES if of == kind and leaf.annotation is not tuple):
        inside, outside = limits(leaf.name, leaf.annotation, leaf.notes)
        assert inside, f"{leaf} has no bound"
        for limit in inside:
            found = with_value(kind, leaf, limit.value)
            assert not isinstance(found, tuple), (str(leaf), limit.label, found)
        for limit in outside:
            assert isinstance(with_value(kind, leaf, limit.value), tuple), (str(leaf), limit.label)
        tried += len(inside) + len(outside)
    assert tried >= 8


def test_a_list_of_more_than_any_draw_has_is_refused() -> None:
    lists = [(kind, leaf) for kind, leaf in LEAVES if leaf.annotation is tuple]
    assert len(lists) >= 6
    for kind, leaf in lists:
        content = with_one(MESSAGES[kind], replace(leaf, annotation=str), None)
        here = content
        for name, _ in leaf.way:
            here = here[name][0] if isinstance(here[name], list) else here[name]
        usual = Speaker(Random(1), D1, extreme=0).says(MESSAGES[kind] if not leaf.way else leaf.way[-1][1])
        here[leaf.name] = (usual.get(leaf.name) or ["one"])[:1] * (bounds.LONGEST_LIST + 1)
        assert isinstance(read(kind, content), tuple), str(leaf)


def test_an_identifier_made_elsewhere_is_known_by_its_hash_where_it_is_too_long() -> None:
    reaction = read("report_reaction", {"reaction_id": "r" * 300, "symptoms": "chills"})
    again = read("report_reaction", {"reaction_id": "r" * 300, "grade": 2})
    assert isinstance(reaction, ReportReaction)
    assert isinstance(again, ReportReaction)
    assert reaction.reaction_id == again.reaction_id == shortened("r" * 300)
    assert reaction.reaction_id.startswith("sha256:")
    assert shortened("r" * 300) != shortened("r" * 301)
    assert shortened(reaction.reaction_id) == reaction.reaction_id


def test_an_identifier_of_several_lines_is_known_by_its_hash() -> None:
    made = read("report_reaction", {"reaction_id": "r-1\nDEATH", "grade": 2})
    assert isinstance(made, ReportReaction)
    assert "\n" not in made.reaction_id


def test_a_result_with_a_long_accession_is_kept_with_its_hash() -> None:
    result = a_lab("alt").model_copy(update={"accession": "a" * 3000})
    message = LabResults(id="m", by=PEOPLE[next(iter(PEOPLE))], subject_hash="s", results=(result,))
    read_again = bounded(message)
    assert isinstance(read_again, LabResults)
    assert read_again.results[0].accession == shortened("a" * 3000)
    assert bounded(read_again) == read_again


@pytest.mark.parametrize("by", ["nurse:n\n1", "nurse:\x1b[2J", "nurse:n\u202e1", "nurse:n\u20281", "nurse:\x00n"])
def test_by_takes_no_control_characters(by: str) -> None:
    data = json.dumps({"id": "m-1", "by": by, "reason": "why"}).encode()
    assert read_bounded(MESSAGES["hold"], data) == ("by.id: holds a control character",)


def test_a_fault_never_repeats_a_value() -> None:
    made = {"preparation_id": "CANARY", "reconstituted_at": "2199-12-31T23:59:59Z", "mg": "-77777", "vials": 1}
    for content, number in ((made, 2), ({**made, "preparation_id": "CANARY" * 700}, 1), ({**made, "vials": 77777}, 1)):
        found = read("record_preparation", content)
        assert isinstance(found, tuple)
        assert len(found) == number
        assert not any(canary in " ".join(found) for canary in ("CANARY", "2199-12", "77777"))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (
            "record_preparation",
            {"preparation_id": "b", "reconstituted_at": "2199-12-31T23:59:59Z", "mg": "1", "vials": 1},
        ),
        (
            "record_preparation",
            {"preparation_id": "b", "reconstituted_at": "1900-01-02T00:00:00Z", "mg": "1", "vials": 1},
        ),
        ("interrupt_infusion", {"infused_ml": "-1E15"}),
        ("interrupt_infusion", {"infused_ml": "-0.000001"}),
        ("resume_infusion", {"rate_ml_per_h": "0"}),
        ("report_reaction", {"reaction_id": "r", "at": "1999-12-31T23:59:59Z"}),
        ("record_administration", {"cycle": 100, "day": 1, "mg": "1"}),
        ("hold", {"reason": "\ud800"}),
    ],
)
def test_what_no_rule_bears_is_refused_by_its_form(kind: str, content: dict[str, Any]) -> None:
    assert isinstance(read(kind, content), tuple)


def test_a_seventh_cycle_that_was_given_is_read() -> None:
    assert not isinstance(read("record_administration", {"cycle": 7, "day": 15, "mg": "0.9"}), tuple)


@pytest.mark.parametrize("value", ["-3", "1E+18", "1E-18", "99999999999"])
def test_a_result_of_any_size_is_read(value: str) -> None:
    content = {
        "subject_hash": "s",
        "results": [{"loinc": "1742-6", "value": value, "collected_at": "1970-01-01T00:00:00Z"}],
    }
    message = read("lab_results", content)
    assert isinstance(message, LabResults)
    assert message.results[0].value == Decimal(value)
    assert message.results[0].collected_at is not None


def test_a_message_is_not_larger_than_what_a_course_keeps() -> None:
    results = [{"loinc": "1742-6", "text": "w" * 2000}] * 200
    assert read("lab_results", {"subject_hash": "s", "results": results}) == ("message: more than 262144 bytes",)
    built = LabResults.model_validate({**BY, "subject_hash": "s", "results": tuple(results)}, strict=False)
    assert bounded(built) == ("message: more than 262144 bytes",)


def test_bytes_that_are_no_message_are_named_by_place() -> None:
    assert read_bounded(COMMANDS["hold"], b"\xff\xfe") == ("message: json_invalid",)
    assert read_bounded(COMMANDS["hold"], b'{"id": "m"}') == ("by: missing", "reason: missing")
    assert read_bounded(COMMANDS["hold"], b"[" * 100_000) == ("message: json_invalid",)


@pytest.mark.parametrize(
    "number",
    ["1e99999999999999999999", "1" * 5000, "-1" + "0" * 5000 + ".0", "NaN", "-Infinity", "1e-99999999999999999999"],
)
@pytest.mark.parametrize("place", ['"x": {}', '"results": [{{"loinc": "1742-6", "value": {}}}]', '"id": {}'])
def test_no_number_is_too_strange_to_be_looked_at(number: str, place: str) -> None:
    said = f'{{"id": "m", "by": "laboratory:lis", "subject_hash": "{"s" * 300}", {place.format(number)}}}'
    found = read_bounded(SIGNALS["lab_results"], said.encode())
    assert isinstance(found, LabResults) or all(isinstance(fault, str) for fault in found)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b"])
def test_no_text_of_a_person_holds_a_control_character(character: str) -> None:
    assert read("hold", {"reason": f"red{character}[31m"}) == ("reason: holds a control character",)
    assert not isinstance(read("hold", {"reason": "two\nlines\tand a tab"}), tuple)


def test_facts_of_every_release_stay_readable() -> None:
    body = {"preparation_id": "p" * 200, "reconstituted_at": "2199-12-31T00:00:00Z", "mg": "-1E15", "vials": 1}
    fact = {"id": "f1", "by": "nurse:n\n1", "at": "1900-01-02T00:00:00Z", "recorded_at": "2026-03-02T00:00:00Z"}
    read_fact = Fact.model_validate_json(json.dumps({**fact, "what": {"kind": "preparation", **body}}))
    assert isinstance(read_fact.what, Preparation)


def test_a_message_within_its_bounds_is_not_changed() -> None:
    made = {"preparation_id": "bag-1", "reconstituted_at": D1, "mg": Decimal("0.91"), "vials": 2}
    message = RecordPreparation(
        id="m-1", by=Actor.model_validate_json('{"role": "pharmacist", "id": "p-1"}'), at=D1, **made
    )
    assert bounded(message) is message
    assert bounded(message.model_copy(update={"at": D1 - timedelta(days=36500)})) == ("at: a year of 2000 to 2099",)
