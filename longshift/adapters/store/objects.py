"""One object-store interface: create-if-absent, get, list. Local directory, S3, GCS or Azure, by URL.

The first writer of a key wins and nothing is ever overwritten or deleted here. On a local directory every new object
is on its way to the disk as soon as it is written; `settled` waits for it, and closes every step, so that what a closed
step holds never depends on the engine's last transactions.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from longshift.adapters.store.durability import DiskSync
from longshift.contracts import ids
from longshift.contracts.errors import BadInput, DiskFull, StoreMissing, StoreUnavailable

Clean = Callable[[bytes], bytes]
"""Takes secrets out of UTF-8; gives the very same object where there are none."""
CACHE_BYTES = 32_000_000
"""Recently written or read objects are kept in memory up to this many bytes."""


def open_store(url: str, clean: Clean | None = None) -> "Store":
    """The store at `url`: `file:///path` (created when missing), `memory://`, `s3://…`, `gs://…`, `az://…`.

    `clean` takes secrets out of what is written, except where bodies have to stay as they are (`ids.is_verbatim`).

    Raises:
        BadInput: the URL names no store, or its directory cannot be created.
    """
    try:
        if url == "memory://":
            return Store(MemoryStore(), clean=clean)
        parts = urlsplit(url)
        if parts.scheme == "file":
            root = Path(unquote(parts.path))
            root.mkdir(parents=True, exist_ok=True)
            return Store(LocalStore(root), local_root=root, clean=clean)
        return Store(from_url(url), clean=clean)
    except (BaseError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        remedy = "use file:///path, s3://bucket/prefix, gs://… or az://…"
        raise BadInput(f"store_url: {url!r} cannot be opened ({reason}); {remedy}") from error


def exact(body: bytes) -> bytes:
    """A copy to keep: orjson's own bytes hold up to sixteen times the memory that they need."""
    return bytes(memoryview(body))


class Store:
    """Objects by key. Writing an existing key is not an error: it tells who was first."""

    def __init__(
        self,
        objects: ObjectStore,
        *,
        local_root: Path | None = None,
        cache_bytes: int = CACHE_BYTES,
        clean: Clean | None = None,
    ) -> None:
        self._objects = objects
        self._clean = clean
        self._local_root = local_root
        self._sync = DiskSync()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._cache_limit_bytes = cache_bytes

    async def create(self, key: str, body: bytes, *, in_memory: bool = True) -> bytes:
        """Write `body` under `key` if nothing is there; return what is there now (the first writer's bytes).

        What is rarely read again is not kept `in_memory`, where it would displace what is.

        Raises:
            DiskFull: a local store has no space left.
            StoreUnavailable: the store cannot be written.
        """
        if self._clean is not None and not ids.is_verbatim(key):
            body = self._clean(body)
        try:
            await self._objects.put_async(key, body, mode="create")
        except AlreadyExistsError:
            return await self.get(key)
        except (BaseError, OSError) as error:
            raise self._failure(key, error) from error
        if self._local_root is not None:
            self._sync.note(self._local_root / key)
        if in_memory:
            self._remember(key, body)
        return body

    async def settled(self) -> None:
        """Return when all that this process has created is safe from a power cut.

        Raises:
            DiskFull: a local store has no space left.
            StoreUnavailable: the disk failed.
        """
        try:
            await self._sync.settled()
        except OSError as error:
            raise self._failure("", error) from error

    async def get(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            StoreMissing: there is none.
            StoreUnavailable: the store cannot be read.
        """
        body = await self.find(key)
        if body is None:
            raise StoreMissing(f"the store has no object {key!r}")
        return body

    async def find(self, key: str, *, in_memory: bool = True) -> bytes | None:
        """The object's bytes, or None when there is none.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        cached = self._cache.get(key)
        if cached is not None:
            self._cache.move_to_end(key)
            return cached
        try:
            result = await self._objects.get_async(key)
            body = bytes(await result.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._failure(key, error) from error
        if in_memory:
            self._remember(key, body)
        return body

    async def list(self, prefix: str) -> list[str]:
        """All keys below `prefix`, sorted.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        keys: list[str] = []
        try:
            batches = self._objects.list(prefix, return_arrow=False)  # pyright: ignore[reportUnknownMemberType]  # the stub is partial
            async for batch in batches:
                keys += [entry["path"] for entry in batch]
        except (BaseError, OSError) as error:
            raise self._failure(prefix, error) from error
        return sorted(keys)

    def _remember(self, key: str, body: bytes) -> None:
        if len(body) > self._cache_limit_bytes // 4 or key in self._cache:
            return
        self._cache[key] = exact(body)
        self._cached_bytes += len(body)
        while self._cached_bytes > self._cache_limit_bytes:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= len(dropped)

    def _failure(self, key: str, error: Exception) -> DiskFull | StoreUnavailable:
        text = str(error)
        if "No space left" in text or "os error 28" in text:
            return DiskFull(f"the store's disk is full ({self._local_root}); free space and resume the session")
        return StoreUnavailable(f"store object {key!r}: {text[:500]}")
