"""Runs a scripted model as a process: `python -m longshift.adapters.scripted_model --script FILE --port N`.

One JSON line with the address goes to stdout when connections are accepted. SIGTERM and SIGINT end it.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from longshift.adapters.scripted_model import Chaos, ScriptedModel, load_policy
from longshift.contracts.errors import BadInput


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m longshift.adapters.scripted_model", description=__doc__)
    parser.add_argument("--script", type=Path, required=True, help="YAML or JSON: `turns`, or `repeat`")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key-env", default="", help="environment variable with the key to demand")
    parser.add_argument("--model", action="append", default=[], help="a model name to accept; all without any")
    parser.add_argument("--window-tokens", type=int, default=262_144)
    parser.add_argument("--body-limit-bytes", type=int, default=32_000_000)
    parser.add_argument("--require-thinking", action="store_true", help="refuse histories without their thinking")
    parser.add_argument("--chaos", default="", help='JSON such as {"seed": 1, "rates": {"cut": 0.1}}')
    parser.add_argument("--storm", type=float, default=0.0, help="share of requests that fail in a transient way")
    parser.add_argument("--seed", type=int, default=0, help="of the storm")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    chaos = Chaos.model_validate_json(options.chaos) if options.chaos else None
    model = ScriptedModel(
        load_policy(options.script),
        chaos=Chaos.storm(options.seed, options.storm) if options.storm else chaos,
        key=os.environ[options.key_env] if options.key_env else None,
        models=options.model,
        window_tokens=options.window_tokens,
        body_limit_bytes=options.body_limit_bytes,
        require_thinking=options.require_thinking,
        port=options.port,
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with model:
        address = {"base_url": model.base_url, "port": model.port, "pid": os.getpid()}
        sys.stdout.write(json.dumps(address) + "\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> int:
    """The process's entry point; returns its exit code."""
    try:
        asyncio.run(_serve(_arguments()))
    except (BadInput, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
