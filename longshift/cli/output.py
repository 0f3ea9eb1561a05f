"""The two ways in which a command answers: JSON for machines, text for people. What is said is decided elsewhere.

Answers go to stdout, remarks to stderr, so that a pipe holds nothing but the answer.
"""

import os
import sys
from typing import Any

import orjson
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.text import Text

from longshift.cli.terminal_text import clean

PIPE_COLUMNS = 160
"""Width of tables where there is no terminal."""


def console(*, to_stderr: bool = False) -> Console:
    """A console that neither guesses at markup nor recolours numbers; colours only on a terminal."""
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_COLUMNS
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


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
    """One JSON document, with a line end."""
    option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
    body = orjson.dumps(value, default=_plain, option=option)
    sys.stdout.write(body.decode())
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # of texts
    if isinstance(value, os.PathLike):
        return os.fspath(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any path
    raise TypeError(f"no JSON form of {type(value).__name__}")
