"""The poll: it finds what webhooks missed, doubles nothing, forgets nothing, and keeps to GitHub's limits."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr
from temporalio.client import Client

from longshift.contracts import ids
from longshift.intake.acceptance import Acceptance
from longshift.intake.http.github_api import GithubApi
from longshift.intake.http.github_poll import GithubPoll, keep_polling
from longshift.sessions.view import read_session
from longshift.settings import Settings
from tests.intake.http.conftest import end_all
from tests.intake.http.fake_github import TOKEN, FakeGithub, fake_github

pytestmark = pytest.mark.engine


@pytest_asyncio.fixture
async def github() -> AsyncGenerator[FakeGithub]:
    async with fake_github() as fake:
        yield fake


class Poll:
    """The poll as a process that may be started again; every test has issues of its own."""

    def __init__(self, client: Client, github: FakeGithub, data_dir: Path) -> None:
        self.settings = Settings(data_dir=data_dir, github_repositories=("acme/tool",), github_api_url=github.url)
        self.file = data_dir / "intake" / "github.json"
        self._client = client

    async def look(self, *, repositories: tuple[str, ...] = ("acme/tool",), limit: int = 10_000) -> int:
        settings = self.settings.model_copy(update={"github_repositories": repositories, "intake_backlog_limit": limit})
        api = GithubApi(settings.github_api_url, TOKEN)
        try:
            return await GithubPoll(settings, Acceptance(self._client, settings), api).look()
        finally:
            await api.close()


@pytest_asyncio.fixture
async def poll(client: Client, github: FakeGithub, tmp_path: Path) -> AsyncGenerator[Poll]:
    await end_all(client)  # some tests count what waits
    yield Poll(client, github, tmp_path)
    await end_all(client)


async def test_what_the_webhook_missed_is_found_once(poll: Poll, github: FakeGithub) -> None:
    github.add_issue(101)
    github.label(101, "longshift")
    github.add_issue(102)
    github.comment(1021, 102, "/longshift please")
    assert [2, 0, 0] == [await poll.look() for _ in range(3)]
    github.unlabel(101)
    github.label(101, "longshift")
    assert 0 == await poll.look()
    github.comment(1022, 102, "/longshift again")
    assert [1, 0] == [await poll.look() for _ in range(2)]


async def test_a_list_that_has_not_changed_costs_nothing(poll: Poll, github: FakeGithub) -> None:
    github.add_issue(111)
    github.label(111, "longshift")
    await poll.look()
    github.asked.clear()
    await poll.look()
    assert [("/repos/acme/tool/issues", 304), ("/repos/acme/tool/issues/comments", 200)] == github.asked


async def test_every_page_is_read(poll: Poll, github: FakeGithub) -> None:
    github.page_size = 2
    for number in range(121, 126):
        github.add_issue(number)
        github.label(number, "longshift")
        github.comment(10 * number, number, "/longshift")
    assert 10 == await poll.look()


async def test_a_label_that_a_stranger_brought_along_makes_no_task_until_somebody_else_sets_it(
    poll: Poll, github: FakeGithub
) -> None:
    github.add_issue(131, labels=("longshift",))
    github.add_issue(132, labels=("longshift",), author_association="MEMBER", by="maintainer")
    github.add_issue(133, pull_request={})
    github.label(133, "longshift")
    assert 1 == await poll.look()
    github.label(131, "longshift")
    assert 1 == await poll.look()


async def test_strangers_and_edits_command_nothing(poll: Poll, github: FakeGithub) -> None:
    github.add_issue(141)
    github.comment(1411, 141, "/longshift", association="NONE")
    github.comment(1412, 141, "what about this?")
    github.comment(1413, 141, "later")
    assert 0 == await poll.look()
    github.edit(1412, "/longshift after all")
    assert 0 == await poll.look()
    github.comment(1414, 999, "/longshift an issue that is gone")
    github.comment(1415, 141, "/longshift with a slip")
    github.edit(1415, "/longshift without")
    assert 1 == await poll.look()


async def test_what_could_not_be_handed_on_is_found_in_the_next_round_and_after_a_restart(
    poll: Poll, github: FakeGithub
) -> None:
    github.add_issue(151)
    await poll.look()
    place = json.loads(poll.file.read_text())["repositories"]["acme/tool"]["comments_since"]
    github.label(151, "longshift")
    github.comment(1511, 151, "/longshift")
    await poll.look(limit=1)  # room for the label's task only
    assert place == json.loads(poll.file.read_text())["repositories"]["acme/tool"]["comments_since"]
    assert 1 == await poll.look()
    poll.file.write_text("damaged")
    assert 0 == await poll.look()


async def test_limits_are_waited_out(poll: Poll, github: FakeGithub) -> None:
    github.add_issue(161)
    github.label(161, "longshift")
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 1)}
    github.refusals = [(403, reset), (429, {"retry-after": "1"})]
    started = time.monotonic()
    assert 1 == await poll.look()
    assert time.monotonic() - started >= 1.9


async def test_one_repository_that_fails_does_not_stop_the_others(poll: Poll, github: FakeGithub) -> None:
    github.add_issue(171)
    github.label(171, "longshift")
    assert 1 == await poll.look(repositories=("acme/gone", "acme/tool"))
    github.refusals = [(500, {})]
    assert 0 == await poll.look()


async def test_webhook_and_poll_meet_in_one_session(poll: Poll, github: FakeGithub, client: Client) -> None:
    github.add_issue(181)
    github.label(181, "longshift")
    await poll.look()
    key = "acme/tool#181:label"
    view = await read_session(client, ids.keyed_task_id("github", key))
    assert "acme/tool#181: “Issue 181”" == view.status.title


async def test_it_runs_until_it_is_told_to_end_and_not_at_all_without_a_token(
    poll: Poll, github: FakeGithub, client: Client
) -> None:
    acceptance = Acceptance(client, poll.settings)
    await keep_polling(poll.settings, acceptance)
    assert [] == github.asked
    settings = poll.settings.model_copy(update={"github_token": SecretStr(TOKEN)})
    running = asyncio.create_task(keep_polling(settings, acceptance))
    while len(github.asked) < 2:  # noqa: ASYNC110  # the double has no event for a look
        await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
