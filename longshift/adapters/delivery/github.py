"""Pull requests over GitHub's REST API: found, or opened once. What they say is decided elsewhere.

https://docs.github.com/rest/pulls/pulls
"""

from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx

from longshift.adapters.delivery.remotes import Remote
from longshift.adapters.github import github_client
from longshift.contracts.delivery import PlannedPullRequest
from longshift.contracts.errors import DeliveryRefused, DeliveryUnavailable


def api_url(remote: Remote, known: str = "https://api.github.com") -> str:
    """Where the API of a repository's server is; `known` is the configured one, which counts where its host fits.

    GitHub has it under a host of its own, an Enterprise Server under /api/v3.
    """
    parts = urlsplit(remote.address)
    if parts.netloc == "github.com":
        return "https://api.github.com"
    return known.rstrip("/") if urlsplit(known).netloc == parts.netloc else f"{remote.server}api/v3"


def owner_and_name(remote: Remote) -> tuple[str, str]:
    """Of a repository.

    Raises:
        DeliveryRefused: it is none of GitHub's.
    """
    if not remote.is_http or not remote.token:
        raise DeliveryRefused(
            f"deliver.pull_request: {remote.address} is not reached over HTTP with a token; give its https address as "
            "workspace.git, and a token in delivery_tokens"
        )
    path = urlsplit(remote.address).path.strip("/").removesuffix(".git").split("/")
    if len(path) != 2:
        raise DeliveryRefused(f"deliver.pull_request: {remote.address} is not owner/name of a repository on GitHub")
    return path[0], path[1]


class PullRequests:
    """The pull requests of one repository."""

    def __init__(self, remote: Remote, api: str) -> None:
        self._owner, self._name = owner_and_name(remote)
        self._token = remote.token
        self._http = github_client(api, remote.token)

    async def __aenter__(self) -> "PullRequests":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def opened(self, branch: str, commit: str, planned: PlannedPullRequest, body: str) -> str:
        """The URL of the branch's pull request: one that is there, or a new one.

        Raises:
            DeliveryRefused: token, title, base or the like is refused.
            DeliveryUnavailable: there is no answer to work with; whether it was opened is found next time.
        """
        found = await self._found(branch, commit)
        if found is None:
            given = {
                "title": planned.title,
                "head": branch,
                "base": planned.base,
                "body": body,
                "draft": planned.draft,
                "maintainer_can_modify": True,
            }
            found = await self._asked("POST", "pulls", json=given)
        missing = set(planned.labels) - {str(each.get("name")) for each in found.get("labels") or ()}
        if missing:
            await self._asked("POST", f"issues/{found['number']}/labels", json={"labels": sorted(missing)})
        return str(found["html_url"])

    async def _found(self, branch: str, commit: str) -> dict[str, Any] | None:
        """One of this commit, whatever became of it, or one of the branch that is open."""
        query = {"head": f"{self._owner}:{branch}", "state": "all", "per_page": "100"}
        listed = await self._asked("GET", "pulls", params=query)
        of_branch = [each for each in listed if each.get("head", {}).get("ref") == branch]
        same = [each for each in of_branch if each["head"].get("sha") == commit or each.get("state") == "open"]
        return same[0] if same else None

    async def _asked(self, method: str, path: str, **more: Any) -> Any:
        url = f"repos/{quote(self._owner)}/{quote(self._name)}/{path}"
        what = f"deliver.pull_request: {method} {url}"
        try:
            answer = await self._http.request(method, url, **more)
        except httpx.HTTPError as error:
            raise DeliveryUnavailable(f"{what}: {error or type(error).__name__}") from error
        if answer.is_success:
            try:
                return answer.json()
            except ValueError as error:
                raise DeliveryUnavailable(f"{what}: the answer is no JSON") from error
        said = f"{what}: status {answer.status_code}{self._told(answer)}"
        if answer.status_code >= 500 or answer.status_code in (408, 429) or _is_limited(answer):
            raise DeliveryUnavailable(said)
        raise DeliveryRefused(f"{said}{_REMEDIES.get(answer.status_code, '')}")

    def _told(self, answer: httpx.Response) -> str:
        """What GitHub says of it, in short."""
        try:
            body = cast("dict[str, Any]", answer.json())
            details = [str(each.get("message") or each.get("code") or "") for each in body.get("errors") or ()]
            text = "; ".join(part for part in (str(body.get("message", "")), *details) if part)
        except (ValueError, AttributeError):
            text = ""
        return f" ({text[:500].replace(self._token, '[redacted]')})" if text else ""


_REMEDIES = {
    401: "; the token is not known there: give another one in delivery_tokens",
    403: "; the token may not do this: it needs to write contents and pull requests",
    404: "; the token does not see this repository, or it is not there",
    422: "; mend deliver.pull_request, or the branches there, then try again",
}


def _is_limited(answer: httpx.Response) -> bool:
    """Whether a refusal is one of the limits of requests, which passes."""
    if answer.status_code != 403:
        return False
    return "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
