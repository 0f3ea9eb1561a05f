"""Finds what webhooks of GitHub missed: every few minutes, under the same keys, so nothing is doubled.

GitHub delivers once. What came while this process was away is found by the labels that are set and the comments since
the last look.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from longshift.contracts.errors import BadInput, LongshiftError
from longshift.intake.acceptance import Acceptance
from longshift.intake.http.github import rules_of, take
from longshift.intake.http.github_api import GithubApi, GithubUnavailable
from longshift.intake.http.github_events import Comment, Issue, IssueEvent, Skipped, is_command, of_comment, of_label
from longshift.intake.http.github_position import Position, PositionFile, RepositoryPosition
from longshift.intake.http.github_task import IssueTask
from longshift.settings import Settings

log = structlog.get_logger("longshift.github")

Told = TypeVar("Told", bound=BaseModel)

FIRST_LOOK_BACK = timedelta(hours=1)
"""Where the very first look at comments begins; labels that are set are found however old they are."""


async def keep_polling(settings: Settings, acceptance: Acceptance) -> None:
    """Look until cancelled; returns at once where there is no token, or no repository.

    Raises:
        BadInput: a repository is not `owner/name`.
    """
    if settings.github_token is None or not settings.github_repositories:
        return
    api = GithubApi(settings.github_api_url, await asyncio.to_thread(settings.github_token.get_secret_value))
    try:
        await GithubPoll(settings, acceptance, api).run()
    finally:
        await api.close()


class GithubPoll:
    """The poll over all repositories of the settings."""

    def __init__(self, settings: Settings, acceptance: Acceptance, api: GithubApi) -> None:
        self._settings = settings
        self._acceptance = acceptance
        self._api = api
        self._rules = rules_of(settings)
        self._file = PositionFile(settings.data_dir)

    async def run(self) -> None:
        """Look again and again, until cancelled. What fails is looked at again in the next round."""
        while True:
            await self.look()
            await asyncio.sleep(self._settings.github_poll_seconds)

    async def look(self) -> int:
        """Look once at every repository; how many new sessions there are now."""
        position, found = await self._file.read(), 0
        for repository in self._settings.github_repositories:
            try:
                position, new = await self._look_at(repository, position)
                found += new
            except (LongshiftError, OSError) as error:
                # what was not handed on stays behind the position; other repositories may go well
                log.warning("the poll of GitHub did not get through", repository=repository, error=str(error))
        return found

    async def _look_at(self, repository: str, position: Position) -> tuple[Position, int]:
        before = position.of(repository)
        place, labelled = await self._labels(repository, before)
        if place != before:
            position = position.moved(repository, place)
            await self._file.write(position)
        place, commanded = await self._comments(repository, before := place)
        if place != before:
            position = position.moved(repository, place)
            await self._file.write(position)
        return position, labelled + commanded

    async def _labels(self, repository: str, place: RepositoryPosition) -> tuple[RepositoryPosition, int]:
        """Open issues with the label."""
        asked = f"label={self._rules.label}"
        etag = place.issues_etag if place.issues_rules == asked else ""
        query = {"labels": self._rules.label, "state": "open", "sort": "updated", "direction": "desc"}
        known, new = frozenset(place.handled), 0
        handled: set[int] = set()
        new_etag: str | None = None
        async for page in self._api.pages(f"repos/{repository}/issues", query, etag):
            new_etag = page.etag
            for item in page.items:
                issue = _parsed(Issue, item)
                if issue.number in known and etag:
                    handled.add(issue.number)
                    continue
                taken = await self._take(await self._label_task(repository, issue))
                new += taken is True
                if taken is not None:
                    handled.add(issue.number)
        if new_etag is None:
            return place, 0
        update = {"issues_etag": new_etag, "issues_rules": asked, "handled": tuple(sorted(handled))}
        return place.model_copy(update=update), new

    async def _label_task(self, repository: str, issue: Issue) -> IssueTask | Skipped:
        found = of_label(repository, issue, self._rules, labelled_by={issue.author})
        if isinstance(found, IssueTask) or issue.pull_request is not None:
            return found
        by: set[str] = set()  # an outsider's issue: who has set the label?
        async for page in self._api.pages(f"repos/{repository}/issues/{issue.number}/events", {}):
            for item in page.items:
                event = _parsed(IssueEvent, item)
                is_ours = event.label is not None and event.label.name.lower() == self._rules.label.lower()
                if event.event == "labeled" and is_ours and event.actor is not None:
                    by.add(event.actor.login)
        return of_label(repository, issue, self._rules, labelled_by=by)

    async def _comments(self, repository: str, place: RepositoryPosition) -> tuple[RepositoryPosition, int]:
        """Comments since the last look. What was written before and only edited since is no command."""
        since = place.comments_since or _iso(datetime.now(UTC) - FIRST_LOOK_BACK)
        query = {"since": since, "sort": "updated", "direction": "asc"}
        latest, new = since, 0
        async for page in self._api.pages(f"repos/{repository}/issues/comments", query):
            for item in page.items:
                comment = _parsed(Comment, item)
                if comment.created_at >= since and is_command(comment, self._rules):
                    new += await self._take(await self._comment_task(repository, comment)) is True
                latest = max(latest, comment.updated_at)
        return place.model_copy(update={"comments_since": latest}), new

    async def _comment_task(self, repository: str, comment: Comment) -> IssueTask | Skipped:
        number = comment.issue_url.rpartition("/")[2]
        if not number.isdecimal():
            return Skipped("the comment names no issue")
        issue = await self._api.one(f"repos/{repository}/issues/{number}")
        if issue is None:
            return Skipped("the issue is gone")
        return of_comment(repository, _parsed(Issue, issue), comment, self._rules)

    async def _take(self, found: IssueTask | Skipped) -> bool | None:
        """Whether it is a new session; None when it is none at all.

        Raises:
            QueueFull: the backlog has reached its limit.
            EngineError: the engine cannot be reached.
        """
        if isinstance(found, Skipped):
            return None
        try:
            return (await take(self._acceptance, self._settings, found)).is_new
        except BadInput as error:
            log.warning("an issue makes no task", key=found.key, error=str(error))
            return False


def _parsed(kind: type[Told], item: dict[str, Any]) -> Told:
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        raise GithubUnavailable(f"{kind.__name__}: is not as documented: {error.errors()[0]['msg']}") from None


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
