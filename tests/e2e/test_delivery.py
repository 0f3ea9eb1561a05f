# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""From a task to a branch, in a whole Longshift: what runs with rights waits for a person, and nothing else does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from longshift.adapters.scripted_model import Policy, RequestView, ScriptedCall, Turn
from longshift.contracts.reviews import Answer, AskKind, ReviewState
from longshift.contracts.session import SessionState
from tests.e2e.rig import rig
from tests.fake_forge import FakeForge, git
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]


def turn(name: str, **arguments: Any) -> Turn:
    return Turn(text="next", calls=(ScriptedCall(name=name, input=arguments),))


def player(command: str) -> Policy:
    turns = (turn("bash", command=command), turn("finish", summary="Done, fixes #3.", verified=[]))

    def played(request: RequestView) -> Turn:
        return turns[min(request.turn_index, 1)]

    return played


async def test_a_session_ends_with_a_branch_after_a_person_has_seen_it(tmp_path: Path) -> None:
    forge = FakeForge(tmp_path / "forge")
    bare = forge.add_repository()
    command = "mkdir -p .github/workflows && echo 'on: push' > .github/workflows/ci.yml && echo 42 > answer.txt"
    variables = {"LONGSHIFT_DELIVERY_REMOTES": str(bare.parent)}
    async with rig(tmp_path / "data", player(command), variables=variables) as running:
        handle = await running.submit(
            "branchy",
            workspace={"git": str(bare), "ref": "main"},
            deliver={"branch": "bots/{id}"},
            checks=[{"name": "answer", "run": "grep -q 42 answer.txt"}],
        )
        async with asyncio.timeout(150):
            while True:
                status = await handle.query(Session.status)
                asked = [each for each in status.reviews if each.state is ReviewState.OPEN]
                if asked or status.state.is_final:
                    break
                await asyncio.sleep(0.2)
        assert (AskKind.DELIVERY, False) == (asked[0].ask.kind, status.has_slot), status.reason
        assert ["main"] == git(bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
        answer = Answer(review=asked[0].ask.id, option="approve", shown_hash=asked[0].shown_hash, by="Ada", via="cli")
        await handle.execute_update(Session.answer, answer)
        status = await asyncio.wait_for(handle.result(), 60)
    assert SessionState.DONE is status.state
    assert status.delivery is not None
    assert status.delivery.branch is not None
    assert git(bare, "rev-parse", "bots/branchy") == status.delivery.branch.commit
    assert "42" == git(bare, "show", "bots/branchy:answer.txt")
    assert "#3" not in git(bare, "log", "-1", "--format=%B", "bots/branchy")
