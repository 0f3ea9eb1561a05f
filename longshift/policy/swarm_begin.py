"""What a swarm carries at its start, what each attempt is begun with, and how the swarm is brought to its end."""

from collections.abc import Iterable

from longshift.contracts.agent import AgentLimits
from longshift.contracts.item import ItemInput
from longshift.contracts.ledger import Account, Allowance, OnLimit
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNote, ItemStatus
from longshift.contracts.swarm_activities import LandSwarmInput, OpenedSwarm, OpenSwarmInput
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.swarm_state import ItemRun, SwarmState
from longshift.contracts.workspace import Workspace
from longshift.policy import swarm_view, swarm_window, width

NOTES_KEPT = 20
REASON_CHARACTERS = 300


def carried(start: SwarmStart, now: float) -> SwarmState:
    """The state of a swarm that begins; the plan's texts are in the store, and are not carried."""
    plan = start.plan.model_copy(update={"shown": (), "changes": ()})
    return SwarmState(
        start=start.model_copy(update={"plan": plan}),
        items={row.id: ItemRun() for row in plan.rows},
        account=Account(limits=start.allowance),
        began_at=now,
        width=width.opened(start.width, len(plan.rows), now),
        paused=start.paused,
        fleet_held=start.fleet_held,
    )


def opening(state: SwarmState) -> OpenSwarmInput:
    """What records the base, and writes the tasks."""
    start = state.start
    return OpenSwarmInput(
        workspace=start.workspace,
        task_id=start.session,
        agent=start.lead,
        step=start.step,
        swarm=start.swarm,
        plan_hash=start.plan.hash,
        profile=start.profile,
    )


def opened(state: SwarmState, base: OpenedSwarm, now: float) -> SwarmState:
    """The swarm with its base; the ramp begins here."""
    wide = state.width.model_copy(update={"since": now})
    return state.model_copy(update={"opened": base, "width": wide})


def item_input(state: SwarmState, item: str, integration: int, now: float) -> ItemInput:
    """One attempt at an item that has just got its share; `integration` is the newest integrated state."""
    run = state.items[item]
    row = next(row for row in state.start.plan.rows if row.id == item)
    request = attempt_input(state, item, swarm_window.share_of(state, item), now)
    return request.model_copy(
        update={
            "attempt": run.attempt,
            "profile": row.profile or state.start.profile,
            "has_checks": row.has_checks,
            "integration": integration if row.depends_on else 0,
            "before": run.failure if run.attempt > 1 else None,
            "before_reason": run.reason if run.attempt > 1 else "",
            "notes": tuple(note.note for note in _unheard(state, run.heard) if note.item in ("", item)),
        }
    )


def attempt_input(state: SwarmState, name: str, share: Allowance, now: float) -> ItemInput:
    """What every sub-agent of the swarm is begun with."""
    start = state.start
    until = state.wrap_up_at
    return ItemInput(
        swarm=start.swarm,
        item=name,
        profile=start.profile,
        fallback=start.fallback,
        limits=_limits(start.limits, share),
        autonomy=start.autonomy,
        place=start.place,
        host_patience_seconds=start.host_patience_seconds,
        paused=state.paused,
        fleet_held=state.fleet_held,
        wrap_up_seconds=None if until is None else max(0.0, until - now),
    )


def with_note(state: SwarmState, note: ItemNote) -> SwarmState:
    """The swarm with a message: those at work are told of it, the others when they are begun."""
    notes, said = (*state.notes, note)[-NOTES_KEPT:], state.said + 1
    return with_heard(
        state.model_copy(update={"notes": notes, "said": said}),
        (item for item in swarm_window.at_work(state) if note.item in ("", item)),
    )


def with_heard(state: SwarmState, items: Iterable[str]) -> SwarmState:
    """The swarm whose items have heard all that was said."""
    heard = {item: state.items[item].model_copy(update={"heard": state.said}) for item in items}
    return state.model_copy(update={"items": {**state.items, **heard}})


def _unheard(state: SwarmState, heard: int) -> tuple[ItemNote, ...]:
    first_kept = state.said - len(state.notes)
    return state.notes[max(0, heard - first_kept) :]


def lost(request: ItemInput, reason: str, now: float) -> ItemEnd:
    """The end of an attempt whose workflow ended without a word."""
    return ItemEnd(
        item=request.item,
        attempt=request.attempt,
        failure=ItemFailure.LOST,
        reason=reason[:REASON_CHARACTERS],
        ended_at=now,
    )


def end_of_lost(state: SwarmState, name: str, reason: str, now: float) -> ItemEnd | None:
    """The same of whoever holds a share; None: nobody of that name does any more."""
    run, resolver = state.items.get(name), state.resolvers.get(name)
    if name not in state.account.shares or (run is None and resolver is None):
        return None
    attempt = run.attempt if run is not None else resolver.attempt if resolver is not None else 1
    return ItemEnd(
        item=name, attempt=attempt, failure=ItemFailure.LOST, reason=reason[:REASON_CHARACTERS], ended_at=now
    )


def landing(state: SwarmState, workspace: Workspace, number: int, now: float) -> LandSwarmInput:
    """What brings the integrated state `number` into the lead's workspace."""
    start = state.start
    unmerged = {item: run for item, run in state.items.items() if run.status is not ItemStatus.MERGED}
    return LandSwarmInput(
        workspace=workspace,
        task_id=start.session,
        agent=start.lead,
        epoch=start.epoch,
        step=start.step,
        index=start.index,
        swarm=start.swarm,
        plan_hash=start.plan.hash,
        number=number,
        summary=swarm_view.summary(state, now),
        ends=tuple((item, run.attempt) for item, run in state.items.items() if run.attempt),
        statuses={item: run.status.value for item, run in state.items.items()},
        reasons={item: run.reason[: swarm_window.REASON_CHARACTERS] for item, run in unmerged.items()},
        critical_path=swarm_view.path(state),
        reason=state.ending,
    )


def _limits(limits: AgentLimits, share: Allowance) -> AgentLimits:
    """The lead's thresholds, with the share as the whole budget; where it is used up, the attempt ends."""
    return limits.model_copy(
        update={
            "tokens": share.tokens,
            "usd": share.usd,
            "steps": share.steps,
            "own": share,
            "on_limit": OnLimit.STOP,
        }
    )
