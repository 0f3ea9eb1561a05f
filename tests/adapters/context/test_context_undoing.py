"""A conversation goes on from an earlier step: in a new epoch, with nothing copied and nothing lost."""

import orjson
import pytest
from obstore.store import MemoryStore

from longshift.adapters.context import Timeline, Undoing
from longshift.adapters.store import Store, Transcripts
from longshift.contracts.errors import StoreMissing
from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.rollback import ConversationRolledBack, RollBackConversationInput, StepsFound
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.contracts.transcript import (
    AnswerRecord,
    Block,
    CarriedSteps,
    EpochBase,
    EpochCause,
    HandoffRecord,
    Note,
    ResultRecord,
    SealedResult,
    SealInput,
    Speaker,
)
from longshift.policy import compaction, context, prompt
from longshift.policy.transcript import violations

AGENT = "t/lead"
OPENING = ({"role": "user", "content": [{"type": "text", "text": "<task>do it</task>"}]},)


class Conversation:
    """An agent's transcript."""

    def __init__(self, store: Store | None = None, agent: str = AGENT, first_step: int = 1) -> None:
        self.store, self.agent = store or Store(MemoryStore()), agent
        self.transcripts = Transcripts(self.store)
        self.undoing = Undoing(self.store, self.transcripts)
        self.epoch, self.step, self.profile = 0, first_step, "p"

    async def begin(self, **fields: object) -> None:
        """The next epoch, from here."""
        self.epoch += 1
        given = {"system": "s", "tools": (), "messages": OPENING, "first_step": self.step, **fields}
        await self.transcripts.put_base(self.agent, self.epoch, EpochBase.model_validate(given))

    async def steps(self, count: int, *said: Note) -> None:
        """Closed steps that run a command; the first brings messages."""
        for number in range(count):
            await self._closed("bash", {"command": f"echo {self.step}"}, said if number == 0 else ())

    async def plans(self, *titles: str, is_error: bool = False) -> None:
        """A step that sets the plan."""
        await self._closed("update_plan", {"items": [{"title": title} for title in titles]}, (), is_error=is_error)

    async def _closed(self, name: str, arguments: Block, said: tuple[Note, ...], *, is_error: bool = False) -> None:
        step, call_id = self.step, f"c{self.step}"
        call = CallDigest(index=0, call_id=call_id, name=name, tool_class=ToolClass.EFFECT, arguments_hash="0")
        content = (
            {"type": "thinking", "thinking": f"of step {step}", "signature": "s"},
            {"type": "tool_use", "id": call_id, "name": name, "input": arguments},
        )
        profile = self.profile
        answer = AnswerRecord(
            content=content,
            stop_reason="tool_use",
            calls=(call,),
            usage=Usage(),
            model="m",
            notes=said,
            profile=profile,
        )
        await self.transcripts.put_answer(self.agent, self.epoch, step, answer)
        await self.transcripts.put_result(
            self.agent, self.epoch, step, 0, ResultRecord(text=f"out {step}", is_error=is_error)
        )
        results = (SealedResult(call_id=call_id, index=0, is_error=is_error),)
        await self.transcripts.put_seal(SealInput(agent=self.agent, epoch=self.epoch, step=step, results=results))
        self.step += 1

    async def back(self, to_step: int, **fields: object) -> ConversationRolledBack:
        """Go back, and be in the new epoch."""
        given = {
            "agent": self.agent,
            "profile": "p",
            "epoch": self.epoch,
            "step": self.step,
            "to_step": to_step,
            **fields,
        }
        done = await self.undoing.back(RollBackConversationInput.model_validate(given), with_thinking=True)
        self.epoch = done.epoch
        return done

    async def sent(self, epoch: int, next_step: int) -> list[bytes]:
        """A request's messages, out of a cold store."""
        messages = (await Transcripts(self.store).view(self.agent, epoch, next_step)).messages
        assert [] == violations([orjson.loads(message) for message in messages])
        return messages

    async def found(self) -> StepsFound:
        """How far it has come."""
        return await (await Timeline.read(self.store, self.agent)).found(self.store)


