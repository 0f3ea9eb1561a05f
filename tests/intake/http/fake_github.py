"""A small GitHub on the loopback interface: issues, comments and label events, with pages, ETags and a rate limit."""

import hashlib
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longshift.intake.http.server import serve

TOKEN = "ghp_a_token_of_the_test"


@dataclass
class FakeGithub:
    """One repository and its clock."""

    url: str = ""
    issues: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    comments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    page_size: int = 100
    """What it really gives, however much is asked for."""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    """Status and headers of the next answers, before it works again."""
    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Path and status of every request."""
    _ticks: int = 0

    def now(self) -> str:
        """Its own time: a second later each time it is asked, so that everything has its order."""
        self._ticks += 1
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self._ticks))

    def add_issue(self, number: int, *, labels: tuple[str, ...] = (), by: str = "stranger", **more: Any) -> None:
        """An issue that is opened."""
        moment = self.now()
        self.issues[number] = {
            "number": number,
            "title": f"Issue {number}",
            "body": "It fails.",
            "state": "open",
            "user": {"login": by},
            "author_association": "NONE",
            "labels": [{"name": label} for label in labels],
            "created_at": moment,
            "updated_at": moment,
            **more,
        }
        for label in labels:
            self._note_label(number, label, by)

    def label(self, number: int, label: str, *, by: str = "maintainer") -> None:
        """A label that is set."""
        self.issues[number]["labels"].append({"name": label})
        self.issues[number]["updated_at"] = self.now()
        self._note_label(number, label, by)

    def unlabel(self, number: int) -> None:
        """All labels taken away."""
        self.issues[number].update(labels=[], updated_at=self.now())

    def comment(self, comment_id: int, number: int, body: str, *, association: str = "MEMBER") -> None:
        """A comment."""
        moment = self.now()
        self.comments.append(
            {
                "id": comment_id,
                "issue_url": f"{self.url}/repos/acme/tool/issues/{number}",
                "body": body,
                "user": {"login": "maintainer"},
                "author_association": association,
                "created_at": moment,
                "updated_at": moment,
            }
        )

    def edit(self, comment_id: int, body: str) -> None:
        """A comment that is changed later."""
        next(each for each in self.comments if each["id"] == comment_id).update(body=body, updated_at=self.now())

    def _note_label(self, number: int, label: str, by: str) -> None:
        event = {"event": "labeled", "actor": {"login": by}, "label": {"name": label}}
        self.events.setdefault(number, []).append(event)

    async def answer(self, request: Request) -> Response:
        """One request."""
        response = self._answer(request)
        response.headers["date"] = formatdate(usegmt=True)
        self.asked.append((request.url.path, response.status_code))
        return response

    def _answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(status_code=401)
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return Response(status_code=status, headers=headers)
        what = request.path_params["what"].strip("/")
        query = request.query_params
        if what == "issues":
            wanted = [each for each in self.issues.values() if self._is_wanted(each, query["labels"])]
            return self._listed(request, sorted(wanted, key=lambda each: each["updated_at"], reverse=True))
        if what == "issues/comments":
            recent = [each for each in self.comments if each["updated_at"] >= query["since"]]
            return self._listed(request, sorted(recent, key=lambda each: each["updated_at"]))
        parts = what.split("/")
        if parts[0] == "issues" and parts[2:] == ["events"]:
            return self._listed(request, self.events.get(int(parts[1]), []))
        issue = self.issues.get(int(parts[1]))
        return Response(json.dumps(issue), media_type="application/json") if issue else Response(status_code=404)

    def _is_wanted(self, issue: dict[str, Any], label: str) -> bool:
        return issue["state"] == "open" and any(each["name"] == label for each in issue["labels"])

    def _listed(self, request: Request, items: list[dict[str, Any]]) -> Response:
        page = int(request.query_params.get("page", "1"))
        part = items[(page - 1) * self.page_size : page * self.page_size]
        body = json.dumps(part)
        etag = f'W/"{hashlib.sha256(body.encode()).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        headers = {"etag": etag}
        if page * self.page_size < len(items):
            following = request.url.include_query_params(page=page + 1)
            headers["link"] = f'<{following}>; rel="next", <{request.url}>; rel="first"'
        return Response(body, headers=headers, media_type="application/json")


@asynccontextmanager
async def fake_github() -> AsyncGenerator[FakeGithub]:
    """A GitHub that runs."""
    fake = FakeGithub()
    app = Starlette(routes=[Route("/repos/acme/tool/{what:path}", fake.answer)])
    async with serve(app, "127.0.0.1:0") as address:
        fake.url = address.url
        yield fake
