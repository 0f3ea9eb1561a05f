"""Posts and edits a session's messages in Slack.

Slack has no idempotency key: after a lost answer nobody knows whether a message stands there. So every message carries
metadata, an attempt that follows another one looks for it first, and requests are never repeated within an attempt,
but for those that Slack says it has not taken (429).
"""

from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from longshift.adapters.slack.failures import Verdict, failure_of, verdict_of
from longshift.adapters.slack.metadata import PAGE, metadata_of, payload_of
from longshift.adapters.slack.rendering import rendered
from longshift.contracts.cards import PostInput, PostResult
from longshift.contracts.errors import PeopleUnavailable

TIMEOUT_SECONDS = 20
RATE_LIMIT_RETRIES = 2
SEARCHED_MESSAGES = 3_000
CLOCK_SKEW_SECONDS = 300.0
"""How far Slack's clock may be from ours."""


def web_client(token: str, api_url: str) -> AsyncWebClient:
    """A client that repeats nothing but what Slack refused for its rate limit."""
    handlers = [AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_RETRIES)]
    base_url = api_url if api_url.endswith("/") else f"{api_url}/"
    return AsyncWebClient(token=token, base_url=base_url, timeout=TIMEOUT_SECONDS, retry_handlers=[*handlers])


async def call(client: AsyncWebClient, method: str, body: dict[str, Any]) -> dict[str, Any]:
    """What Slack answers to a method that changes something.

    Raises:
        SlackApiError: it is refused.
    """
    answer = await client.api_call(method, json=body)  # pyright: ignore[reportUnknownMemberType]  # partial in the SDK
    return cast("dict[str, Any]", answer.data)


async def read(client: AsyncWebClient, method: str, query: dict[str, Any]) -> dict[str, Any]:
    """What Slack answers to a method that only reads.

    Raises:
        SlackApiError: it is refused.
    """
    answer = await client.api_call(method, http_verb="GET", params=query)  # pyright: ignore[reportUnknownMemberType]  # partial in the SDK
    return cast("dict[str, Any]", answer.data)


class SlackPoster:
    """One workspace; `clean` takes secrets out of what leaves."""

    def __init__(self, client: AsyncWebClient, clean: Callable[[Any], Any]) -> None:
        self._client = client
        self._clean = clean

    async def post(self, request: PostInput, *, since: float) -> PostResult:
        """Post or edit one message.

        Raises:
            PeopleUnavailable: whether it stands there is unknown.
            PeopleRefused: Slack refuses it.
        """
        try:
            if request.message.ts:
                return await self._edit(request)
            found = await self._find(request, since) if since else ""
            return PostResult(ts=found, channel=request.channel) if found else await self._new(request)
        except SlackApiError as error:
            raise failure_of(error) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise PeopleUnavailable(f"Slack: {type(error).__name__}: {error}") from error

    async def _new(self, request: PostInput) -> PostResult:
        body = self._body(request)
        try:
            answer = await self._call("chat.postMessage", request, body)
        except SlackApiError as error:
            if verdict_of(error) is not Verdict.SHAPE:
                raise
            answer = await self._call("chat.postMessage", request, {**body, "blocks": None})
        return PostResult(ts=str(answer.get("ts", "")), channel=str(answer.get("channel", "")))

    async def _edit(self, request: PostInput) -> PostResult:
        body = {**self._body(request), "ts": request.message.ts}
        try:
            try:
                answer = await self._call("chat.update", request, body)
            except SlackApiError as error:
                if verdict_of(error) is not Verdict.SHAPE:
                    raise
                answer = await self._call("chat.update", request, {**body, "blocks": []})
        except SlackApiError as error:
            if verdict_of(error) is not Verdict.GONE:
                raise
            return PostResult(channel=request.channel, gone=True)
        return PostResult(ts=str(answer.get("ts", "")), channel=request.channel)

    def _body(self, request: PostInput) -> dict[str, Any]:
        made = rendered(request)
        return {
            "text": self._clean(made.text),
            "blocks": self._clean(made.blocks),
            "metadata": metadata_of(request),
            "unfurl_links": False,
            "unfurl_media": False,
        }

    async def _call(self, method: str, request: PostInput, body: dict[str, Any]) -> dict[str, Any]:
        place = {"channel": request.channel, "thread_ts": request.thread_ts or None}
        if method == "chat.update":
            place.pop("thread_ts")
            body = {name: body[name] for name in ("ts", "text", "blocks")}  # its metadata stays as it was
        given = {name: value for name, value in {**place, **body}.items() if value is not None}
        return await call(self._client, method, given)

    async def _find(self, request: PostInput, since: float) -> str:
        """Slack's name of the message, if an earlier attempt has posted it."""
        wanted = metadata_of(request)["event_payload"]
        async for message in self._history(request, since - CLOCK_SKEW_SECONDS):
            payload = payload_of(message)
            if (payload.get("task_id"), payload.get("key")) == (wanted["task_id"], wanted["key"]):
                return str(message.get("ts", ""))
        return ""

    async def _history(self, request: PostInput, oldest: float) -> AsyncGenerator[dict[str, Any]]:
        thread = {"ts": request.thread_ts} if request.thread_ts else {}
        method = "conversations.replies" if thread else "conversations.history"
        cursor = ""
        for _ in range(SEARCHED_MESSAGES // PAGE):
            asked = {
                "channel": request.channel,
                "oldest": f"{oldest:.6f}",
                "limit": PAGE,
                "include_all_metadata": True,
                **thread,
                **({"cursor": cursor} if cursor else {}),
            }
            answer = await read(self._client, method, asked)
            for message in answer.get("messages", []):
                yield message
            more: Any = answer.get("response_metadata") or {}
            cursor = str(more.get("next_cursor") or "")
            if not cursor:
                return
