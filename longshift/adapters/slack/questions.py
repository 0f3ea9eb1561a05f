"""A question to people, its reminder, and what was decided, as Block Kit."""

from longshift.adapters.slack import limits
from longshift.adapters.slack.blocks import Block, context, plain, section
from longshift.adapters.slack.buttons import buttons_of
from longshift.adapters.slack.text import cut_escaped, moment, one_line, person, quoted
from longshift.contracts.cards import SessionCard
from longshift.contracts.reviews import AskKind, Review, ReviewState
from longshift.policy import reviews

TITLES = {
    AskKind.STUCK: "🧗 Stuck",
    AskKind.PLAN: "🗺️ A plan to review",
    AskKind.RISK: "⚠️ A risky step",
    AskKind.BUDGET: "💰 The budget is used up",
    AskKind.CONFIGURATION: "🔧 Something has to be mended",
    AskKind.QUESTION: "❓ A question",
    AskKind.DEADLINE: "⏳ The time is used up",
    AskKind.SWARM: "🐝 A plan for sub-agents",
    AskKind.DELIVERY: "📤 May it leave?",
    AskKind.UNDELIVERED: "📪 It was not delivered",
    AskKind.VERDICT: "🔍 The result is doubted",
}
FACES = {"cli": "on the command line", "http": "over HTTP", "slack": "in Slack"}
QUESTION_CHARACTERS = 2_400
ELSEWHERE = (
    "_This is too long to be shown whole here, so it cannot be approved in Slack: `longshift inbox` shows all of it, "
    "and `longshift answer` decides it._"
)
NO_HURRY = "It waits as long as it takes; no answer is never a no."


def question(card: SessionCard, review: Review) -> list[Block]:
    """An open question with its evidence and a button for each option, or what became of it."""
    if review.state is not ReviewState.OPEN:
        return decided(review)
    ask = review.ask
    blocks = [section(f"{_title(review)}\n{cut_escaped(ask.question, QUESTION_CHARACTERS)}")]
    blocks += _evidence(ask.evidence)
    blocks += _buttons(card, review)
    return [*blocks, context(_footer(review))]


def reminder(card: SessionCard, review: Review, number: int) -> list[Block]:
    """A question again, without its evidence, which stands above; once it is over, what became of it."""
    if review.state is not ReviewState.OPEN:
        return [section(_outcome(review))]
    since = f" since {moment(review.asked_at)}" if review.asked_at else ""
    text = f"⏰ *Still open*{since}: {cut_escaped(one_line(review.ask.question), 900)}"
    evidence = "The evidence is in the question above. " if review.ask.evidence else ""
    return [section(text), *_buttons(card, review), context(f"Reminder {number}. {evidence}{NO_HURRY}")]


def decided(review: Review) -> list[Block]:
    """A question that is over: nothing to click any more."""
    decision, asked = review.decision, one_line(review.ask.question)
    title = _title(review) + (f"\n{cut_escaped(asked, QUESTION_CHARACTERS)}" if asked else "")
    words = f"\n{quoted(decision.text, 2_000)}" if decision is not None and decision.text.strip() else ""
    return [section(title), section(_outcome(review) + words)]


def _outcome(review: Review) -> str:
    """What was decided, by whom and when."""
    decision = review.decision
    if decision is None:
        return "➖ *withdrawn*: it is of no use any more"
    when = f" at {moment(review.decided_at)}" if review.decided_at else ""
    where = FACES.get(review.via, "")
    via = f" {where}" if where and review.via != "slack" else ""
    label = next((each.label for each in review.ask.options if each.id == decision.option), decision.option)
    return f"✅ *{cut_escaped(one_line(label), 200)}* by {person(decision.by)}{via}{when}"


def words_of(review: Review) -> str:
    """A question in a line, for notifications."""
    decision = review.decision
    if review.state is ReviewState.OPEN:
        return f"{TITLES[review.ask.kind]}: {one_line(review.ask.question)}"
    return f"decided: {decision.option}" if decision else "withdrawn"


def _title(review: Review) -> str:
    ask = review.ask
    who = f"  ·  `{cut_escaped(one_line(ask.agent), 150)}`" if ask.agent.strip() else ""
    step = f"  ·  step {ask.step:,}" if ask.step else ""
    return f"*{TITLES[ask.kind]}*{who}{step}"


def _evidence(evidence: tuple[str, ...]) -> list[Block]:
    """As it is, without markup; a long piece is several."""
    blocks, room = list[Block](), reviews.SLACK_EVIDENCE_CHARACTERS
    pieces = [
        text[start : start + limits.SECTION_CHARACTERS]
        for text in evidence
        for start in range(0, len(text), limits.SECTION_CHARACTERS)
    ]
    for number, piece in enumerate(pieces):
        if room <= 0 or number == reviews.SLACK_EVIDENCE_PIECES:
            return [*blocks, context("_The evidence is shortened; `longshift inbox` shows all of it._")]
        if piece.strip():
            blocks.append(plain(piece if len(piece) <= room else f"{piece[:room]} …"))
            room -= len(piece)
    return blocks


def _buttons(card: SessionCard, review: Review) -> list[Block]:
    ask = review.ask
    left = tuple(each for each in ask.options if reviews.fits_slack(ask) or each.id not in reviews.APPROVING)
    buttons = buttons_of(card.task_id, review.model_copy(update={"ask": ask.model_copy(update={"options": left})}))
    word = [context(ELSEWHERE)] if len(left) < len(ask.options) else []
    return [*word, {"type": "actions", "elements": buttons}] if buttons else word


def _footer(review: Review) -> str:
    words = sum(each.needs_text for each in review.ask.options) == 1  # of several ways a reply could mean any
    reply = "A reply in this thread answers it too. " if words else ""
    return f"{reply}{NO_HURRY}  ·  also: `longshift inbox`"
