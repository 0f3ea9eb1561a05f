"""The root message of a session and the lines in its thread, as Block Kit. Questions are in `questions`."""

from longshift.adapters.slack import limits
from longshift.adapters.slack.budget import bar, budget_line
from longshift.adapters.slack.buttons import Block
from longshift.adapters.slack.text import cut, cut_escaped, link, one_line, quoted
from longshift.contracts.cards import NewsLine, SessionCard
from longshift.contracts.delivery import BranchDelivery
from longshift.contracts.reviews import ReviewState
from longshift.contracts.session import SessionState
from longshift.contracts.swarm import ItemStatus, SwarmSummary
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.policy import swarm_words
from longshift.policy.describe import delivered

MARKS = {
    SessionState.QUEUED: "🕓",
    SessionState.PREPARING: "🛠️",
    SessionState.RUNNING: "🟢",
    SessionState.PAUSED: "⏸️",
    SessionState.WAITING: "🟡",
    SessionState.DELIVERING: "📦",
    SessionState.DONE: "✅",
    SessionState.FAILED: "❌",
    SessionState.CANCELLED: "🚫",
    SessionState.EXPIRED: "⌛",
}
NEEDS_PERSON = "🙋"
TASK_STATUS = {
    PlanItemStatus.PENDING: "pending",
    PlanItemStatus.IN_PROGRESS: "in_progress",
    PlanItemStatus.DONE: "complete",
}
PLAN_CHARACTERS = 5_000
"""Of all lines of a plan together."""
NEWS_LINES = 25
TROUBLED_LINES = 4
"""Items of a swarm that failed or wait, on the session's message."""


def section(text: str) -> Block:
    """A paragraph in Slack's markup."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def plain(text: str) -> Block:
    """A paragraph in which nothing is markup."""
    shown = cut(text, limits.SECTION_CHARACTERS) or "…"
    return {"type": "section", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def context(*texts: str) -> Block:
    """Small lines."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text} for text in texts]}


def mark_of(card: SessionCard) -> str:
    """The session's state as one sign."""
    waits_for_person = any(each.state is ReviewState.OPEN for each in card.reviews) and not card.final
    return NEEDS_PERSON if waits_for_person else MARKS[card.state]


def headline(card: SessionCard) -> str:
    """The session in one line, for notifications."""
    return f"{mark_of(card)} {one_line(card.title)}: {card.state.value}"


def root(card: SessionCard, ui_url: str) -> list[Block]:
    """The one message of a session, which is edited in place."""
    title = cut(f"{mark_of(card)} {one_line(card.title)}", limits.HEADER_CHARACTERS)
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}},
        section(_facts(card)),
    ]
    if card.attention is not None and not card.final:
        why = f"⚠️ *Needs attention ({cut_escaped(card.attention.kind, 60)})*\n"
        blocks.append(section(why + quoted(card.attention.text, 1_200)))
    if card.reason:
        blocks.append(section(quoted(card.reason, 1_600)))
    if card.plan:
        blocks.append(plan(card.plan))
    if card.swarm is not None:
        blocks.append(section(_swarm(card.swarm)))
    if card.last_text:
        who = "*Result*" if card.final else "*The agent last said*"
        blocks.append(section(f"{who}\n{quoted(card.last_text, 900)}"))
    if card.final and card.artifacts:
        names = ", ".join(f"`{cut_escaped(each, 120)}`" for each in card.artifacts[:8])
        blocks.append(section(f"📎 {names}"))
    if card.branch is not None:
        blocks.append(section(_branch(card.branch)))
    blocks.append(context(budget_line(card)))
    blocks.append(context(_links(card, ui_url)))
    return blocks


def _facts(card: SessionCard) -> str:
    open_reviews = sum(each.state is ReviewState.OPEN for each in card.reviews)
    parts = [f"*{card.state.value}*"]
    if open_reviews and not card.final:
        parts.append(f"*{open_reviews} open question{'s' if open_reviews > 1 else ''}* in the thread")
    parts += [
        f"`{cut_escaped(one_line(each), 200)}`" for each in (_short_name(card.repository), card.profile) if each.strip()
    ]
    if card.changed_files:
        parts.append(f"{card.changed_files} file{'s' if card.changed_files > 1 else ''} changed")
    if card.checks:
        parts.append(cut_escaped(one_line(card.checks), 200))
    return "  ·  ".join(parts)


