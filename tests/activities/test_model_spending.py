"""What a model activity says it has cost, over broken streams, refusals, thrown-away answers and dead attempts.

Over real HTTP: the scripted model breaks its answers, and tells its usage as providers do.
"""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.model import Models
from longshift.adapters.model import LimiterPool, ModelClient
from longshift.adapters.scripted_model import Fault, FaultKind, Script, ScriptedCall, ScriptedModel, Turn
from longshift.adapters.store import Store, Transcripts, open_store
from longshift.contracts.activities import CallModelInput, WriteHandoffInput
from longshift.contracts.ledger import Allowance, Booked
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome, Prices, Usage
from longshift.contracts.transcript import EpochBase
from tests.adapters.model.model_wire import profile_of

AGENT, KEY = "t/lead", "k"
OPENING = {"role": "user", "content": [{"type": "text", "text": "task " * 400}]}
CALL = ScriptedCall(name="bash", input={"command": "ls"})
PRICES = Prices(input=1.0, cached=0.1, output=4.0)
TOKENS = 500
"""What the prompt is estimated at."""
MOST = Usage(input_tokens=TOKENS, output_tokens=2_000)
"""What a request may cost at most."""


class Rig:
    """One agent's model activities against a scripted model."""

    def __init__(self, model: ScriptedModel, client: ModelClient, store: Store, patience_seconds: float) -> None:
        self.model = model
        self.store = store
        self.transcripts = Transcripts(store)
        profile = profile_of(base_url=model.base_url, prices=PRICES, api_key_env="K", max_output_tokens=2_000)
        self.models = Models(client, store, self.transcripts, {"test": profile}, patience_seconds=patience_seconds)
        self.beats: list[tuple[Any, ...]] = []

    def environment(self, attempt: int = 1, details: tuple[Any, ...] = ()) -> ActivityEnvironment:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            attempt=attempt,
            heartbeat_details=list(details),
            heartbeat_timeout=timedelta(seconds=15),
        )
        environment.on_heartbeat = lambda *beat: self.beats.append(beat)
        return environment

    async def call(self, *, attempt: int = 1, details: tuple[Any, ...] = (), **fields: Any) -> ModelDigest:
        await self.transcripts.put_base(AGENT, 1, EpochBase(system="s", tools=(), messages=(OPENING,), first_step=1))
        asked = CallModelInput(
            agent=AGENT,
            task_id="t",
            profile="test",
            epoch=1,
            epoch_first_step=1,
            step=1,
            context_tokens=TOKENS,
            **fields,
        )
        return await self.environment(attempt, details).run(self.models.call_model, asked)

    async def last_note(self) -> HandoffDigest:
        await self.transcripts.put_base(AGENT, 1, EpochBase(system="s", tools=(), messages=(OPENING,), first_step=1))
        asked = WriteHandoffInput(
            agent=AGENT,
            task_id="t",
            profile="test",
            epoch=1,
            epoch_first_step=1,
            step=1,
            context_tokens=TOKENS,
            final=True,
        )
        return await self.environment().run(self.models.write_handoff, asked)


@asynccontextmanager
async def rig(*faults: Fault, patience_seconds: float = 20.0, turn: Turn | None = None) -> AsyncGenerator[Rig]:
    script = Script(turns=(turn or Turn(calls=(CALL,)),))
    async with ScriptedModel(script, key=KEY) as model:
        model.order_faults(*faults)
        client = ModelClient(key_of=lambda _name: KEY, limiters=LimiterPool())
        try:
            yield Rig(model, client, open_store("memory://"), patience_seconds)
        finally:
            await client.aclose()


async def plain() -> ModelDigest:
    async with rig() as here:
        return await here.call()


async def test_an_answer_costs_what_its_usage_says_and_tells_what_the_next_may_cost() -> None:
    digest = await plain()
    assert PRICES.cost_usd(digest.usage) == digest.cost_usd
    assert Usage() == digest.unknown
    assert (2_000, 0.008, 1e-6) == (
        digest.reserve.output_tokens,
        digest.reserve.output_usd,
        digest.reserve.prompt_usd_per_token,
    )


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.RATE_LIMITED,
        FaultKind.ENGINE_OVERLOADED,
        FaultKind.OVERLOADED,
        FaultKind.SERVER_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.GATEWAY_TIMEOUT,
    ],
)
async def test_what_the_provider_refuses_costs_nothing(kind: FaultKind) -> None:
    async with rig(Fault(kind=kind, times=2)) as here:
        digest = await here.call()
    whole = await plain()
    assert (whole.usage, Usage()) == (digest.usage, digest.unknown)


