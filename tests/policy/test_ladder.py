"""An agent that is stuck: nudge, replan, roll back, escalate, driven through the loop with the real detector."""

from dataclasses import dataclass, field

from longshift.contracts.agent import AgentLimits, AgentOutcome, AgentState, Phase
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.model import CallDigest, ModelDigest, ModelOutcome, ToolClass
from longshift.contracts.reviews import AskKind, Decision
from longshift.contracts.rollback import ConversationRolledBack, FilesRolledBack
from longshift.contracts.stuck import Rung, StuckThresholds
from longshift.contracts.tools import PlanItem, PlanItemStatus, ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import CheckpointDigest, Workspace
from longshift.policy import actions, loop, notes, steps

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
START = AgentState(
    version=steps.VERSION_WITH_PEOPLE,
    agent="t/lead",
    task_id="t",
    profile="p",
    workspace=WORKSPACE,
    has_checks=True,
    limits=AgentLimits(steps=1_000),
)
PLAN = (PlanItem(title="Restart the server"), PlanItem(title="Look at the log"))


@dataclass
class Driven:
    """An agent that is taken through its steps; what it was told by the runner is kept."""

    state: AgentState = START
    told: list[Note] = field(default_factory=list[Note])
    trees: int = 0

    def step(self, *calls: CallDigest, results: tuple[ToolDigest, ...] = ()) -> None:
        """One whole step with these calls and results, a checkpoint where files changed."""
        self.settle()
        asked = loop.next_action(self.state)
        assert isinstance(asked, actions.CallModel), asked
        self.told += asked.notes
        digest = ModelDigest(
            outcome=ModelOutcome.ANSWERED,
            calls=calls,
            context_tokens=100,
            window_tokens=1_000_000,
            delivered_notes=len(asked.notes),
        )
        step = self.state.step
        self.state = loop.after_model(self.state, digest)
        for result in results:
            self.state = loop.after_tool(self.state, result)
        if any(result.changes_workspace for result in results):
            self.trees += 1
            self.checkpoint(step, f"tree-{self.trees}")

    def checkpoint(self, step: int, tree: str) -> None:
        """The files after a step."""
        self.state = loop.after_checkpoint(self.state, CheckpointDigest(step=step, tree_hash=tree, commit="c"))

    def settle(self) -> None:
        """Seal what has to be sealed by itself."""
        while isinstance(loop.next_action(self.state), actions.Seal):
            self.state = loop.after_seal(self.state)

    def look(self, name: str = "read_file", result: str = "r" * 16, number: int = 0) -> None:
        """A step that reads something."""
        call = CallDigest(
            index=0,
            call_id="c",
            name=name,
            tool_class=ToolClass.PURE,
            arguments_hash=f"{number:016d}",
            summary=f"{name}: {number}",
        )
        self.step(call, results=(ToolDigest(index=0, status=ToolStatus.OK, result_hash=result, result_bytes=500),))

    def work(self, number: int) -> None:
        """A step that changes files and brings something new."""
        call = CallDigest(
            index=0,
            call_id="c",
            name="bash",
            tool_class=ToolClass.EFFECT,
            arguments_hash=f"w{number:015d}",
            summary="w",
        )
        result = ToolDigest(
            index=0, status=ToolStatus.OK, result_hash=f"n{number:015d}", result_bytes=500, changes_workspace=True
        )
        self.step(call, results=(result,))

    def plan(self, *items: PlanItem) -> None:
        """A step that writes a plan."""
        call = CallDigest(
            index=0,
            call_id="c",
            name="update_plan",
            tool_class=ToolClass.IDEMPOTENT,
            arguments_hash=f"p{len(self.told)}",
        )
        self.step(call, results=(ToolDigest(index=0, status=ToolStatus.OK, result_hash="p", plan=items),))

    def finish(self, *, green: int, of: int = 3) -> None:
        """A step that says it is done, and what the checks say."""
        call = CallDigest(
            index=0, call_id="c", name="finish", tool_class=ToolClass.PURE, arguments_hash=f"f{self.state.step}"
        )
        self.step(call)
        results = tuple(CheckResult(name=f"c{each}", passed=each < green, detail="exit code") for each in range(of))
        self.state = loop.after_checks(self.state, ChecksDigest(passed=green == of, results=results))

    def loop_until(self, rung: Rung, most: int = 60) -> None:
        """The same call again and again, until the ladder stands on a rung."""
        for _ in range(most):
            if self.state.stuck.rung is rung:
                return
            self.look()
        raise AssertionError(f"{rung} was not taken; the ladder stands on {self.state.stuck.rung}")

    def texts(self) -> str:
        """All that the runner said."""
        return "\n".join(note.text for note in (*self.told, *self.state.notes))


def test_a_loop_is_nudged_then_replanned_then_brought_before_a_person() -> None:
    agent = Driven()
    agent.plan(*PLAN)
    agent.loop_until(Rung.NUDGE)
    first = agent.state.step - 1
    assert "read_file" in agent.texts()
    agent.loop_until(Rung.REPLAN)
    assert START.limits.stuck.grace_steps // 2 <= agent.state.step - 1 - first
    assert "call update_plan" in agent.texts()
    agent.loop_until(Rung.ESCALATE)  # nothing was changed, so there is nothing to undo
    ask = agent.state.ask
    assert ask is not None
    assert (Phase.PARKED, AskKind.STUCK, "lead-1-stuck") == (agent.state.phase, ask.kind, ask.id)
    assert [Rung.NUDGE, Rung.REPLAN, Rung.ESCALATE] == [taken.rung for taken in agent.state.stuck.taken]
    assert len(agent.state.stuck.taken) == len(agent.state.news)


