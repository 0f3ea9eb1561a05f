"""A task as a person writes it: what to do, where, how to prove it, and within which limits."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, field_validator, model_validator

from longshift.contracts.completion import Verifier
from longshift.contracts.delivery import Deliver
from longshift.contracts.ids import LEAD, TASK_ID_PATTERN, agent_id
from longshift.contracts.ledger import OnLimit
from longshift.contracts.reviews import Autonomy
from longshift.contracts.stuck import StuckThresholds
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.swarm_plan import SwarmRules
from longshift.contracts.wire import UserInput

INSTRUCTIONS_MAX_CHARACTERS = 200_000
"""A Temporal payload warns at 512 KiB; four bytes a character plus the other fields stay below 1 MiB."""

MESSAGE_MAX_CHARACTERS = 20_000
"""A person's message travels as a signal, so it is bounded."""

SECRET_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
"""Also the name of a variable."""

Command = Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]

NETWORK_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$"
"""The name of a network profile."""

ORIGIN_MAX_CHARACTERS = 200
FAIRNESS_KEY_MAX_BYTES = 64
"""The engine's limit on a fairness key."""


class OnDeadline(StrEnum):
    """What happens when the active time or the budget is used up and the hand-off note is written."""

    CONTINUE = "continue"
    """Start a fresh agent from the hand-off note, with a new allowance of active time."""
    STOP = "stop"
    """End the session as `expired`."""
    ASK = "ask"
    """Hold the session until a person extends or cancels it."""


class WorkspaceSource(UserInput):
    """Where the files come from; exactly one of `git`, `directory`, `archive`, or none for an empty workspace."""

    git: str | None = None
    """A git URL or a path to a repository; it is cloned."""
    ref: str | None = None
    """Branch, tag or commit to check out; only with `git`."""
    directory: str | None = None
    """An absolute path; its files are copied, and the original stays untouched."""
    archive: str | None = None
    """An absolute path of a `.tar`, `.tar.gz`, `.tar.xz`, `.tar.bz2` or `.zip`; a single top folder is stripped."""
    allow_dirty: bool = False
    """Take a directory that is a git work tree with uncommitted changes; off, it is refused."""
    max_bytes: int = Field(default=4_000_000_000, gt=0)
    """A source larger than this is refused."""

    @model_validator(mode="after")
    def _at_most_one_source(self) -> Self:
        given = [name for name in ("git", "directory", "archive") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"workspace: {' and '.join(given)} are both set; keep one of them")
        if self.ref is not None and self.git is None:
            raise ValueError("workspace.ref needs workspace.git; set it or remove ref")
        return self


class Goal(UserInput):
    """What a measurement has to reach; exactly one of the four."""

    at_most: float | None = None
    at_least: float | None = None
    at_most_times_baseline: float | None = None
    """0.8 means: at most 80 % of the number measured before work started."""
    at_least_times_baseline: float | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "measure: set exactly one of at_most, at_least, at_most_times_baseline, at_least_times_baseline"
            )
        return self

    @property
    def needs_baseline(self) -> bool:
        """Whether the number from before work started is part of the goal."""
        return self.at_most_times_baseline is not None or self.at_least_times_baseline is not None


class Check(UserInput):
    """One proof of completion, run by the runner: a command that exits 0, or one that prints a number."""

    name: Annotated[str, StringConstraints(pattern=r"^[\w .:-]{1,60}$")]
    run: Command
    """A bash command, started in the workspace's root."""
    timeout_seconds: float = Field(default=1_800, gt=0, le=43_200)
    measure: Goal | None = None
    """When set, the last number on the last non-empty line of stdout is measured against this goal."""
    repeats: int = Field(default=1, ge=1, le=101)
    """How often a measurement is taken; the median counts."""


class Budget(UserInput):
    """Hard limits over the whole session."""

    active_hours: float = Field(default=12.0, gt=0, le=720)
    """Hours of active time; waiting for people or for a provider does not count."""
    steps: int | None = Field(default=4_000, gt=0)
    tokens: int | None = Field(default=None, gt=0)
    """Input, cached and output tokens together."""
    usd: float | None = Field(default=None, gt=0)
    """US dollars, by the prices of the model profiles."""
    warn_at_share: float | None = Field(default=None, gt=0, lt=1)
    """When so much of one of these is used, agent and people are told; the runner's own share when left out."""
    on_limit: OnLimit = OnLimit.ASK
    """What happens when the next model call does not fit tokens, dollars or steps: `ask` holds the session for a
    person, `stop` hands off and ends it as expired."""


class StartFrom(UserInput):
    """Another session that this one goes on from: its files, and its last note or its conversation."""

    session: Annotated[str, StringConstraints(pattern=TASK_ID_PATTERN)]
    """Its task's id. Nothing of it is changed."""
    step: int | None = Field(default=None, ge=1)
    """Its conversation up to and including this step goes on here, also while it runs. When empty, a fresh agent begins
    with its last hand-off note, its plan and what people said; it must have ended."""
    shift: int = Field(default=1, ge=1)
    """Whose step is meant where that session has had several shifts; only with `step`."""
    agent: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")] = LEAD
    """Which of its agents is meant; only with `step`."""
    message: Annotated[str, StringConstraints(max_length=MESSAGE_MAX_CHARACTERS)] = ""
    """A person's message that goes with the first request."""

    @model_validator(mode="after")
    def _only_steps_have_an_agent(self) -> Self:
        given = [name for name in ("shift", "agent") if getattr(self, name) != type(self).model_fields[name].default]
        if given and self.step is None:
            raise ValueError(f"start_from.{given[0]}: needs start_from.step; set it or leave this out")
        return self

    @property
    def place(self) -> str:
        """In short, for people: `mend`, `mend@12`, or `mend@12 of lead-2`."""
        if self.step is None:
            return self.session
        agent = agent_id(self.session, self.agent, self.shift).removeprefix(f"{self.session}/")
        return f"{self.session}@{self.step}" + ("" if agent == LEAD else f" of {agent}")


