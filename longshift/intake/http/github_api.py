"""GitHub's REST API, as far as the poll needs it: pages, unchanged lists for free, and its limits kept to.

https://docs.github.com/rest/using-the-rest-api (pagination, conditional requests, rate limits)
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx
import structlog

from longshift.adapters.github import github_client
from longshift.contracts.errors import LongshiftError

log = structlog.get_logger("longshift.github")

PER_PAGE = 100
MAX_PAGES = 1_000
LONGEST_WAIT_SECONDS = 3_700.0
"""Limits are counted by the hour."""
TRIES = 3


class GithubUnavailable(LongshiftError):
    """GitHub does not answer, or not as documented; the next round asks again."""

    kind = "github"
    retryable = True


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    items: list[dict[str, Any]]
    etag: str
    """Of the list as it began; a list that has not changed since is not sent again."""


class GithubApi:
    """A client with one token."""

    def __init__(self, api_url: str, token: str, *, longest_wait_seconds: float = LONGEST_WAIT_SECONDS) -> None:
        self._longest_wait_seconds = longest_wait_seconds
        self._http = github_client(api_url, token)

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def one(self, path: str) -> dict[str, Any] | None:
        """A single thing; None when it is gone.

        Raises:
            GithubUnavailable: there is no answer to work with.
        """
        answer = await self._get(path, {}, "")
        if answer.status_code in (404, 410):
            return None
        found = _json_of(answer)
        if not isinstance(found, dict):
            raise GithubUnavailable(f"GET {path}: is no object")
        return cast("dict[str, Any]", found)

    async def pages(self, path: str, query: dict[str, str], etag: str = "") -> AsyncGenerator[Page]:
        """A list, page after page; nothing when it has not changed since it had `etag`.

        Raises:
            GithubUnavailable: there is no answer to work with.
        """
        answer = await self._get(path, {**query, "per_page": str(PER_PAGE)}, etag)
        if answer.status_code == 304:
            return
        first_etag = answer.headers.get("etag", "")
        for _ in range(MAX_PAGES):
            items = _json_of(answer)
            if not isinstance(items, list):
                raise GithubUnavailable(f"GET {path}: is no list")
            yield Page(cast("list[dict[str, Any]]", items), first_etag)
            following = answer.links.get("next", {}).get("url")
            if not following:
                return
            if httpx.URL(following).netloc != self._http.base_url.netloc:
                raise GithubUnavailable(f"GET {path}: the next page is at another host, which does not get the token")
            answer = await self._get(following, None, "")
        raise GithubUnavailable(f"GET {path}: has more than {MAX_PAGES:,} pages")

    async def _get(self, path: str, query: dict[str, str] | None, etag: str) -> httpx.Response:
        """One answer of 200, 304, 404 or 410; limits are waited out."""
        headers = {"if-none-match": etag} if etag else {}
        for _ in range(TRIES):
            try:
                answer = await self._http.get(path, params=query, headers=headers)
            except httpx.HTTPError as error:
                raise GithubUnavailable(f"GET {path}: {error or type(error).__name__}") from error
            wait_seconds = _wait_seconds(answer)
            if wait_seconds is None:
                if answer.status_code in (200, 304, 404, 410):
                    return answer
                raise GithubUnavailable(f"GET {path}: status {answer.status_code}")
            wait_seconds = min(wait_seconds, self._longest_wait_seconds)
            log.warning("GitHub's limit is reached, waiting", seconds=round(wait_seconds, 1))
            await asyncio.sleep(wait_seconds)
        raise GithubUnavailable(f"GET {path}: the limit is reached, although its time was waited for")


def _wait_seconds(answer: httpx.Response) -> float | None:
    """How long the limits ask to wait; None when they do not."""
    if answer.status_code not in (403, 429):
        return None
    after = answer.headers.get("retry-after", "")
    if after.isdecimal():
        return float(after[:9])
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        # counted by GitHub's clock: ours may be wrong
        now = parsedate_to_datetime(answer.headers["date"]).timestamp() if "date" in answer.headers else float(reset)
        return max(1.0, float(reset[:15]) - now + 1)
    return 60.0 if answer.status_code == 429 else None


def _json_of(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise GithubUnavailable(f"GET {answer.url.path}: is no JSON") from error
