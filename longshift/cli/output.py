"""The two ways in which a command answers: JSON for machines, text for people. What is said is decided elsewhere.

Answers go to stdout, remarks to stderr, so that a pipe holds nothing but the answer.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, cast

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


class CleanStream:
    """A stream that takes secrets out of what is written to it; in all else it is the stream itself."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._clean = clean

    def write(self, text: str) -> int:
        """Write it, cleaned."""
        return self._stream.write(self._clean(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console(*, to_stderr: bool = False, clean: Callable[[str], str] = str) -> Console:
    """A console that neither guesses at markup nor recolours numbers; colours only on a terminal."""
    stream = sys.stderr if to_stderr else sys.stdout
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # an encoding that lacks a character is no reason to fail
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_COLUMNS
    clean_stream = cast("TextIO", CleanStream(stream, clean))
    return PipeConsole(file=clean_stream, width=width, markup=False, highlight=False, emoji=False)


class Output:
    """What one command says."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.clean: Callable[[str], str] = str
        """Takes secrets out of every answer; the settings know them."""
        self.console = console(clean=self._cleaned)
        self._remarks = console(to_stderr=True, clean=self._cleaned)

    @property
    def is_live(self) -> bool:
        """Whether a person looks at a terminal that can be redrawn."""
        return not self.json and self.console.is_terminal and not self.console.is_dumb_terminal

    def document(self, value: Any, *renderables: RenderableType) -> None:
        """The whole answer: `value` for machines, `renderables` for people."""
        if self.json:
            write_json(value, indent=True, clean=self.clean)
        else:
            self.show(*renderables)

    def event(self, value: Any, *renderables: RenderableType) -> None:
        """One event of several: a line of JSON for machines, `renderables` for people."""
        if self.json:
            write_json(value, clean=self.clean)
        else:
            self.show(*renderables)

    def show(self, *renderables: RenderableType) -> None:
        """Text for people. Lines are not broken where no terminal is: programs may read them."""
        for each in renderables:
            self.console.print(each, soft_wrap=isinstance(each, str | Text) and not self.console.is_terminal)

    def remark(self, text: str, style: str = "dim") -> None:
        """Something beside the answer."""
        self._remarks.print(Text(clean(text), style=style), soft_wrap=True)

    def _cleaned(self, text: str) -> str:
        return self.clean(text)


def write_json(value: Any, *, indent: bool = False, clean: Callable[[str], str] = str) -> None:
    """One JSON document in UTF-8, whatever the terminal's encoding is, with a line end."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    write_bytes(clean(orjson.dumps(value, default=_plain, option=option).decode()).encode())


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
