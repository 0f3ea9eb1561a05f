"""Evidence of what an agent does, step by step, the signals that it is stuck, and what was done about them.

Nothing here judges: `policy.stuck` finds signals, `policy.ladder` decides what follows from them.
"""

from enum import StrEnum
from operator import not_

from pydantic import Field

from longshift.contracts.wire import UserInput, Wire


class SignalKind(StrEnum):
    """What an agent that is stuck looks like."""

    REPETITION = "repetition"
    """The same calls with the same results, in a cycle of any length."""
    ERROR_STREAK = "error_streak"
    """Step after step fails."""
    MALFORMED_CALLS = "malformed_calls"
    """Step after step has nothing but calls that fail the format check."""
    MONOLOGUE = "monologue"
    """Answer after answer has no call at all."""
    OSCILLATION = "oscillation"
    """The files come back to an earlier state again and again."""
    NO_NEW_INFORMATION = "no_new_information"
    """Whatever is called, what comes back has been seen before, and nothing changes."""
    CHECK_PLATEAU = "check_plateau"
    """The files change, and the same check or command fails in the same way again and again."""
    FALSE_COMPLETION = "false_completion"
    """`finish` is called again and again although it is refused."""
    COMPACTION_THRASH = "compaction_thrash"
    """The context is compacted every few steps, or what was compacted is read again."""
    NO_PROGRESS = "no_progress"
    """Budget goes, and neither files, checks nor plan move."""


class Severity(StrEnum):
    """How sure a signal is, and how much it costs to ignore it."""

    LOW = "low"
    """Worth a nudge, never more by itself."""
    MEDIUM = "medium"
    HIGH = "high"
    """As good as certain; the ladder need not wait as long between two rungs."""


class Signal(Wire):
    """One reason to believe that an agent is stuck, with its evidence."""

    kind: SignalKind
    severity: Severity
    first_step: int
    last_step: int
    """The steps that it is about, both included."""
    evidence: tuple[str, ...] = ()
    """Sentences for model and people: what repeated, how often, what did not change. At most 5 of 300 characters."""


class StuckThresholds(UserInput):
    """When a signal is raised; one value, adjustable per task (`stuck:`) from these defaults."""

    enabled: bool = True
    """Off: evidence is kept, and nothing is done about it."""
    repeats: int = Field(default=4, ge=2, le=50)
    """A cycle of one step, so often in a row."""
    cycle_repeats: int = Field(default=3, ge=2, le=50)
    """A cycle of two or more steps, so often in a row."""
    errors: int = Field(default=6, ge=2, le=60)
    """Steps in a row in which every call failed."""
    malformed: int = Field(default=4, ge=2, le=60)
    """Steps in a row in which every call failed the format check."""
    monologue: int = Field(default=3, ge=2, le=60)
    """Answers in a row without a call."""
    returns: int = Field(default=3, ge=2, le=50)
    """How often within the window the files come back to a state that they had left."""
    stale_steps: int = Field(default=15, ge=4, le=60)
    """Steps in a row that bring nothing new and change nothing."""
    plateau: int = Field(default=6, ge=2, le=50)
    """So often in a row the same failure after the files had changed."""
    refused_finishes: int = Field(default=4, ge=2, le=50)
    """`finish` refused with the same checks red, so often in a row."""
    thrash_steps: int = Field(default=8, ge=1, le=200)
    """Compactions on average so few steps apart, over the latest four."""
    repeated_reads_share: float = Field(default=0.8, gt=0, le=1)
    """Of at least 20 reads since a compaction, so many repeat what was read before it."""
    idle_steps: int = Field(default=150, ge=10, le=4_000)
    """Steps without progress in files, checks or plan."""
    grace_steps: int = Field(default=6, ge=1, le=200)
    """After a rung of the ladder the agent has so many steps before the next one."""
    calm_steps: int = Field(default=25, ge=2, le=1_000)
    """So many steps in a row without any signal take the ladder one rung down."""


