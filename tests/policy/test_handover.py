"""A provider stays down: when the next profile takes over, and what becomes of the conversation."""

import pytest

from longshift.contracts.agent import AgentLimits, AgentState, Phase
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome
from longshift.contracts.workspace import Workspace
from longshift.policy import loop, requests

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
START = AgentState(
    version=loop.VERSION_WITH_CONTEXT,
    agent="t/lead",
    task_id="t",
    profile="first",
    fallback=("second", "third"),
    workspace=WORKSPACE,
    limits=AgentLimits(fallback_after_seconds=100),
    step=5,
    window_tokens=1_000,
)
DOWN = ModelDigest(outcome=ModelOutcome.UNAVAILABLE, detail="overloaded (HTTP 529)")
COMPACTED = HandoffDigest(outcome=ModelOutcome.ANSWERED, epoch=2, context_tokens=10)


def until_handed_over(state: AgentState) -> tuple[AgentState, float]:
    """The state after the provider has stayed down, and how long was waited."""
    waited, profile = 0.0, state.profile
    while state.profile == profile:
        if state.phase is Phase.WAITING:
            waited += state.wait_seconds
            state = loop.resume(state)
        compacting = state.phase is Phase.COMPACT
        state = (
            loop.after_compaction(state, HandoffDigest(outcome=ModelOutcome.UNAVAILABLE, detail="down"))
            if compacting
            else loop.after_model(state, DOWN)
        )
    return state, waited


def test_the_next_profile_takes_over_after_the_patience_and_not_before() -> None:
    state, waited = until_handed_over(START)
    assert (100.0, "second", ("third", "first")) == (waited, state.profile, state.fallback)
    assert (Phase.COMPACT, True) == (state.phase, requests.write_handoff(state, final=False).foreign)
    assert state.attention is None
    assert "first → second" in state.last_handover


def test_after_the_hand_over_the_conversation_is_the_new_models_own() -> None:
    state, _ = until_handed_over(START)
    state = loop.after_compaction(state, COMPACTED)
    assert (Phase.MODEL, 2, False) == (state.phase, state.epoch, requests.write_handoff(state, final=False).foreign)


def test_a_fall_back_that_is_down_as_well_gives_way_to_the_next() -> None:
    state, _ = until_handed_over(START)
    state, waited = until_handed_over(state)
    assert ("third", 100.0, Phase.COMPACT) == (state.profile, waited, state.phase)


def test_the_model_that_wrote_the_conversation_goes_on_with_it_when_its_turn_comes_again() -> None:
    state = START
    for _ in range(3):
        state, _ = until_handed_over(state)
    assert ("first", Phase.MODEL, "") == (state.profile, state.phase, state.epoch_profile)


def test_an_agent_that_has_no_step_yet_has_nothing_to_hand_over() -> None:
    state, _ = until_handed_over(START.model_copy(update={"step": 1}))
    assert (Phase.MODEL, "") == (state.phase, state.epoch_profile)


def test_an_exhausted_quota_counts_like_an_outage() -> None:
    quota = ModelDigest(outcome=ModelOutcome.QUOTA, detail="quota", retry_after_seconds=7_200)
    waiting = loop.after_model(START, quota)
    assert (Phase.WAITING, 100.0) == (waiting.phase, waiting.wait_seconds)
    assert "second" == loop.after_model(loop.resume(waiting), quota).profile


def test_without_a_fall_back_the_provider_is_waited_for() -> None:
    state = START.model_copy(update={"fallback": ()})
    for _ in range(50):
        state = loop.resume(loop.after_model(state, DOWN))
    assert "first" == state.profile


@pytest.mark.parametrize("outcome", [ModelOutcome.MISCONFIGURED, ModelOutcome.REFUSED])
def test_what_a_person_has_to_mend_is_no_outage(outcome: ModelOutcome) -> None:
    state = loop.after_model(START, ModelDigest(outcome=outcome, detail="404"))
    assert (Phase.PARKED, "first") == (state.phase, state.profile)


def test_an_answer_ends_the_trouble() -> None:
    waiting = loop.after_model(START, DOWN)
    answered = loop.after_model(loop.resume(waiting), ModelDigest(outcome=ModelOutcome.ANSWERED, window_tokens=1_000))
    assert (0.0, 0) == (answered.waited_seconds, answered.waits)


def test_a_last_note_that_no_model_writes_is_made_of_the_record() -> None:
    ending = START.model_copy(update={"phase": Phase.HANDOFF, "ending": "time"})
    failed = loop.after_handoff(ending, HandoffDigest(outcome=ModelOutcome.MISCONFIGURED, detail="404"))
    assert (Phase.HANDOFF, "404") == (failed.phase, requests.write_handoff(failed, final=True).by_runner)
    written = HandoffDigest(outcome=ModelOutcome.ANSWERED, note="by the runner", by_runner=True)
    assert ("by the runner", Phase.ENDED) == (
        (ended := loop.after_handoff(failed, written)).handoff_note,
        ended.phase,
    )


def test_an_agent_whose_providers_are_all_down_ends_with_a_note_made_of_the_record() -> None:
    """Each is waited for so briefly that its turn is over before the waits for a note are."""
    hasty = AgentLimits(fallback_after_seconds=50)
    state = START.model_copy(update={"phase": Phase.HANDOFF, "ending": "time", "limits": hasty})
    down = HandoffDigest(outcome=ModelOutcome.UNAVAILABLE, detail="down")
    answers = 0
    while not state.note_by_runner:
        answers += 1
        assert answers < 20
        state = loop.after_handoff(loop.resume(state), down)
    assert (Phase.HANDOFF, "down") == (state.phase, requests.write_handoff(state, final=True).by_runner)
