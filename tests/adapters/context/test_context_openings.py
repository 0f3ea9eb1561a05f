"""What an agent starts with: nothing that people said is lost, and a fork's conversation has the original's bytes."""

import orjson
import pytest

from longshift.adapters.context import Openings
from longshift.adapters.store import Store, Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.activities import OpenAgentInput, OpenedAgent
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.errors import BadInput
from longshift.contracts.model import CallDigest, Usage
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import TOOL_CLASSES, PlanItem, PlanItemStatus
from longshift.contracts.transcript import (
    AnswerRecord,
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
from longshift.contracts.workspace import Restoration, Workspace
from longshift.policy import compaction, describe
from longshift.policy.prompt import Survivors, epoch_closing, epoch_opening, opening_messages, people_messages
from longshift.policy.transcript import notes_message, violations

LEAD = ids.agent_id("old")
ROOT = "/hosts/new/tree"
PLAN = (PlanItem(title="look", status=PlanItemStatus.DONE), PlanItem(title="mend\nboth"))
KEEP = Note(speaker=Speaker.PERSON, text="keep the API")
MORE = (PlanItem(title="more"),)
SUB_AGENT = {"session": "old", "swarm": "old.swarm1", "item": "a", "base_step": 1, "base_agent": LEAD}
SAID = "<message-from-person>\nkeep the API\n</message-from-person>"


def workspace(step: int = 0, **fields: object) -> Workspace:
    restoration = (
        Restoration.model_validate({"step": step, "session": "old", "agent": LEAD, **fields}) if step else None
    )
    return Workspace(workspace_id="new", host_id="h", host_queue="q", root=ROOT, restoration=restoration)


class Session:
    """A session in the store, written as agents write it."""

    def __init__(self, store: Store, agent: str = LEAD) -> None:
        self.store, self.transcripts, self.agent = store, Transcripts(store), agent
        self.epoch, self.step = 1, 1

    async def task(self, task_id: str, **fields: object) -> TaskSpec:
        task = TaskSpec.model_validate({"id": task_id, "title": "T", "instructions": "Do it.", **fields})
        await self.store.create(ids.task_key(task_id), task.model_dump_json().encode())
        return task

    async def begin(self, base: EpochBase | None = None) -> None:
        task = await self.task(ids.task_of_agent(self.agent))
        opening = opening_messages(task, workspace(), "")
        self.epoch = 1
        await self.transcripts.put_base(
            self.agent, 1, base or EpochBase(system="s", tools=(), messages=opening, first_step=1)
        )

    async def next_epoch(self, cause: EpochCause, **fields: object) -> None:
        """Go on in another epoch, from the current step on."""
        base = await self.transcripts.base(self.agent, self.epoch)
        self.epoch += 1
        update = {"first_step": self.step, "cause": cause, **fields}
        await self.transcripts.put_base(self.agent, self.epoch, base.model_copy(update=update))

    async def compacted(self, note: str, *kept: CarriedSteps, people: tuple[str, ...] = (), plan: str = "") -> None:
        """Go on from a hand-off note."""
        opening = opening_messages(await self.task(ids.task_of_agent(self.agent)), workspace(), "")
        messages, carried = compaction.closed(
            epoch_opening(opening, people), kept, epoch_closing(Survivors(plan=plan), note)
        )
        record = HandoffRecord(note=note, step=self.step)
        await self.next_epoch(EpochCause.HANDOFF, messages=messages, carried=carried, handoff=record)

    async def did(
        self, name: str, *notes: Note, profile: str = "", is_error: bool = False, **arguments: object
    ) -> None:
        """One closed step with one call."""
        call = CallDigest(
            index=0, call_id=f"c{self.step}", name=name, tool_class=TOOL_CLASSES[name], arguments_hash="0", summary=name
        )
        content = (
            {"type": "thinking", "thinking": f"é {self.step}", "signature": "s=="},
            {"type": "tool_use", "id": call.call_id, "name": name, "input": arguments},
        )
        answer = AnswerRecord(
            content=content,
            stop_reason="tool_use",
            calls=(call,),
            usage=Usage(),
            model="m",
            profile=profile,
            notes=notes,
        )
        place = (self.agent, self.epoch, self.step)
        await self.transcripts.put_answer(*place, answer)
        await self.transcripts.put_result(*place, 0, ResultRecord(text=f"result {self.step} " + "x" * 500))
        seal = (SealedResult(call_id=call.call_id, index=0, is_error=is_error),)
        await self.transcripts.put_seal(SealInput(agent=self.agent, epoch=self.epoch, step=self.step, results=seal))
        self.step += 1

    async def plan(self) -> None:
        await self.did("update_plan", items=[item.model_dump(mode="json") for item in PLAN])

    async def ended(self, record: HandoffRecord) -> None:
        await self.store.create(ids.handoff_key(self.agent), record.model_dump_json().encode())


@pytest.fixture
def store() -> Store:
    return open_store("memory://")


@pytest.fixture
async def old(store: Store) -> Session:
    session = Session(store)
    await session.begin()
    return session


async def begin(
    store: Store, start: dict[str, object], place: Workspace | None = None, **fields: object
) -> OpenedAgent:
    """Open the first agent of a task that starts from another session."""
    await Session(store).task("new", start_from=start)
    return await opened(store, agent="new/lead", workspace=place or workspace(4))


async def opened(store: Store, **fields: object) -> OpenedAgent:
    request = OpenAgentInput.model_validate({"task_id": "new", "profile": "p", **fields})
    return await Openings(store, Transcripts(store), ()).begin(request)


async def opening_of(store: Store, agent: str = "new/lead") -> list[str]:
    """The texts of an agent's first message."""
    base = await Transcripts(store).base(agent, 1)
    assert 1 == len(base.messages)
    return [block["text"] for block in base.messages[0]["content"]]


@pytest.mark.parametrize(
    ("fields", "offered"),
    [({}, ["bash", "read_report"]), ({"sub_agent": SUB_AGENT}, ["bash"]), ({"swarm": {"max_items": 0}}, ["bash"])],
)
async def test_who_has_no_sub_agents_is_not_offered_their_reports(
    store: Store, fields: dict[str, object], offered: list[str]
) -> None:
    tools = ({"name": "bash"}, {"name": "read_report"})
    await Session(store).task("new", **fields)
    given = {"task_id": "new", "profile": "p", "agent": "new/lead", "workspace": workspace()}
    await Openings(store, Transcripts(store), tools).begin(OpenAgentInput.model_validate(given))
    base = await Transcripts(store).base("new/lead", 1)
    assert offered == [tool["name"] for tool in base.tools]


class TestTheNextShift:
    async def test_people_s_messages_the_plan_and_the_changed_files_survive_beside_the_note(
        self, store: Store, old: Session
    ) -> None:
        await old.plan()
        await old.did("bash", KEEP)
        record = HandoffRecord(note="Half done.", step=3, changed_files=("a.py",), changed_count=3)
        await old.ended(record)
        second = ids.agent_id("old", shift=2)
        found = await opened(store, task_id="old", agent=second, workspace=workspace(), handoff_from=LEAD)
        assert OpenedAgent(plan=PLAN) == found
        task, environment, *rest = await opening_of(store, second)
        assert (True, True) == (task.startswith("<task>"), f"workspace root: {ROOT}" in environment)
        assert [
            SAID,
            "<plan>\n- [x] look\n- [ ] mend\nboth\n</plan>",
            "<changed-files>\na.py\n(2 more)\n</changed-files>",
            "<handoff-note>\nWritten by yourself at the end of the shift before. These are notes, not proof: verify "
            "what you rely on.\n\nHalf done.\n</handoff-note>",
        ] == rest
        assert record == (await old.transcripts.base(second, 1)).handoff

    async def test_messages_survive_from_shift_to_shift_and_over_compactions_within_them(
        self, store: Store, old: Session
    ) -> None:
        await old.did("bash", KEEP)
        await old.compacted("n", people=(SAID,))
        await old.did("bash", Note(speaker=Speaker.PERSON, text="and faster"))
        await old.ended(HandoffRecord(note="one", step=3))
        second, third = (ids.agent_id("old", shift=shift) for shift in (2, 3))
        await opened(store, task_id="old", agent=second, workspace=workspace(), handoff_from=LEAD)
        await old.store.create(ids.handoff_key(second), HandoffRecord(note="two", step=1).model_dump_json().encode())
        await opened(store, task_id="old", agent=third, workspace=workspace(), handoff_from=second)
        base = await old.transcripts.base(third, 1)
        assert (SAID, SAID.replace("keep the API", "and faster")) == people_messages(base.messages, [])

    async def test_a_plan_that_was_kept_with_the_note_is_taken_from_there(self, store: Store, old: Session) -> None:
        await old.did("bash")
        await old.ended(HandoffRecord(note="n", step=2, plan="- [~] look\n- [ ] mend"))
        found = await opened(store, task_id="old", agent="old/lead-2", workspace=workspace(), handoff_from=LEAD)
        assert [("look", "in_progress"), ("mend", "pending")] == [(each.title, each.status) for each in found.plan]

    async def test_the_checks_that_the_agent_proposed_go_on_with_the_plan(self, store: Store, old: Session) -> None:
        items = [item.model_dump(mode="json") for item in PLAN]
        await old.did("update_plan", items=items, checks=[{"name": "suite", "run": "pytest -q"}])
        await old.plan()
        found = await opened(store, task_id="old", agent="old/lead-2", workspace=workspace(), handoff_from=LEAD)
        expected = (ProposedCheck(name="suite", run="pytest -q"),)
        assert (expected, PLAN) == (found.proposed, found.plan)
        later = Session(store, "old/lead-2")
        await later.ended(HandoffRecord(note="n", step=1))
        again = await opened(store, task_id="old", agent="old/lead-3", workspace=workspace(), handoff_from="old/lead-2")
        assert (expected, PLAN) == (again.proposed, again.plan)
        kept = describe.plan_text(PLAN, (expected[0].model_copy(update={"run": "tox"}),))
        await Session(store, "old/lead-3").ended(HandoffRecord(note="n", step=1, plan=kept))
        last = await opened(store, task_id="old", agent="old/lead-4", workspace=workspace(), handoff_from="old/lead-3")
        assert (["tox"], PLAN) == ([check.run for check in last.proposed], last.plan)


class TestAnotherSessionsNote:
    async def test_it_begins_with_note_plan_and_messages_of_the_last_shift(self, store: Store, old: Session) -> None:
        await old.did("bash", KEEP)
        await old.ended(HandoffRecord(note="first", step=2))
        await opened(store, task_id="old", agent="old/lead-2", workspace=workspace(), handoff_from=LEAD)
        later = Session(store, "old/lead-2")
        await later.plan()
        await later.ended(HandoffRecord(note="second", step=2))
        found = await begin(store, {"session": "old", "message": "now the rest"})
        *_, person, plan, note = await opening_of(store)
        assert (SAID, True) == (person, plan.startswith("<plan>\n- [x] look"))
        assert "at the end of the session old, whose work you go on with." in note
        assert note.endswith("\n\nsecond\n</handoff-note>")
        assert (1, PLAN, ["runner", "person"]) == (
            found.first_step,
            found.plan,
            [each.speaker.value for each in found.notes],
        )
        assert (True, "now the rest") == (f"The workspace is now at {ROOT}" in found.notes[0].text, found.notes[1].text)

    async def test_what_was_said_too_late_for_any_agent_is_heard_by_the_next_session(
        self, store: Store, old: Session
    ) -> None:
        await old.did("bash")
        status = SessionStatus(
            task_id="old", title="T", state=SessionState.EXPIRED, profile="p", unheard=(KEEP, KEEP.model_copy())
        )
        await store.create(ids.artifact_key("old", "report.json"), status.model_dump_json().encode())
        await begin(store, {"session": "old"})
        assert 2 == (await opening_of(store)).count(SAID)

    async def test_without_a_note_one_is_made_of_the_record(self, store: Store, old: Session) -> None:
        await old.did("bash")
        await old.compacted("found a lot")
        await old.did("edit_file", is_error=True)
        await old.did("grep", KEEP)
        await begin(store, {"session": "old"})
        *_, person, note = await opening_of(store)
        assert SAID == person
        parts = ["No model wrote this note", "found a lot", "2: edit_file (failed)\n3: grep"]
        assert [] == [part for part in parts if part not in note]

    async def test_a_message_that_went_with_an_unfinished_step_survives(self, store: Store, old: Session) -> None:
        answer = AnswerRecord(content=(), stop_reason="", calls=(), usage=Usage(), model="m", notes=(KEEP,))
        await old.transcripts.put_answer(LEAD, 1, 1, answer)
        await begin(store, {"session": "old"})
        assert SAID in await opening_of(store)

    async def test_a_session_that_never_began_is_refused(self, store: Store) -> None:
        with pytest.raises(BadInput, match=r"start_from\.session: 'old' has no conversation"):
            await begin(store, {"session": "old"})


class TestAFork:
    async def fork(self, old: Session, step: int, place: Workspace | None = None) -> OpenedAgent:
        """Fork, and make sure that its first request begins with the original's bytes."""
        source = next((agent, epoch) for agent, epoch, first, end in (await self.ranges(old)) if first <= step < end)
        expected = await Transcripts(old.store).view(*source, step + 1)
        found = await begin(old.store, {"session": "old", "step": step, "message": "try tabs"}, place)
        view = await Transcripts(old.store).view("new/lead", 1, step + 1)
        assert expected.messages == view.messages
        sent = view.with_user(notes_message(found.notes))
        assert sent[:-1] == expected.messages[:-1]
        assert sent[-1].startswith(expected.messages[-1].removesuffix(b"]}"))
        assert [] == violations([orjson.loads(message) for message in sent])
        assert step + 1 == found.first_step
        return found

    async def ranges(self, old: Session) -> list[tuple[str, int, int, int]]:
        firsts = [(await old.transcripts.base(LEAD, epoch)).first_step for epoch in range(1, old.epoch + 1)]
        ends = [*firsts[1:], old.step]
        return [(LEAD, epoch, first, end) for epoch, (first, end) in enumerate(zip(firsts, ends, strict=True), 1)]

    @pytest.fixture
    async def long(self, old: Session) -> Session:
        """An opening, cleared results, a hand-off that carries two rounds, and a rolled-back branch."""
        for _ in range(4):
            await old.did("bash")
        cleared = CarriedSteps(agent=LEAD, epoch=1, first_step=1, end_step=4, cleared=True)
        last = CarriedSteps(agent=LEAD, epoch=1, first_step=4, end_step=5)
        await old.next_epoch(EpochCause.CLEARING, carried=(cleared, last))
        await old.did("bash", KEEP)
        await old.plan()
        kept = CarriedSteps(agent=LEAD, epoch=2, first_step=5, end_step=7)
        await old.compacted("note", kept, plan="- [ ] more")
        await old.did("bash")
        await old.did("bash")
        back = CarriedSteps(agent=LEAD, epoch=3, first_step=7, end_step=8)
        await old.next_epoch(EpochCause.ROLLBACK, carried=((await old.transcripts.base(LEAD, 3)).carried[0], back))
        await old.did("bash")
        return old

    @pytest.mark.parametrize("step", range(1, 10))
    async def test_it_begins_with_the_very_bytes_of_any_step(self, long: Session, step: int) -> None:
        found = await self.fork(long, step)
        assert {6: PLAN, 7: MORE, 8: MORE, 9: MORE}.get(step, ()) == found.plan
        base = await Transcripts(long.store).base("new/lead", 1)
        assert (EpochCause.FORK, step + 1, step > 6) == (base.cause, base.first_step, base.handoff is not None)

    async def test_the_agent_is_told_where_it_is_and_what_a_person_wants(self, old: Session) -> None:
        await old.did("write_file", path="a", content="1")
        await old.did("bash", command="make")
        found = await self.fork(old, 1, workspace(1, remarks=("Ignored files are gone.",)))
        told, said = found.notes
        parts = ["forked from the session old after step 1", ROOT, "after step 1", "Background jobs", "Ignored files"]
        assert [] == [part for part in parts if part not in told.text]
        assert "No change is known to be missing." in told.text
        assert (Speaker.RUNNER, Speaker.PERSON, "try tabs") == (told.speaker, said.speaker, said.text)

    async def test_changes_that_were_not_saved_are_named(self, old: Session) -> None:
        await old.did("bash", command="ls")
        await old.did("write_file", path="a", content="1")
        await old.did("read_file", path="a")
        await old.did("bash", command="make")
        await old.did("read_file", path="a")
        found = await self.fork(old, 4, workspace(1))
        assert "The changes of these steps are missing: 2, 4." in found.notes[0].text

    async def test_a_fork_of_a_fork_goes_back_beyond_it(self, store: Store, old: Session) -> None:
        for _ in range(3):
            await old.did("bash")
        await self.fork(old, 2)
        for step, source in ((2, LEAD), (1, LEAD)):
            name = f"second-{step}"
            await old.task(name, start_from={"session": "new", "step": step})
            await opened(store, task_id=name, agent=f"{name}/lead", workspace=workspace())
            expected = await Transcripts(store).view(source, 1, step + 1)
            assert expected.messages == (await Transcripts(store).view(f"{name}/lead", 1, step + 1)).messages

    async def test_what_another_profile_s_model_wrote_is_carried_as_foreign(self, store: Store, old: Session) -> None:
        await old.did("bash", profile="p")
        await old.did("bash", profile="other")
        await old.did("bash", profile="p")
        await begin(store, {"session": "old", "step": 3})
        base = await old.transcripts.base("new/lead", 1)
        assert [(1, 2, False), (2, 3, True), (3, 4, False)] == [
            (each.first_step, each.end_step, each.foreign) for each in base.carried
        ]

    async def test_a_step_that_is_not_closed_is_refused(self, store: Store, old: Session) -> None:
        await old.did("bash")
        with pytest.raises(BadInput, match=r"start_from\.step: 'old' has no closed step 2"):
            await begin(store, {"session": "old", "step": 2})


class TestTools:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, ["bash", "delegate"]),
            ({"swarm": {"max_items": 0}}, ["bash"]),
            ({"sub_agent": SUB_AGENT}, ["bash"]),
        ],
    )
    async def test_sub_agents_have_no_sub_agents_of_their_own(
        self, store: Store, fields: dict[str, object], expected: list[str]
    ) -> None:
        await Session(store).task("new", **fields)
        tools = ({"name": "bash"}, {"name": "delegate"})
        request = OpenAgentInput(task_id="new", profile="p", agent="new/lead", workspace=workspace())
        await Openings(store, Transcripts(store), tools).begin(request)
        base = await Transcripts(store).base("new/lead", 1)
        assert expected == [tool["name"] for tool in base.tools]


