"""Keys and hashes: no text shows a key, no file lies open, no two patients are one."""

import base64
import hashlib
import hmac
import pickle
import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plumbing.keys import KEY_BYTES, TEST_KEY_RING, KeyRefused, KeyRing, RecordKey, SubjectKey, birth_hash, subject_hash

OLD_KEY, NEW_KEY = b"o" * KEY_BYTES, b"n" * KEY_BYTES
OLD = KeyRing({"2025": OLD_KEY})
ROTATED = KeyRing({"2026": NEW_KEY, "2025": OLD_KEY})


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_a_key_text_lists_the_newest_first_with_commas_or_lines() -> None:
    lines = f"# made in January, newest first\nnew:{encoded(NEW_KEY)}\n\n  old : {encoded(OLD_KEY)}\n"
    commas = f"new:{encoded(NEW_KEY)}, old:{encoded(OLD_KEY)}"
    for text in (lines, commas):
        ring = KeyRing.parse(text)
        assert ring.ids == ("new", "old")
        assert ring.newest_id == "new"


SECRET = encoded(b"SECRET-SECRET-SECRET-SECRET-SECR")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        SECRET,
        f"{SECRET}:2025",
        f"2025:{SECRET[:-8]}",
        f"2025:{SECRET}{SECRET}",
        f"2025:{SECRET}!",
        f"ein schlüssel:{SECRET}",
        f":{SECRET}",
        f"a:{SECRET},a:{SECRET}",
        f"{'x' * 65}:{SECRET}",
    ],
)
def test_an_unusable_key_text_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(KeyRefused) as refusal:
        KeyRing.parse(text)
    chain = f"{refusal.value!r} {refusal.value.__cause__!r} {refusal.value.__context__!r}"
    assert SECRET[:16] not in chain
    assert "SECRET" not in chain


def test_a_refused_key_is_named_by_its_position() -> None:
    with pytest.raises(KeyRefused, match=r"^key 2 is not of the form keyid:base64$"):
        KeyRing.parse(f"a:{SECRET},{SECRET}")
    with pytest.raises(KeyRefused, match=r"^key 1 has 24 bytes instead of 32$"):
        KeyRing.parse(f"a:{SECRET[:32]}")


def test_no_repr_and_no_pickle_shows_a_key() -> None:
    for holder in (KeyRing.parse(f"k:{SECRET}"), SubjectKey.parse(f"k:{SECRET}")):
        assert "k" in repr(holder)
        assert "SECRET" not in f"{holder!r} {holder}"
        assert SECRET not in f"{holder!r} {holder}"
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(holder)


def test_a_key_file_is_the_owners_alone_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "payload-keys"
    ring = KeyRing.generate()
    ring.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.read(path).ids == ring.ids


