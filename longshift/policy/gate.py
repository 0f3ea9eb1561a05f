"""Who may pass a gate: as many as its limit, by priority and then by arrival."""

from longshift.contracts.gate import GateEntry, GateState


def entered(state: GateState, entry: GateEntry) -> GateState:
    """A session has come; one that was there already has a new priority, and one that is inside stays there."""
    others = tuple(each for each in state.waiting if each.session != entry.session)
    place = next((n for n, each in enumerate(state.waiting) if each.session == entry.session), len(others))
    waiting = others if entry.session in state.inside else (*others[:place], entry, *others[place:])
    return state.model_copy(update={"limit": max(1, entry.limit), "waiting": waiting})


def left(state: GateState, session: str) -> GateState:
    """A session has let go of its slot, or does not want one any more."""
    return state.model_copy(
        update={
            "inside": tuple(each for each in state.inside if each != session),
            "waiting": tuple(each for each in state.waiting if each.session != session),
        }
    )


def next_in(state: GateState) -> str:
    """The session that may pass now; empty when none may."""
    if len(state.inside) >= state.limit or not state.waiting:
        return ""
    return min(state.waiting, key=lambda entry: entry.priority).session


def passed(state: GateState, session: str) -> GateState:
    """The session is inside."""
    without = left(state, session)
    return without.model_copy(update={"inside": (*without.inside, session)})


def is_empty(state: GateState) -> bool:
    """Whether nobody needs the gate."""
    return not state.inside and not state.waiting
