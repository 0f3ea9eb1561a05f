"""Schedules for people and machines: from the engine's descriptions to documents and pages. Nothing is asked here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from temporalio.client import (
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleDescription,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)

from longshift.cli.terminal_text import clean, one_line
from longshift.contracts import ids
from longshift.contracts.schedules import FiringInput
from longshift.policy.durations import show_duration
from longshift.schedule_wishes import ENGINE_POLICY

SHOWN_FIRES = 5
_OVERLAPS = {policy: overlap.value for overlap, policy in ENGINE_POLICY.items()}


@dataclass(frozen=True)
class ListedSchedule:
    """One line of the list."""

    name: str
    when: str
    paused: bool
    next_at: datetime | None
    last_task_id: str


@dataclass(frozen=True)
class ScheduleView:
    """How a schedule stands."""

    name: str
    title: str
    profile: str
    when: str
    paused: bool
    note: str
    overlap: str
    catch_up_seconds: float
    jitter_seconds: float
    until: datetime | None
    next_at: list[datetime]
    running: list[str]
    """Task ids of the sessions that this schedule waits for."""
    waiting: int
    """Fires that are due and wait for the running session."""
    recent: list[str]
    """Task ids of the last fires, the latest last."""
    fired: int
    skipped: int
    """Left out because of overlap."""
    missed: int
    """Left out because they were further back than the catch-up."""


def listed(found: ScheduleListDescription) -> ListedSchedule:
    """A line of the list."""
    info, schedule = found.info, found.schedule
    recent = [each.action for each in info.recent_actions] if info else []
    return ListedSchedule(
        name=found.id,
        when=_when(schedule.spec) if schedule else "",
        paused=bool(schedule and schedule.state.paused),
        next_at=info.next_action_times[0] if info and info.next_action_times else None,
        last_task_id=_task_id(found.id, recent[-1].workflow_id)
        if recent and isinstance(recent[-1], ScheduleActionExecutionStartWorkflow)
        else "",
    )


def view(found: ScheduleDescription, firing: FiringInput) -> ScheduleView:
    """All there is to say of one."""
    spec, policy, state, info = found.schedule.spec, found.schedule.policy, found.schedule.state, found.info
    return ScheduleView(
        name=found.id,
        title=firing.session.task.title,
        profile=firing.session.profile,
        when=_when(spec),
        paused=state.paused,
        note=state.note or "",
        overlap=_OVERLAPS.get(policy.overlap, ScheduleOverlapPolicy(policy.overlap).name.lower()),
        catch_up_seconds=policy.catchup_window.total_seconds() if policy.catchup_window else 0.0,
        jitter_seconds=spec.jitter.total_seconds() if spec.jitter else 0.0,
        until=spec.end_at,
        next_at=list(info.next_action_times[:SHOWN_FIRES]),
        running=[_task_id(found.id, each.workflow_id) for each in _started(info.running_actions)],
        waiting=found.raw_description.info.buffer_size,
        recent=[
            _task_id(found.id, each.workflow_id) for each in _started([each.action for each in info.recent_actions])
        ],
        fired=info.num_actions,
        skipped=info.num_actions_skipped_overlap,
        missed=info.num_actions_missed_catchup_window,
    )


def _started(actions: Iterable[ScheduleActionExecution]) -> list[ScheduleActionExecutionStartWorkflow]:
    return [each for each in actions if isinstance(each, ScheduleActionExecutionStartWorkflow)]


def _task_id(name: str, firing_id: str) -> str:
    moment = ids.fired_at(firing_id)
    return ids.fired_task_id(name, moment) if moment else firing_id


def _when(spec: ScheduleSpec) -> str:
    """The times in words: the expression that a person gave stands in its calendar's comment."""
    crons = [calendar.comment or "a calendar" for calendar in spec.calendars]
    everies = [f"every {show_duration(interval.every)}" for interval in spec.intervals]
    zone = f" {spec.time_zone_name or 'UTC'}" if crons else ""
    return clean("; ".join([*crons, *everies])) + zone


def table(schedules: list[ListedSchedule]) -> Table:
    """The list for people."""
    shown = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for name in ("name", "when", "next", "last session"):
        shown.add_column(name, overflow="fold")
    for each in schedules:
        following = Text("paused", style="yellow") if each.paused else Text(_local(each.next_at))
        shown.add_row(clean(each.name), each.when, following, clean(each.last_task_id) or "–")
    return shown


def page(shown: ScheduleView) -> Group:
    """One schedule for people."""
    state = Text(" paused ", style="reverse yellow") if shown.paused else Text(" active ", style="reverse green")
    rows: list[tuple[str, str]] = [
        ("when", shown.when),
        ("overlap", f"{shown.overlap}, catches up {_length(shown.catch_up_seconds)}"),
        *([("jitter", _length(shown.jitter_seconds))] if shown.jitter_seconds else []),
        *([("until", _local(shown.until))] if shown.until else []),
        *([("note", clean(shown.note))] if shown.note else []),
        ("model", clean(shown.profile)),
        ("next", ", ".join(_local(each) for each in shown.next_at) or "never"),
        ("running", clean(", ".join(shown.running)) or "–"),
        ("waiting", str(shown.waiting)),
        ("recent", clean(", ".join(shown.recent[-SHOWN_FIRES:])) or "–"),
        ("fires", f"{shown.fired} started, {shown.skipped} skipped, {shown.missed} missed"),
    ]
    body = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        body.add_row(Text(name, style="dim"), Text(value))
    parts: list[RenderableType] = [
        Text.assemble((clean(shown.name), "bold"), " ", state, f" {one_line(shown.title)}"),
        body,
    ]
    return Group(*parts)


def _length(seconds: float) -> str:
    return show_duration(timedelta(seconds=seconds))


def _local(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "–"
