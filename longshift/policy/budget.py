"""What an agent does about its budget: whether the next call fits, who is warned, what a person is asked and decides.

The arithmetic of accounts is `policy.ledger`'s; how an agent is held is `policy.steps`'.
"""

from math import ceil

from longshift.contracts.agent import AgentState
from longshift.contracts.ledger import Account, Allowance, Extension, Spend
from longshift.contracts.model import HandoffDigest, ModelDigest, Usage
from longshift.contracts.reviews import Ask, AskKind, Decision
from longshift.contracts.session import TimeUsed
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.verification import VerdictDigest
from longshift.policy import asking, context, ladder, ledger, notes, raising, tree_spend
from longshift.policy.reviews import RAISE, options_of

_NOUNS = {"tokens": "tokens", "usd": "dollars", "steps": "steps"}


def account(state: AgentState) -> Account:
    """The agent's account, with what earlier agents of its session spent, and its swarms."""
    own = Spend(usage=state.usage, usd=state.cost_usd, steps=state.step - state.first_step)
    spent = state.earlier + own + tree_spend.spent(state)
    return Account(limits=limits(state), spent=spent, unknown=state.unknown + tree_spend.unknown(state))


def limits(state: AgentState) -> Allowance:
    """What the whole session may spend."""
    return Allowance(tokens=state.limits.tokens, usd=state.limits.usd, steps=state.limits.steps)


def next_call(state: AgentState) -> Spend:
    """What the next model call may cost at most: its prompt from no cache, and the longest answer."""
    said = sum(len(note.text) for note in state.notes)
    prompt = state.context_tokens + context.estimate_tokens(said, state.bytes_per_token)
    reserve = state.reserve
    if not reserve.output_tokens:
        return Spend(steps=1)
    usage = Usage(input_tokens=prompt, output_tokens=reserve.output_tokens)
    return Spend(usage=usage, usd=reserve.output_usd + prompt * reserve.prompt_usd_per_token, steps=1)


def shortage(state: AgentState) -> tuple[str, ...]:
    """The limits that the next call does not fit."""
    return ledger.shortage(account(state), next_call(state))


def left(state: AgentState) -> Allowance:
    """What may still be spent; no step is counted."""
    rest = ledger.left(account(state))
    tokens, usd = rest["tokens"], rest["usd"]
    return Allowance(tokens=None if tokens is None else max(0, int(tokens)), usd=None if usd is None else max(0.0, usd))


def charged(state: AgentState, digest: ModelDigest | HandoffDigest | VerdictDigest) -> AgentState:
    """Take what an activity cost, whatever its outcome, and what the next may cost."""
    cost = Spend(usage=digest.usage, usd=digest.cost_usd)
    profile, reserve = state.profile, state.reserve
    if isinstance(digest, VerdictDigest):
        profile = digest.verdict.profile if digest.verdict else profile
    elif digest.reserve.output_tokens:
        reserve = digest.reserve
    before = state.costs.get(profile, Spend())
    return state.model_copy(
        update={
            "usage": state.usage + digest.usage,
            "cost_usd": state.cost_usd + digest.cost_usd,
            "unknown": state.unknown + Spend(usage=digest.unknown, usd=digest.unknown_usd),
            "costs": {**state.costs, profile: before + cost},
            "reserve": reserve,
            "model_calls": state.model_calls + 1,
            "throttled": state.throttled + (digest.throttled if isinstance(digest, ModelDigest) else 0),
        }
    )


def lost_call(state: AgentState) -> AgentState:
    """The agent whose call was given up while it was out: what it may have cost is booked."""
    most = next_call(state).model_copy(update={"steps": 0})
    return state.model_copy(
        update={
            "usage": state.usage + most.usage,
            "cost_usd": state.cost_usd + most.usd,
            "unknown": state.unknown + most,
            "costs": {**state.costs, state.profile: state.costs.get(state.profile, Spend()) + most},
        }
    )


def exhausted(state: AgentState) -> str:
    """Why no further call is made, in words for people; empty: one may be."""
    return "; ".join(f"budget.{name}: {_standing(state, name)}" for name in shortage(state))


def warned(state: AgentState) -> AgentState:
    """The agent with a word about each limit that is nearly used up, said once to it and to people."""
    here, share = account(state), state.limits.warn_at_share
    spent = ledger.amounts(here.spent)
    for name, limit in ledger.amounts(here.limits).items():
        used = spent[name] or 0
        if not limit or name in state.warned or used < share * limit:
            continue
        state = _warned_of(state, name, f"{used / limit:.0%} of the {_NOUNS[name]} are used: {_used(state, name)}")
    return state


def warned_of_time(state: AgentState, time: TimeUsed) -> AgentState:
    """The same for active time; when, its session decides."""
    used, limit = time.used_seconds / 3600, time.limit_seconds / 3600
    return _warned_of(
        state, "active_hours", f"{used / limit:.0%} of the active time is used: {used:.1f} of {limit:.1f} hours"
    )


