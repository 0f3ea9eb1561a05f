"""Texts for people in the Web UI: activity summaries (at most 200 characters) and current details (markdown)."""

import re

from longshift.contracts.agent import AgentProgress, AgentState, Phase
from longshift.contracts.completion import PROPOSED_RUN_CHARACTERS, CompletionReport, ProposedCheck
from longshift.contracts.delivery import BranchDelivery
from longshift.contracts.ledger import Spend
from longshift.contracts.model import CallDigest
from longshift.contracts.reviews import Review
from longshift.contracts.session import SessionStatus
from longshift.contracts.stuck import Rung
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.policy import network, review_list, reviews, rollback, swarm_words

SUMMARY_LIMIT_CHARACTERS = 200
DETAILS_LIMIT_CHARACTERS = 8_000
"""The engine takes 20,000 bytes of details."""

_MARKS = {PlanItemStatus.PENDING: " ", PlanItemStatus.IN_PROGRESS: "~", PlanItemStatus.DONE: "x"}


_ON_HOST = frozenset({Phase.TOOLS, Phase.CHECKS, Phase.VERIFY, Phase.DELEGATE})
_PLAN_LINE = re.compile(r"- \[([ ~x])\] (.*)")
_CHECKS_OF_PLAN = "\n\nChecks of this plan, which the runner runs at finish (exit code 0 is green):\n"
_CHECK_LINE = re.compile(r"- ([^\n`]{1,60}): `(.*)")


def model_summary(state: AgentState) -> str:
    """The line of a model call: with what the step before did, as quick calls have no line of their own."""
    used, window = state.context_tokens // 1000, state.window_tokens // 1000
    fill = f" · {used}k/{window}k context" if window else ""
    after = f" · after {state.last_calls}" if state.last_calls else ""
    return f"step {state.step} · model{fill}{after}"[:SUMMARY_LIMIT_CHARACTERS]


def tool_summary(step: int, call: CallDigest) -> str:
    """The line of a tool call."""
    return f"step {step} · {call.summary or call.name}"[:SUMMARY_LIMIT_CHARACTERS]


_NEXT = {
    Phase.MODEL: "ask the model",
    Phase.CHECKS: "run the checks",
    Phase.VERIFY: "have the work verified",
    Phase.DELEGATE: "delegate to sub-agents",
    Phase.COMPACT: "compact the context",
    Phase.HANDOFF: "write the last hand-off note",
    Phase.PARKED: "wait for a person",
    Phase.WAITING: "wait for the provider",
    Phase.ENDED: "nothing, the agent has ended",
}


def next_action(state: AgentState) -> str:
    """What the agent does next, in a few words."""
    if not state.has_slot and (state.phase in _ON_HOST or rollback.is_due(state)):
        return "wait for a slot"
    if state.rollback is not None and rollback.is_due(state):
        return f"roll back to step {state.rollback.to_step}"
    if state.phase is not Phase.TOOLS:
        return _NEXT[state.phase]
    answered = {result.index for result in state.results}
    return next((call.summary or call.name for call in state.calls if call.index not in answered), "run tools")


def plan_text(plan: tuple[PlanItem, ...], checks: tuple[ProposedCheck, ...] = ()) -> str:
    """The plan as a list with marks (done, in progress, pending), then the checks that it proposes."""
    items = "\n".join(f"- [{_MARKS[item.status]}] {item.title}" for item in plan)
    lines = "\n".join(f"- {check.name}: `{check.run}`" for check in checks)
    return f"{items}{_CHECKS_OF_PLAN}{lines}" if checks else items