@pytest.fixture
async def conversation() -> Conversation:
    made = Conversation()
    await made.begin()
    return made


def person(text: str, message_id: str = "") -> Note:
    return Note(speaker=Speaker.PERSON, text=text, message_id=message_id)


async def test_the_request_has_the_very_bytes_that_it_had_after_that_step(conversation: Conversation) -> None:
    await conversation.steps(4)
    then = await conversation.sent(1, 5)
    await conversation.steps(5)
    done = await conversation.back(4)
    assert then == await conversation.sent(2, 10)
    assert (2, 1, sum(map(len, then))) == (done.epoch, done.first_step, done.context_bytes)
    assert context.estimate_tokens(done.context_bytes) < done.context_tokens < done.context_bytes
    base = await conversation.transcripts.base(AGENT, 2)
    assert (EpochCause.ROLLBACK, 10) == (base.cause, base.first_step)
    assert (CarriedSteps(agent=AGENT, epoch=1, first_step=1, end_step=5),) == base.carried


async def test_the_beginning_is_the_opening_alone(conversation: Conversation) -> None:
    await conversation.steps(3)
    done = await conversation.back(0)
    assert [orjson.dumps(OPENING[0])] == await conversation.sent(2, 4)
    assert 4 == done.first_step


async def test_steps_after_a_rollback_go_on_from_there_and_may_be_undone_as_well(conversation: Conversation) -> None:
    await conversation.steps(6)
    await conversation.back(2)
    await conversation.steps(3)
    after = await conversation.sent(2, 9)
    await conversation.steps(1)
    await conversation.back(8)
    assert after == await conversation.sent(3, 11)


async def test_an_undone_step_can_be_gone_back_to(conversation: Conversation) -> None:
    await conversation.steps(6)
    fifth, tip = await conversation.sent(1, 6), await conversation.sent(1, 7)
    await conversation.back(2)
    await conversation.back(6)
    assert tip == await conversation.sent(3, 7)
    await conversation.steps(2)
    await conversation.back(5)
    assert fifth == await conversation.sent(4, 9)


async def test_a_compaction_can_be_undone(conversation: Conversation) -> None:
    await conversation.steps(5)
    before = await conversation.sent(1, 4)
    record = HandoffRecord(note="so far", step=6)
    kept = CarriedSteps(agent=AGENT, epoch=1, first_step=5, end_step=6)
    await conversation.begin(cause=EpochCause.HANDOFF, handoff=record, carried=(kept,))
    await conversation.steps(3)
    compacted = await conversation.sent(2, 8)
    assert 5 == (await conversation.back(7)).first_step
    assert compacted == await conversation.sent(3, 9)
    await conversation.back(3)
    assert before == await conversation.sent(4, 9)
    base = await conversation.transcripts.base(AGENT, 3)
    within = CarriedSteps(agent=AGENT, epoch=2, first_step=6, end_step=8)
    assert ((kept, within), record) == (base.carried, base.handoff)


async def test_an_attempt_that_was_cut_off_is_taken_as_it_is(conversation: Conversation) -> None:
    await conversation.steps(4)
    first = await conversation.back(2)
    conversation.epoch = 1
    assert first == await conversation.back(2)


async def test_an_epoch_that_a_given_up_compaction_left_is_passed_over(conversation: Conversation) -> None:
    await conversation.steps(4)
    then = await conversation.sent(1, 3)
    await conversation.begin(cause=EpochCause.HANDOFF, handoff=HandoffRecord(note="late", step=5))
    for _ in range(2):
        conversation.epoch = 1
        assert 3 == (await conversation.back(2)).epoch
    assert then == await conversation.sent(3, 5)


async def test_another_providers_steps_are_shown_without_its_thinking(conversation: Conversation) -> None:
    await conversation.steps(4)
    await conversation.back(2, profile="other")
    sent = b"".join(await conversation.sent(2, 5))
    assert (b"of step" in sent, b'"s2_1_c2"' in sent) == (False, True)


