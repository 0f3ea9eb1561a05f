"""The object store: the first writer of a key wins, and failures say what to do."""

import asyncio
import os
from pathlib import Path

import pytest

from longshift.adapters.store import Store, open_store
from longshift.contracts.errors import BadInput, StoreMissing


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store("memory://" if request.param == "memory" else f"file://{tmp_path}/store")


async def test_the_first_writer_wins_and_the_second_learns_what_is_there(store: Store) -> None:
    assert await store.create("a/b", b"one") == b"one"
    assert await store.create("a/b", b"two") == b"one"
    assert await store.get("a/b") == b"one"


async def test_of_many_writers_at_once_one_wins_and_all_agree(tmp_path: Path) -> None:
    stores = [open_store(f"file://{tmp_path}") for _ in range(20)]
    bodies = await asyncio.gather(*(each.create("k", str(i).encode()) for i, each in enumerate(stores)))
    assert len(set(bodies)) == 1


async def test_a_missing_object_is_an_error_that_names_the_key(store: Store) -> None:
    assert await store.find("no/such") is None
    with pytest.raises(StoreMissing, match="no/such"):
        await store.get("no/such")


async def test_keys_are_listed_below_a_prefix_in_order(store: Store) -> None:
    for key in ("p/2", "p/1", "q/1"):
        await store.create(key, b"x")
    assert await store.list("p") == ["p/1", "p/2"]


async def test_a_cold_store_reads_what_another_wrote(tmp_path: Path) -> None:
    await open_store(f"file://{tmp_path}").create("k", b"v")
    assert await open_store(f"file://{tmp_path}").get("k") == b"v"


async def test_the_cache_stays_within_its_limit(tmp_path: Path) -> None:
    store = Store(open_store("memory://")._objects, cache_bytes=1_000)  # pyright: ignore[reportPrivateUsage]  # the limit is the point
    for number in range(50):
        await store.create(f"k{number}", b"x" * 100)
    assert [await store.get(f"k{number}") for number in range(50)] == [b"x" * 100] * 50


def test_an_unusable_url_names_the_field_and_the_remedy() -> None:
    with pytest.raises(BadInput, match=r"store_url.*use file:///path"):
        open_store("nonsense://x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_made_is_bad_input() -> None:
    with pytest.raises(BadInput, match="store_url"):
        open_store("file:///proc/nowhere")
