"""A session's status for people: from wire values to what a terminal shows. Pure functions; nothing is asked here."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from longshift.cli import render_budget, render_proof, render_reviews
from longshift.cli.figures import Row, bar, duration, moment
from longshift.cli.terminal_text import clean, one_line
from longshift.contracts.agent import AgentProgress
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.completion import CompletionReport
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.task import Budget
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.policy import describe, network, review_list, swarm_words
from longshift.sessions.view import BY_THEMSELVES, SessionView

STATE_STYLES = {
    SessionState.QUEUED: "dim",
    SessionState.PREPARING: "cyan",
    SessionState.RUNNING: "cyan",
    SessionState.PAUSED: "yellow",
    SessionState.WAITING: "yellow",
    SessionState.DELIVERING: "cyan",
    SessionState.DONE: "green",
    SessionState.FAILED: "red",
    SessionState.CANCELLED: "dim",
    SessionState.EXPIRED: "magenta",
}
SWARMS = 3
"""The latest ones, which a session's page has a line for."""
_PLAN_MARKS = {
    PlanItemStatus.PENDING: ("☐", ""),
    PlanItemStatus.IN_PROGRESS: ("▸", "bold cyan"),
    PlanItemStatus.DONE: ("✔", "dim"),
}


def session(
    view: SessionView,
    *,
    url: str = "",
    budget: Budget | None = None,
    actions: Sequence[Text] = (),
    plan_limit: int = 50,
) -> Group:
    """The whole page of a session: `status` prints it once, `watch` again and again."""
    status, progress = view.status, view.progress
    parts: list[RenderableType] = [headline(status)]
    if status.attention or review_list.open_ones(status.reviews):
        parts.append(needs(status))
    if status.reason:
        parts.append(Text(clean(status.reason[:1_000]), style="red" if status.state is SessionState.FAILED else ""))
    if view.remark:
        parts.append(Text(view.remark, style="yellow"))
    parts.append(_table(_rows(view, budget, url)))
    if progress and progress.plan:
        parts += [Text("plan", style="bold"), plan(progress.plan, plan_limit)]
    found = _checks(view)
    said = _completion(view)
    if found:
        parts += [Text.assemble(("checks  ", "bold"), found.headline, render_proof.origin(said)), checks(found)]
    parts += render_proof.proof(said)
    if actions:
        parts += [Text("last actions", style="bold"), *actions]
    elif progress and progress.last_text:
        parts.append(Text.assemble(("the agent last said  ", "bold"), one_line(progress.last_text, 500)))
    return Group(*parts)


def headline(status: SessionStatus) -> Text:
    """Id, state and title."""
    state = Text(f" {status.state.value} ", style=f"reverse {STATE_STYLES[status.state]}")
    return Text.assemble((clean(status.task_id), "bold"), " ", state, f" {one_line(status.title)}")


def needs(status: SessionStatus) -> RenderableType:
    """What a session waits for: its questions with the ways to decide them, or why it waits."""
    asked = review_list.open_ones(status.reviews)
    return render_reviews.page(status.task_id, asked) if asked else attention(status)


def attention(status: SessionStatus) -> Text:
    """Why a person should look, and what that person can do."""
    assert status.attention is not None
    kind, task_id = status.attention.kind, status.task_id
    hints = {
        "provider": "it goes on by itself when the provider is back",
        "quota": f"it tries again by itself; `longshift resume {task_id}` does so at once",
        "deadline": f"`longshift extend {task_id} --hours H`, or `longshift cancel {task_id}`",
        "budget": f"`longshift inbox`, `longshift extend {task_id} --usd N`, or `longshift cancel {task_id}`",
        "fleet": "`longshift fleet` shows it; it goes on by itself when the next day or month begins",
    }
    hint = hints.get(kind, f"mend it, then `longshift resume {task_id}`; or `longshift cancel {task_id}`")
    who = "waits for the fleet's budget" if kind == "fleet" else "waits for the provider"
    who = who if kind in BY_THEMSELVES else "needs a person"
    text = clean(status.attention.text[:1_000])
    return Text.assemble((f"{who} ({clean(kind)}): ", "bold yellow"), text, (f"\n  {hint}", "dim"))