async def test_a_request_that_broke_before_any_answer_is_booked_at_its_reservation() -> None:
    async with rig(Fault(kind=FaultKind.RESET)) as here:
        digest = await here.call()
    whole = await plain()
    assert (whole.usage + MOST, MOST) == (digest.usage, digest.unknown)
    assert PRICES.cost_usd(MOST) == digest.unknown_usd


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.NO_END, FaultKind.ERROR_EVENT])
async def test_a_stream_that_broke_costs_what_it_had_said_its_prompt_at_least(kind: FaultKind) -> None:
    async with rig(Fault(kind=kind, after_events=2)) as here:
        digest = await here.call()
    whole = await plain()
    twice = whole.usage.prompt_tokens * 2
    assert twice == digest.usage.prompt_tokens
    assert whole.usage.output_tokens <= digest.usage.output_tokens < whole.usage.output_tokens + MOST.output_tokens
    assert Usage() == digest.unknown


async def test_an_answer_without_content_is_paid_although_it_is_thrown_away() -> None:
    async with rig(Fault(kind=FaultKind.EMPTY)) as here:
        digest = await here.call()
    whole = await plain()
    assert digest.usage.prompt_tokens == 2 * whole.usage.prompt_tokens


async def test_a_refusal_of_the_model_is_paid() -> None:
    async with rig(Fault(kind=FaultKind.REFUSAL)) as here:
        digest = await here.call()
    whole = await plain()
    assert (ModelOutcome.REFUSED, whole.usage.prompt_tokens) == (digest.outcome, digest.usage.prompt_tokens)


async def test_patience_that_is_used_up_brings_what_it_cost() -> None:
    async with rig(Fault(kind=FaultKind.RESET, times=9), patience_seconds=0) as here:
        digest = await here.call()
    assert (ModelOutcome.UNAVAILABLE, MOST, MOST) == (digest.outcome, digest.usage, digest.unknown)


async def test_nothing_is_asked_again_beyond_what_the_budget_has_left() -> None:
    async with rig(Fault(kind=FaultKind.RESET, times=9)) as here:
        digest = await here.call(left=Allowance(tokens=6_000))
        assert 2 == len(here.model.requests)
    assert (ModelOutcome.UNAVAILABLE, 5_000) == (digest.outcome, digest.usage.total_tokens)


async def test_a_dead_attempt_with_a_request_out_is_booked_by_the_next() -> None:
    died = ("12 characters", Booked(in_flight=MOST).model_dump(mode="json"))
    async with rig() as here:
        digest = await here.call(attempt=2, details=died)
    assert ((await plain()).usage + MOST, MOST) == (digest.usage, digest.unknown)


async def test_what_dead_attempts_paid_goes_on_from_attempt_to_attempt() -> None:
    paid = Usage(input_tokens=70, output_tokens=7)
    died = ("asking", Booked(usage=paid + MOST, unknown=MOST, in_flight=MOST).model_dump(mode="json"))
    async with rig() as here:
        digest = await here.call(attempt=3, details=died)
    assert ((await plain()).usage + paid + MOST + MOST, MOST + MOST) == (digest.usage, digest.unknown)


async def test_an_attempt_that_ended_without_a_word_may_have_asked() -> None:
    async with rig() as here:
        digest = await here.call(attempt=2)
    assert MOST == digest.unknown


@pytest.mark.parametrize("details", [("started",), ("started", Booked().model_dump(mode="json"))])
async def test_an_attempt_that_died_before_it_asked_costs_nothing(details: tuple[Any, ...]) -> None:
    async with rig() as here:
        digest = await here.call(attempt=2, details=details)
    assert (await plain()).usage == digest.usage


async def test_an_answer_that_is_stored_is_charged_once_whatever_its_attempt_had_said_last() -> None:
    died = ("12 characters", Booked(in_flight=MOST).model_dump(mode="json"))
    async with rig() as here:
        first = await here.call()
        again = await here.call(attempt=2, details=died)
        assert 1 == len(here.model.requests)
    assert (first.usage, first.cost_usd, Usage()) == (again.usage, again.cost_usd, again.unknown)


async def test_a_cancelled_attempt_tells_that_its_request_was_out() -> None:
    slow = Turn(calls=(CALL,), delay_seconds=30)
    async with rig(turn=slow) as here:
        call = asyncio.create_task(here.call())
        await here.model.wait_for_requests(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert Booked(in_flight=MOST) == here.beats[-1][1]


async def test_answers_in_time_send_no_heartbeat() -> None:
    async with rig() as here:
        await here.call()
    assert [] == here.beats


async def test_a_note_costs_what_its_broken_requests_cost_too() -> None:
    async with rig(Fault(kind=FaultKind.RESET)) as here:
        digest = await here.last_note()
        stored = await here.last_note()
    assert MOST == digest.unknown
    assert digest.usage.prompt_tokens > MOST.input_tokens
    assert (digest.usage, digest.unknown) == (stored.usage, stored.unknown)


async def test_a_note_that_nobody_wrote_brings_what_was_spent_on_it() -> None:
    async with rig(Fault(kind=FaultKind.RESET, times=9), patience_seconds=0) as here:
        digest = await here.last_note()
    assert (ModelOutcome.UNAVAILABLE, MOST) == (digest.outcome, digest.unknown)
