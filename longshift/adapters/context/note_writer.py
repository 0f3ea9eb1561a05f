"""Gets a hand-off note out of a model: on the live conversation, so that the provider's cache is used.

A request that does not fit goes again with old results cleared; a model that calls a tool, or is cut off, is asked
again. What is done when there is no note at all is decided by the caller.
"""

from dataclasses import dataclass

import orjson

from longshift.adapters.calls import check_calls
from longshift.adapters.context.asker import Asker, Prompt
from longshift.adapters.context.sizes import overhead_tokens
from longshift.adapters.context.tab import Tab
from longshift.adapters.model import ModelAnswer
from longshift.adapters.store import View
from longshift.contracts.errors import ProviderError
from longshift.contracts.model import ModelOutcome, ModelProfile
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.policy import answers, context, prompt, provider, trimming

TRIES = 3
"""Answers that are no whole note, before the longest words are taken."""


@dataclass(frozen=True)
class Live:
    """The conversation that the note is about."""

    profile: ModelProfile
    task_id: str
    view: View
    tokens: int
    """The estimate of its size."""


@dataclass
class _Course:
    """How far the writing of one note has come."""

    longest: str = ""
    share: float = 0.0
    """The oldest part of the conversation whose results are cleared in the request."""
    wanted_tokens: int | None = None
    tries: int = 0


class NoteWriter:
    """Asks for notes."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def write(self, live: Live, tab: Tab) -> str:
        """The note; what it costs is booked on the tab.

        A model that never writes a whole one is taken at the longest words it had, which may be none.

        Raises:
            ProviderError: no answer came; OVERFLOW and TOO_LARGE mean that nothing was left to clear.
        """
        course, shares = _Course(), iter(trimming.CLEARED_SHARES)
        while course.tries < TRIES:
            try:
                answer = await self._asker.ask(_prompt(live, course), course.wanted_tokens, tab)
            except ProviderError as error:
                share = next(shares, None)
                if provider.outcome_of(error) is not ModelOutcome.OVERFLOW or share is None:
                    raise
                course.share = share
                continue
            course.tries += 1
            if note := _note(answer, course):
                return note
            if answers.is_cut(answer.stop_reason):
                if course.wanted_tokens:
                    course.share = next(shares, course.share)
                course.wanted_tokens = live.profile.output_limit_tokens
        return course.longest


def _prompt(live: Live, course: _Course) -> Prompt:
    messages = live.view.with_user(prompt.handoff_message(again=course.tries > 0))
    tokens = live.tokens
    if course.share:
        messages = trimming.with_cleared_results(messages, course.share, orjson.loads, orjson.dumps)
        tokens = overhead_tokens(live.view.base) + context.estimate_tokens(sum(map(len, messages)))
    return Prompt(live.profile, live.task_id, live.view.base, messages, tokens)


def _note(answer: ModelAnswer, course: _Course) -> str:
    """The note if it is a whole one; what words there are become the longest otherwise."""
    checked = check_calls(answer.content, answer.raw_inputs, TOOL_ARGUMENTS)
    note = answers.text_of(checked.content)
    if answers.is_whole_note(answer.stop_reason, checked.content) and not checked.leaked:
        return note
    course.longest = max(course.longest, note, key=len)
    return ""
