"""Keys: what is sealed opens with the right key and in no other way."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.adapters.codec import KEY_BYTES, KeyRing, PayloadKey, new_key_text, read_key
from longshift.adapters.codec.key_ring import NONCE_BYTES, TAG_BYTES, VERSION
from longshift.contracts.errors import BadInput, PayloadError

A, B = PayloadKey("a", b"a" * KEY_BYTES), PayloadKey("b", b"b" * KEY_BYTES)


@given(st.binary(max_size=5_000))
def test_what_is_sealed_opens_again_and_is_28_bytes_longer(plain: bytes) -> None:
    sealed = KeyRing([A]).seal(plain)
    assert (plain, NONCE_BYTES + TAG_BYTES) == (
        KeyRing([B, A]).open(sealed, key_id="a", version=VERSION),
        len(sealed) - len(plain),
    )


def test_the_first_key_seals_and_no_two_sealings_are_alike() -> None:
    ring = KeyRing([B, A])
    first, second = ring.seal(b"the same"), ring.seal(b"the same")
    assert first[:NONCE_BYTES] != second[:NONCE_BYTES]
    assert b"the same" == KeyRing([B]).open(first, key_id="b", version=VERSION)


@given(st.data())
def test_one_changed_bit_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(KeyRing([A]).seal(b"something to keep"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PayloadError, match="damaged"):
        KeyRing([A]).open(bytes(sealed), key_id="a", version=VERSION)


@pytest.mark.parametrize("length", [0, 1, NONCE_BYTES, NONCE_BYTES + TAG_BYTES - 1])
def test_what_is_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(PayloadError, match="damaged"):
        KeyRing([A]).open(KeyRing([A]).seal(b"x")[:length], key_id="a", version=VERSION)


def test_the_key_id_is_bound_to_what_is_sealed() -> None:
    same = KeyRing([A, PayloadKey("renamed", A.secret)])
    with pytest.raises(PayloadError, match="another key goes by this id"):
        same.open(same.seal(b"x"), key_id="renamed", version=VERSION)


def test_an_unknown_key_is_named_with_the_remedy() -> None:
    sealed = KeyRing([A]).seal(b"x")
    with pytest.raises(PayloadError, match=r"the key 'a', and this process has b; add it to LONGSHIFT_PAYLOAD_KEYS"):
        KeyRing([B]).open(sealed, key_id="a", version=VERSION)
    with pytest.raises(PayloadError, match=r"the key 'a', and this process has none"):
        KeyRing().open(sealed, key_id="a", version=VERSION)


def test_another_format_is_not_guessed_at() -> None:
    with pytest.raises(PayloadError, match=r"format '2', and this release knows '1'"):
        KeyRing([A]).open(KeyRing([A]).seal(b"x"), key_id="a", version="2")


def test_without_a_key_nothing_is_sealed() -> None:
    assert None is KeyRing().first_id
    with pytest.raises(PayloadError, match="no payload key"):
        KeyRing().seal(b"x")


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(BadInput, match="two keys have the id 'a'"):
        KeyRing([A, PayloadKey("a", B.secret)])


def test_new_keys_are_read_in_both_alphabets() -> None:
    text = new_key_text()
    secret = base64.b64decode(text)
    assert {KEY_BYTES} == {len(secret)}
    assert secret == read_key("k", text).secret == read_key("k", base64.urlsafe_b64encode(secret).decode()).secret
    assert text not in repr(read_key("k", text))
    assert text != new_key_text()


@pytest.mark.parametrize(
    ("key_id", "text", "said"),
    [
        ("k", "not base64!", "k: is not base64"),
        ("k", "", "has 0 bytes instead of 32"),
        ("k", base64.b64encode(b"x" * 31).decode(), "has 31 bytes instead of 32"),
        ("", "x", "'' is no id of a key"),
        ("a b", "x", "'a b' is no id of a key"),
        ("s" * 44, "x", "'…' is no id of a key"),
    ],
)
def test_a_wrong_key_is_refused_by_its_id_and_not_repeated(key_id: str, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        read_key(key_id, text)
    assert len(text) < 10 or text not in str(refused.value)
