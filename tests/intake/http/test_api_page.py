"""`docs/api.md`: its examples work as they stand there, and its tables name what there is."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from longshift.contracts.model import ModelOutcome
from longshift.intake.http.feed_events import NAMES
from longshift.intake.http.routes import ENDPOINTS
from longshift.intake.http.tokens import Scope
from tests.cli.test_store_commands import put_session
from tests.intake.http.conftest import WEBHOOK_SECRET, Running, listed, lone_worker
from tests.intake.http.test_telling import until
from tests.workflows.scripted import Script, digest_of

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def example(mark: str) -> str:
    """The example with these words."""
    return next(text for _, text in BLOCKS if mark in text)


async def run(api: Running, kind: str, text: str, folder: Path, **more: str) -> str:
    """One example, as it stands on the page; what it says."""
    program = ["bash", "-eu", "-c"] if kind == "sh" else [sys.executable, "-c"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LONGSHIFT_DATA_DIR": str(api.settings.data_dir), "API": api.url}
    process = await asyncio.create_subprocess_exec(
        *program,
        text,
        cwd=folder,
        env={**environment, "SECRET": WEBHOOK_SECRET, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode(errors="replace")
    assert 0 == process.returncode, f"{text}\n{said}"
    return said


@pytest.mark.engine
@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are for curl")
async def test_the_examples_work_as_they_stand_there(api: Running, client: Client, tmp_path: Path) -> None:
    refused = digest_of(outcome=ModelOutcome.REFUSED, detail="which database?")
    script = Script([refused, refused, digest_of("bash")], hold_tools=asyncio.Event())
    await put_session(api.store)
    token = (await run(api, "sh", example("token add"), tmp_path)).splitlines()[0]

    async def tried(mark: str) -> str:
        return await run(api, "sh", example(mark), tmp_path, TOKEN=token)

    async with api.http() as http, lone_worker(client, script, "mend"):
        await tried("id: mend")
        stream = asyncio.create_task(tried("--no-buffer"))
        await until(http, "mend", lambda found: found["status"]["state"] == "waiting")
        assert ["mend"] == [each["task_id"] for each in await listed(http, "attention=true")]
        decided = await run(api, "python", example("/v1/reviews"), tmp_path, TOKEN=token)
        await until(http, "mend", lambda found: len(found["status"]["reviews"]) == 2)
        answered = await tried("/mend/answer")
        await script.tool_started.wait()
        await tried("/mend/artifacts")
        await tried("/mend/steer")  # and the others, up to the cancel
        assert "event: end\n" in await stream
    assert '"is_new":true' in await tried("ticket-42")
    assert '"is_new":true' in await run(api, "python", example("webhook-id"), tmp_path)
    assert "delivered with the next model call" in answered
    assert "which database? ['retry', 'cancel']\nrefused-1 is decided: retry (Try again), by ci via http" in decided
    assert b"+again\n\xff" == (tmp_path / "patch.diff").read_bytes()


def first_cells(heading: str) -> list[str]:
    """The code in the first cells of the tables below a heading."""
    section = re.split(r"^#", PAGE.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    return [
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([\w-]+)", line.split("|")[1])
    ]


def test_the_tables_name_what_there_is() -> None:
    assert [scope.value for scope in Scope] == first_cells("Tokens")[: len(Scope)]
    assert list(NAMES) == first_cells("Events")


def test_every_path_is_on_the_page() -> None:
    verbs = {endpoint.path.rsplit("/", 1)[-1] for endpoint in ENDPOINTS if "{name" not in endpoint.path}
    assert [] == [verb for verb in verbs if verb.strip("{}") not in PAGE.replace("{id}", "{task_id} task_id")]
