"""Tables that decide are complete: a new member of an enumeration has a row before it has a chance to be met."""

import pytest

from longshift.contracts import errors, search
from longshift.contracts.agent import AgentState, Phase
from longshift.contracts.errors import LongshiftError, ProviderFailure
from longshift.contracts.model import ErrorRule, HandoffDigest, ModelDigest, ModelOutcome
from longshift.contracts.session import SessionState
from longshift.contracts.tools import FINISH, TOOL_ARGUMENTS, TOOL_CLASSES
from longshift.contracts.workspace import Workspace
from longshift.policy import actions, loop, provider
from tests.house.sources import ROOT

DESCRIPTIONS = ROOT / "longshift" / "adapters" / "tools"


def agent_in(phase: Phase) -> AgentState:
    """An agent in the middle of its work."""
    workspace = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
    return AgentState(agent="t/lead", task_id="t", profile="p", workspace=workspace, phase=phase, step=3)


def test_every_provider_failure_has_an_outcome() -> None:
    assert set(ProviderFailure) == set(provider.OUTCOMES)


def test_every_outcome_but_the_answers_comes_from_a_failure() -> None:
    assert set(ModelOutcome) - {ModelOutcome.ANSWERED, ModelOutcome.TRUNCATED} == set(provider.OUTCOMES.values())


def test_error_rules_name_only_known_failures() -> None:
    kinds = ErrorRule.model_json_schema()["properties"]["kind"]["enum"]
    assert set() == set(kinds) - {failure.value for failure in ProviderFailure}


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_an_action(phase: Phase) -> None:
    assert isinstance(loop.next_action(agent_in(phase)), actions.Action)


@pytest.mark.parametrize("outcome", ModelOutcome)
def test_every_outcome_of_a_model_call_leads_to_a_phase(outcome: ModelOutcome) -> None:
    after = loop.after_model(agent_in(Phase.MODEL), ModelDigest(outcome=outcome, detail="d"))
    assert isinstance(after.phase, Phase)


@pytest.mark.parametrize("outcome", ModelOutcome)
@pytest.mark.parametrize("after", [loop.after_compaction, loop.after_handoff])
def test_every_outcome_of_a_hand_off_leads_to_a_phase(after: object, outcome: ModelOutcome) -> None:
    assert callable(after)
    state = after(agent_in(Phase.COMPACT), HandoffDigest(outcome=outcome, detail="d"))
    assert isinstance(state, AgentState)


def test_every_tool_has_a_class_arguments_and_a_description() -> None:
    assert set(TOOL_CLASSES) == set(TOOL_ARGUMENTS)
    assert set(TOOL_CLASSES) == {path.stem for path in DESCRIPTIONS.glob("*.md")}
    assert FINISH in TOOL_CLASSES


@pytest.mark.parametrize("name", TOOL_CLASSES)
def test_every_description_says_something(name: str) -> None:
    assert (DESCRIPTIONS / f"{name}.md").read_text(encoding="utf-8").strip()


def test_every_failure_has_a_kind_of_its_own_and_stands_in_the_drawn_tree() -> None:
    tree: list[type[LongshiftError]] = [LongshiftError]
    for each in tree:
        tree.extend(each.__subclasses__())
    ours = [each for each in tree if each.__module__ == errors.__name__]
    assert len(ours) == len({each.kind for each in ours})
    assert [] == [each.__name__ for each in ours if each.__name__ not in (errors.__doc__ or "")]


def test_only_final_states_are_final() -> None:
    final = {SessionState.DONE, SessionState.FAILED, SessionState.CANCELLED, SessionState.EXPIRED}
    assert final == {state for state in SessionState if state.is_final}


def test_search_attributes_have_types_that_the_engine_knows() -> None:
    known = {"Keyword", "Text", "Int", "Double", "Bool", "Datetime", "KeywordList"}
    assert set() == set(search.SEARCH_ATTRIBUTES.values()) - known
    assert [] == [name for name in search.SEARCH_ATTRIBUTES if not name.startswith("Longshift")]
