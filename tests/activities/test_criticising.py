"""The critic of plans over a real store and the real client: a fresh context, a strict verdict, paid for once."""

from collections.abc import Callable

import orjson
import pytest
from temporalio.testing import ActivityEnvironment

from activities.model import Models
from longshift.adapters.model import LimiterPool, ModelClient
from longshift.adapters.scripted_model import RequestView, ScriptedModel, Turn
from longshift.adapters.store import Store, Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.model import ModelOutcome
from longshift.contracts.swarm_activities import CriticisePlanInput
from longshift.contracts.task import TaskSpec
from longshift.contracts.verification import VerdictDigest
from longshift.policy import plan_critic, verifier
from longshift.policy.plan_faults import Site
from longshift.policy.swarm_plan import canonical, hash_of, planned
from tests.adapters.model.model_wire import profile_of

pytestmark = pytest.mark.usefixtures("without_proxies")

ACCEPT = '{"verdict": "accept", "reasons": ["fine"], "missing": []}'
REJECT = '{"verdict": "reject", "reasons": ["a: says nothing"], "missing": ["tests"]}'
SWARM = ids.swarm_id("t/lead", 1)


@pytest.fixture
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's proxy must not sit between the client and the loopback."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


class Desk:
    """One critic, asked over HTTP; what it says is a function of the request."""

    def __init__(self, say: Callable[[RequestView], str], goal: str = "Mend it.", window_tokens: int = 262_144) -> None:
        self.seen: list[RequestView] = []
        self.store: Store = open_store("memory://")
        self._say = say
        self._goal = goal
        self._window_tokens = window_tokens

    def _answer(self, request: RequestView) -> Turn:
        self.seen.append(request)
        return Turn(text=self._say(request))

    async def verdict(self, number: int = 1, profile_name: str = "judge") -> VerdictDigest:
        task = TaskSpec(id="t", title="Mend all", instructions="Mend the parsers.", constraints=("no new dependency",))
        await self.store.create(ids.task_key("t"), task.model_dump_json().encode())
        items = [{"id": name, "goal": self._goal} for name in ("a", "b")]
        body = canonical(planned(DelegateArguments.model_validate({"goal": "All.", "items": items}), Site()))
        await self.store.create(ids.plan_key(SWARM, hash_of(body)), body)
        listing = orjson.dumps({"text": "src/parser.py"})
        await self.store.create(ids.plan_files_key(SWARM, hash_of(body)), listing)
        async with ScriptedModel(self._answer, window_tokens=self._window_tokens) as model:
            profile = profile_of(base_url=model.base_url, auth="none", prices={"input": 1_000_000})
            client = ModelClient(key_of=lambda _name: None, limiters=LimiterPool())
            models = Models(client, self.store, Transcripts(self.store), {"judge": profile}, patience_seconds=0)
            asked = CriticisePlanInput(
                agent="t/lead",
                task_id="t",
                swarm=SWARM,
                plan_hash=hash_of(body),
                profile=profile_name,
                step=3,
                round=number,
            )
            try:
                return await ActivityEnvironment().run(models.criticise_plan, asked)
            finally:
                await client.aclose()


async def test_an_accepting_verdict_comes_with_its_cost_and_is_asked_for_once() -> None:
    desk = Desk(lambda _request: ACCEPT)
    digest = await desk.verdict()
    assert ModelOutcome.ANSWERED is digest.outcome
    assert digest.verdict is not None
    assert (True, ("fine",), 3) == (digest.verdict.accepted, digest.verdict.reasons, digest.verdict.step)
    assert digest.cost_usd == pytest.approx(digest.usage.input_tokens)
    assert digest == await desk.verdict()
    assert 1 == len(desk.seen)
    await desk.verdict(2)
    assert 2 == len(desk.seen)


async def test_the_context_is_fresh_and_holds_task_plan_and_files() -> None:
    desk = Desk(lambda _request: REJECT)
    digest = await desk.verdict()
    assert digest.verdict is not None
    assert (False, ("a: says nothing",), ("tests",)) == (
        digest.verdict.accepted,
        digest.verdict.reasons,
        digest.verdict.missing,
    )
    (request,) = desk.seen
    assert (1, plan_critic.SYSTEM) == (len(request.messages), request.system)
    assert "tools" not in request.body
    for words in (plan_critic.MARKER, "Mend the parsers.", "no new dependency", "  goal: Mend it.", "src/parser.py"):
        assert words in request.opening


async def test_what_is_no_verdict_twice_is_a_rejection() -> None:
    desk = Desk(lambda _request: "Looks good!")
    digest = await desk.verdict()
    assert digest.verdict is not None
    assert (False, True, 2) == (digest.verdict.accepted, digest.verdict.unreadable, len(desk.seen))
    assert verifier.AGAIN in desk.seen[1].last_text


async def test_a_plan_that_does_not_fit_is_shown_with_shorter_texts_and_every_item() -> None:
    desk = Desk(lambda _request: ACCEPT, goal="word " * 1_500, window_tokens=4_500)
    digest = await desk.verdict()
    assert ModelOutcome.ANSWERED is digest.outcome
    assert "more characters)" in desk.seen[-1].opening
    assert all(f"\n{name}\n  goal: word" in desk.seen[-1].opening for name in ("a", "b"))


async def test_a_profile_that_nobody_knows_is_for_a_person_to_mend() -> None:
    digest = await Desk(lambda _request: ACCEPT).verdict(profile_name="other")
    assert (ModelOutcome.MISCONFIGURED, None) == (digest.outcome, digest.verdict)
