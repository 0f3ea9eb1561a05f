"""What every command gets: the options that all share, the settings they lead to, and the answer's form."""

from functools import cached_property
from pathlib import Path
from typing import Any

from temporalio.client import Client

from longshift.adapters.store import Store, open_store
from longshift.cli.output import Output
from longshift.connect import connect
from longshift.settings import Settings, load_settings


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
        return load_settings(self.overrides)

    @cached_property
    def store(self) -> Store:
        """The object store.

        Raises:
            BadInput: its URL cannot be used.
        """
        return open_store(self.settings.store_url)

    async def client(self) -> Client:
        """A client of the engine.

        Raises:
            EngineError: nobody answers.
        """
        return await connect(self.settings, identity="longshift-cli")

    def environment(self) -> dict[str, str]:
        """The overrides as variables, for a worker that is started from here."""
        return {f"LONGSHIFT_{name.upper()}": str(value) for name, value in self.overrides.items()}