def plan(items: Sequence[PlanItem], limit: int) -> Text:
    """The plan with marks; where it is too long, what is done goes first, then the end."""
    shown = list(items)
    done = [item for item in shown if item.status is PlanItemStatus.DONE]
    hidden_done = max(0, min(len(done) - 1, len(shown) - limit))
    for item in done[:hidden_done]:
        shown.remove(item)
    cut, shown = shown[limit:], shown[:limit]
    lines = [Text(f"  … {hidden_done} done before", style="dim")] if hidden_done else []
    for item in shown:
        mark, style = _PLAN_MARKS[item.status]
        lines.append(Text(f"  {mark} {one_line(item.title)}", style=style))
    if cut:
        lines.append(Text(f"  … {len(cut)} more", style="dim"))
    return Text("\n").join(lines)


def checks(digest: ChecksDigest) -> Text:
    """Every check with the first line of its evidence, then protected files that changed."""
    lines: list[Text] = []
    for result in digest.results:
        mark, style = ("✔", "green") if result.passed else ("✗", "red")
        lines.append(Text.assemble((f"  {mark} {clean(result.name)}", style), f"  {one_line(result.detail, 120)}"))
    changed = digest.protected_changes[:10]
    lines += [Text(f"  ✗ protected file changed: {clean(path)}", style="red") for path in changed]
    return Text("\n").join(lines)


def _rows(view: SessionView, budget: Budget | None, url: str) -> list[Row]:
    status, progress = view.status, view.progress
    rows: list[Row] = [("doing", one_line(line, 160)) for line in view.doing]
    if progress:
        rows += _progress_rows(progress)
    elif status.agents:
        last = status.agents[-1]
        counted = f"{last.compactions + last.clearings} compactions"
        rows.append(("work", f"{last.steps} steps, {last.tool_calls} tool calls, {counted}"))
    rows += [("swarm", clean(swarm_words.line(each))) for each in status.swarms[-SWARMS:]]
    rows += render_budget.rows(status, progress, budget)
    if status.workspace:
        rows.append(("workspace", Text(clean(f"{status.workspace.root} on {status.workspace.host_id}"))))
        rows.append(("sandbox", sandbox(status.workspace.sandbox)))
        if status.workspace.network:
            rows.append(("network", clean(network.described(status.workspace.network, status.workspace.sandbox))))
    if status.delivery:
        delivery = status.delivery
        counted = f"{delivery.changed_files} files, +{delivery.insertions} −{delivery.deletions}"
        rows.append(("delivered", f"{counted}: longshift artifacts {status.task_id}"))
        if delivery.branch is not None:
            rows.append(("branch", Text(clean(describe.delivered(delivery.branch)))))
    if status.profile:
        rows.append(("model", clean(status.profile)))
    if view.requeue_of:
        rows.append(("again of", clean(view.requeue_of)))
    if view.started_from:
        rows.append(("goes on from", clean(view.started_from)))
    if view.started_at:
        took = (view.closed_at - view.started_at).total_seconds() if view.closed_at else None
        rows.append(("started", moment(view.started_at) + ("" if took is None else f", took {duration(took)}")))
    if url:
        rows.append(("Web UI", Text(url, no_wrap=True, overflow="fold")))
    return rows


def _progress_rows(progress: AgentProgress) -> list[Row]:
    phase = "paused" if progress.paused else progress.phase.value
    rows: list[Row] = [
        ("now", f"step {progress.step}, {phase}; next: {one_line(progress.next_action, 120)}"),
        ("work", f"{progress.tool_calls} tool calls, {progress.changed_files} files changed"),
    ]
    if told := describe.stuck(progress):
        rows.append(("stuck", one_line(told, 300)))
    if progress.last_rollback:
        rows.append(("rolled back", f"{progress.last_rollback}; {progress.rollbacks} in all"))
    if progress.window_tokens:
        share = progress.context_tokens / progress.window_tokens
        rows.append(("context", Text.assemble(bar(share), f" of {progress.window_tokens:,} tokens")))
    if progress.compactions or progress.clearings:
        rows.append(("compacted", describe.compactions(progress)))
    if progress.last_handover:
        rows.append(("handed over", clean(progress.last_handover)))
    return rows


def sandbox(name: str) -> Text:
    """The sandbox in force, with a warning when there is none."""
    return Text("none – commands run unsandboxed", style="bold yellow") if name == "none" else Text(clean(name))


def _checks(view: SessionView) -> ChecksDigest | None:
    if view.progress:
        return view.progress.checks
    return view.status.agents[-1].checks if view.status.agents else None


def _completion(view: SessionView) -> CompletionReport | None:
    if view.progress:
        return view.progress.completion
    return view.status.agents[-1].completion if view.status.agents else None


def _table(rows: list[Row]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for name, value in rows:
        table.add_row(name, value)
    return table
