"""Payloads: what is encrypted can be read again, and what cannot be read is marked and never raises."""

import base64
import hashlib
import lzma
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from plumbing.keys import KEY_BYTES, TEST_KEY_RING, KeyRing
from plumbing.payload_codec import (
    COMPRESSION,
    ENCRYPTED,
    KEY_ID,
    LARGEST_BYTES,
    PLAINTEXT_REFUSED,
    REASON,
    UNDECRYPTABLE,
    EncryptionCodec,
    Unreadable,
)

OLD_KEY, NEW_KEY = b"o" * KEY_BYTES, b"n" * KEY_BYTES
OLD = KeyRing({"2025": OLD_KEY})
ROTATED = KeyRing({"2026": NEW_KEY, "2025": OLD_KEY})


def a_payload(text: str = '"Jane Roe"') -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


async def encrypted(payload: Payload, ring: KeyRing = OLD) -> Payload:
    (result,) = await EncryptionCodec(ring).encode([payload])
    return result


async def decrypted(payload: Payload, ring: KeyRing = OLD, *, refuse_plaintext: bool = False) -> Payload:
    (result,) = await EncryptionCodec(ring, refuse_plaintext=refuse_plaintext).decode([payload])
    return result


def changed(payload: Payload, *, data: bytes | None = None, key_id: bytes | None = None) -> Payload:
    metadata = {**payload.metadata, **({KEY_ID: key_id} if key_id is not None else {})}
    return Payload(metadata=metadata, data=payload.data if data is None else data)


def assert_undecryptable(payload: Payload, original: Payload, reason: Unreadable) -> None:
    assert payload.metadata["encoding"] == UNDECRYPTABLE.encode()
    assert payload.metadata[REASON] == reason.encode()
    assert payload.data == original.data


@given(st.binary(), st.dictionaries(st.text(max_size=20), st.binary(max_size=40), max_size=3))
async def test_every_payload_comes_back_as_it_was(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata=metadata, data=data)
    assert await decrypted(await encrypted(payload)) == payload


async def test_an_encrypted_payload_shows_its_key_id_and_nothing_else() -> None:
    sealed = await encrypted(a_payload())
    assert dict(sealed.metadata) == {"encoding": ENCRYPTED.encode(), KEY_ID: b"2025"}
    assert b"Jane" not in sealed.SerializeToString()


async def test_the_same_payload_is_never_encrypted_to_the_same_bytes() -> None:
    sealed = [(await encrypted(a_payload())).data for _ in range(100)]
    assert len({data[:12] for data in sealed}) == 100


async def test_many_payloads_keep_their_order() -> None:
    payloads = [a_payload(str(number)) for number in range(5)]
    codec = EncryptionCodec(OLD)
    assert await codec.decode(await codec.encode(payloads)) == payloads


async def test_after_rotation_the_new_key_encrypts_and_the_old_one_still_decrypts() -> None:
    before = await encrypted(a_payload(), OLD)
    assert await decrypted(before, ROTATED) == a_payload()
    after = await encrypted(a_payload(), ROTATED)
    assert after.metadata[KEY_ID] == b"2026"
    assert_undecryptable(await decrypted(after, OLD), after, Unreadable.UNKNOWN_KEY)


async def test_a_ring_with_a_new_key_encrypts_with_it() -> None:
    ring = OLD.with_new_key("2027")
    assert ring.ids == ("2027", "2025")
    assert await decrypted(await encrypted(a_payload(), OLD), ring) == a_payload()
    assert (await encrypted(a_payload(), ring)).metadata[KEY_ID] == b"2027"


async def test_an_unknown_key_is_named_so_that_the_bytes_can_be_opened_later() -> None:
    sealed = await encrypted(a_payload(), KeyRing({"lost": NEW_KEY}))
    marked = await decrypted(sealed, OLD)
    assert_undecryptable(marked, sealed, Unreadable.UNKNOWN_KEY)
    assert marked.metadata[KEY_ID] == b"lost"


async def test_another_key_under_the_same_id_is_noticed() -> None:
    sealed = await encrypted(a_payload(), KeyRing({"2025": NEW_KEY}))
    assert_undecryptable(await decrypted(sealed, OLD), sealed, Unreadable.ALTERED)