def checks_of_text(text: str) -> tuple[ProposedCheck, ...]:
    """The checks in a text of `plan_text`; what is no such line belongs to the command before it."""
    rows: list[tuple[str, str]] = []
    for line in text.partition(_CHECKS_OF_PLAN)[2].split("\n"):
        found = _CHECK_LINE.fullmatch(line)
        if found is not None and is_check_name(found[1]):
            rows.append((found[1], found[2]))
        elif rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]}\n{line}")
    whole = [(name, run.removesuffix("`").strip()[:PROPOSED_RUN_CHARACTERS]) for name, run in rows]
    return tuple(ProposedCheck(name=name, run=run) for name, run in whole if run)


def is_check_name(text: str) -> bool:
    """Whether a text can name a check, whatever rules for words a library of regular expressions has."""
    return 0 < len(text) <= 60 and all(letter.isalpha() or letter.isdecimal() or letter in "_ .:-" for letter in text)


def plan_of_text(text: str) -> tuple[PlanItem, ...]:
    """The plan that `plan_text` made this text of; what is no such line belongs to the title before it."""
    text = text.partition(_CHECKS_OF_PLAN)[0]
    statuses = {mark: status for status, mark in _MARKS.items()}
    rows: list[tuple[PlanItemStatus, str]] = []
    for line in text.split("\n"):
        found = _PLAN_LINE.fullmatch(line)
        if found is not None:
            rows.append((statuses[found[1]], found[2]))
        elif rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]}\n{line}")
    return tuple(PlanItem(title=title, status=status) for status, title in rows if title)


def agent_details(progress: AgentProgress) -> str:
    """The agent's page."""
    usage = progress.usage
    rows = [
        ("phase", "paused" if progress.paused else progress.phase.value),
        ("next", progress.next_action),
        ("step", f"{progress.step} (epoch {progress.epoch}, run {progress.runs})"),
        ("compactions", compactions(progress)),
        ("rolled back", progress.last_rollback or "never"),
        ("stuck", stuck(progress) or "no"),
        ("model", progress.profile + (f" ({progress.last_handover})" if progress.last_handover else "")),
        ("context", _fill(progress)),
        ("tokens", f"{usage.total_tokens:,} ({usage.cached_tokens:,} cached, {usage.output_tokens:,} out)"),
        ("cost", f"${progress.cost_usd:.2f}{_unknown(progress.unknown)}"),
        ("tool calls", str(progress.tool_calls)),
        ("files changed", str(progress.changed_files)),
        ("checks", _checks(progress)),
        *(
            ("claims", f"{len(said.claims) - len(said.unproved)} of {len(said.claims)} proved")
            for said in _claimed(progress)
        ),
    ]
    parts = [_table(rows)]
    if progress.attention:
        parts.insert(0, f"**Needs a person ({progress.attention.kind})**: {progress.attention.text[:500]}")
    if progress.plan:
        parts.append("### Plan\n" + plan_text(progress.plan))
    if progress.last_text:
        parts.append(f"### The agent last said\n> {progress.last_text[:500]}")
    return "\n\n".join(parts)[:DETAILS_LIMIT_CHARACTERS]


def _checks(progress: AgentProgress) -> str:
    said = progress.checks.headline if progress.checks else "not run yet"
    return f"{said}, proposed by the agent" if progress.completion and progress.completion.proposed else said


def _claimed(progress: AgentProgress) -> list[CompletionReport]:
    return [progress.completion] if progress.completion and progress.completion.claims else []


