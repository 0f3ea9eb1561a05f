"""The tools of the first release: their names, classes and arguments, and the digests of their results.

The arguments' pydantic models are the one source of the JSON schemas that the model sees and of the check
that every call passes before it is stored. Descriptions for the model are `.md` files beside each tool's code.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from longshift.contracts.completion import MAX_CLAIMS, MAX_PROPOSED_CHECKS, ProposedCheck
from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.model import ToolClass
from longshift.contracts.read_report import ReadReportArguments
from longshift.contracts.wire import ToolArguments, Wire
from longshift.contracts.workspace import Workspace

OUTPUT_LIMIT_CHARACTERS = 30_000
"""Tool output beyond this keeps head and tail, and names the path of the whole."""

Path = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class BashArguments(ToolArguments):
    """Arguments of `bash`."""

    command: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] = Field(
        description="The bash script to run, in a fresh shell in the workspace root."
    )
    timeout_seconds: float = Field(
        default=600, gt=0, le=43_200, description="Seconds after which the whole process group is killed."
    )
    background: bool = Field(default=False, description="Return at once with a job id; the job survives this call.")


class BashOutputArguments(ToolArguments):
    """Arguments of `bash_output`."""

    job: str = Field(description="The job id that bash returned.")
    wait_seconds: float = Field(default=0, ge=0, le=600, description="Wait up to this long for the job to end.")


class BashKillArguments(ToolArguments):
    """Arguments of `bash_kill`."""

    job: str = Field(description="The job id that bash returned.")


class ReadFileArguments(ToolArguments):
    """Arguments of `read_file`."""

    path: Path = Field(description="Path relative to the workspace root, or the absolute path of a stored tool output.")
    offset: int = Field(default=1, ge=1, description="First line to read, counted from 1.")
    limit: int = Field(default=2_000, ge=1, le=20_000, description="How many lines to read.")


class WriteFileArguments(ToolArguments):
    """Arguments of `write_file`."""

    path: Path = Field(description="Path relative to the workspace root; missing folders are created.")
    content: str = Field(description="The whole new content.")


class EditFileArguments(ToolArguments):
    """Arguments of `edit_file`."""

    path: Path = Field(description="Path relative to the workspace root.")
    old: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="Text to replace, exactly as it stands in the file; must occur once unless replace_all is true."
    )
    new: str = Field(description="The replacement.")
    replace_all: bool = Field(default=False, description="Replace every occurrence.")


class GlobArguments(ToolArguments):
    """Arguments of `glob`."""

    pattern: str = Field(min_length=1, description="A glob such as **/*.py, relative to path.")
    path: str = Field(default=".", description="Folder to search, relative to the workspace root.")


class GrepArguments(ToolArguments):
    """Arguments of `grep`; ripgrep semantics."""

    pattern: str = Field(min_length=1, description="A regular expression in ripgrep syntax.")
    path: str = Field(default=".", description="File or folder to search, relative to the workspace root.")
    glob: str | None = Field(default=None, description="Only files that match this glob.")
    ignore_case: bool = Field(default=False)
    context_lines: int = Field(default=0, ge=0, le=20)
    max_matches: int = Field(default=250, ge=1, le=5_000, description="Matching lines to return at most.")


class PlanItemStatus(StrEnum):
    """The state of one line of the plan."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class PlanItem(Wire):
    """One line of the agent's plan."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    status: PlanItemStatus = PlanItemStatus.PENDING


class UpdatePlanArguments(ToolArguments):
    """Arguments of `update_plan`."""

    items: tuple[PlanItem, ...] = Field(
        min_length=1, max_length=50, description="The whole plan, in order; it replaces the previous one."
    )
    checks: tuple[ProposedCheck, ...] | None = Field(
        default=None,
        max_length=MAX_PROPOSED_CHECKS,
        description="Only for a task that declares no checks: how completion is proved. Left out, the last ones stay.",
    )


class VerifiedCommand(Wire):
    """One line of `finish`'s `verified`."""

    command: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] = Field(
        description="The command, as it was run."
    )
    outcome: Annotated[str, StringConstraints(max_length=2_000)] = Field(
        default="", description="What came of it, such as: 42 passed."
    )


class FinishArguments(ToolArguments):
    """Arguments of `finish`."""

    summary: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] = Field(
        description="What was done, what was verified and how, and what is left."
    )
    verified: tuple[VerifiedCommand, ...] = Field(
        default=(),
        max_length=MAX_CLAIMS,
        description="The commands that you ran to verify it; the runner compares them with what was run.",
    )
    measurements: dict[Annotated[str, StringConstraints(min_length=1, max_length=60)], float] = Field(
        default={}, max_length=20, description="Numbers that you measured, by name with the unit in it."
    )
    open_questions: tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...] = Field(
        default=(), max_length=10, description="What is left to decide, for whoever gave you the work."
    )


