"""Plans and states of swarms for the tests of their policy."""

from longshift.contracts.ledger import Allowance, Spend
from longshift.contracts.model import Usage
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemSeal
from longshift.contracts.swarm_plan import ItemRow, PlanDigest
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.swarm_state import SwarmState
from longshift.contracts.workspace import Workspace
from longshift.policy import swarm_begin

PLACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")


def start_of(*rows: ItemRow, **fields: object) -> SwarmStart:
    """What a lead starts."""
    given: dict[str, object] = {
        "swarm": "t.swarm1",
        "session": "t",
        "lead": "t/lead",
        "step": 3,
        "index": 0,
        "plan": PlanDigest(key="p", hash="f" * 16, title="Do all", rows=rows),
        "workspace": PLACE,
        "profile": "scripted",
        "width": 300,
        **fields,
    }
    return SwarmStart.model_validate(given)


def state_of(*rows: ItemRow, **fields: object) -> SwarmState:
    """A swarm that begins at the time 0; its ramp is over."""
    state = swarm_begin.carried(start_of(*rows, **fields), 0.0)
    return state.model_copy(update={"width": state.width.model_copy(update={"since": -1_000.0})})


def end_of(
    item: str, attempt: int = 1, failure: ItemFailure | None = None, *, tokens: int = 10, throttled: int = 0
) -> ItemEnd:
    """The end of an attempt."""
    return ItemEnd(
        item=item,
        attempt=attempt,
        failure=failure,
        reason="so it was" if failure else "",
        seal=None if failure else ItemSeal(key="k", files=1),
        steps=4,
        spent=Spend(usage=Usage(input_tokens=tokens), steps=4),
        throttled=throttled,
        started_at=1.0,
        ended_at=3.0,
    )


def limited(tokens: int | None = None, steps: int | None = None) -> Allowance:
    """A budget."""
    return Allowance(tokens=tokens, steps=steps)