class TaskSpec(UserInput):
    """A task. Markdown front matter or JSON; the Markdown body is `instructions`."""

    id: Annotated[str, StringConstraints(pattern=TASK_ID_PATTERN)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    instructions: Annotated[str, StringConstraints(min_length=1, max_length=INSTRUCTIONS_MAX_CHARACTERS)]
    workspace: WorkspaceSource = WorkspaceSource()
    setup: tuple[Command, ...] = ()
    """Bash commands that make the workspace ready, in order; one that fails ends the session before any model call."""
    setup_timeout_seconds: float = Field(default=1_800, gt=0, le=43_200)
    setup_secrets: tuple[Annotated[str, StringConstraints(pattern=SECRET_NAME_PATTERN)], ...] = ()
    """Names of secrets of the runner's configuration. Setup commands find them in variables of these names; when the
    setup is over, they have to be gone from the workspace."""
    checks: tuple[Check, ...] = ()
    protected: tuple[str, ...] = ()
    """Globs (gitignore syntax) of files that must not change; an edit makes the checks red."""
    constraints: tuple[str, ...] = ()
    """Rules that stay in the context verbatim, whatever else is compressed."""
    model: str | None = None
    """Name of a model profile; the worker's default when empty."""
    fallback_models: tuple[str, ...] | None = None
    """Model profiles that take over, in this order, when the provider stays down; the worker's own when left out."""
    budget: Budget = Budget()
    on_deadline: OnDeadline = OnDeadline.STOP
    autonomy: Autonomy = Autonomy.BALANCED
    """When the agent has to ask a person."""
    stuck: StuckThresholds = StuckThresholds()
    """When the agent counts as stuck."""
    verifier: Verifier | None = None
    """Another model call that judges the work before `finish` is accepted; off when empty."""
    network: Annotated[str, StringConstraints(pattern=NETWORK_PATTERN)] | None = None
    """The network profile of the agent's commands and of the checks; `none`, or the runner's own when left out."""
    setup_network: Annotated[str, StringConstraints(pattern=NETWORK_PATTERN)] | None = None
    """The network profile of the setup commands, which ends with them."""
    deliver: Deliver | None = None
    """A branch, and a pull request, of a result that is done; when empty, the patch and the report are all there is."""
    tenant: Annotated[str, StringConstraints(max_length=64)] = "default"
    priority: int = Field(default=3, ge=1, le=5)
    """Place in the queue: 1 goes before 2, and so on; within one priority the fairness keys take turns."""
    fairness_key: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Whose turn this task counts as; when empty, its tenant or its repository, as the runner's `fairness_by` says."""
    fairness_weight: float = Field(default=1.0, ge=0.001, le=1000)
    """A key of weight 2 gets twice as many turns as one of weight 1."""
    not_before: AwareDatetime | None = None
    """The task waits outside of the queue until then; a time with its zone, such as `2026-12-24T18:00:00+01:00`."""
    origin: Annotated[str, StringConstraints(max_length=ORIGIN_MAX_CHARACTERS)] = ""
    """Which way the task came in from outside, such as `webhook:crm`; the runner says so itself. Then title,
    instructions and constraints stand in the prompt as somebody else's words."""
    start_from: StartFrom | None = None
    """Another session that this one goes on from; `workspace` is then fetched for what checkpoints do not hold."""
    swarm: SwarmRules = SwarmRules()
    """What holds for the sub-agents of this task."""
    sub_agent: SubAgent | None = None
    """Only in tasks that the runner writes itself, for the items of a swarm; refused in what is submitted."""

    @field_validator("checks")
    @classmethod
    def _unique_names(cls, checks: tuple[Check, ...]) -> tuple[Check, ...]:
        names = [check.name for check in checks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"checks: two are named {name!r}; names must differ")
        return checks

    @model_validator(mode="after")
    def _starts_from_another(self) -> Self:
        if self.start_from is not None and self.start_from.session == self.id:
            raise ValueError("start_from.session: is this task's own id; name another session")
        return self

    @model_validator(mode="after")
    def _delivers_to_a_repository(self) -> Self:
        if self.deliver is not None and self.workspace.git is None:
            raise ValueError("deliver: a branch needs a repository; set workspace.git or remove deliver")
        return self

    @field_validator("fairness_key")
    @classmethod
    def _fits_the_engine(cls, key: str | None) -> str | None:
        if key is not None and len(key.encode()) > FAIRNESS_KEY_MAX_BYTES:
            raise ValueError(f"fairness_key: {len(key.encode())} bytes; at most {FAIRNESS_KEY_MAX_BYTES}, shorten it")
        return key

    @property
    def repository(self) -> str:
        """What the Web UI lists the session under: the source of its files."""
        source = self.workspace
        return source.git or source.directory or source.archive or "empty"
