"""`python -m longshift.intake`: the process that takes tasks in. Started by `longshift up` or `longshift intake`."""

import asyncio
import contextlib
import os
import signal

from longshift.connect import connect
from longshift.intake.process import run_intake
from longshift.process_end import end_process, exit_code_of
from longshift.search_attributes import register_search_attributes
from longshift.settings import Settings, load_settings
from longshift.telemetry import Telemetry, configure_logging, look_up_secrets

INTERRUPTED = 130


async def _serve(settings: Settings, telemetry: Telemetry) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopped.is_set():
            # A second signal is immediate: what is in hand comes back to its source by itself.
            os._exit(INTERRUPTED)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    client = await connect(settings, runtime=telemetry.runtime, identity=f"longshift-intake-{settings.host_id}")
    await register_search_attributes(client)
    await run_intake(settings, client, telemetry, stopped)


def main() -> int:
    """Take tasks in until told to stop; returns the exit code."""

    def life() -> None:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level, secrets=settings.secret_values)
        look_up_secrets(settings)
        # The address where Prometheus scrapes is the worker's; the counts of intake go to the collector.
        quiet = settings.model_copy(update={"metrics_address": None})
        with contextlib.closing(Telemetry.from_settings(quiet)) as telemetry:
            asyncio.run(_serve(settings, telemetry))

    return exit_code_of(life)


if __name__ == "__main__":
    end_process(main())