def _swarm(swarm: SwarmSummary) -> str:
    """How far the sub-agents have come, and which of them need a look."""
    done = swarm.counts.get(ItemStatus.MERGED, 0) / swarm.total if swarm.total else 0.0
    lines = [f"🐝 {bar(done)} {cut_escaped(one_line(swarm_words.line(swarm)), 500)}"]
    path = swarm.critical_path
    if path.serial_steps and swarm_words.is_over(swarm):
        lines.append(f"{path.steps:,} steps instead of {path.serial_steps:,}: {path.speed_up:.1f} times as fast")
    lines += [f"• {cut_escaped(one_line(each), 140)}" for each in swarm.troubled[:TROUBLED_LINES]]
    if len(swarm.troubled) > TROUBLED_LINES:
        lines.append(f"_{len(swarm.troubled) - TROUBLED_LINES} more: `longshift swarm`_")
    return "\n".join(lines)


def _branch(branch: BranchDelivery) -> str:
    """Where the result went."""
    if not branch.pushed:
        return f"📪 {quoted(delivered(branch), 700)}"
    name = f"`{cut_escaped(one_line(branch.branch), 200)}` at {cut_escaped(branch.commit[:12], 20)}"
    return f"📤 {link(branch.pull_request, 'pull request') + '  ·  ' if branch.pull_request else ''}{name}"


def _short_name(repository: str) -> str:
    """Owner and name of a repository by its URL, or the last parts of a path."""
    return "/".join(repository.rstrip("/").removesuffix(".git").replace(":", "/").split("/")[-2:])


def _links(card: SessionCard, ui_url: str) -> str:
    page = link(f"{ui_url.rstrip('/')}/workflows/session%2F{card.task_id}", "Web UI") + "  ·  " if ui_url else ""
    return f"{page}`longshift watch {cut_escaped(card.task_id, 120)}`  ·  reply in the thread to steer, `!aside` to not"


def plan(items: tuple[PlanItem, ...]) -> Block:
    """The agent's plan as Slack's own plan block; a long one shows first what is not done."""
    done = sum(each.status is PlanItemStatus.DONE for each in items)
    shown = _fitting(items)
    more = f", {len(items) - len(shown)} not shown" if len(shown) < len(items) else ""
    return {
        "type": "plan",
        "title": f"Plan: {done} of {len(items)} done{more}",
        "tasks": [
            {
                "type": "task_card",
                "task_id": f"line-{number}",
                "title": cut(one_line(item.title), limits.TASK_TITLE_CHARACTERS) or "…",
                "status": TASK_STATUS[item.status],
            }
            for number, item in shown
        ],
    }


def _fitting(items: tuple[PlanItem, ...]) -> list[tuple[int, PlanItem]]:
    numbered = list(enumerate(items, 1))
    kept, room = set[int](), PLAN_CHARACTERS
    for number, item in sorted(numbered, key=lambda each: each[1].status is PlanItemStatus.DONE):
        room -= min(len(item.title), limits.TASK_TITLE_CHARACTERS) + 1
        if room < 0 or len(kept) == limits.PLAN_TASKS:
            break
        kept.add(number)
    return [each for each in numbered if each[0] in kept]


def news(lines: tuple[NewsLine, ...], missed: int) -> list[Block]:
    """Lines of news in one message."""
    missed += max(0, len(lines) - NEWS_LINES)
    first = [f"_{missed} earlier lines are not shown_"] if missed else []
    blocks, texts = list[Block](), list[str]()
    room = limits.SECTION_CHARACTERS
    for text in (*first, *(f"• {cut_escaped(one_line(each.text), 400)}" for each in lines[-NEWS_LINES:])):
        if len(text) + 1 > room:
            blocks.append(section("\n".join(texts)))
            texts, room = [], limits.SECTION_CHARACTERS
        texts.append(text)
        room -= len(text) + 1
    return [*blocks, section("\n".join(texts) or "…")]


def end(card: SessionCard) -> list[Block]:
    """The last message of the thread."""
    parts = [f"{MARKS[card.state]} *{card.state.value}*  ·  {budget_line(card)}"]
    if card.reason:
        parts.append(quoted(card.reason, 1_000))
    if card.last_text:
        parts.append(quoted(card.last_text, 900))
    if card.branch is not None:
        parts.append(_branch(card.branch))
    if card.artifacts:
        parts.append(f"`longshift artifacts {cut_escaped(card.task_id, 120)}`")
    return [section("\n".join(parts))]