async def test_the_plan_is_the_one_of_that_step(conversation: Conversation) -> None:
    await conversation.steps(1)
    await conversation.plans("one")
    await conversation.plans("broken", is_error=True)
    await conversation.steps(1)
    await conversation.plans("two", "three")
    assert (PlanItem(title="one"),) == (await conversation.back(4)).plan
    assert () == (await conversation.back(1)).plan
    assert (PlanItem(title="two"), PlanItem(title="three")) == (await conversation.back(5)).plan


async def test_the_plan_of_a_compacted_conversation_is_in_its_opening(conversation: Conversation) -> None:
    await conversation.plans("one")
    await conversation.steps(1)
    survivors = prompt.Survivors(plan="- [x] one\n- [~] two")
    kept = CarriedSteps(agent=AGENT, epoch=1, first_step=2, end_step=3)
    messages, carried = compaction.closed(
        prompt.epoch_opening(OPENING, ()), (kept,), prompt.epoch_closing(survivors, "the note")
    )
    await conversation.begin(cause=EpochCause.HANDOFF, messages=messages, carried=carried)
    then = await conversation.sent(2, 3)
    await conversation.steps(2)
    plan = (
        PlanItem(title="one", status=PlanItemStatus.DONE),
        PlanItem(title="two", status=PlanItemStatus.IN_PROGRESS),
    )
    assert plan == (await conversation.back(3)).plan
    await conversation.back(2)
    assert then != await conversation.sent(4, 5)  # step 2 is of before the compaction


async def test_what_people_said_in_undone_steps_is_kept_each_once(conversation: Conversation) -> None:
    await conversation.steps(2, person("early", "a"))
    tabs, hurry = person("use tabs", "b"), person("hurry", "c")
    await conversation.steps(1, tabs, Note(speaker=Speaker.RUNNER, text="moved"))
    await conversation.steps(70, hurry)
    assert (tabs, hurry) == (await conversation.back(2)).people
    await conversation.steps(2, tabs, hurry)
    assert (tabs, hurry) == (await conversation.back(1)).people
    await conversation.steps(1, tabs, hurry)
    assert (hurry,) == (await conversation.back(3)).people


async def test_a_step_that_is_not_in_the_store_is_named(conversation: Conversation) -> None:
    await conversation.steps(2)
    conversation.step = 9
    with pytest.raises(StoreMissing):
        await conversation.back(5)


async def test_how_far_it_has_come(conversation: Conversation) -> None:
    assert StepsFound() == await Conversation().found()
    assert StepsFound() == await conversation.found()
    await conversation.steps(5)
    assert StepsFound(last=5, tip=5) == await conversation.found()
    await conversation.begin(cause=EpochCause.HANDOFF)
    assert StepsFound(last=5, tip=5) == await conversation.found()
    await conversation.back(3)
    assert StepsFound(last=5, tip=3) == await conversation.found()
    await conversation.back(0)
    assert StepsFound(last=5, tip=0) == await conversation.found()
    await conversation.steps(1)
    assert StepsFound(last=6, tip=6) == await conversation.found()


async def test_a_fork_can_be_taken_back_to_where_it_began(conversation: Conversation) -> None:
    """The steps before its own are another agent's, in numbers that go on."""
    carried = CarriedSteps(agent="s/lead", epoch=2, first_step=3, end_step=6)
    source = Transcripts(conversation.store)
    await conversation.steps(5)
    for key in await conversation.store.list(f"agents/{AGENT}/e0001"):
        body = await conversation.store.get(key)
        await conversation.store.create(key.replace(f"{AGENT}/e0001", "s/lead/e0002"), body)
    fork = Conversation(conversation.store, "f/lead", first_step=6)
    await fork.begin(cause=EpochCause.FORK, carried=(carried,))
    began = (await source.view("f/lead", 1, 6)).messages
    await fork.steps(3)
    assert StepsFound(first=6, last=8, tip=8) == await fork.found()
    assert 3 == (await fork.back(5)).first_step
    assert began == await fork.sent(2, 9)
    assert StepsFound(first=6, last=8, tip=5) == await fork.found()
