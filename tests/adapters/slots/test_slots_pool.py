"""The slots of a host: never more promised than there are, kept for those who are expected back, given to the next."""

import asyncio

import pytest

from longshift.adapters.slots import SlotPool


async def is_promised(pool: SlotPool) -> bool:
    """Whether room is promised without anybody leaving."""
    try:
        await asyncio.wait_for(pool.promise(), 0.05)
    except TimeoutError:
        return False
    return True


async def test_no_more_is_promised_than_there_is() -> None:
    pool = SlotPool(2)
    assert [True, True, False] == [await is_promised(pool) for _ in range(3)]


async def test_the_end_of_a_promise_lets_the_next_poller_go_on() -> None:
    pool = SlotPool(1)
    await pool.promise()
    waiting = asyncio.create_task(pool.promise())
    await asyncio.sleep(0)
    pool.end_promise()
    await waiting
    assert not await is_promised(pool)


async def test_a_session_that_came_back_by_itself_takes_room_from_the_queue() -> None:
    pool = SlotPool(1)
    with pool.held("t", 2, is_returning=True):
        assert (1, False) == (pool.used, await is_promised(pool))
        waiting = asyncio.create_task(pool.promise())
        await asyncio.sleep(0)
    await waiting


async def test_a_session_out_of_the_queue_is_covered_by_its_promise() -> None:
    pool = SlotPool(2)
    await pool.promise()
    with pool.held("t", 1):
        assert (1, True) == (pool.used, await is_promised(pool))


async def test_expected_sessions_keep_their_places_until_they_are_given_up() -> None:
    pool = SlotPool(2)
    pool.expect(["a", "b"])
    assert [False, True, False] == [await is_promised(pool), pool.has_room_for("a"), pool.has_room_for("c")]
    with pool.held("a", 2, is_returning=True):
        assert [False, True] == [pool.give_up("a"), pool.give_up("b")]
        assert [True, False] == [await is_promised(pool), await is_promised(pool)]


async def test_the_newest_slot_of_a_task_is_the_one_that_counts() -> None:
    pool = SlotPool(2)
    with pool.held("t", 1) as first, pool.held("t", 2) as second:
        assert (second, 1) == (pool.holding("t"), pool.used)
        second.released.set()
        assert not first.released.is_set()
    assert (None, 0) == (pool.holding("t"), pool.used)
    assert first.ended.is_set()


async def test_a_cancelled_poller_leaves_no_promise_behind() -> None:
    pool = SlotPool(1)
    await pool.promise()
    waiting = asyncio.create_task(pool.promise())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pool.end_promise()
    assert await is_promised(pool)
