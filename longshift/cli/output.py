"""The two ways in which a command answers: JSON for machines, text for people. What is said is decided elsewhere.

Answers go to stdout, remarks to stderr, so that a pipe holds nothing but the answer.
"""

import os
import sys
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.text import Text

from longshift.cli.terminal_text import clean

PIPE_COLUMNS = 160
"""Width of tables where there is no terminal."""


class PipeConsole(Console):
    """A console that leaves it to `longshift.cli.run` what a reader's end means; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Nobody reads any more."""
        raise BrokenPipeError


def console(*, to_stderr: bool = False) -> Console:
    """A console that neither guesses at markup nor recolours numbers; colours only on a terminal."""
    stream = sys.stderr if to_stderr else sys.stdout
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # an encoding that lacks a character is no reason to fail
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_COLUMNS
    return PipeConsole(file=stream, width=width, markup=False, highlight=False, emoji=False)


class Output:
    """What one command says."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.console = console()
        self._remarks = console(to_stderr=True)

    @property
    def is_live(self) -> bool:
        """Whether a person looks at a terminal that can be redrawn."""
        return not self.json and self.console.is_terminal and not self.console.is_dumb_terminal

    def document(self, value: Any, *renderables: RenderableType) -> None:
        """The whole answer: `value` for machines, `renderables` for people."""
        if self.json:
            write_json(value, indent=True)
        else:
            self.show(*renderables)

    def event(self, value: Any, *renderables: RenderableType) -> None:
        """One event of several: a line of JSON for machines, `renderables` for people."""
        if self.json:
            write_json(value)
        else:
            self.show(*renderables)

    def show(self, *renderables: RenderableType) -> None:
        """Text for people. Lines are not broken where no terminal is: programs may read them."""
        for each in renderables:
            self.console.print(each, soft_wrap=isinstance(each, str | Text) and not self.console.is_terminal)

    def remark(self, text: str, style: str = "dim") -> None:
        """Something beside the answer."""
        self._remarks.print(Text(clean(text), style=style), soft_wrap=True)


def write_json(value: Any, *, indent: bool = False) -> None:
    """One JSON document in UTF-8, whatever the terminal's encoding is, with a line end."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    write_bytes(orjson.dumps(value, default=_plain, option=option))


def write_bytes(body: bytes) -> None:
    """`body` as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON form of {type(value).__name__}")
