"""Who is let in: known tokens with the right scope, as long as they hold, and within their limits."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.errors import BadInput
from longshift.intake.http.authority import sees_repository
from longshift.intake.http.endpoint import Guard
from longshift.intake.http.routes import ENDPOINTS
from longshift.intake.http.token_file import TokenFile, Tokens, TokensUnreadable
from longshift.intake.http.tokens import Scope, Token, matching, new_secret
from tests.intake.http.conftest import TASK, Running, listed

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def a_token(**fields: Any) -> tuple[Token, str]:
    """A token, and what its owner has."""
    token_id, salt, hashed, shown = new_secret()
    values: dict[str, Any] = {"name": "ci", "scopes": (Scope.READ,), "created_at": NOW, **fields}
    return Token(id=token_id, salt=salt, hash=hashed, **values), shown


@given(st.text())
def test_no_other_text_is_the_token(text: str) -> None:
    token, shown = a_token()
    known = {token.id: token}
    assert (token, None) == (matching(shown, known, NOW), matching(text, known, NOW))
    assert None is matching(shown[:-1] + ("a" if shown[-1] != "a" else "b"), known, NOW)


def test_a_token_holds_until_it_expires() -> None:
    token, shown = a_token(expires_at=NOW)
    known = {token.id: token}
    assert (token, None) == (
        matching(shown, known, NOW - timedelta(seconds=1)),
        matching(shown, known, NOW),
    )


async def test_a_change_of_the_file_is_seen_at_the_next_request(tmp_path: Path) -> None:
    file, tokens = TokenFile(tmp_path), Tokens(tmp_path)
    token, shown = a_token()
    for _ in range(20):
        assert None is await tokens.find(shown)
        file.add(token)
        assert token == await tokens.find(shown)
        file.revoke("ci")
    file.path.write_text("[]")
    with pytest.raises(TokensUnreadable):
        await tokens.find(shown)


async def test_tokens_that_are_added_at_once_are_all_kept(tmp_path: Path) -> None:
    await asyncio.gather(
        *(asyncio.to_thread(TokenFile(tmp_path).add, a_token(name=f"t{number}")[0]) for number in range(20))
    )
    assert 20 == len(TokenFile(tmp_path).read())
    with pytest.raises(BadInput, match="already"):
        TokenFile(tmp_path).add(a_token(name="t7")[0])


@pytest.mark.parametrize(
    ("glob", "repository", "fits"),
    [
        ("https://git.example/acme/*", "https://git.example/acme/tool.git", True),
        ("https://git.example/acme/*", "https://git.example/acme/deep/tool.git", False),
        ("https://git.example/acme/**", "https://git.example/acme/deep/tool.git", True),
        ("https://git.example/acme/*", "https://git.example/acme/../evil", False),
        ("https://git.example/acme/**", "https://git.example/acme/../evil/x", False),
        ("https://git.example/acme/**", "https://git.example/acme/%2e%2e/evil/x", False),
        ("https://*.example/x", "https://evil.com/.example/x", False),
        ("https://*.example/x", "https://evil.com?.example/x", False),
        ("https://*.example/x", "https://evil.com#.example/x", False),
        ("https://*.example/x", "https://evil.com\\.example/x", False),
        ("git@git.example:acme/*", "git@git.example:acme/tool", True),
        ("empty", "empty", True),
        ("https://git.example/acme/*", "empty", False),
        ("https://git.example/acme/t??l", "https://git.example/acme/tool", True),
        ("https://git.example/acme/to+l", "https://git.example/acme/tooool", False),
    ],
)
def test_a_glob_stays_within_its_part_of_the_address(glob: str, repository: str, fits: bool) -> None:
    assert fits == sees_repository(a_token(repositories=(glob,))[0], repository)


@pytest.mark.engine
@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.guard is Guard.TOKEN], ids=lambda e: e.name)
async def test_every_endpoint_asks_for_its_own_scope(api: Running, endpoint: Any) -> None:
    assert endpoint.scope is not None
    path = endpoint.path.replace("{task_id}", "none").replace("{name:path}", "x")
    others = [scope for scope in Scope if scope is not endpoint.scope]
    async with httpx.AsyncClient(timeout=30, base_url=api.url) as http:
        nobody = await http.request(endpoint.method, path)
        wrong = await http.request(endpoint.method, path, headers=api.token(*others, name="wrong"))
        unknown = await http.request(endpoint.method, path, headers=api.shown(a_token()[1]))
        right = await http.request(endpoint.method, path, headers=api.token(endpoint.scope, name="right"))
    assert [401, 403, 401] == [nobody.status_code, wrong.status_code, unknown.status_code]
    assert ("Bearer", True) == (
        nobody.headers["www-authenticate"],
        "longshift token add NAME" in nobody.json()["error"]["message"],
    )
    assert f"--scope {endpoint.scope.value}" in wrong.json()["error"]["message"]
    assert right.status_code not in (401, 403)


@pytest.mark.engine
async def test_a_revoked_token_is_refused_at_once(api: Running) -> None:
    async with httpx.AsyncClient(timeout=30, base_url=api.url, headers=api.token(name="old")) as http:
        before = await http.get("/v1/sessions")
        api.tokens.revoke("old")
        after = await http.get("/v1/sessions")
    assert (200, 401) == (before.status_code, after.status_code)


@pytest.mark.engine
async def test_while_the_file_is_damaged_nobody_is_let_in(api: Running) -> None:
    header = api.token()
    api.tokens.path.write_text("{")
    async with httpx.AsyncClient(timeout=30, base_url=api.url, headers=header) as http:
        answer = await http.get("/v1/sessions")
    assert (503, "tokens") == (answer.status_code, answer.json()["error"]["kind"])


@pytest.mark.engine
async def test_the_tenant_of_a_token_is_forced_and_hides_all_others(api: Running) -> None:
    async with (
        httpx.AsyncClient(timeout=30, base_url=api.url, headers=api.token(name="a", tenant="acme")) as acme,
        httpx.AsyncClient(timeout=30, base_url=api.url, headers=api.token(name="b", tenant="bolt")) as bolt,
    ):
        mine = (await acme.post("/v1/sessions", json=TASK)).json()["task_id"]
        same_text = await bolt.post("/v1/sessions", json=TASK)
        claimed = await acme.post("/v1/sessions", json={**TASK, "tenant": "bolt"})
        jumps = [
            await acme.post("/v1/sessions", json={**TASK, name: value})
            for name, value in (("fairness_key", "x"), ("fairness_weight", 9))
        ]
        shown = await listed(acme, "state=queued")
        seen = [await each.get(f"/v1/sessions/{mine}") for each in (acme, bolt)]
        hidden = await bolt.post(f"/v1/sessions/{mine}/cancel")
    assert (201, True) == (same_text.status_code, same_text.json()["task_id"] != mine)
    assert (422, "tenant") == (claimed.status_code, claimed.json()["error"]["field"])
    assert [(403, "fairness_key"), (403, "fairness_weight")] == [
        (answer.status_code, answer.json()["error"]["field"]) for answer in jumps
    ]
    assert ({"acme"}, [200, 404], 404) == (
        {each["tenant"] for each in shown},
        [answer.status_code for answer in seen],
        hidden.status_code,
    )


@pytest.mark.engine
async def test_a_task_keeps_to_the_priority_and_the_repositories_of_its_token(api: Running) -> None:
    header = api.token(name="tight", highest_priority=3, repositories=("https://git.example/acme/*",))
    good = {**TASK, "workspace": {"git": "https://git.example/acme/tool.git"}}
    async with httpx.AsyncClient(timeout=30, base_url=api.url, headers=header) as http, api.http() as everybody:
        answers = [
            await http.post("/v1/sessions", json=good),
            await http.post("/v1/sessions", json={**good, "priority": 2}),
            await http.post("/v1/sessions", json={**TASK, "workspace": {"git": "https://git.example/other/tool.git"}}),
            await http.post("/v1/sessions", json=TASK),
        ]
        other = (await everybody.post("/v1/sessions", json={**TASK, "id": "elsewhere"})).json()["task_id"]
        unseen = await http.get(f"/v1/sessions/{other}")
        shown = await listed(http, "state=queued")
    assert [201, 403, 403, 403] == [answer.status_code for answer in answers]
    assert ["priority", "workspace", "workspace"] == [answer.json()["error"]["field"] for answer in answers[1:]]
    assert (404, {"https://git.example/acme/tool.git"}) == (
        unseen.status_code,
        {each["repository"] for each in shown},
    )
