"""`python -m longshift.codec_server`: the codec server as a process. Started by `longshift up` or `codec-server`."""

import asyncio
import signal

import structlog

from longshift.codec_server.process import codec_server
from longshift.process_end import end_process, exit_code_of
from longshift.settings import Settings, load_settings
from longshift.telemetry import configure_logging, look_up_secrets

log = structlog.get_logger("longshift.codec")


async def _serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with codec_server(settings) as address:
        log.info("codec server started", address=address.address)
        await stopped.wait()


def main() -> int:
    """Serve until told to stop; returns the exit code."""

    def life() -> None:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level, secrets=settings.secret_values)
        look_up_secrets(settings)
        asyncio.run(_serve(settings))

    return exit_code_of(life)


if __name__ == "__main__":
    end_process(main())
