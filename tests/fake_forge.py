"""A small hosting service on the loopback interface: git over HTTP with a token, and pull requests over REST.

The git side is git's own `http-backend`; the other side says what GitHub's documentation says.
"""

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from longshift.intake.http.server import serve
from tests.user_git import USER_ENVIRONMENT

TOKEN = "a-token-that-must-not-leak-0123456789"


def git(folder: Path, *arguments: str) -> str:
    """Git as a user runs it; gives what it printed."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=USER_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class FakeForge:
    """Repositories below a folder, and their pull requests."""

    folder: Path
    url: str = ""
    pulls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    """Status and headers of the next answers of the REST side, before it works again."""
    lost_answers: int = 0
    """So many of the next pull requests are opened, and the answer is lost."""
    asked: list[str] = field(default_factory=list[str])

    def add_repository(self, name: str = "acme/tool") -> Path:
        """A repository with two commits; gives its bare folder."""
        work, bare = self.folder / "work" / name, self.folder / "bare" / f"{name}.git"
        work.mkdir(parents=True)
        git(work, "init", "--quiet")
        for number in ("one", "two"):
            (work / "app.py").write_text(f"print('{number}')\n")
            (work / "README.md").write_text(f"About {number}.\n")
            git(work, "add", "--all")
            git(work, "commit", "--quiet", "--message", number)
        bare.parent.mkdir(parents=True, exist_ok=True)
        git(work, "clone", "--quiet", "--bare", str(work), str(bare))
        git(bare, "config", "http.receivepack", "true")
        return bare

    async def serve_git(self, request: Request) -> Response:
        """`git http-backend`, as CGI."""
        given = request.headers.get("authorization", "")
        wanted = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if given != f"Basic {wanted}":
            return Response(status_code=401, headers={"www-authenticate": 'Basic realm="git"'})
        headers = request.headers
        environment = {
            **USER_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.folder / "bare"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.url.path,
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "REMOTE_USER": "x",
        }
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        out, _ = await process.communicate(await request.body())
        head, _, body = out.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(lines.pop("Status", "200").split()[0])
        return Response(body, status_code=status, headers=lines)

    async def serve_rest(self, request: Request) -> Response:
        """Pull requests and labels."""
        self.asked.append(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"message": f"Bad credentials {request.headers.get('authorization')}"}, 401)
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return Response(status_code=status, headers=headers)
        owner, what = request.path_params["owner"], request.path_params["what"]
        if what == "pulls" and request.method == "GET":
            head = request.query_params["head"]
            return JSONResponse([each for each in self.pulls if each["head"]["label"] == head])
        body = json.loads(await request.body())
        if what == "pulls":
            return self._open(owner, request.path_params["name"], body)
        number = int(what.split("/")[1])
        pull = next(each for each in self.pulls if each["number"] == number)
        pull["labels"] += [{"name": name} for name in body["labels"]]
        return JSONResponse(pull["labels"])

    def _open(self, owner: str, name: str, body: dict[str, Any]) -> Response:
        label = f"{owner}:{body['head']}"
        if any(each["head"]["label"] == label and each["state"] == "open" for each in self.pulls):
            return JSONResponse({"message": "Validation Failed", "errors": [{"message": "already exists"}]}, 422)
        bare = self.folder / "bare" / owner / f"{name}.git"
        pull: dict[str, Any] = {
            **body,
            "number": len(self.pulls) + 1,
            "state": "open",
            "labels": [],
            "html_url": f"{self.url}/{owner}/{name}/pull/{len(self.pulls) + 1}",
            "head": {"label": label, "ref": body["head"], "sha": git(bare, "rev-parse", body["head"])},
        }
        self.pulls.append(pull)
        if self.lost_answers:
            self.lost_answers -= 1
            return Response(status_code=502)
        return JSONResponse(pull, 201)


@asynccontextmanager
async def fake_forge(folder: Path) -> AsyncGenerator[FakeForge]:
    """A service that runs."""
    forge = FakeForge(folder)
    routes = [
        Route("/api/v3/repos/{owner}/{name}/{what:path}", forge.serve_rest, methods=["GET", "POST"]),
        Route("/{path:path}", forge.serve_git, methods=["GET", "POST"]),
    ]
    async with serve(Starlette(routes=routes), "127.0.0.1:0") as address:
        forge.url = address.url
        yield forge
