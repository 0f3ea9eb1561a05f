"""Schedules: the engine keeps them and fires them, `workflows.firing` turns each fire into a session.

What can be said of one is in `schedule_wishes`, how schedules are shown is the command line's.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import replace

from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleListActionStartWorkflow,
    ScheduleListDescription,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from longshift.contracts.errors import BadInput, KeyTaken
from longshift.contracts.schedules import FiringInput
from longshift.contracts.session import SessionInput
from longshift.schedule_wishes import Wishes, applied, new_schedule, refuse_impossible

WORKFLOW_TYPE = "Firing"


async def add_schedule(client: Client, name: str, session: SessionInput, wishes: Wishes) -> ScheduleDescription:
    """Make a schedule; each of its fires is a session like `session`, with an id of its own.

    Raises:
        KeyTaken: one of this name exists.
        BadInput: something about it cannot be; the engine's own words say what. Nothing exists then.
    """
    if not wishes.cron and wishes.every is None:
        raise BadInput('schedule: says no time; give --cron "0 2 * * *" or --every 6h')
    wishes = replace(wishes, session=session)
    refuse_impossible(name, wishes)
    with _in_words(name):
        try:
            handle = await client.create_schedule(name, new_schedule(name, session, wishes))
        except ScheduleAlreadyRunningError:
            raise KeyTaken(
                f"schedule: {name!r} exists; change it with `longshift schedule update {name}`, or choose another name"
            ) from None
        made = await handle.describe()
        if not made.info.next_action_times:
            await handle.delete()
            raise BadInput("schedule: its time never comes; check --cron and --until")
        return made


async def update_schedule(client: Client, name: str, wishes: Wishes) -> ScheduleDescription:
    """Change what `wishes` says and leave the rest; sessions that run or wait are not touched.

    Raises:
        BadInput: there is no such schedule, or something about it cannot be; it stays as it was then.
    """
    refuse_impossible(name, wishes)
    handle = await _own(client, name)

    def changed(found: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=applied(name, found.description.schedule, wishes))

    with _in_words(name):
        await handle.update(changed)
        return await handle.describe()


async def describe_schedule(client: Client, name: str) -> ScheduleDescription:
    """How a schedule stands.

    Raises:
        BadInput: there is no such schedule, or it is not one of ours.
    """
    with _in_words(name):
        found = await client.get_schedule_handle(name).describe()
    action = found.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow) or action.workflow != WORKFLOW_TYPE:
        raise BadInput(f"schedule: {name!r} starts no sessions; it belongs to something else on this engine")
    return found


async def list_schedules(client: Client) -> AsyncGenerator[ScheduleListDescription]:
    """The schedules of sessions; the engine may hold others. A new one is listed after a moment."""
    async for each in await client.list_schedules():
        action = each.schedule.action if each.schedule else None
        if isinstance(action, ScheduleListActionStartWorkflow) and action.workflow == WORKFLOW_TYPE:
            yield each


async def pause_schedule(client: Client, name: str, note: str) -> None:
    """Fire no more; raises as `describe_schedule` does."""
    with _in_words(name):
        await (await _own(client, name)).pause(note=note)


async def resume_schedule(client: Client, name: str, note: str) -> None:
    """Fire again; raises as `describe_schedule` does."""
    with _in_words(name):
        await (await _own(client, name)).unpause(note=note)


async def trigger_schedule(client: Client, name: str) -> None:
    """Fire once now; raises as `describe_schedule` does."""
    with _in_words(name):
        await (await _own(client, name)).trigger()


async def remove_schedule(client: Client, name: str) -> None:
    """Forget a schedule; sessions that run go on. Raises as `describe_schedule` does."""
    with _in_words(name):
        await (await _own(client, name)).delete()


async def firing_of(client: Client, description: ScheduleDescription) -> FiringInput:
    """What each fire of one of our schedules starts with."""
    action = description.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    (firing,) = await client.data_converter.decode(list(action.args), [FiringInput])
    return firing


async def _own(client: Client, name: str) -> ScheduleHandle:
    """The handle of a schedule that is there and ours: the engine removes what is not there without a word."""
    await describe_schedule(client, name)
    return client.get_schedule_handle(name)


@contextmanager
def _in_words(name: str) -> Generator[None]:
    """The engine's refusals as bad input; any other failure is left to the caller."""
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise BadInput(
                f"schedule: none is named {name!r}; `longshift schedule list` shows those that there are"
            ) from None
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            told = error.message.removeprefix("Invalid schedule spec: ")
            raise BadInput(f"schedule: {told}; check --cron, --every, --timezone and --jitter") from None
        raise