def test_advice_settles_the_evidence_and_goes_to_the_agent_as_a_person_s_word() -> None:
    agent = Driven()
    agent.loop_until(Rung.ESCALATE)
    ask = agent.state.ask
    assert ask is not None
    agent.state = loop.decided(agent.state, Decision(ask_id=ask.id, option="advise", text="Look at the other file."))
    assert (Phase.MODEL, None, Rung.NONE) == (agent.state.phase, agent.state.ask, agent.state.stuck.rung)
    assert ("Look at the other file.", Speaker.PERSON) == (agent.state.notes[-1].text, agent.state.notes[-1].speaker)
    agent.look()
    agent.look()
    assert agent.state.stuck.rung is Rung.NONE


def test_a_second_word_on_the_same_question_changes_nothing() -> None:
    agent = Driven()
    agent.loop_until(Rung.ESCALATE)
    ask = agent.state.ask
    assert ask is not None
    once = loop.decided(agent.state, Decision(ask_id=ask.id, option="continue"))
    assert once == loop.decided(once, Decision(ask_id=ask.id, option="end"))


def test_a_person_may_end_an_agent_that_is_stuck() -> None:
    agent = Driven()
    agent.loop_until(Rung.ESCALATE)
    ask = agent.state.ask
    assert ask is not None
    agent.state = loop.decided(agent.state, Decision(ask_id=ask.id, option="end", text="leave it", by="Ada"))
    agent.settle()
    assert isinstance(loop.next_action(agent.state), actions.WriteHandoff)
    assert "ended by Ada: leave it" == agent.state.ending


def test_whoever_lets_a_stuck_agent_go_on_has_settled_it() -> None:
    agent = Driven()
    agent.loop_until(Rung.ESCALATE)
    agent.state = loop.resume(agent.state)
    assert (Phase.MODEL, None, Rung.NONE) == (agent.state.phase, agent.state.ask, agent.state.stuck.rung)


def test_one_success_does_not_take_back_a_rung_and_a_long_calm_takes_back_one_at_a_time() -> None:
    agent = Driven()
    agent.loop_until(Rung.REPLAN)
    agent.work(1)
    assert agent.state.stuck.rung is Rung.REPLAN
    calm = START.limits.stuck.calm_steps
    for number in range(2, 2 + calm):
        agent.work(number)
    assert agent.state.stuck.rung is Rung.NUDGE
    for number in range(2 + calm, 3 + 2 * calm):
        agent.work(number)
    assert agent.state.stuck.rung is Rung.NONE


def test_a_new_plan_that_says_the_same_is_sent_back_and_another_one_is_taken() -> None:
    agent = Driven()
    agent.plan(*PLAN)
    agent.loop_until(Rung.REPLAN)
    agent.plan(*(item.model_copy(update={"status": PlanItemStatus.IN_PROGRESS}) for item in PLAN))
    assert notes.SAME_PLAN in agent.texts()
    assert agent.state.stuck.replan_from
    agent.plan(PlanItem(title="Read the configuration"), PlanItem(title="Prove that the port is taken"))
    assert () == agent.state.stuck.replan_from
    assert "restart the server" in agent.state.stuck.failed_approaches[0]


def test_files_that_got_worse_are_rolled_back_to_the_best_checks() -> None:
    agent = Driven()
    agent.work(1)
    agent.finish(green=2)
    best = agent.state.step - 1
    for number in range(2, 5):
        agent.work(number)
        agent.finish(green=1)
    agent.loop_until(Rung.ROLLBACK)
    wish = agent.state.rollback
    assert wish is not None
    assert (best, Speaker.RUNNER) == (wish.to_step, wish.by)
    agent.settle()
    assert actions.RollBack(wish) == loop.next_action(agent.state)
    files = FilesRolledBack(
        checkpoint=CheckpointDigest(step=agent.state.step - 1, tree_hash="tree-1", commit="c", back_to_step=best),
        recorded_step=best,
    )
    done = ConversationRolledBack(epoch=2, first_step=agent.state.step, context_tokens=100, context_bytes=100)
    agent.state = loop.after_rollback(agent.state, wish, files, done)
    assert all(each.step <= best for each in agent.state.stuck.steps)
    assert agent.state.stuck.rung is Rung.ROLLBACK
    agent.loop_until(Rung.ESCALATE)
    assert agent.state.ask is not None


def test_checks_that_were_never_better_are_no_reason_to_undo() -> None:
    agent = Driven()
    agent.work(1)
    agent.loop_until(Rung.REPLAN)
    agent.loop_until(Rung.ESCALATE)
    assert agent.state.rollback is None


def test_detection_that_is_off_does_nothing() -> None:
    limits = AgentLimits(stuck=StuckThresholds(enabled=False))
    agent = Driven(START.model_copy(update={"limits": limits}))
    for _ in range(40):
        agent.look()
    assert (Rung.NONE, ()) == (agent.state.stuck.rung, agent.state.news)


def test_agents_of_earlier_releases_are_left_alone() -> None:
    agent = Driven(START.model_copy(update={"version": 2}))
    for _ in range(40):
        agent.look()
    assert Rung.NONE is agent.state.stuck.rung


def test_a_done_agent_is_never_asked_about() -> None:
    agent = Driven()
    agent.loop_until(Rung.NUDGE)
    agent.finish(green=3)
    assert AgentOutcome.DONE is agent.state.outcome
    assert agent.state.ask is None


def test_work_is_never_on_the_ladder() -> None:
    agent = Driven()
    for number in range(300):
        agent.work(number) if number % 3 else agent.look(number=number, result=f"{number:016d}")
    assert (Rung.NONE, {}) == (agent.state.stuck.rung, agent.state.stuck.counts)
