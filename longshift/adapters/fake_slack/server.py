"""The imitated Slack as a server on loopback, with what people do there as methods."""

import contextlib
import socket
import time
import uuid
from types import TracebackType
from typing import Any

from aiohttp import web

from longshift.adapters.fake_slack.faults import Fault, FaultPlan
from longshift.adapters.fake_slack.page import page
from longshift.adapters.fake_slack.socket_mode import SocketMode
from longshift.adapters.fake_slack.web_api import WebApi
from longshift.adapters.fake_slack.workspace import ADA, APP, CHANNEL, NAMES, SCOPES, TEAM, Posted, Workspace

HOST = "127.0.0.1"
BOT_TOKEN = "xoxb-fake-bot-token"
APP_TOKEN = "xapp-fake-app-token"
EVENT_ATTEMPTS = 3


class FakeSlack:
    """A workspace with one channel. After `stop` connections are refused until `start`, on the same port."""

    def __init__(
        self,
        *,
        port: int = 0,
        bot_token: str = BOT_TOKEN,
        app_token: str = APP_TOKEN,
        scopes: frozenset[str] = SCOPES,
    ) -> None:
        self.port = port
        self.workspace = Workspace(scopes)
        self.socket_mode = SocketMode()
        self._faults = FaultPlan()
        self._web_api = WebApi(
            self.workspace,
            self._faults,
            bot_token=bot_token,
            app_token=app_token,
            socket_url=lambda: f"ws://{HOST}:{self.port}/socket",
            posted=self._tell_app,
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The page that shows the channel."""
        return f"http://{HOST}:{self.port}/"

    @property
    def api_url(self) -> str:
        """What clients take as Slack's address."""
        return f"{self.url}api/"

    def order_faults(self, *faults: Fault) -> None:
        """Let the next calls fail."""
        self._faults.order(*faults)

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._web_api.handle)
        app.router.add_get("/socket", self.socket_mode.handle)
        app.router.add_get("/", self._page)
        app.router.add_post("/click", self._clicked)
        app.router.add_post("/reply", self._replied)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        self.port = listener.getsockname()[1]
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """As if Slack went down; what it remembers stays."""
        if self._runner is not None:
            await self.socket_mode.drop()
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> "FakeSlack":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def click(
        self, message: Posted, label: str, *, user: str = ADA, team: str = TEAM, value: str | None = None
    ) -> bool:
        """A person clicks the button that begins with `label`; whether the app took it."""
        button = next((each for each in message.buttons() if each["text"]["text"].startswith(label)), None)
        if button is None:
            raise LookupError(f"no button {label!r} in {message.text!r}")
        return await self._click(message, button if value is None else {**button, "value": value}, user, team)

    async def _click(self, message: Posted, button: dict[str, Any], user: str, team: str = TEAM) -> bool:
        container = {"type": "message", "message_ts": message.ts, "channel_id": message.channel}
        payload = {
            "type": "block_actions",
            **_who(user, team),
            "container": {**container, **({"thread_ts": message.thread_ts} if message.thread_ts else {})},
            "channel": {"id": message.channel, "name": "longshift"},
            "trigger_id": f"trigger-{uuid.uuid4().hex}",
            "message": message.document(),
            "response_url": f"{self.url}response",
            "actions": [{**button, "block_id": "b1", "action_ts": f"{time.time():.6f}"}],
        }
        return await self.socket_mode.send("interactive", payload) is not None

    async def submit(self, view: dict[str, Any], words: str, *, user: str = ADA, team: str = TEAM) -> bool:
        """A person fills a form in and sends it; whether the app took it."""
        field = next(each for each in view["blocks"] if each["type"] == "input")
        value = {"type": "plain_text_input", "value": words}
        state = {"values": {field["block_id"]: {field["element"]["action_id"]: value}}}
        payload: dict[str, Any] = {
            "type": "view_submission",
            **_who(user, team),
            "trigger_id": f"trigger-{uuid.uuid4().hex}",
            "view": {**view, "state": state},
            "response_urls": [],
        }
        return await self.socket_mode.send("interactive", payload) is not None

    async def reply(
        self, thread_ts: str, text: str, *, user: str = ADA, team: str = TEAM, times: int = 1, **fields: str
    ) -> bool:
        """A person writes into a thread; `times` more than 1 is an event that Slack delivers again."""
        message = self.workspace.add(
            Posted(channel=CHANNEL, ts=self.workspace.next_ts(), user=user, text=text, thread_ts=thread_ts)
        )
        taken = [await self._event(message, team, **fields) for _ in range(times)]
        return all(taken)

    async def _tell_app(self, message: Posted) -> None:
        """The app gets events of its own messages, too."""
        if self.socket_mode.connections:
            await self._event(message, TEAM)

    async def _event(self, message: Posted, team: str, **fields: str) -> bool:
        event = {**message.document(with_metadata=False), "channel": message.channel, "channel_type": "channel"}
        payload = {
            "type": "event_callback",
            "team_id": team,
            "api_app_id": APP,
            "event_id": f"Ev{message.ts}",
            "event_time": int(time.time()),
            "authorizations": [{"team_id": team, "user_id": "U0FAKEBOT", "is_bot": True}],
            "event": {**event, "event_ts": message.ts, **fields},
        }
        return await self.socket_mode.send("events_api", payload, attempts=EVENT_ATTEMPTS) is not None

    async def _page(self, request: web.Request) -> web.Response:
        only = request.query.get("thread", "")
        return web.Response(text=page(self.workspace, only), content_type="text/html")

    async def _clicked(self, request: web.Request) -> web.Response:
        form = await request.post()
        message = self.workspace.find(CHANNEL, str(form.get("ts")))
        buttons = message.buttons() if message is not None else []
        button = next((each for each in buttons if each["action_id"] == form.get("action_id")), None)
        if message is not None and button is not None:
            await self._click(message, button, ADA)
            if self.workspace.views and form.get("words"):
                await self.submit(self.workspace.views[-1], str(form["words"]))
        raise web.HTTPSeeOther("/")

    async def _replied(self, request: web.Request) -> web.Response:
        form = await request.post()
        with contextlib.suppress(KeyError):
            await self.reply(str(form["ts"]), str(form["text"]))
        raise web.HTTPSeeOther("/")


def _who(user: str, team: str) -> dict[str, Any]:
    name = NAMES.get(user, "somebody")
    return {
        "team": {"id": team, "domain": "fake"},
        "user": {"id": user, "username": name.lower(), "name": name, "team_id": team},
        "api_app_id": APP,
        "token": "",
        "is_enterprise_install": False,
        "enterprise": None,
    }
