"""The methods of the Web API that Longshift uses, as strict as Slack's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from longshift.adapters.fake_slack.faults import Fault, FaultKind, FaultPlan
from longshift.adapters.fake_slack.validation import characters_of, complaints_about_blocks, complaints_about_view
from longshift.adapters.fake_slack.workspace import APP, BOT, BOT_USER, TEAM, Posted, Whisper, Workspace
from longshift.adapters.slack import limits

Answer = dict[str, Any]
SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "apps.connections.open": "connections:write",
}
APP_METHODS = frozenset({"apps.connections.open"})


class Refused(Exception):
    """Slack's `ok: false`."""

    def __init__(self, error: str, **details: Any) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **details}


class WebApi:
    """Answers `POST /api/<method>`."""

    def __init__(
        self,
        workspace: Workspace,
        faults: FaultPlan,
        *,
        bot_token: str,
        app_token: str,
        socket_url: Callable[[], str],
        posted: Callable[[Posted], Awaitable[None]],
    ) -> None:
        self._workspace = workspace
        self._faults = faults
        self._tokens = {True: app_token, False: bot_token}
        self._socket_url = socket_url
        self._posted = posted
        self._methods: dict[str, Callable[[Answer], Awaitable[Answer]]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.postEphemeral": self._post_ephemeral,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "views.open": self._open_view,
            "apps.connections.open": self._open_connection,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        method = request.match_info["method"]
        given = await _given(request)
        self._workspace.calls.append(method)
        fault = self._faults.take(method)
        if fault is not None and fault.kind is not FaultKind.LOST_ANSWER:
            return _failed(request, fault)
        try:
            self._require_token(method, request.headers.get("Authorization", ""))
            handler = self._methods.get(method)
            answer = await handler(given) if handler else {"ok": False, "error": "unknown_method"}
        except Refused as refused:
            answer = refused.answer
        if fault is not None:
            return _failed(request, fault)
        return web.json_response(answer)

    def _require_token(self, method: str, authorization: str) -> None:
        if authorization != f"Bearer {self._tokens[method in APP_METHODS]}":
            raise Refused("invalid_auth" if authorization else "not_authed")
        needed = SCOPES.get(method)
        if needed is not None and needed not in self._workspace.scopes:
            raise Refused("missing_scope", needed=needed, provided=",".join(sorted(self._workspace.scopes)))

    def _require_channel(self, given: Answer) -> str:
        channel = str(given.get("channel", ""))
        if channel not in self._workspace.members:
            raise Refused("channel_not_found")
        if not self._workspace.members[channel]:
            raise Refused("not_in_channel")
        return channel

    async def _auth_test(self, given: Answer) -> Answer:
        del given
        url = "http://fake.slack.local/"
        return {
            "ok": True,
            "url": url,
            "team": "Fake",
            "team_id": TEAM,
            "user": "longshift",
            "user_id": BOT_USER,
            "bot_id": BOT,
        }

    async def _post_message(self, given: Answer) -> Answer:
        channel = self._require_channel(given)
        _require_content(given)
        thread = str(given.get("thread_ts") or "")
        message = Posted(
            channel=channel,
            ts=self._workspace.next_ts(),
            user=BOT_USER,
            bot_id=BOT,
            text=str(given.get("text", "")),
            thread_ts=thread,
            blocks=given.get("blocks") or [],
            metadata=given.get("metadata") or {},
        )
        self._workspace.add(message)
        await self._posted(message)
        return {"ok": True, "channel": channel, "ts": message.ts, "message": message.document()}

    async def _update(self, given: Answer) -> Answer:
        channel = self._require_channel(given)
        _require_content(given)
        message = self._workspace.find(channel, str(given.get("ts", "")))
        if message is None:
            raise Refused("message_not_found")
        if message.bot_id != BOT:
            raise Refused("cant_update_message")
        message.text = str(given.get("text", ""))
        message.blocks = given.get("blocks") or []
        message.metadata = given.get("metadata") or message.metadata
        message.edits += 1
        self._workspace.changed()
        return {"ok": True, "channel": channel, "ts": message.ts, "text": message.text}

    async def _post_ephemeral(self, given: Answer) -> Answer:
        self._require_channel(given)
        _require_content(given)
        if not given.get("user"):
            raise Refused("user_not_in_channel")
        whisper = Whisper(
            user=str(given["user"]), text=str(given.get("text", "")), thread_ts=str(given.get("thread_ts") or "")
        )
        self._workspace.whispers.append(whisper)
        self._workspace.changed()
        return {"ok": True, "message_ts": self._workspace.next_ts()}

    async def _history(self, given: Answer) -> Answer:
        channel = self._require_channel(given)
        found = [each for each in self._workspace.roots() if each.channel == channel]
        return self._page(found[::-1], given)

    async def _replies(self, given: Answer) -> Answer:
        channel = self._require_channel(given)
        root = self._workspace.find(channel, str(given.get("ts", "")))
        if root is None:
            raise Refused("thread_not_found")
        return self._page([root, *self._workspace.thread(root.ts)], given, always=root)

    def _page(self, messages: list[Posted], given: Answer, always: Posted | None = None) -> Answer:
        oldest, limit = float(given.get("oldest") or 0), min(int(given.get("limit") or 100), 1_000)
        start = int(given.get("cursor") or 0)
        found = [each for each in messages if float(each.ts) > oldest or each is always]
        shown, more = found[start : start + limit], len(found) > start + limit
        with_metadata = str(given.get("include_all_metadata", "")).lower() in {"1", "true"}
        cursor = {"response_metadata": {"next_cursor": str(start + limit)}} if more else {}
        documents = [each.document(with_metadata=with_metadata) for each in shown]
        return {"ok": True, "messages": documents, "has_more": more, **cursor}

    async def _open_view(self, given: Answer) -> Answer:
        if not given.get("trigger_id"):
            raise Refused("invalid_trigger_id")
        if wrong := complaints_about_view(given.get("view")):
            raise Refused("invalid_arguments", response_metadata={"messages": wrong})
        view = {**given["view"], "id": f"V{len(self._workspace.views):08d}"}
        self._workspace.views.append(view)
        self._workspace.changed()
        return {"ok": True, "view": view}

    async def _open_connection(self, given: Answer) -> Answer:
        del given
        return {"ok": True, "url": self._socket_url()}


def _require_content(given: Answer) -> None:
    blocks: list[Any] = given.get("blocks") or []
    if not given.get("text") and not blocks:
        raise Refused("no_text")
    if len(str(given.get("text", ""))) > limits.MESSAGE_TEXT_CHARACTERS * 10:
        raise Refused("msg_too_long")
    if wrong := complaints_about_blocks(blocks):
        raise Refused("invalid_blocks", response_metadata={"messages": wrong})
    if characters_of(blocks) > limits.MESSAGE_CHARACTERS + 1_000:
        raise Refused("msg_blocks_too_long")
    if len(orjson.dumps(given.get("metadata") or {})) > limits.METADATA_CHARACTERS:
        raise Refused("metadata_too_large")


async def _given(request: web.Request) -> Answer:
    if request.content_type == "application/json":
        body: Any = orjson.loads(await request.read() or b"{}")
        return body
    form = {name: str(value) for name, value in (await request.post()).items()}
    parsed = {name: _parsed(value) for name, value in {**dict(request.query), **form}.items()}
    return parsed


def _parsed(value: str) -> Any:
    return orjson.loads(value) if value.startswith(("{", "[")) else value


def _failed(request: web.Request, fault: Fault) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.RATE_LIMITED:
            headers = {"Retry-After": str(fault.retry_after_seconds)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        case FaultKind.SERVER_ERROR:
            return web.Response(text="<html>down</html>", status=503, content_type="text/html")
        case FaultKind.ERROR:
            return web.json_response({"ok": False, "error": fault.error})
        case FaultKind.LOST_ANSWER | FaultKind.LOST_REQUEST:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError


__all__ = ["APP", "Refused", "WebApi"]
