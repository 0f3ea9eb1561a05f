"""Hands a task to the engine: once per task id, whoever asks and however often."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from longshift.adapters.store import open_store
from longshift.contracts import ids
from longshift.contracts.errors import BadInput, KeyTaken
from longshift.contracts.people import PeopleChannels
from longshift.contracts.queue_place import QueuePlace
from longshift.contracts.session import SessionInput, SessionStatus
from longshift.contracts.task import FAIRNESS_KEY_MAX_BYTES, TaskSpec
from longshift.settings import Settings
from longshift.starting import refuse_unusable
from longshift.taskfile import task_hash
from workflows.session import Session
from workflows.session_start import start_options


@dataclass(frozen=True)
class Submission:
    """A session that the engine holds."""

    handle: WorkflowHandle[Session, SessionStatus]
    is_new: bool
    """False when the same task had been submitted before."""


async def submit(
    client: Client, settings: Settings, task: TaskSpec, *, memo: Mapping[str, str] | None = None
) -> Submission:
    """Start the task's session, or find the one that the same task already has. `memo` is kept with a new one.

    Raises:
        KeyTaken: the id belongs to another task.
        BadInput: a profile of the model or of the network is unknown, or not for the task's tenant; or there is nothing
            where the task is to start from.
        StoreUnavailable: the store cannot be read, where a task starts from another session.
    """
    request = session_input(settings, task)
    if task.start_from is not None:
        await refuse_unusable(client, open_store(settings.store_url), task.start_from)
    start = start_options(request)
    start["memo"] = {**(memo or {}), **start["memo"]}
    try:
        handle = await client.start_workflow(
            Session.run, request, id_conflict_policy=WorkflowIDConflictPolicy.FAIL, **start
        )
    except WorkflowAlreadyStartedError:
        return await _found(client, task)
    return Submission(handle, is_new=True)


def session_input(settings: Settings, task: TaskSpec) -> SessionInput:
    """What the task's session starts with: the task, and what this configuration says where it is silent.

    Raises:
        BadInput: a profile of the model or of the network is unknown, or not for the task's tenant; or a secret is not
            the task's.
    """
    settings.secret_book.require(task)
    profile = _known("model", task.model or settings.model_profile, settings)
    field, named = "fallback_models", task.fallback_models
    if named is None:
        field, named = "model_fallback", settings.model_fallback
    fallback = tuple(dict.fromkeys(_known(field, name, settings) for name in named if name != profile))
    if task.verifier is not None and task.verifier.model is not None:
        _known("verifier.model", task.verifier.model, settings)
    settings.refuse_network(task)
    return SessionInput(
        task=task,
        profile=profile,
        fallback=fallback,
        limits=settings.agent_limits(task.budget),
        wrap_up_seconds=settings.wrap_up_seconds,
        place=place_of(settings, task),
        host_patience_seconds=settings.host_patience_seconds,
        fleet=settings.fleet_limits.any,
        remind_after_seconds=settings.remind_after_seconds,
        people=channels_of(settings),
    )


def channels_of(settings: Settings) -> PeopleChannels:
    """Where people are told of the task's session."""
    return PeopleChannels(
        slack_channel=settings.slack_channel,
        webhook=settings.webhook_url is not None,
        ui_url=settings.ui_url or "",
    )


def _known(field: str, profile: str, settings: Settings) -> str:
    known = settings.profiles()
    if profile not in known:
        raise BadInput(f"{field}: no profile is named {profile!r}; choose one of {', '.join(sorted(known))}")
    return profile


def place_of(settings: Settings, task: TaskSpec) -> QueuePlace:
    """Where the task stands in the queue."""
    named = {
        "tenant": task.tenant,
        "repository": task.repository,
        "fairness_key": task.fairness_key or "",
    }
    key = _short(task.fairness_key or named[settings.fairness_by])
    capped = named[settings.cap_by] or key
    return QueuePlace(
        priority=task.priority,
        fairness_key=key,
        fairness_weight=task.fairness_weight,
        cap_key=f"{settings.cap_by}:{capped}" if settings.cap_sessions else "",
        cap_sessions=settings.cap_sessions,
    )


def _short(key: str) -> str:
    """The engine takes 64 bytes: a longer key keeps its end, where repositories differ, and a hash of the whole."""
    if len(key.encode()) <= FAIRNESS_KEY_MAX_BYTES:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{digest}:{key.encode()[-(FAIRNESS_KEY_MAX_BYTES - 9) :].decode(errors='ignore')}"


async def _found(client: Client, task: TaskSpec) -> Submission:
    handle = client.get_workflow_handle_for(Session.run, ids.session_workflow_id(task.id))
    description = await handle.describe()
    if await description.memo_value(ids.TASK_HASH_MEMO, None) != task_hash(task):
        state = description.status.name.lower() if description.status else "known"
        raise KeyTaken(
            f"id: {task.id!r} belongs to another task, which is {state} (see `longshift status {task.id}`); "
            "give this one another id"
        )
    return Submission(handle, is_new=False)
