"""The base of every value that crosses a process boundary.

A wire value is frozen and tolerant of fields it does not know, so that a history or an object written by
another release still loads. New fields always get defaults; `tests/golden` keeps one file per value for ever.
"""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A frozen value with a stable JSON form."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class UserInput(BaseModel):
    """A frozen value that a person writes: an unknown key is an error, never silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolArguments(BaseModel):
    """The base of all arguments of tools: unknown keys are refused, numbers in strings are accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")
