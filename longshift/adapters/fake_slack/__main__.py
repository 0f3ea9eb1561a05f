"""`python -m longshift.adapters.fake_slack [port]`: the imitated Slack until Ctrl-C; its page shows the channel."""

import asyncio
import contextlib
import sys

from longshift.adapters.fake_slack.server import APP_TOKEN, BOT_TOKEN, FakeSlack
from longshift.adapters.fake_slack.workspace import ADA, CHANNEL


async def _serve(port: int) -> None:
    async with FakeSlack(port=port) as slack:
        lines = (
            f"# the channel: {slack.url}",
            f"export LONGSHIFT_SLACK_API_URL={slack.api_url}",
            f"export LONGSHIFT_SLACK_BOT_TOKEN={BOT_TOKEN}",
            f"export LONGSHIFT_SLACK_APP_TOKEN={APP_TOKEN}",
            f"export LONGSHIFT_SLACK_CHANNEL={CHANNEL}",
            f"export LONGSHIFT_SLACK_APPROVERS={ADA}",
        )
        sys.stdout.write("\n".join([*lines, ""]))
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
