"""What a person can say about a schedule, and how the engine is told. Asking the engine is `schedules`'.

What a task leaves to the settings is resolved when the schedule gets the task, not at each fire.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.schedules import FiringInput
from longshift.contracts.session import SessionInput
from workflows import options
from workflows.firing import Firing

CATCH_UP = timedelta(days=365)
LEAST_CATCH_UP = timedelta(seconds=10)
"""The engine takes less for this much."""


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


def new_schedule(name: str, session: SessionInput, wishes: Wishes) -> Schedule:
    """A schedule with the defaults for what `wishes` leaves open."""
    policy = SchedulePolicy(overlap=ENGINE_POLICY[DEFAULT_OVERLAP], catchup_window=CATCH_UP)
    return applied(name, Schedule(action=_action(name, session), spec=ScheduleSpec(), policy=policy), wishes)


def applied(name: str, schedule: Schedule, wishes: Wishes) -> Schedule:
    """`schedule` with what `wishes` says, and the rest as it is."""
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


def refuse_impossible(name: str, wishes: Wishes) -> None:
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
