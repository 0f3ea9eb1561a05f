"""`doctor`: what is configured, what answers, what is missing, and what to do about it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from longshift.cli import diagnosis
from longshift.cli.command import command
from longshift.cli.diagnosis import Finding, Level
from longshift.cli.diagnosis_engine import engine
from longshift.cli.diagnosis_intake import intake
from longshift.cli.diagnosis_limits import limits
from longshift.cli.diagnosis_network import network
from longshift.cli.diagnosis_payloads import payloads
from longshift.cli.diagnosis_people import people
from longshift.cli.diagnosis_sandbox import sandbox
from longshift.cli.diagnosis_secrets import secrets
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.contracts.errors import BadInput

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}

Probe = Annotated[bool, typer.Option("--probe", help="Also look whether the model's address answers (sends no key).")]


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "doctor")
    async def doctor(run: Invocation, probe: Probe = False) -> int:
        """Look at everything that a session needs; exits with 1 if something is broken."""
        found = await _findings(run, probe)
        level = worst(found)
        run.out.document({"level": level, "findings": found}, table(found))
        return ExitCode.FAILED if level is Level.FAIL else ExitCode.OK


async def _findings(run: Invocation, probe: bool) -> list[Finding]:
    try:
        settings = run.settings
    except BadInput as error:
        return [Finding("configuration", Level.FAIL, str(error), "mend the named setting; the rest is looked at then")]
    found = [Finding("configuration", Level.OK, f"model profile {settings.model_profile}")]
    found += await engine(run)
    found.append(diagnosis.data_dir(run))
    if found[-1].level is Level.OK:
        found.append(diagnosis.disk(run))
        found.append(await diagnosis.store(run))
        found.append(await asyncio.to_thread(intake, run))
    found += [await asyncio.to_thread(look) for look in (diagnosis.git, diagnosis.bash, diagnosis.ripgrep)]
    found.append(diagnosis.model(run))
    if probe:
        found.append(await diagnosis.endpoint(run))
    found.append(await asyncio.to_thread(secrets, run))
    found += [await payloads(run), await people(run)]
    return [*found, await sandbox(run), await asyncio.to_thread(limits, run), network(run)]


def worst(findings: Sequence[Finding]) -> Level:
    """The level of the whole diagnosis."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)


def table(findings: Sequence[Finding]) -> Table:
    """The diagnosis for people: a line for each finding, its remedy below."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold", ratio=1)
    for finding in findings:
        detail = Text(clean(finding.detail))
        if finding.remedy:
            detail.append(f"\n→ {finding.remedy}", style="dim")
        shown.add_row(Text(finding.level.value, style=STYLES[finding.level]), finding.name, detail)
    return shown
