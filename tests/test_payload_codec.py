"""What the engine gets: payloads and failures encrypted, old ones still read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ActivityError, ApplicationError, RetryState

from longshift.adapters.codec import KEY_BYTES, KeyRing, PayloadKey
from longshift.contracts.errors import PayloadError
from longshift.payload_codec import SealedPayloads, data_converter, is_sealed, key_id_of

CANARY = "canary-5d1f"
OLD, NEW = PayloadKey("old", b"o" * KEY_BYTES), PayloadKey("new", b"n" * KEY_BYTES)
LIMIT_BYTES = 524_288
"""The engine warns of a larger payload."""


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=50), max_size=3), st.binary(max_size=2_000))
async def test_every_payload_comes_back_as_it_was(metadata: dict[str, bytes], data: bytes) -> None:
    codec = SealedPayloads(KeyRing([NEW]))
    payload = Payload(metadata={"encoding": b"json/plain", **metadata, "canary": CANARY.encode()}, data=data)
    (sealed,) = await codec.encode([payload])
    assert ("new", True) == (key_id_of(sealed), is_sealed(sealed))
    assert CANARY.encode() not in sealed.SerializeToString(), "metadata are encrypted too"
    assert [payload] == await codec.decode([sealed])


async def test_old_payloads_are_read_after_a_rotation_and_after_switching_on() -> None:
    clear = await pydantic_data_converter.encode(["clear"])
    old = await data_converter(KeyRing([OLD])).encode(["old"])
    both = data_converter(KeyRing([NEW, OLD]))
    new = await both.encode(["new"])
    assert ["clear", "old", "new"] == await both.decode([*clear, *old, *new])
    assert ["", "old", "new"] == [key_id_of(payload) for payload in (*clear, *old, *new)]


async def test_a_key_that_is_not_here_is_named() -> None:
    sealed = await data_converter(KeyRing([NEW])).encode(["x"])
    for ring in (KeyRing(), KeyRing([OLD])):
        with pytest.raises(PayloadError, match="the key 'new'"):
            await data_converter(ring).decode(sealed)


async def test_what_is_sealed_is_not_sealed_again() -> None:
    codec = SealedPayloads(KeyRing([NEW]))
    once = await codec.encode([Payload(data=b"x")])
    assert once == await codec.encode(once)


async def test_another_programs_encryption_is_an_error_with_a_word() -> None:
    foreign = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"new"}, data=b"x" * 40)
    with pytest.raises(PayloadError, match="of another program"):
        await SealedPayloads(KeyRing([NEW])).decode([foreign])


async def test_a_payload_grows_by_a_hundred_bytes_or_so() -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b"x" * 100_000)
    (sealed,) = await SealedPayloads(KeyRing([PayloadKey("i" * 40, NEW.secret)])).encode([payload])
    assert sealed.ByteSize() - payload.ByteSize() < 200


def nested() -> Exception:
    """A failure of a workflow as Python has it: with traceback, below it an activity's, and below that its cause."""
    try:
        try:
            try:
                raise ValueError(f"{CANARY} at the bottom")
            except ValueError as error:
                raise ApplicationError(f"{CANARY} in the middle", {"about": CANARY}, type="tool") from error
        except ApplicationError as error:
            raise ActivityError(
                f"{CANARY} of the activity",
                scheduled_event_id=1,
                started_event_id=2,
                identity="w",
                activity_type="t",
                activity_id="1",
                retry_state=RetryState.TIMEOUT,
            ) from error
    except ActivityError as error:
        outer = RuntimeError(f"{CANARY} at the top")
        outer.__cause__ = error
        return outer


async def test_no_word_of_a_failure_is_in_clear_at_any_depth() -> None:
    converter = data_converter(KeyRing([NEW]))
    failure = Failure()
    await converter.encode_failure(nested(), failure)
    stored = failure.SerializeToString()
    assert (False, False, True) == (CANARY.encode() in stored, b"test_payload_codec" in stored, b"tool" in stored)
    read = await converter.decode_failure(Failure.FromString(stored))
    assert f"RuntimeError: {CANARY} at the top" == str(read)
    again = Failure()  # an activity's failure that has come to a workflow, and becomes the workflow's own
    await converter.encode_failure(read, again)
    assert CANARY.encode() not in again.SerializeToString()


async def test_without_a_key_failures_stay_readable_and_encrypted_ones_are_read_with_it() -> None:
    failure = Failure()
    await data_converter(KeyRing()).encode_failure(nested(), failure)
    assert CANARY.encode() in failure.SerializeToString()
    assert f"RuntimeError: {CANARY} at the top" == str(await data_converter(KeyRing([NEW])).decode_failure(failure))


@pytest.mark.parametrize("is_cause", [False, True])
async def test_that_a_key_is_missing_stays_readable(is_cause: bool) -> None:
    missing = PayloadError("the key 'k' is not here")
    error: Exception = missing
    if is_cause:
        error = ApplicationError("Failed decoding arguments")
        error.__cause__ = missing
    failure = Failure()
    await data_converter(KeyRing([NEW])).encode_failure(error, failure)
    assert b"the key 'k' is not here" in failure.SerializeToString()


def test_all_converters_share_what_they_know_of_types() -> None:
    converter = data_converter(KeyRing())
    assert converter.payload_converter_class() is converter.payload_converter_class()
