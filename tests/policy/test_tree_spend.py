"""What a swarm may spend, and that what it spent counts once: while it works, after, and for the whole session."""

from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.agent import AgentState, Phase
from longshift.contracts.ledger import Allowance, Extension, Spend
from longshift.contracts.model import Reserve
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import SessionInput
from longshift.contracts.task import TaskSpec
from longshift.policy import budget, loop, session, standing, swarm_allowance, swarm_requests, tree_spend
from tests.policy.delegations import WORKSPACE, delegated, lead, report, results, running, spent, summary

RESERVE = Reserve(output_tokens=100, output_usd=0.1)


def tokens_of(state: AgentState) -> int:
    return budget.account(state).spent.tokens


class TestAllowance:
    def test_without_limits_there_are_none_below(self) -> None:
        assert Allowance() == swarm_requests.start(running(), WORKSPACE).allowance

    def test_the_lead_keeps_a_twentieth_of_its_budget(self) -> None:
        state = running(lead(tokens=1_000, usd=4.0, steps=100))
        assert Allowance(tokens=950, usd=3.8, steps=93) == swarm_allowance.allowance(state)

    def test_or_its_next_call_where_that_is_more(self) -> None:
        state = running(lead(tokens=1_000, usd=1.0, reserve=RESERVE))
        kept = budget.next_call(state)
        assert kept.tokens > 50
        assert 1_000 - kept.tokens == swarm_allowance.allowance(state).tokens

    def test_what_was_spent_before_is_gone(self) -> None:
        state = running(lead(tokens=1_000, earlier=spent(300), delegated=spent(200)))
        assert 450 == swarm_allowance.allowance(state).tokens

    def test_a_plan_for_which_nothing_is_left_is_refused_with_the_numbers(self) -> None:
        state = running(lead(tokens=1_000, earlier=spent(960)))
        text = results(state)[0].text or ""
        assert "budget.tokens: 40 of 1,000 are left, and 50 of them are kept" in text
        assert state.delegation is None

    def test_steps_count_over_the_tree(self) -> None:
        state = loop.after_swarm(running(lead(steps=20)), report(100))
        assert 10 + 3 == budget.account(state).spent.steps
        assert "" == swarm_allowance.nothing_left(state)
        state = loop.after_swarm(running(lead(steps=20)), report(170))
        assert (Phase.PARKED, AskKind.BUDGET) == (state.phase, state.ask and state.ask.kind)


class TestSpend:
    def test_it_counts_while_the_swarm_works_and_once_when_it_is_over(self) -> None:
        state = loop.swarm_told(running(), summary(1, 40))
        assert 40 == tokens_of(state)
        state = loop.swarm_told(state, summary(2, 60))
        assert 60 == tokens_of(state)
        state = loop.after_swarm(state, report(70))
        assert (70, 7) == (tokens_of(state), tree_spend.spent(state).steps)
        state = loop.swarm_told(running(state), summary(1, 5, swarm="mend.swarm2"))
        assert 75 == tokens_of(state)

    def test_an_older_word_and_one_of_another_swarm_change_nothing(self) -> None:
        state = loop.swarm_told(running(), summary(2, 60))
        for word in (summary(1, 90), summary(2, 90), summary(9, 90, swarm="mend.swarm7")):
            assert state == loop.swarm_told(state, word)
        assert lead() == loop.swarm_told(lead(), summary(3, 90))

    def test_what_a_lost_swarm_spent_counts_beside_what_it_spends_when_it_runs_again(self) -> None:
        state = tree_spend.lost(loop.swarm_told(running(), summary(5, 60)))
        state = loop.swarm_told(state, summary(1, 10))
        assert 70 == tokens_of(state)
        assert 80 == tokens_of(loop.after_swarm(state, report(20)))

    def test_the_warning_comes_while_the_swarm_works(self) -> None:
        state = loop.swarm_told(running(lead(tokens=1_000)), summary(1, 850))
        assert "85% of the tokens are used" in state.news[-1].text
        assert state.news == loop.swarm_told(state, summary(2, 860)).news

    def test_an_extension_is_there_for_the_next_swarm(self) -> None:
        state = loop.extended(lead(tokens=1_000), Extension(tokens=500))
        assert 1_450 == swarm_allowance.allowance(delegated(state)).tokens

    def test_costs_by_profile_and_unknown_spend_are_of_the_tree(self) -> None:
        start = running(lead(costs={"p": spent(5), "q": spent(1)}, unknown=spent(2)))
        state = loop.after_swarm(start, report(70, unknown=spent(3)))
        costs = {name: cost.tokens for name, cost in standing.report(state).costs.items()}
        assert ({"p": 75, "q": 1}, 5) == (costs, standing.report(state).unknown.tokens)
        assert 5 == state.costs["p"].tokens

    def test_the_report_says_what_became_of_the_swarms(self) -> None:
        state = loop.after_swarm(running(), report(70))
        assert ["mend.swarm1"] == [each.swarm for each in standing.report(state).swarms]
        assert 70 == standing.report(state).delegated.tokens


class TestSession:
    def test_a_session_counts_the_tree_once_before_and_after_the_agents_end(self) -> None:
        state = loop.swarm_told(running(lead(earlier=Spend())), summary(1, 40))
        total, _ = session.spent((), standing.status(state))
        assert (40, 6) == (total.tokens, total.steps)
        state = loop.after_swarm(state, report(70))
        ended = standing.report(state)
        total, _ = session.spent((ended,), standing.status(state))
        assert (70, 10, 70) == (total.tokens, total.steps, session.spent_before((ended,)).tokens)

    def test_its_progress_counts_the_steps_of_sub_agents(self) -> None:
        state = loop.swarm_told(running(), summary(1, 40))
        assert 3 + 4 == session.progress((), standing.status(state)).step
        ended = standing.report(loop.after_swarm(state, report(70)))
        shown = session.progress((), session.at_end(ended))
        assert (3 + 7, 70) == (shown.step, shown.tokens)

    def test_the_next_shift_has_what_the_tree_left(self) -> None:
        task = TaskSpec(id="mend", title="T", instructions="x")
        ended = standing.report(loop.after_swarm(running(), report(70)))
        limits = session.agent_limits(SessionInput(task=task, profile="p"), (ended,))
        state = lead(earlier=session.spent_before((ended,)), step=1).model_copy(update={"limits": limits})
        assert 70 == tokens_of(state)


@given(st.lists(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1_000)), max_size=6), max_size=4))
def test_whatever_the_order_of_words_the_tree_counts_the_newest_of_each_swarm_once(
    swarms: list[list[tuple[int, int]]],
) -> None:
    state, total = lead(), 0
    for number, words in enumerate(swarms, 1):
        state, newest = running(state), (0, 0)
        for at, tokens in words:
            newest = (at, tokens) if at > newest[0] else newest
            state = loop.swarm_told(state, summary(at, tokens, swarm=f"mend.swarm{number}"))
            assert total + newest[1] == tokens_of(state) == standing.status(state).tokens
        state, total = loop.after_swarm(state, report(newest[1], swarm=f"mend.swarm{number}")), total + newest[1]
        assert total == tokens_of(state) == session.spent((), standing.status(state))[0].tokens
