"""One budget for a tree of agents: what it lets out, and that no order of events makes it spend more."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from longshift.contracts.ledger import Account, Allowance, Extension, Spend
from longshift.contracts.model import Usage
from longshift.policy import ledger

CAP = Allowance(tokens=1_000_000, usd=10.0, steps=400)
SUB_AGENTS = 50


def spend(tokens: int, usd: float = 0.0, steps: int = 0) -> Spend:
    return Spend(usage=Usage(input_tokens=tokens), usd=usd, steps=steps)


def test_a_call_that_does_not_fit_is_not_let_out() -> None:
    account = Account(limits=Allowance(tokens=100), spent=spend(60))
    assert ledger.reserve(account, "a", spend(41)) is None
    reserved = ledger.reserve(account, "a", spend(40))
    assert reserved is not None
    assert ledger.reserve(reserved, "b", spend(1)) is None
    assert {"tokens": 0, "usd": None, "steps": None} == ledger.left(reserved)


def test_a_call_is_charged_once_whatever_it_is_told_again() -> None:
    account = ledger.reserve(Account(), "a", spend(40))
    assert account is not None
    again = ledger.reserve(account, "a", spend(40))
    assert again == account
    done = ledger.commit(account, "a", spend(30))
    assert 30 == ledger.commit(ledger.lose(done, "a"), "a", spend(30)).spent.tokens


def test_a_call_of_unknown_outcome_is_booked_at_its_reservation_and_told_apart() -> None:
    account = ledger.reserve(Account(), "a", spend(40, 0.5))
    assert account is not None
    lost = ledger.lose(account, "a")
    assert (spend(40, 0.5), spend(40, 0.5), {}) == (lost.spent, lost.unknown, lost.reserved)


def test_what_a_sub_agent_does_not_spend_comes_back() -> None:
    account = ledger.grant(Account(limits=Allowance(tokens=100)), "c", Allowance(tokens=80))
    assert account is not None
    assert ledger.grant(account, "d", Allowance(tokens=21)) is None
    settled = ledger.settle(account, "c", Account(limits=Allowance(tokens=80), spent=spend(30)))
    assert 70 == ledger.left(settled)["tokens"]
    assert settled == ledger.settle(settled, "c", Account(spent=spend(30)))


def test_a_sub_agent_that_never_settles_keeps_its_share_until_it_is_written_off() -> None:
    account = ledger.grant(Account(limits=Allowance(tokens=100)), "c", Allowance(tokens=80))
    assert account is not None
    assert 20 == ledger.left(account)["tokens"]
    gone = ledger.write_off(account, "c")
    assert (20, 80, 80) == (ledger.left(gone)["tokens"], gone.spent.tokens, gone.unknown.tokens)


@pytest.mark.parametrize("share", [Allowance(), Allowance(usd=1.0), Allowance(tokens=-1)])
def test_a_share_may_not_be_without_the_limits_of_the_whole(share: Allowance) -> None:
    assert ledger.grant(Account(limits=Allowance(tokens=100)), "c", share) is None


def test_what_has_no_limit_cannot_be_extended_into_one() -> None:
    more = Extension(tokens=5, usd=1.0, steps=2)
    assert Allowance(tokens=15, steps=3) == ledger.extended(Allowance(tokens=10, steps=1), more)


def test_sums_of_dollars_miss_no_limit_by_a_rounding() -> None:
    account = Account(limits=Allowance(usd=0.3), spent=Spend(usd=0.1 + 0.1))
    assert () == ledger.shortage(account, Spend(usd=0.1))


@dataclass
class Agent:
    """A sub-agent of the simulated tree, with what it really spent."""

    name: str
    parent: "Agent | None"
    account: Account
    really: Spend = field(default_factory=Spend)
    """What providers billed for it, its own sub-agents not counted."""
    calls: int = 0
    is_over: bool = False
    children: list["Agent"] = field(default_factory=list["Agent"])


class Tree(RuleBasedStateMachine):
    """A lead with sub-agents, and theirs: calls, failures, unknown outcomes, crashes in any order."""

    agents = Bundle("agents")
    excess = 0.0
    """By how much a call may cost more than was reserved for it, as a part of that."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Agent] = []
        self.over = Spend()
        """What calls cost beyond their reservations."""

    @initialize(target=agents)
    def lead(self) -> Agent:
        agent = Agent("lead", None, Account(limits=CAP))
        self.all.append(agent)
        return agent

    @rule(
        target=agents,
        parent=agents,
        tokens=st.integers(0, 400_000),
        cents=st.integers(0, 400),
        steps=st.integers(0, 150),
    )
    def delegate(self, parent: Agent, tokens: int, cents: int, steps: int) -> Agent:
        if parent.is_over or len(self.all) > SUB_AGENTS:
            return parent
        share = Allowance(tokens=tokens, usd=cents / 100, steps=steps)
        name = f"{parent.name}.{len(parent.children)}"
        granted = ledger.grant(parent.account, name, share)
        if granted is None:
            return parent
        parent.account = granted
        child = Agent(name, parent, Account(limits=share))
        parent.children.append(child)
        self.all.append(child)
        return child

    @rule(agent=agents, tokens=st.integers(1, 60_000), cents=st.integers(0, 60))
    def ask(self, agent: Agent, tokens: int, cents: int) -> None:
        if agent.is_over:
            return
        call = f"c{agent.calls}"
        reserved = ledger.reserve(agent.account, call, spend(tokens, cents / 100, 1))
        if reserved is not None:
            agent.calls, agent.account = agent.calls + 1, reserved

    @rule(agent=agents, share=st.floats(0, 1), seed=st.integers(0, 9), twice=st.booleans())
    def answered(self, agent: Agent, share: float, seed: int, twice: bool) -> None:
        if (call := self._call(agent, seed)) is None:
            return
        most = agent.account.reserved[call]
        factor = share * (1 + self.excess)
        cost = spend(int(most.tokens * factor), most.usd * factor, 1)
        agent.account = ledger.commit(agent.account, call, cost)
        if twice:  # a replay, or a signal that is delivered again
            agent.account = ledger.commit(agent.account, call, cost)
        self._bill(agent, cost, most)

    @rule(agent=agents, share=st.floats(0, 1), seed=st.integers(0, 9))
    def lost(self, agent: Agent, share: float, seed: int) -> None:
        """The provider may have billed all of it, a part or nothing; nobody will know."""
        if (call := self._call(agent, seed)) is None:
            return
        most = agent.account.reserved[call]
        agent.account = ledger.lose(agent.account, call)
        self._bill(agent, spend(int(most.tokens * share), most.usd * share, 1), most)

    @rule(agent=agents, seed=st.integers(0, 9))
    def refused(self, agent: Agent, seed: int) -> None:
        """A 429, say: nothing is billed."""
        if (call := self._call(agent, seed)) is not None:
            agent.account = ledger.commit(agent.account, call, Spend())

    @rule(agent=agents, twice=st.booleans())
    def settles(self, agent: Agent, twice: bool) -> None:
        """It ends, with calls and sub-agents of its own perhaps still out: those can spend no more than they had."""
        if agent.is_over or agent.parent is None or agent.parent.is_over:
            return
        for child in agent.children:
            self._stop(child)
        agent.is_over = True
        agent.parent.account = ledger.settle(agent.parent.account, agent.name, agent.account)
        if twice:
            agent.parent.account = ledger.settle(agent.parent.account, agent.name, agent.account)

    @rule(agent=agents)
    def crashes(self, agent: Agent) -> None:
        """It is gone for ever, and what it knew with it."""
        if agent.parent is not None:
            self._stop(agent)

    @rule(agent=agents)
    def is_written_off(self, agent: Agent) -> None:
        if agent.parent is not None and not agent.parent.is_over and agent.is_over:
            agent.parent.account = ledger.write_off(agent.parent.account, agent.name)

    @invariant()
    def the_tree_spends_no_more_than_its_cap_and_what_calls_cost_beyond_their_reservation(self) -> None:
        total = Spend()
        for agent in self.all:
            total = total + agent.really
        assert CAP.tokens is not None
        assert CAP.usd is not None
        assert CAP.steps is not None
        assert total.tokens <= CAP.tokens + self.over.tokens
        assert total.usd <= CAP.usd + self.over.usd + 1e-6
        assert total.steps <= CAP.steps

    @invariant()
    def nothing_is_let_out_that_is_not_there(self) -> None:
        if self.excess:
            return
        for agent in self.all:
            assert all(rest is None or rest >= -1e-6 for rest in ledger.left(agent.account).values())

    @invariant()
    def what_is_unknown_is_part_of_what_is_spent(self) -> None:
        for agent in self.all:
            assert agent.account.unknown.tokens <= agent.account.spent.tokens
            assert agent.account.unknown.usd <= agent.account.spent.usd + 1e-6

    def _call(self, agent: Agent, seed: int) -> str | None:
        calls = list(agent.account.reserved)
        return random.Random(seed).choice(calls) if calls and not agent.is_over else None

    def _bill(self, agent: Agent, cost: Spend, most: Spend) -> None:
        agent.really = agent.really + cost
        beyond = spend(max(0, cost.tokens - most.tokens), max(0.0, cost.usd - most.usd))
        self.over = self.over + beyond

    def _stop(self, agent: Agent) -> None:
        """Nothing of it or below it runs any more; calls that were out may be billed in full."""
        for child in agent.children:
            self._stop(child)
        if not agent.is_over:
            agent.is_over = True
            for most in agent.account.reserved.values():
                agent.really = agent.really + most