def session_details(status: SessionStatus) -> str:
    """The session's page."""
    limit = status.active_limit_seconds
    rows = [
        ("state", status.state.value),
        ("agent", f"`agent/{status.agent}`" if status.agent else "none yet"),
        ("active time", f"{status.active_seconds / 3600:.1f} of {limit / 3600:.1f} h, shift {status.shift}"),
        ("model", status.profile),
    ]
    if status.spent.tokens:
        spent = status.spent
        rows.append(("spent", f"${spent.usd:.2f}, {spent.tokens:,} tokens{_unknown(status.unknown)}"))
    rows += [("swarm", swarm_words.line(each)) for each in status.swarms[-3:]]
    if status.workspace:
        rows.append(("workspace", f"`{status.workspace.root}` on {status.workspace.host_id}"))
        rows.append(("sandbox", _sandbox(status.workspace.sandbox)))
        if status.workspace.network:
            rows.append(("network", network.described(status.workspace.network, status.workspace.sandbox)))
    if status.delivery:
        rows.append(("artifacts", ", ".join(f"`{key}`" for key in status.delivery.artifacts)))
        if status.delivery.branch is not None:
            rows.append(("branch", delivered(status.delivery.branch).replace("|", "/")))
    parts = [f"# {status.title}", _table(rows)]
    if status.attention:
        parts.insert(1, f"**Needs a person ({status.attention.kind})**: {status.attention.text[:500]}")
    parts += [_question(status.task_id, review) for review in review_list.open_ones(status.reviews)]
    if status.reason:
        parts.append(status.reason[:1_000])
    if status.delivery and status.delivery.diff:
        parts.append(f"### Changes\n```diff\n{status.delivery.diff[:3_000]}\n```")
    return "\n\n".join(parts)[:DETAILS_LIMIT_CHARACTERS]


def delivered(branch: BranchDelivery) -> str:
    """What became of a branch that was wished for, in a line."""
    if not branch.pushed:
        return f"not delivered as a branch: {' '.join(branch.failure.split())[:500]}"
    place = f"branch {branch.branch} of {branch.remote}, commit {branch.commit[:12]}"
    return f"{branch.pull_request} ({place})" if branch.pull_request else place


def _question(task_id: str, review: Review) -> str:
    """An open question with what it rests on, and the command for each way to decide it."""
    ask = review.ask
    evidence = "".join(f"\n- {line[:300]}" for line in ask.evidence[:5])
    ways = "".join(
        f"\n| {each.label.replace('|', '/')} | `{reviews.command(task_id, review, each)}` |" for each in ask.options
    )
    return f"### Asks: {ask.id}\n{ask.question[:1_000]}\n{evidence}\n\n| decide | command |\n| --- | --- |{ways}"


def _unknown(unknown: Spend) -> str:
    return f" (${unknown.usd:.2f} and {unknown.tokens:,} tokens booked, outcome unknown)" if unknown.tokens else ""


def _sandbox(name: str) -> str:
    return "none: commands run unsandboxed" if name == "none" else name


def compactions(progress: AgentProgress) -> str:
    """How often the context was compacted, and whether that seems to lose what is needed."""
    counts = f"{progress.compactions} with a note, {progress.clearings} by clearing old results"
    rate = (
        f"; {progress.compactions_per_100_steps:g} per 100 steps lately" if progress.compactions_per_100_steps else ""
    )
    again = (
        f"; {progress.repeated_reads_share:.0%} of the reads since then repeat" if progress.repeated_reads_share else ""
    )
    return f"{counts}{rate}{again}"


def stuck(progress: AgentProgress) -> str:
    """How far the ladder was climbed, why, and how often before; empty for an agent that never was."""
    if not progress.rungs and not progress.signals:
        return ""
    why = "; ".join(f"{signal.kind.value.replace('_', ' ')} ({signal.severity.value})" for signal in progress.signals)
    taken = ", ".join(f"{count} {rung}" for rung, count in progress.rungs.items())
    now = f"{progress.rung.value} now" if progress.rung is not Rung.NONE else "not now"
    return "; ".join(filter(None, (now, why, f"so far {taken}" if taken else "")))


def _fill(progress: AgentProgress) -> str:
    if not progress.window_tokens:
        return "unknown"
    share = progress.context_tokens / progress.window_tokens
    bar = "█" * round(share * 20)
    return f"{bar:░<20} {share:.0%} of {progress.window_tokens:,} tokens"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| | |", "| --- | --- |", *(f"| {name} | {value.replace('|', '/')} |" for name, value in rows)]
    return "\n".join(lines)