ITEM = "old.swarm1.a"


async def opened_again(store: Store, attempt: int) -> OpenedAgent:
    """A later attempt at an item."""
    agent = ids.agent_id(ITEM, shift=attempt)
    openings = Openings(store, Transcripts(store), ())
    before = ids.agent_id(ITEM, shift=attempt - 1)
    return await openings.begin(
        OpenAgentInput(
            task_id=ITEM, agent=agent, profile="p", workspace=workspace(), handoff_from=before, keeps_conversation=True
        )
    )


async def test_a_later_attempt_without_a_note_goes_on_with_the_whole_conversation(store: Store) -> None:
    first = Session(store, ids.agent_id(ITEM))
    await first.begin()
    await first.plan()
    await first.did("bash", command="make")
    opened = await opened_again(store, 2)
    assert (3, PLAN) == (opened.first_step, opened.plan)
    assert "the conversation above is your own" in opened.notes[0].text
    base = await first.transcripts.base(ids.agent_id(ITEM, shift=2), 1)
    assert [(first.agent, 1, 3)] == [(each.agent, each.first_step, each.end_step) for each in base.carried]


async def test_an_attempt_that_never_began_is_passed_over(store: Store) -> None:
    first = Session(store, ids.agent_id(ITEM))
    await first.begin()
    await first.did("bash", command="make")
    assert 2 == (await opened_again(store, 3)).first_step


async def test_a_later_attempt_begins_with_the_note_where_there_is_one(store: Store) -> None:
    first = Session(store, ids.agent_id(ITEM))
    await first.begin()
    await first.did("bash", command="make")
    await first.ended(HandoffRecord(note="half is done", step=2))
    assert 1 == (await opened_again(store, 2)).first_step
    base = await first.transcripts.base(ids.agent_id(ITEM, shift=2), 1)
    assert "half is done" in str(base.messages[-1])
