"""`docs/cli.md`, the README and the help say what there is, and nothing else."""

import re
from pathlib import Path

import pytest

from longshift.cli.app import EPILOG, app
from longshift.cli.command import SHARED
from longshift.cli.exit_codes import ExitCode
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
OPTION = re.compile(r"--[a-z][a-z-]+")
COMMANDS = [
    *(str(command.name) for command in app.registered_commands),
    *(
        f"{group.name} {command.name}"
        for group in app.registered_groups
        if group.typer_instance
        for command in group.typer_instance.registered_commands
    ),
]
"""Those of a group after its name."""


def cells(path: str, heading: str) -> list[str]:
    """The first cells of the table below a heading."""
    text = (ROOT / path).read_text(encoding="utf-8")
    section = re.split(r"^#", text.partition(f"{heading}\n")[2], flags=re.MULTILINE)[0]
    return [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")][2:]


def test_the_page_lists_exactly_the_commands_in_their_order() -> None:
    listed = [
        name
        for cell in cells("docs/cli.md", "# The command line")
        for name in re.findall(r"`([a-z-]+(?: [a-z-]+)?)", cell)
    ]
    assert COMMANDS == listed


def test_the_page_lists_exactly_the_exit_codes() -> None:
    assert [int(code) for code in ExitCode] == [int(cell) for cell in cells("docs/cli.md", "## Exit codes")]


def test_the_help_lists_exactly_the_exit_codes() -> None:
    assert [int(code) for code in ExitCode] == [int(found) for found in re.findall(r"\d+", EPILOG)]


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    named = {
        name for cell in cells("README.md", "## Commands") for name in re.findall(r"`(?:longshift )?([a-z-]+)", cell)
    }
    assert set() == named - {word for name in COMMANDS for word in name.split()[:1]}


def test_the_page_names_only_options_that_exist(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    helps = [longshift("--help").out, *(longshift(*name.split(), "--help").out for name in COMMANDS)]
    known = {option for text in helps for option in OPTION.findall(text)}
    assert set() == set(OPTION.findall((ROOT / "docs" / "cli.md").read_text(encoding="utf-8"))) - known


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_takes_the_shared_options(longshift: Command, name: str) -> None:
    outcome = longshift(*name.split(), "--help")
    missing = [option for option in SHARED if f"--{option.replace('_', '-')}" not in outcome.out]
    assert (0, [], "") == (outcome.code, missing, outcome.err)
