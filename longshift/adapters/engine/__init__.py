"""The embedded engine: the official server binary with SQLite, kept running next to the worker.

Only the server's process is handled here; its clients live elsewhere and none of them is imported.
"""

from longshift.adapters.engine.address import EngineAddress, read_address
from longshift.adapters.engine.binary import EngineBinary, EngineOrigin, find_engine_binary
from longshift.adapters.engine.embedded import EmbeddedEngine
from longshift.adapters.engine.lock import DataLock, read_holder

__all__ = [
    "DataLock",
    "EmbeddedEngine",
    "EngineAddress",
    "EngineBinary",
    "EngineOrigin",
    "find_engine_binary",
    "read_address",
    "read_holder",
]
