"""A client of the engine: the embedded one of this data directory, or the one that the SDK's own variables name."""

import asyncio
from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import KeepAliveConfig, RPCError

from longshift.adapters.engine import read_address
from longshift.contracts.errors import BadInput, EngineError
from longshift.payload_codec import data_converter
from longshift.settings import Settings

KEEP_ALIVE = KeepAliveConfig(interval_millis=12_000, timeout_millis=5_000)
"""A connection that silently broke is noticed within 17 seconds. Servers end connections that ping more often
than every 10 seconds (`frontend.keepAliveMinTime`): with 5 seconds every idle long poll broke after about 20."""
ANSWER_SECONDS = 10.0


_REASONS = {"ConnectionRefused": "connection refused", "dns error": "its host name is not known"}
"""The SDK tells of failed connections in the words of its Rust libraries."""


def quiet_runtime() -> Runtime:
    """For commands: the SDK's own warnings would stand between their lines."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


async def connect(settings: Settings, *, runtime: Runtime | None = None, identity: str | None = None) -> Client:
    """Connect, and make sure that somebody answers.

    `runtime` carries the SDK's own metrics (`telemetry.sdk_runtime`); without one the process's default is used.

    Raises:
        EngineError: nothing answers, or it refuses; the message says what to do.
        BadInput: the `TEMPORAL_*` variables, `temporal.toml` or a payload key are wrong.
    """
    options = connection(settings)
    target = options["target_host"]
    remedy = (
        "check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and its credentials, or unset them to use the embedded engine"
        if settings.uses_external_engine
        else f"look into {settings.data_dir / 'engine.log'}, or start it again with `longshift up`"
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await Client.connect(
                **options,
                data_converter=data_converter(settings.key_ring),
                keep_alive_config=KEEP_ALIVE,
                runtime=runtime,
                identity=identity,
            )
    except TimeoutError:
        raise EngineError(f"no answer from {target} within {ANSWER_SECONDS:.0f} seconds; {remedy}") from None
    except (RPCError, RuntimeError) as error:
        # The SDK reports a refused connection as a plain RuntimeError.
        told = str(error)
        reason = next((words for mark, words in _REASONS.items() if mark in told), _first_line(error))
        raise EngineError(f"cannot connect to {target}: {reason}; {remedy}") from error


def connection(settings: Settings) -> dict[str, Any]:
    """Where the engine is, as `Client.connect` takes it: `target_host`, `namespace` and what else is configured.

    Raises:
        EngineError: the embedded engine does not run.
        BadInput: the `TEMPORAL_*` variables or `temporal.toml` are wrong.
    """
    return _external() if settings.uses_external_engine else _embedded(settings)


def _embedded(settings: Settings) -> dict[str, Any]:
    found = read_address(settings.data_dir)
    if found is None:
        raise EngineError(
            f"no engine runs on {settings.data_dir}; start one with `longshift up`, "
            "or set TEMPORAL_ADDRESS to use a server that runs already"
        )
    return {"target_host": found.address, "namespace": found.namespace}


def _external() -> dict[str, Any]:
    try:
        options: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    except (RuntimeError, ValueError, OSError) as error:
        raise BadInput(f"TEMPORAL_*: the connection's settings cannot be read: {_first_line(error)}") from error
    if not options.get("target_host"):
        raise BadInput("TEMPORAL_ADDRESS: neither it nor the profile names a server; set it to host:port")
    return options


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
