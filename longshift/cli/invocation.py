"""What every command gets: the options that all share, the settings they lead to, and the answer's form."""

from functools import cached_property
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.runtime import Runtime

from longshift.adapters.store import Store, open_store
from longshift.cli.output import Output
from longshift.connect import connect, quiet_runtime
from longshift.contracts import ids
from longshift.sessions.failures import SessionMissing
from longshift.settings import Settings, load_settings
from longshift.telemetry import Redactor


class Invocation:
    """One run of the command line. Settings are read when they are first needed: not every command does."""

    def __init__(self, *, json: bool, data_dir: Path | None, log: str | None) -> None:
        self.out = Output(json=json)
        self.overrides: dict[str, Any] = {
            name: value for name, value in (("data_dir", data_dir), ("log_format", log)) if value is not None
        }

    @cached_property
    def settings(self) -> Settings:
        """The configuration, with what the command line says on top.

        Raises:
            BadInput: a layer of it is wrong.
        """
        settings = load_settings(self.overrides)
        settings.resolve_secrets(run_commands=False)  # no command of a person waits for that of another
        self.out.clean = Redactor(settings.secret_values).known
        return settings

    @cached_property
    def store(self) -> Store:
        """The object store.

        Raises:
            BadInput: its URL cannot be used.
        """
        return open_store(self.settings.store_url)

    @cached_property
    def _sdk_runtime(self) -> Runtime:
        return quiet_runtime()

    async def client(self) -> Client:
        """A client of the engine.

        Raises:
            EngineError: nobody answers.
            BadInput: what `TEMPORAL_…` says is wrong.
        """
        return await connect(self.settings, runtime=self._sdk_runtime, identity="longshift-cli")

    async def require_stored(self, task_id: str) -> None:
        """Make sure that the store has a session.

        Raises:
            SessionMissing: it has none of this id.
        """
        if await self.store.find(ids.task_key(task_id)) is None:
            raise SessionMissing(
                f"the store has no session {task_id!r}; `longshift list` shows the ones there are "
                "(a worker writes to the store when it takes a session up)"
            )

    def environment(self) -> dict[str, str]:
        """The overrides as variables, for a worker that is started from here."""
        return {f"LONGSHIFT_{name.upper()}": str(value) for name, value in self.overrides.items()}
