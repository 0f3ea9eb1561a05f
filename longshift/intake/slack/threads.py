"""Which session a thread belongs to: its root message says so, unseen, if this very app has posted it."""

from collections import OrderedDict

from slack_sdk.web.async_client import AsyncWebClient

from longshift.adapters.slack.metadata import payload_of
from longshift.adapters.slack.poster import read

REMEMBERED = 5_000


class Threads:
    """Looks roots up, and remembers the latest ones."""

    def __init__(self, client: AsyncWebClient, bot_id: str) -> None:
        self._client = client
        self._bot_id = bot_id
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def task_of(self, channel: str, thread_ts: str) -> str:
        """The task id; empty where the thread is none of ours.

        Raises:
            SlackApiError, aiohttp.ClientError, TimeoutError: it cannot be looked up.
        """
        place = (channel, thread_ts)
        if place not in self._known:
            self._known[place] = await self._look_up(channel, thread_ts)
        self._known.move_to_end(place)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[place]

    async def _look_up(self, channel: str, thread_ts: str) -> str:
        asked = {"channel": channel, "ts": thread_ts, "limit": 1, "include_all_metadata": True}
        answer = await read(self._client, "conversations.replies", asked)
        for message in answer.get("messages", []):
            if message.get("ts") == thread_ts and message.get("bot_id") == self._bot_id:
                return str(payload_of(message).get("task_id", ""))
        return ""