class CallEvidence(Wire):
    """One call of a step. What is not set is not written: an agent carries up to 104 of these."""

    name: str
    signature: str
    """Hash of the name and the canonical arguments, whatever the model said about them."""
    result: str = Field(default="", exclude_if=not_)
    """Hash of the result without its volatile parts; empty where there is none."""
    result_bytes: int = Field(default=0, exclude_if=not_)
    failed: bool = Field(default=False, exclude_if=not_)
    """The result is an error, a command's exit code other than 0 included."""
    rejected: bool = Field(default=False, exclude_if=not_)
    """The call failed the format check, or a rule or a person did not let it run."""
    changes: bool = Field(default=False, exclude_if=not_)
    """It may have changed files."""
    waits: bool = Field(default=False, exclude_if=not_)
    """It looked at a job that still runs: waiting is work."""
    summary: str = Field(default="", exclude_if=not_)
    """One line for people and the model, at most 120 characters."""


class StepEvidence(Wire):
    """What is known of a closed step, for the detector."""

    step: int
    calls: tuple[CallEvidence, ...] = ()
    tree: str = Field(default="", exclude_if=not_)
    """Hash of the files after the step; empty until a checkpoint tells, and where nothing may have changed."""
    green: int | None = None
    """How many checks were green, where they were run in this step."""
    checks: str = Field(default="", exclude_if=not_)
    """Hash of which checks were red and how, where they were run in this step."""
    finish_refused: bool = Field(default=False, exclude_if=not_)
    plan_done: int = Field(default=0, exclude_if=not_)
    """Lines of the plan that are done."""
    tokens: int = Field(default=0, exclude_if=not_)
    """What the step cost."""
    compacted: bool = Field(default=False, exclude_if=not_)
    """A compaction came before it."""
    did: str = Field(default="", exclude_if=not_)
    """Hash of all its calls and their results, whatever their order; the detector sets it."""
    stale: bool = Field(default=False, exclude_if=not_)
    """Whatever its calls gave had been seen before; the detector says so when it sees the step."""
    folded: int = Field(default=0, exclude_if=not_)
    """So many calls stand in one, without hashes of its own; 0 where each stands for itself."""


class Rung(StrEnum):
    """How far the ladder was climbed."""

    NONE = "none"
    NUDGE = "nudge"
    """A message with the evidence."""
    REPLAN = "replan"
    """The approach is recorded as failed, and a new plan is demanded."""
    ROLLBACK = "rollback"
    """The files are those of the last good step again."""
    ESCALATE = "escalate"
    """A person is asked."""


class RungTaken(Wire):
    """One rung of the ladder, as it was taken."""

    rung: Rung
    step: int
    signal: Signal
    """The gravest reason."""


class Streak(Wire):
    """Something that failed again and again in the same way, however many steps were between."""

    key: str
    """What failed: a call, whatever a tool said, the checks, `finish`."""
    outcome: str
    """Hash of how."""
    steps: tuple[int, ...]
    """In which steps, the latest 50."""


class StuckState(Wire):
    """What the detector remembers and where the ladder stands; bounded, and carried through everything."""

    steps: tuple[StepEvidence, ...] = ()
    """The latest ones, oldest first."""
    seen: tuple[str, ...] = ()
    """Hashes of results and of states of the files, as they were before those steps; bounded."""
    tree_before: str = ""
    """The last known hash of the files before those steps."""
    streaks: tuple[Streak, ...] = ()
    """The latest 8, the one that was met last at the end."""
    idle: int = 0
    """Steps since the last progress, without those that waited for a job."""
    spent_tokens: int = 0
    """The agent's tokens when the last step was closed."""
    progress_step: int = 0
    """The last step in which files took a new state, a check turned green or a line of the plan was done."""
    signals: tuple[Signal, ...] = ()
    """What holds after the last step."""
    rung: Rung = Rung.NONE
    rung_step: int = 0
    """The step after which it was taken."""
    calm_steps: int = 0
    """Steps in a row without a signal."""
    taken: tuple[RungTaken, ...] = ()
    """The latest 20, for people."""
    counts: dict[str, int] = {}
    """Rung → how often it was taken over the agent's life."""
    failed_approaches: tuple[str, ...] = ()
    """What was tried and given up, the latest 10 of at most 500 characters; compactions keep them word for word."""
    replan_from: tuple[str, ...] = ()
    """The open lines of the plan that failed: a new one has to differ. Empty: none is demanded."""
    best_green: int = -1
    """The most checks that were ever green at once; -1: never run."""
    best_step: int = 0
    """The first step with so many."""