def wish(state: AgentState, refusal: str = "") -> Ask:
    """What a person is asked when the next call does not fit; `refusal` is why the last answer did not do."""
    short = shortage(state)
    named = " and ".join(_NOUNS[name] for name in short)
    sorry = f"The budget was not raised: {refusal}. " if refusal else ""
    return Ask(
        id=asking.ask_id(state, AskKind.BUDGET),
        kind=AskKind.BUDGET,
        question=f"{sorry}The budget of {named} does not cover the next model call. Raise it, or end here?"[:2_000],
        evidence=(*_evidence(state), *_profiles(state), _offer(state, short)),
        options=options_of(AskKind.BUDGET),
        agent=state.agent,
        step=state.step,
    )


def decided(state: AgentState, decision: Decision) -> AgentState | str:
    """The agent with its limits raised; a text says why they are not."""
    if decision.option != RAISE:
        return f"{decision.option!r} is no way to decide this"
    more = raising.more_of(decision.text, limits(state)) if decision.text.strip() else _half(state, shortage(state))
    if isinstance(more, str):
        return more
    who = decision.by or "a person"
    state = extended(state.model_copy(update={"raised": state.raised + more}), more)
    return ladder.told(state, f"Budget raised by {who}: {raising.in_words(more)}") if any(_parts(more)) else state


def extended(state: AgentState, more: Extension) -> AgentState:
    """The agent with more of its budget; of what was raised it will be warned again."""
    higher = ledger.extended(limits(state), more)
    new = {"tokens": higher.tokens, "usd": higher.usd, "steps": higher.steps}
    raised = {name for name, amount in ledger.amounts(more).items() if amount}
    return state.model_copy(
        update={
            "limits": state.limits.model_copy(update=new),
            "warned": tuple(name for name in state.warned if name not in raised),
        }
    )


def _half(state: AgentState, names: tuple[str, ...]) -> Extension:
    """Half of the task's own budget, and not less than the next call needs."""
    own, rest, call = (ledger.amounts(of) for of in (state.limits.own, Spend(), next_call(state)))
    here, has = ledger.left(account(state)), ledger.amounts(limits(state))
    for name in names:
        missing = (call[name] or 0) - (here[name] or 0)
        rest[name] = max((own[name] or has[name] or 0) / 2, missing)
    tokens, usd, steps = (rest[name] or 0 for name in ledger.LIMITS)
    return Extension(tokens=ceil(tokens), usd=ceil(usd * 100 - 1e-6) / 100, steps=ceil(steps))


def _warned_of(state: AgentState, name: str, text: str) -> AgentState:
    note = Note(speaker=Speaker.RUNNER, text=notes.nearly_used_up(text), message_id=f"budget {name}")
    more: dict[str, object] = {"notes": (*state.notes, note), "warned": (*state.warned, name)}
    return ladder.told(state.model_copy(update=more), f"Budget: {text}")


def _evidence(state: AgentState) -> tuple[str, ...]:
    limited = [name for name, limit in ledger.amounts(limits(state)).items() if limit is not None]
    return tuple(f"{_NOUNS[name].capitalize()}: {_standing(state, name)}" for name in limited)


def _standing(state: AgentState, name: str) -> str:
    """`90 of 100 tokens used (…); the next call may take 20`."""
    call = next_call(state)
    then = {
        "tokens": f"; the next call may take {call.tokens:,}" if call.tokens else "",
        "usd": f"; the next call may cost {_usd(call.usd)}" if call.usd else "",
    }
    return _used(state, name) + then.get(name, "")


def _used(state: AgentState, name: str) -> str:
    here = account(state)
    usage, unknown = here.spent.usage, here.unknown
    match name:
        case "tokens":
            guess = f", {unknown.tokens:,} booked for calls of unknown outcome" if unknown.tokens else ""
            kinds = (
                f"{usage.input_tokens:,} in, {usage.cached_tokens:,} cached, {usage.cache_write_tokens:,} written to "
                f"the cache, {usage.output_tokens:,} out{guess}"
            )
            return f"{here.spent.tokens:,} of {here.limits.tokens or 0:,} tokens used ({kinds})"
        case "usd":
            guess = f" ({_usd(unknown.usd)} booked for calls of unknown outcome)" if unknown.usd else ""
            return f"{_usd(here.spent.usd)} of {_usd(here.limits.usd or 0)} used{guess}"
        case _:
            return f"{here.spent.steps:,} of {here.limits.steps or 0:,} steps used"


def _profiles(state: AgentState) -> tuple[str, ...]:
    costs = dict(state.earlier_costs)
    costs |= {profile: costs.get(profile, Spend()) + cost for profile, cost in tree_spend.costs(state).items()}
    return tuple(f"{profile} so far: {_usd(cost.usd)}, {cost.tokens:,} tokens" for profile, cost in costs.items())[:10]


def _offer(state: AgentState, short: tuple[str, ...]) -> str:
    by_half = raising.in_words(_half(state, short))
    return f"`{RAISE}` without words adds {by_half}; with words as much as they say, {raising.EXAMPLES}"


def _usd(amount: float) -> str:
    """Dollars with as many places as tell something."""
    return f"${amount:,.2f}" if amount >= 0.1 or not amount else f"${amount:.4f}"


def _parts(more: Extension) -> tuple[float, ...]:
    return (more.tokens, more.usd, more.steps)