class TreeWithBadEstimates(Tree):
    """The same where calls may cost up to three times of what was reserved."""

    excess = 2.0


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=60, stateful_step_count=120, deadline=None)
TestTreeWithBadEstimates = TreeWithBadEstimates.TestCase
TestTreeWithBadEstimates.settings = settings(max_examples=40, stateful_step_count=120, deadline=None)


@pytest.mark.parametrize("seed", range(5))
def test_fifty_sub_agents_that_all_want_everything_stay_within_the_cap(seed: int) -> None:
    order = random.Random(seed)
    lead = Account(limits=CAP)
    shares = Allowance(tokens=20_000, usd=0.2, steps=8)
    children: dict[str, Account] = {}
    for number in range(SUB_AGENTS):
        granted = ledger.grant(lead, f"c{number}", shares)
        assert granted is not None
        lead, children[f"c{number}"] = granted, Account(limits=shares)
    assert ledger.grant(lead, "one more", Allowance(tokens=1, usd=0.01, steps=1)) is None
    billed, open_calls = Spend(), [(name, number) for name in children for number in range(20)]
    order.shuffle(open_calls)
    for name, number in open_calls:
        most = spend(order.randint(500, 5_000), order.random() / 20, 1)
        reserved = ledger.reserve(children[name], str(number), most)
        if reserved is None:
            continue
        if order.random() < 0.2:
            children[name], billed = ledger.lose(reserved, str(number)), billed + most
            continue
        cost = Spend(usage=Usage(input_tokens=order.randint(0, most.tokens)), usd=most.usd * order.random(), steps=1)
        children[name], billed = ledger.commit(reserved, str(number), cost), billed + cost
    for name, child in children.items():
        if order.random() < 0.9:
            lead = ledger.settle(lead, name, child)
    assert billed.tokens <= 1_000_000
    assert billed.usd <= 10.0
    assert lead.spent.tokens <= 1_000_000
