"""What a session has spent of its budget, for people. Pure functions; bars and money are `render`'s."""

from rich.text import Text

from longshift.cli import figures
from longshift.contracts.agent import AgentProgress
from longshift.contracts.ledger import Allowance, Spend
from longshift.contracts.session import SessionStatus
from longshift.contracts.task import Budget
from longshift.policy.session import raised_budget, spent_before


def rows(status: SessionStatus, progress: AgentProgress | None, budget: Budget | None) -> list[figures.Row]:
    """Time, steps, tokens and dollars: used, and of how much."""
    spent, unknown = _spent(status, progress)
    limits = _limits(status, progress, budget)
    found: list[figures.Row] = []
    if status.active_limit_seconds:
        share = status.active_seconds / status.active_limit_seconds
        used = f" {figures.duration(status.active_seconds)} of {figures.duration(status.active_limit_seconds)}"
        shift = f", shift {status.shift}" if status.shift > 1 else ""
        found.append(("active time", Text.assemble(figures.bar(share), used + shift)))
    if limits.steps:
        found.append(
            ("steps", Text.assemble(figures.bar(spent.steps / limits.steps), f" {spent.steps:,} of {limits.steps:,}"))
        )
    if limits.tokens:
        used = f" {spent.tokens:,} of {limits.tokens:,}"
        found.append(("token limit", Text.assemble(figures.bar(spent.tokens / limits.tokens), used)))
    if spent.tokens:
        found.append(("tokens", kinds(spent)))
    if limits.usd:
        used = f" {figures.money(spent.usd)} of {figures.money(limits.usd)}"
        found.append(("cost", Text.assemble(figures.bar(spent.usd / limits.usd), used)))
    elif spent.usd or progress or status.agents:
        found.append(("cost", figures.money(spent.usd)))
    if progress and progress.next_call.tokens:
        call = progress.next_call
        found.append(("next call", f"at most {call.tokens:,} tokens, {figures.money(call.usd)}"))
    if unknown.tokens:
        text = (
            f"{unknown.tokens:,} tokens, {figures.money(unknown.usd)} of these are booked for calls of unknown outcome"
        )
        found.append(("not told", text))
    if status.cost_per_done_usd is not None:
        found.append(("finished for", figures.money(status.cost_per_done_usd)))
    return found


def kinds(spent: Spend) -> str:
    """Tokens by kind."""
    usage = spent.usage
    return (
        f"{usage.total_tokens:,} ({usage.input_tokens:,} in, {usage.cached_tokens:,} cached, "
        f"{usage.cache_write_tokens:,} written to the cache, {usage.output_tokens:,} out)"
    )


def _spent(status: SessionStatus, progress: AgentProgress | None) -> tuple[Spend, Spend]:
    """By all agents, and the part of it that no provider told."""
    spent, unknown = spent_before(status.agents), Spend()
    for report in status.agents:
        unknown = unknown + report.unknown
    if progress is not None:
        own = Spend(usage=progress.usage, usd=progress.cost_usd, steps=progress.step - progress.first_step)
        spent, unknown = spent + own + progress.delegated, unknown + progress.unknown
    return spent, unknown


def _limits(status: SessionStatus, progress: AgentProgress | None, budget: Budget | None) -> Allowance:
    """As people raised them; an agent at work knows best."""
    if progress is not None and progress.limits != Allowance():
        return progress.limits
    if budget is None:
        return Allowance()
    return raised_budget(budget, status.agents, status.extended)
