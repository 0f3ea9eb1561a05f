"""Where an agent stands, for its session and for people."""

from longshift.contracts.agent import AgentOutcome, AgentProgress, AgentReport, AgentState, Phase
from longshift.contracts.completion import CompletionReport
from longshift.contracts.ledger import Spend
from longshift.contracts.session import AgentStatus
from longshift.contracts.transcript import Speaker
from longshift.policy import budget, completion, context, delegating, describe, recall, steps, tree_spend


def status(state: AgentState, *, idle: bool = False) -> AgentStatus:
    """What the session is told; `idle` says that the agent holds and needs no slot."""
    own = Spend(usage=state.usage, usd=state.cost_usd, steps=state.step - state.first_step)
    below = tree_spend.spent(state)
    tree = own + below
    return AgentStatus(
        agent=state.agent,
        waiting=state.phase in {Phase.PARKED, Phase.WAITING} or delegating.is_held_up(state),
        idle=idle,
        wait_seconds=state.wait_seconds if state.phase is Phase.WAITING else 0.0,
        attention=state.attention or delegating.trouble(state),
        step=state.step - state.first_step + 1,
        tokens=tree.tokens,
        cost_usd=round(tree.usd, 4),
        context_fill=context.fill(state),
        profile=state.profile,
        ask=state.ask,
        plan=state.plan,
        rung=state.stuck.rung,
        news=state.news,
        last_text=state.last_text[:500],
        changed_files=state.checkpoint.changed_count if state.checkpoint else 0,
        spent=tree,
        unknown=state.unknown + tree_spend.unknown(state),
        raised=state.raised,
        throttled=state.throttled,
        swarm=state.swarm,
        swarm_at_work=delegating.is_at_work(state),
        delegated_steps=below.steps,
    )


def has_news(state: AgentState, told_number: int) -> bool:
    """Whether there are lines for people beyond the last one that was told; a parked agent reports by itself."""
    return bool(state.news) and state.news[-1].number > told_number and state.phase is not Phase.PARKED


def progress(state: AgentState) -> AgentProgress:
    """The answer to the agent's `progress` query."""
    return AgentProgress(
        agent=state.agent,
        phase=state.phase,
        step=state.step,
        first_step=state.first_step,
        epoch=state.epoch,
        context_tokens=state.context_tokens,
        window_tokens=state.window_tokens,
        usage=state.usage,
        cost_usd=state.cost_usd,
        unknown=state.unknown + tree_spend.unknown(state),
        next_call=budget.next_call(state),
        limits=budget.limits(state),
        tool_calls=state.tool_calls,
        compactions=state.compactions,
        clearings=state.clearings,
        profile=state.profile,
        last_handover=state.last_handover,
        rollbacks=state.rollbacks,
        last_rollback=state.last_rollback,
        compactions_per_100_steps=recall.compactions_per_100_steps(state.recall, state.step),
        rung=state.stuck.rung,
        signals=state.stuck.signals,
        rungs=state.stuck.counts,
        repeated_reads_share=recall.repeated_reads_share(state.recall),
        runs=state.runs,
        plan=state.plan,
        checks=state.checks,
        completion=_completion(state),
        attention=state.attention,
        paused=state.paused,
        has_slot=state.has_slot,
        next_action=describe.next_action(state),
        last_text=state.last_text,
        changed_files=state.checkpoint.changed_count if state.checkpoint else 0,
        swarm=state.swarm,
        delegated=tree_spend.spent(state),
    )


def report(state: AgentState) -> AgentReport:
    """What the session learns of an agent that has ended."""
    return AgentReport(
        agent=state.agent,
        outcome=state.outcome or AgentOutcome.CANCELLED,
        reason=state.ending,
        steps=state.step - state.first_step,
        epoch=state.epoch,
        last_step=state.step - 1,
        usage=state.usage,
        cost_usd=state.cost_usd,
        unknown=state.unknown + tree_spend.unknown(state),
        costs=tree_spend.costs(state),
        raised=state.raised,
        tool_calls=state.tool_calls,
        rejected_calls=state.rejected_calls,
        lost_calls=state.lost_calls,
        compactions=state.compactions,
        clearings=state.clearings,
        rollbacks=state.rollbacks,
        profile=state.profile,
        runs=state.runs,
        checks=state.checks,
        summary=state.last_text[:2_000],
        context_fill=context.fill(state),
        completion=_completion(state),
        rungs=state.stuck.taken,
        failed_approaches=state.stuck.failed_approaches,
        questions=state.asks,
        undelivered=tuple(note for note in state.notes if note.speaker is Speaker.PERSON),
        handoff_note=state.handoff_note,
        throttled=state.throttled,
        delegated=tree_spend.spent(state),
        swarms=state.swarms,
    )


def _completion(state: AgentState) -> CompletionReport | None:
    return completion.report(state) if state.version >= steps.VERSION_WITH_PEOPLE else None