@given(st.data())
async def test_a_changed_bit_is_noticed(data: st.DataObject) -> None:
    sealed = await encrypted(a_payload())
    bit = data.draw(st.integers(0, len(sealed.data) * 8 - 1))
    flipped = bytearray(sealed.data)
    flipped[bit // 8] ^= 1 << bit % 8
    altered = changed(sealed, data=bytes(flipped))
    assert_undecryptable(await decrypted(altered), altered, Unreadable.ALTERED)


async def test_a_payload_cut_off_anywhere_is_noticed() -> None:
    sealed = await encrypted(a_payload())
    for length in range(len(sealed.data)):
        cut = changed(sealed, data=sealed.data[:length])
        assert_undecryptable(await decrypted(cut), cut, Unreadable.ALTERED)


async def test_a_swapped_key_id_is_noticed_even_where_the_key_is_the_same() -> None:
    twins = KeyRing({"first": OLD_KEY, "second": OLD_KEY})
    sealed = await encrypted(a_payload(), twins)
    assert await decrypted(sealed, twins) == a_payload()
    swapped = changed(sealed, key_id=b"second")
    assert_undecryptable(await decrypted(swapped, twins), swapped, Unreadable.ALTERED)


async def test_something_else_encrypted_under_our_key_is_marked() -> None:
    cipher, nonce = OLD.cipher("2025"), b"0" * 12
    assert cipher is not None
    data = nonce + cipher.encrypt(nonce, b"\xff\xff\xff", b"2025")
    odd = Payload(metadata={"encoding": ENCRYPTED.encode(), KEY_ID: b"2025"}, data=data)
    assert_undecryptable(await decrypted(odd), odd, Unreadable.NOT_A_PAYLOAD)


@given(data=st.binary(), key_id=st.one_of(st.none(), st.just(b"2025"), st.binary()), refuse=st.booleans())
async def test_arbitrary_bytes_never_raise(data: bytes, key_id: bytes | None, refuse: bool) -> None:
    metadata = {"encoding": ENCRYPTED.encode(), **({} if key_id is None else {KEY_ID: key_id})}
    result = await decrypted(Payload(metadata=metadata, data=data), refuse_plaintext=refuse)
    assert result.metadata["encoding"] == UNDECRYPTABLE.encode()
    assert result.data == data


@given(data=st.binary(), encoding=st.one_of(st.none(), st.binary()))
async def test_what_is_not_encrypted_passes_through_a_demo_and_is_marked_on_a_ward(
    data: bytes, encoding: bytes | None
) -> None:
    plain = Payload(metadata={} if encoding is None else {"encoding": encoding}, data=data)
    assert await decrypted(plain) == plain
    refused = await decrypted(plain, refuse_plaintext=True)
    assert refused.metadata["encoding"] == PLAINTEXT_REFUSED.encode()
    assert refused.metadata[REASON] == Unreadable.PLAINTEXT.encode()
    assert refused.data == data


async def test_a_mark_forged_by_a_sender_gets_no_further_on_a_ward() -> None:
    forged = Payload(metadata={"encoding": UNDECRYPTABLE.encode(), REASON: b"Jane Roe"}, data=b"x")
    refused = await decrypted(forged, refuse_plaintext=True)
    assert refused.metadata["encoding"] == PLAINTEXT_REFUSED.encode()
    assert refused.metadata[REASON] == Unreadable.PLAINTEXT.encode()


async def test_a_history_kept_under_the_public_test_key_can_still_be_read() -> None:
    data = base64.b64decode("Q+0VpyCOV3YKCqpBPHuok1KGtpqYqBSEF7Kdr4+58sfBTO38OVVX2Dr+nopgNfH29TXi8TO7K3IGdMkl")
    kept = Payload(metadata={"encoding": ENCRYPTED.encode(), KEY_ID: b"public-test-key"}, data=data)
    assert await decrypted(kept, TEST_KEY_RING, refuse_plaintext=True) == a_payload('"kept"')


def packed(plain: bytes, how: bytes) -> Payload:
    """Encrypted under our key by somebody who packed it himself."""
    cipher, nonce = OLD.cipher("2025"), b"0" * 12
    assert cipher is not None
    metadata = {"encoding": ENCRYPTED.encode(), KEY_ID: b"2025", COMPRESSION: how}
    return Payload(metadata=metadata, data=nonce + cipher.encrypt(nonce, plain, b"2025" + how))


def a_large_payload(size: int) -> Payload:
    """Ids that come again far away, as in a long course."""
    ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(size // 128)]
    return a_payload("".join(ids + ids))


@pytest.mark.parametrize("size", [600, 100_000, 1_000_000])
async def test_a_large_payload_is_packed_and_comes_back_as_it_was(size: int) -> None:
    payload = a_large_payload(size)
    sealed = await encrypted(payload)
    assert sealed.ByteSize() < payload.ByteSize()
    assert await decrypted(sealed) == payload


async def test_the_largest_are_packed_so_that_what_comes_again_far_away_costs_nothing() -> None:
    payload = a_large_payload(1_000_000)
    assert (await encrypted(payload)).ByteSize() < len(zlib.compress(payload.SerializeToString(), 9)) * 0.6


@pytest.mark.parametrize(("how", "pack"), [(b"zlib", zlib.compress), (b"xz", lzma.compress)])
async def test_what_was_packed_in_either_way_is_read(how: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert await decrypted(packed(pack(a_payload().SerializeToString()), how)) == a_payload()


@pytest.mark.parametrize(("how", "pack"), [(b"zlib", zlib.compress), (b"xz", lzma.compress)])
async def test_nothing_unpacks_to_more_than_any_payload_has(how: bytes, pack: Callable[[bytes], bytes]) -> None:
    bomb = packed(pack(b"\0" * (LARGEST_BYTES + 1)), how)
    assert_undecryptable(await decrypted(bomb), bomb, Unreadable.NOT_A_PAYLOAD)


async def test_what_would_take_a_gigabyte_to_unpack_is_marked() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    bomb = packed(lzma.compress(a_payload().SerializeToString(), filters=filters), b"xz")
    assert_undecryptable(await decrypted(bomb), bomb, Unreadable.NOT_A_PAYLOAD)


@pytest.mark.parametrize("how", [b"zlib", b"xz", b"other", b""])
async def test_what_is_not_packed_as_it_says_is_marked(how: bytes) -> None:
    odd = packed(a_payload().SerializeToString(), how)
    assert_undecryptable(await decrypted(odd), odd, Unreadable.NOT_A_PAYLOAD)