def test_a_key_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "payload-keys"
    OLD.write(path)
    with pytest.raises(FileExistsError):
        ROTATED.write(path)
    assert KeyRing.read(path).ids == OLD.ids
    path.chmod(0o644)
    ROTATED.write(path, replace=True)
    assert KeyRing.read(path).ids == ROTATED.ids
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_or_binary_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="FileNotFoundError"):
        KeyRing.read(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    with pytest.raises(KeyRefused, match="UnicodeDecodeError") as refusal:
        SubjectKey.read(tmp_path / "binary")
    assert refusal.value.__context__ is None


def test_generated_keys_differ() -> None:
    assert KeyRing.generate().ids != KeyRing.generate().ids
    with pytest.raises(KeyRefused, match="already"):
        OLD.with_new_key("2025")


def test_the_public_test_key_is_known_under_any_id() -> None:
    assert TEST_KEY_RING.holds_public_key()
    assert not ROTATED.holds_public_key()


# Whose results are meant.


KEY = SubjectKey("s1", b"s" * KEY_BYTES)


def test_a_subject_hash_is_the_hmac_of_system_and_value() -> None:
    expected = hmac.new(b"s" * KEY_BYTES, b"urn:hospital:mrn|123", hashlib.sha256).hexdigest()
    assert subject_hash(KEY, "urn:hospital:mrn", "123") == f"s1:{expected}"


def test_another_system_value_or_key_is_another_subject() -> None:
    hashes = {
        subject_hash(KEY, "urn:a", "123"),
        subject_hash(KEY, "urn:b", "123"),
        subject_hash(KEY, "urn:a", "124"),
        subject_hash(KEY, "urn:a", "123 "),
        subject_hash(SubjectKey("s1", b"t" * KEY_BYTES), "urn:a", "123"),
        subject_hash(SubjectKey("s2", b"s" * KEY_BYTES), "urn:a", "123"),
        subject_hash(KEY, "urn:a|1", "23"),
        subject_hash(KEY, "urn:a", "1|23"),
    }
    assert len(hashes) == 8


def test_a_bar_does_not_make_two_patients_one() -> None:
    assert subject_hash(KEY, "urn:a|b", "c") != subject_hash(KEY, "urn:a", "b|c")


@pytest.mark.parametrize("value", ["", "  ", "\t\n"])
def test_no_identifier_is_no_subject(value: str) -> None:
    with pytest.raises(ValueError, match="needs an identifier"):
        subject_hash(KEY, "urn:a", value)


@given(system=st.text(), value=st.text().filter(str.strip), born_on=st.dates())
@example(system="birth-date", value="1980-01-31", born_on=date(1980, 1, 31))
@example(system="", value="birth-date\n1980-01-31", born_on=date(1980, 1, 31))
@example(system="urn:half a surrogate pair", value="\ud800", born_on=date(1980, 1, 31))
def test_a_birth_date_is_never_equal_to_a_subject(system: str, value: str, born_on: date) -> None:
    assert subject_hash(KEY, system, value) != birth_hash(KEY, born_on)


def test_a_birth_date_is_hashed_with_its_key_id() -> None:
    assert birth_hash(KEY, date(1980, 1, 31)) != birth_hash(KEY, date(1980, 1, 30))
    assert birth_hash(KEY, date(1980, 1, 31)).startswith("s1:")
    assert "1980" not in birth_hash(KEY, date(1980, 1, 31))[:8]


def test_a_subject_key_is_exactly_one(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="exactly one"):
        SubjectKey.parse(f"a:{encoded(OLD_KEY)},b:{encoded(NEW_KEY)}")
    made = SubjectKey.generate()
    made.write(tmp_path / "subject-key")
    assert subject_hash(SubjectKey.read(tmp_path / "subject-key"), "a", "b") == subject_hash(made, "a", "b")
    with pytest.raises(FileExistsError):
        made.write(tmp_path / "subject-key")


# What seals the record.


SEALING = RecordKey("r1", b"r" * KEY_BYTES)


def test_a_seal_is_of_its_kind_its_parts_and_its_key() -> None:
    seals = {
        SEALING.seal("decision", "course-1", 2, "ab"),
        SEALING.seal("course", "course-1", 2, "ab"),
        SEALING.seal("decision", "course-1", 2, "ab", None),
        SEALING.seal("decision", "course-1", "2", "ab"),
        SEALING.seal("decision", 'course-1",2', "ab"),
        SEALING.seal("decision", "course-1", None, "ab"),
        RecordKey("r1", b"q" * KEY_BYTES).seal("decision", "course-1", 2, "ab"),
    }
    assert len(seals) == 7
    assert all(seal.startswith("r1:") for seal in seals)


def test_a_seal_holds_only_over_what_it_was_made_of() -> None:
    seal = SEALING.seal("decision", "course-1", 2)
    assert SEALING.has_sealed(seal, "decision", "course-1", 2)
    assert not SEALING.has_sealed(seal, "decision", "course-1", 3)
    assert not SEALING.has_sealed("\udcff", "decision", "course-1", 2)
    assert not RecordKey("r1", b"q" * KEY_BYTES).has_sealed(seal, "decision", "course-1", 2)


def test_a_record_key_stays_in_its_process() -> None:
    assert "hidden" in repr(SEALING)
    with pytest.raises(TypeError, match="record key is not pickled"):
        pickle.dumps(SEALING)
