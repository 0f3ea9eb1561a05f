"""Keeps one server running on a data directory: start, watch, restart on the same ports, stop.

The caller holds the directory's lock (`lock`). Nothing here is a client of the engine.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from longshift.adapters.engine.address import EngineAddress, remove_address, write_address
from longshift.adapters.engine.binary import EngineBinary
from longshift.adapters.engine.command import (
    DYNAMIC_CONFIG,
    HOST,
    SQLITE_PRAGMAS,
    EnginePorts,
    add_attributes_command,
    server_command,
)
from longshift.adapters.engine.database import discard_empty
from longshift.adapters.engine.frontend import Frontend
from longshift.adapters.engine.leftovers import end_leftovers
from longshift.adapters.engine.ports import ChoosePorts, choose_ports, with_fresh_http
from longshift.adapters.engine.server_process import ServerProcess, cap_log, log_tail, start_server
from longshift.contracts.errors import EngineError

log = logging.getLogger("longshift.engine")

DATABASE_FILE = "engine.db"
LOG_FILE = "engine.log"
NAMESPACE = "default"
RETENTION_SECONDS = 30 * 86_400
"""Finished sessions stay in the Web UI this long."""

READY_SECONDS = 60.0
"""The slowest start that is waited for: a large database after a crash."""
POLL_SECONDS = 0.03
ATTRIBUTES_SECONDS = 3.0
"""How long a server that answers has for registering search attributes by itself."""
STOP_SECONDS = 10.0
START_TRIES = 3
"""Ports that were free may be taken before the server has them, by a client's connection as by another server."""
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 30.0
LOG_CHECK_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""A server that ran this long and then died starts over without a backoff."""


class EmbeddedEngine:
    """The server of one data directory."""

    def __init__(
        self,
        data_dir: Path,
        *,
        binary: EngineBinary,
        search_attributes: Mapping[str, str],
        ui: bool = True,
        port: int | None = None,
        log_file: Path | None = None,
        dynamic_config: Mapping[str, str] = DYNAMIC_CONFIG,
        pragmas: Mapping[str, str] = SQLITE_PRAGMAS,
        retention_seconds: int = RETENTION_SECONDS,
        choose: ChoosePorts = choose_ports,
    ) -> None:
        # Resolved, as a server is known by the path of its database on its command line.
        self._data_dir = data_dir.resolve()
        self._binary = binary
        self._search_attributes = search_attributes
        self._ui = ui
        self._port = port
        self._log_file = log_file or self._data_dir / LOG_FILE
        self._dynamic_config = dynamic_config
        self._pragmas = pragmas
        self._retention_seconds = retention_seconds
        self._choose = choose
        self._server: ServerProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self.restarts = 0
        """How often the server died and was started again."""

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self._data_dir / DATABASE_FILE

    async def start(self) -> EngineAddress:
        """Start the server and return when it takes requests; from then on it is watched.

        Raises:
            EngineError: there is no binary, or the server does not come up; the message has the end of its log.
        """
        path = self._binary.required_path()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        await end_leftovers(self.database)
        remove_address(self._data_dir)
        for attempt in range(1, START_TRIES + 1):
            ports = self._choose(frontend=self._port, ui=self._ui)
            try:
                server, address = await self._launch(path, ports)
            except EngineError:
                if attempt == START_TRIES:
                    raise
            else:
                self._watch = asyncio.create_task(self._keep_running(path, ports, server), name="longshift-engine")
                return address
        raise AssertionError("unreachable: the last try raises")

    async def stop(self) -> None:
        """End the server, politely at first; nothing of it is left afterwards."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._end_server()
        remove_address(self._data_dir)

    async def run_forever(self) -> None:
        """Start, keep running until cancelled, stop.

        Raises:
            EngineError: the first start failed.
        """
        try:
            await self.start()
            await asyncio.get_running_loop().create_future()
        finally:
            await self.stop()

    async def _launch(self, path: Path, ports: EnginePorts) -> tuple[ServerProcess, EngineAddress]:
        command = server_command(
            path,
            self.database,
            ports,
            self._search_attributes,
            dynamic_config=self._dynamic_config,
            pragmas=self._pragmas,
        )
        is_up = False
        try:
            await asyncio.to_thread(discard_empty, self.database)
            server = self._server = await start_server(command, self._log_file)
            async with Frontend(ports.http, NAMESPACE) as frontend:
                await self._await_ready(server, frontend, path, ports)
                await frontend.keep_finished_for(self._retention_seconds)
            address = EngineAddress(
                address=f"{HOST}:{ports.frontend}",
                ui_url=f"http://{HOST}:{ports.ui}" if ports.ui is not None else "",
                namespace=NAMESPACE,
                pid=server.pid,
                starttime=server.starttime,
            )
            write_address(self._data_dir, address)
            is_up = True
        except OSError as error:
            raise EngineError(f"the embedded engine cannot work in {self._data_dir}: {error}") from error
        finally:
            if not is_up:
                await self._end_server()
        return server, address

    async def _await_ready(self, server: ServerProcess, frontend: Frontend, path: Path, ports: EnginePorts) -> None:
        """The namespace answers and has all search attributes.

        The server registers them with a new database only, a moment after it answers. An older one can lack some: from
        a release that had fewer, or a first start that was cut short.
        """
        try:
            async with asyncio.timeout(READY_SECONDS):
                answered_at, is_told = 0.0, False
                while (known := await frontend.search_attributes()) is None or self._missing(known):
                    if server.has_ended:
                        raise EngineError(self._complaint(f"ended with exit code {await server.wait()}"))
                    now = asyncio.get_running_loop().time()
                    answered_at = answered_at or (now if known is not None else 0.0)
                    if known is not None and not is_told and now - answered_at > ATTRIBUTES_SECONDS:
                        is_told = True
                        await self._add_attributes(path, ports, self._missing(known))
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise EngineError(self._complaint(f"was not ready within {READY_SECONDS:.0f} seconds")) from None
        if server.has_ended:
            raise EngineError(self._complaint("ended at once, and another server answers on its port"))

    def _missing(self, known: frozenset[str]) -> Mapping[str, str]:
        return {name: kind for name, kind in self._search_attributes.items() if name not in known}

    async def _add_attributes(self, path: Path, ports: EnginePorts, missing: Mapping[str, str]) -> None:
        log.warning("the engine's database lacks search attributes, adding %s", ", ".join(missing))
        command = add_attributes_command(path, ports, NAMESPACE, missing)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise EngineError(self._complaint(f"does not take its search attributes: {said.decode(errors='replace')}"))

    def _complaint(self, what: str) -> str:
        tail = log_tail(self._log_file)
        return f"the embedded engine {what}; its log is {self._log_file}" + (f" and ends with:\n{tail}" if tail else "")

    async def _keep_running(self, path: Path, ports: EnginePorts, server: ServerProcess) -> None:
        loop = asyncio.get_running_loop()
        backoff_seconds = FIRST_BACKOFF_SECONDS
        started = loop.time()
        while True:
            code = await self._ended(server)
            self.restarts += 1
            log.warning("the engine ended with exit code %d; restart %d", code, self.restarts)
            if loop.time() - started > STEADY_SECONDS:
                backoff_seconds = FIRST_BACKOFF_SECONDS
            await asyncio.sleep(backoff_seconds)
            backoff_seconds = min(backoff_seconds * 2, LONGEST_BACKOFF_SECONDS)
            server = await self._relaunch(path, ports)
            started = loop.time()

    async def _ended(self, server: ServerProcess) -> int:
        while True:
            try:
                async with asyncio.timeout(LOG_CHECK_SECONDS):
                    return await server.wait()
            except TimeoutError:
                await asyncio.to_thread(cap_log, self._log_file)

    async def _relaunch(self, path: Path, ports: EnginePorts) -> ServerProcess:
        """Bring the server back on its ports, however long that takes: the workers wait for it there."""
        pause_seconds = FIRST_BACKOFF_SECONDS
        while True:
            try:
                return (await self._launch(path, with_fresh_http(ports)))[0]
            except EngineError as error:
                log.error("the engine does not come back: %s", error)  # the message says it all
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, LONGEST_BACKOFF_SECONDS)

    async def _end_server(self) -> None:
        if self._server is not None:
            await self._server.end(STOP_SECONDS)
            self._server = None
