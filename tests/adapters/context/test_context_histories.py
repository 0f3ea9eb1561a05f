"""Any history with any compactions: each conversation is sound, the same from a cold store, and forgets no person."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.adapters.context.epochs import Epochs, rounds_of
from longshift.adapters.scripted_model.validation import find_problem
from longshift.adapters.store import Transcripts, open_store
from longshift.contracts.activities import WriteHandoffInput
from longshift.contracts.transcript import EpochBase, HandoffRecord, SealInput
from longshift.policy import compaction
from longshift.policy.prompt import handoff_message
from longshift.policy.transcript import violations
from tests.policy.any_history import Step, numbered, said_by_people, steps

AGENT = "t/lead"
OPENING = {"role": "user", "content": [{"type": "text", "text": "task"}]}
KNOWN_BLOCKS = {"text", "thinking", "redacted_thinking", "tool_use", "tool_result"}


@dataclass(frozen=True)
class Clearing:
    """Old results are cleared."""

    share: float
    """Of the rounds, the oldest."""


@dataclass(frozen=True)
class HandOff:
    """A note is written."""

    share: float
    """Of the rounds, the oldest, which are left behind."""
    foreign: bool
    """Another provider's model goes on."""


SHARES = st.floats(0, 1)
EVENTS = st.lists(
    steps() | steps() | st.builds(Clearing, SHARES) | st.builds(HandOff, SHARES, st.booleans()), max_size=10
)


class Agent:
    """An agent's records in a store."""

    def __init__(self) -> None:
        self.store = open_store("memory://")
        self.transcripts = Transcripts(self.store)
        self._epochs = Epochs(self.store, self.transcripts)
        self.epoch, self.step = 1, 1
        self.said: list[str] = []

    async def begin(self) -> None:
        base = EpochBase(system="s", tools=(), messages=(OPENING,), first_step=1)
        await self.transcripts.put_base(AGENT, 1, base)

    async def take(self, event: Step | Clearing | HandOff) -> None:
        if isinstance(event, Step):
            await self._close(numbered(event, self.step))
        else:
            await self._compact(event)

    async def _close(self, step: Step) -> None:
        await self.transcripts.put_answer(AGENT, self.epoch, self.step, step.answer)
        for index, result in step.results.items():
            await self.transcripts.put_result(AGENT, self.epoch, self.step, index, result)
        seal = SealInput(
            agent=AGENT, epoch=self.epoch, step=self.step, results=step.seal.results, notes=step.seal.notes
        )
        await self.transcripts.put_seal(seal)
        self.said += said_by_people([step])
        self.step += 1

    async def _compact(self, event: Clearing | HandOff) -> None:
        request = WriteHandoffInput(
            agent=AGENT,
            task_id="t",
            profile="test",
            epoch=self.epoch,
            epoch_first_step=1,
            step=self.step,
            plan="- [ ] go on",
        )
        placed = await self.transcripts.steps(AGENT, self.epoch, self.step)
        rounds = await rounds_of(placed, foreign=isinstance(event, HandOff) and event.foreign)
        cut = int(len(rounds) * event.share)
        if isinstance(event, Clearing):
            await self._epochs.cleared(request, compaction.carried(rounds, cleared_until=cut))
        else:
            record = HandoffRecord(note="half is done", step=self.step)
            await self._epochs.handed_off(request, record, placed[:cut], compaction.carried(rounds[cut:]))
        self.epoch += 1


def problems(messages: Sequence[bytes]) -> list[str]:
    """What is wrong with a conversation; blocks of a kind that nobody knows go back to whoever sent them."""
    parsed = [orjson.loads(message) for message in messages]
    for message in parsed:
        message["content"] = [block for block in message["content"] if block["type"] in KNOWN_BLOCKS]
    problem = find_problem({"model": "m", "max_tokens": 1, "messages": parsed}, models=set(), require_thinking=False)
    return [*violations(parsed), *([problem.message] if problem else [])]


def people(messages: Sequence[bytes]) -> list[str]:
    """What people say in a conversation."""
    blocks = [block for message in messages for block in orjson.loads(message)["content"]]
    return [b["text"] for b in blocks if b["type"] == "text" and b["text"].startswith("<message-from-person>")]


@settings(deadline=None, max_examples=150)
@given(EVENTS)
async def test_after_any_steps_and_compactions_the_conversation_is_sound_and_whole(
    events: list[Step | Clearing | HandOff],
) -> None:
    agent = Agent()
    await agent.begin()
    for event in events:
        await agent.take(event)
        view = await agent.transcripts.view(AGENT, agent.epoch, agent.step)
        cold = await Transcripts(agent.store).view(AGENT, agent.epoch, agent.step)
        bare = await agent.transcripts.view(AGENT, agent.epoch, agent.step, "none")
        foreign = await agent.transcripts.foreign_view(AGENT, agent.epoch, agent.step)
        assert view.messages == cold.messages
        assert sum(map(len, view.messages)) == view.size_bytes
        for each in (view, bare, foreign):
            assert [] == problems(each.messages)
            assert [] == problems(each.with_user(handoff_message()))
            assert agent.said == people(each.messages)
