"""Tells people through an incoming webhook (of Slack, Mattermost, …): one JSON text per message, and no edits.

There is nothing to look up: after a lost answer a message is sent once more, and may stand there twice.
"""

from collections.abc import Callable
from typing import Any

import httpx

from longshift.adapters.slack.budget import budget_line
from longshift.adapters.slack.text import cut_escaped, one_line, person, quoted
from longshift.contracts.cards import MessageKind, PostInput, PostResult, SessionCard
from longshift.contracts.errors import PeopleRefused, PeopleUnavailable
from longshift.contracts.reviews import Review, ReviewState
from longshift.policy import reviews

TIMEOUT_SECONDS = 20.0
TOO_MANY_REQUESTS = 429
SERVER_ERRORS_FROM = 500


class WebhookPoster:
    """One webhook; `clean` takes secrets out of what leaves."""

    def __init__(self, http: httpx.AsyncClient, url: str, clean: Callable[[Any], Any]) -> None:
        self._http = http
        self._url = url
        self._clean = clean

    async def post(self, request: PostInput, *, since: float) -> PostResult:
        """Send one message; `since` says nothing here.

        Raises:
            PeopleUnavailable: the webhook does not answer, or is too busy.
            PeopleRefused: it takes no such message.
        """
        del since
        body = {"text": self._clean(text_of(request))}
        try:
            answer = await self._http.post(self._url, json=body, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise PeopleUnavailable(f"webhook: {type(error).__name__}") from None  # its text may name the secret URL
        if answer.is_success:
            return PostResult()
        told = f"webhook: HTTP {answer.status_code} {one_line(answer.text)[:200]}"
        if answer.status_code == TOO_MANY_REQUESTS or answer.status_code >= SERVER_ERRORS_FROM:
            raise PeopleUnavailable(told)
        raise PeopleRefused(f"{told}: check LONGSHIFT_WEBHOOK_URL")


def text_of(request: PostInput) -> str:
    """A message in Slack's markup, which others show as text."""
    card, message = request.card, request.message
    title = f"*{cut_escaped(one_line(card.title), 200)}* (`{cut_escaped(card.task_id, 120)}`)"
    match message.kind:
        case MessageKind.NEWS:
            lines = [f"• {cut_escaped(one_line(each.text), 400)}" for each in message.news[-10:]]
            return "\n".join([title, *lines])
        case MessageKind.QUESTION | MessageKind.REMINDER:
            assert message.review is not None  # a message about a question has it
            return f"{title}\n{_question(card, message.review, is_again=message.kind is MessageKind.REMINDER)}"
        case MessageKind.ROOT:
            return f"{title}: {card.state.value}"
        case MessageKind.END:
            said = f"\n{quoted(card.reason or card.last_text, 1_500)}" if card.reason or card.last_text else ""
            return f"{title}: *{card.state.value}*\n{budget_line(card)}{said}"


def _question(card: SessionCard, review: Review, *, is_again: bool) -> str:
    ask, decision = review.ask, review.decision
    if review.state is not ReviewState.OPEN:
        by = f"✅ *{cut_escaped(decision.option, 60)}* by {person(decision.by)}" if decision else "➖ withdrawn"
        return f"{by}: {cut_escaped(one_line(ask.question), 500)}"
    lines = [f"{'⏰ still open: ' if is_again else '🙋 '}{cut_escaped(ask.question, 2_000)}"]
    if not is_again:
        lines += [quoted(each, 1_000) for each in ask.evidence[:5]]
    lines += [
        f"{cut_escaped(one_line(each.label), 80)}: `{cut_escaped(reviews.command(card.task_id, review, each), 400)}`"
        for each in ask.options[:25]
    ]
    return "\n".join(lines)
