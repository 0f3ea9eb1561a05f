"""Schedules: the engine keeps them and fires them, `workflows.firing` turns each fire into a session.

What a task leaves to the settings is resolved when the schedule gets the task, not at each fire. How schedules are
shown is the command line's.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleListActionStartWorkflow,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from longshift.contracts import ids
from longshift.contracts.errors import BadInput, KeyTaken
from longshift.contracts.schedules import FiringInput
from longshift.contracts.session import SessionInput
from workflows import options
from workflows.firing import Firing

CATCH_UP = timedelta(days=365)
LEAST_CATCH_UP = timedelta(seconds=10)
"""The engine takes less for this much."""
WORKFLOW_TYPE = "Firing"


class Overlap(StrEnum):
    """What a fire does while the session of an earlier one still runs."""

    SKIP = "skip"
    """It is left out."""
    BUFFER_ONE = "buffer-one"
    """One waits, further ones are left out."""
    BUFFER_ALL = "buffer-all"
    """All wait, and run one after another."""
    ALLOW_ALL = "allow-all"
    """They run side by side."""
    CANCEL_OTHER = "cancel-other"
    """It cancels the running session and starts when that has ended."""


ENGINE_POLICY = {
    Overlap.SKIP: ScheduleOverlapPolicy.SKIP,
    Overlap.BUFFER_ONE: ScheduleOverlapPolicy.BUFFER_ONE,
    Overlap.BUFFER_ALL: ScheduleOverlapPolicy.BUFFER_ALL,
    Overlap.ALLOW_ALL: ScheduleOverlapPolicy.ALLOW_ALL,
    Overlap.CANCEL_OTHER: ScheduleOverlapPolicy.CANCEL_OTHER,
}

DEFAULT_OVERLAP = Overlap.BUFFER_ALL
"""No fire is lost, also not of those that are caught up after an outage, and no two sessions of a schedule meet."""


@dataclass(frozen=True)
class Wishes:
    """What a person says about a schedule; what is None stays as it is, or as the default says."""

    cron: tuple[str, ...] = ()
    every: timedelta | None = None
    timezone: str | None = None
    jitter: timedelta | None = None
    until: datetime | None = None
    overlap: Overlap | None = None
    catch_up: timedelta | None = None
    paused: bool | None = None
    session: SessionInput | None = None


async def add_schedule(client: Client, name: str, session: SessionInput, wishes: Wishes) -> ScheduleDescription:
    """Make a schedule; each of its fires is a session like `session`, with an id of its own.

    Raises:
        KeyTaken: one of this name exists.
        BadInput: something about it cannot be; the engine's own words say what. Nothing exists then.
    """
    if not wishes.cron and wishes.every is None:
        raise BadInput('schedule: says no time; give --cron "0 2 * * *" or --every 6h')
    policy = SchedulePolicy(overlap=ENGINE_POLICY[DEFAULT_OVERLAP], catchup_window=CATCH_UP)
    plain = Schedule(action=_action(name, session), spec=ScheduleSpec(), policy=policy)
    _refuse(name, replace(wishes, session=session))
    with _in_words(name):
        try:
            handle = await client.create_schedule(name, _applied(name, plain, wishes))
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
    _refuse(name, wishes)
    handle = client.get_schedule_handle(name)

    def changed(found: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=_applied(name, found.description.schedule, wishes))

    with _in_words(name):
        await handle.update(changed)
        return await handle.describe()


async def describe_schedule(client: Client, name: str) -> ScheduleDescription:
    """How a schedule stands.

    Raises:
        BadInput: there is no such schedule.
    """
    with _in_words(name):
        return await client.get_schedule_handle(name).describe()


async def list_schedules(client: Client) -> AsyncGenerator[ScheduleListDescription]:
    """The schedules of sessions; the engine may hold others. A new one is listed after a moment."""
    async for each in await client.list_schedules():
        action = each.schedule.action if each.schedule else None
        if isinstance(action, ScheduleListActionStartWorkflow) and action.workflow == WORKFLOW_TYPE:
            yield each


@contextmanager
def existing_schedule(client: Client, name: str) -> Generator[ScheduleHandle]:
    """A schedule's handle, for one request.

    Raises:
        BadInput: there is no such schedule.
    """
    with _in_words(name):
        yield client.get_schedule_handle(name)


async def firing_of(client: Client, description: ScheduleDescription) -> FiringInput:
    """What each fire of a schedule starts with.

    Raises:
        BadInput: the schedule is not one of ours.
    """
    action = description.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow) or action.workflow != WORKFLOW_TYPE:
        raise BadInput(f"schedule: {description.id!r} starts no sessions; it belongs to something else on this engine")
    (firing,) = await client.data_converter.decode(list(action.args), [FiringInput])
    return firing


def _refuse(name: str, wishes: Wishes) -> None:
    """What the engine would take, and never do.

    Raises:
        BadInput: it is such.
    """
    if not ids.is_schedule_name(name):
        raise BadInput(
            f"schedule: {name!r} is no name; use up to {ids.SCHEDULE_NAME_CHARACTERS} of a-z, 0-9, '.', '_' and '-'"
        )
    if wishes.until is not None and wishes.until <= datetime.now(UTC):
        raise BadInput(f"until: {wishes.until.isoformat()} has passed; give a later time")
    if wishes.catch_up is not None and wishes.catch_up < LEAST_CATCH_UP:
        raise BadInput(f"catch-up: less than {LEAST_CATCH_UP.seconds} seconds; give at least that")
    if wishes.session is not None and wishes.session.task.not_before is not None:
        raise BadInput("not_before: its schedule says when a task starts; remove it from the task file")


def _action(name: str, session: SessionInput) -> ScheduleActionStartWorkflow:
    return ScheduleActionStartWorkflow(
        Firing.run,
        FiringInput(schedule=name, session=session),
        id=ids.firing_workflow_id(name),
        task_queue=ids.CONTROL_QUEUE,
        task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
        static_summary=f"{name}: {session.task.title}"[:200],
    )


def _applied(name: str, schedule: Schedule, wishes: Wishes) -> Schedule:
    spec, policy, state = schedule.spec, schedule.policy, schedule.state
    if wishes.cron or wishes.every:
        # The engine turns an expression into a calendar and keeps only its comment: there the person's words stay.
        crons = [each if "#" in each else f"{each} # {each}" for each in wishes.cron]
        intervals = [ScheduleIntervalSpec(every=wishes.every)] if wishes.every else []
        spec = replace(spec, calendars=[], cron_expressions=crons, intervals=intervals)
    spec = replace(
        spec,
        time_zone_name=spec.time_zone_name if wishes.timezone is None else wishes.timezone,
        jitter=spec.jitter if wishes.jitter is None else wishes.jitter,
        end_at=spec.end_at if wishes.until is None else wishes.until,
    )
    policy = replace(
        policy,
        overlap=policy.overlap if wishes.overlap is None else ENGINE_POLICY[wishes.overlap],
        catchup_window=policy.catchup_window if wishes.catch_up is None else wishes.catch_up,
    )
    state = replace(state, paused=state.paused if wishes.paused is None else wishes.paused)
    action = schedule.action if wishes.session is None else _action(name, wishes.session)
    return Schedule(action=action, spec=spec, policy=policy, state=state)


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