class AskHumanArguments(ToolArguments):
    """Arguments of `ask_human`."""

    question: Annotated[str, StringConstraints(min_length=1, max_length=2_000)] = Field(
        description="The question, with all that a person needs in order to answer it without reading anything else."
    )
    choices: tuple[Annotated[str, StringConstraints(min_length=1, max_length=75)], ...] = Field(
        default=(), max_length=10, description="Answers to choose from; a person may also reply in their own words."
    )


TOOL_CLASSES: dict[str, ToolClass] = {
    "bash": ToolClass.EFFECT,
    "bash_output": ToolClass.PURE,
    "bash_kill": ToolClass.IDEMPOTENT,
    "read_file": ToolClass.PURE,
    "write_file": ToolClass.IDEMPOTENT,
    "edit_file": ToolClass.IDEMPOTENT,
    "glob": ToolClass.PURE,
    "grep": ToolClass.PURE,
    "update_plan": ToolClass.IDEMPOTENT,
    "ask_human": ToolClass.PURE,
    "finish": ToolClass.PURE,
    "delegate": ToolClass.EFFECT,
    "read_report": ToolClass.PURE,
}

TOOL_ARGUMENTS: dict[str, type[ToolArguments]] = {
    "bash": BashArguments,
    "bash_output": BashOutputArguments,
    "bash_kill": BashKillArguments,
    "read_file": ReadFileArguments,
    "write_file": WriteFileArguments,
    "edit_file": EditFileArguments,
    "glob": GlobArguments,
    "grep": GrepArguments,
    "update_plan": UpdatePlanArguments,
    "ask_human": AskHumanArguments,
    "finish": FinishArguments,
    "delegate": DelegateArguments,
    "read_report": ReadReportArguments,
}

READ_REPORT = "read_report"

FINISH = "finish"
"""The call that asks the runner to prove completion; it never reaches a host as a tool."""
ASK_HUMAN = "ask_human"
"""The call that a person answers; it never reaches a host either."""
UPDATE_PLAN = "update_plan"
DELEGATE = "delegate"
"""The call that sub-agents carry out: the workflow starts them, no host runs it as a tool."""


class Job(Wire):
    """A background job of an agent, as its host knows it."""

    job: str
    """The id that the model was given."""
    command: str
    """At most 300 characters of it."""
    state: str
    """In words, such as `running` or `ended with exit code 1`."""


class JobsDigest(Wire):
    """The background jobs of an agent, in the order of their start; the latest 20."""

    jobs: tuple[Job, ...] = ()


class ToolStatus(StrEnum):
    """How far a tool call has come."""

    OK = "ok"
    ERROR = "error"
    """The tool failed in a way the model can act on; a value, not an exception."""
    LOST = "lost"
    """The command's supervisor died; whether it had effects is unknown. Never run again."""
    RUNNING = "running"
    """Only from a quick call: the command goes on, follow it with `run_tool`."""
    ELSEWHERE = "elsewhere"
    """Only from a quick call: this worker is not the workspace's host."""


class RunToolInput(Wire):
    """One tool call to run; the arguments are read from the step's answer in the store."""

    agent: str
    epoch: int
    step: int
    index: int
    name: str
    tool_class: ToolClass
    workspace: Workspace


class ToolDigest(Wire):
    """What the workflow learns of a tool's result; the body is in the store under `ids.result_key`."""

    index: int
    status: ToolStatus
    result_hash: str = ""
    """SHA-256 (first 16 hex digits) of the text with volatile parts (times, pids, addresses) normalised."""
    result_bytes: int = 0
    changes_workspace: bool = False
    """The call may have changed files, so a checkpoint is due."""
    duration_seconds: float = 0.0
    plan: tuple[PlanItem, ...] | None = None
    """The new plan, after `update_plan`."""
    proposed: tuple[ProposedCheck, ...] | None = None
    """The checks that came with it; None: it named none."""
    ended_job: str = ""
    """The background job that the call saw to have ended."""
    ended_ok: bool = False
    """That job ended with exit code 0."""
    summary: str = ""
    """One line for people, at most 120 characters."""
    generation: int = 1
    """The slot under which the result was stored."""
    lost_with_host: bool = False
    """The host went away with the call: there is no stored result."""
    waits: bool = False
    """The call looked at a job that still runs."""
