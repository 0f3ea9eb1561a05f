"""What an agent asks of its activities, out of its state. Which of them, and when, is `policy.loop`'s."""

from longshift.contracts.activities import CallModelInput, CheckpointInput, RunChecksInput, WriteHandoffInput
from longshift.contracts.agent import AgentState
from longshift.contracts.model import CallDigest
from longshift.contracts.rollback import RollBackConversationInput, RollBackFilesInput
from longshift.contracts.tools import Job, RunToolInput
from longshift.contracts.verification import DiffDigest, ExportDiffInput, VerifyInput
from longshift.contracts.workspace import Workspace
from longshift.policy import budget, context, describe
from longshift.policy.actions import CallModel, RollBack


def call_model(state: AgentState, action: CallModel) -> CallModelInput:
    """The current step's model call."""
    return CallModelInput(
        agent=state.agent,
        task_id=state.task_id,
        profile=state.profile,
        epoch=state.epoch,
        epoch_first_step=state.epoch_first_step,
        step=state.step,
        context_tokens=state.context_tokens,
        estimated_tokens=state.estimated_tokens,
        bytes_per_token=state.bytes_per_token,
        learnt_window_tokens=state.learnt_window_tokens,
        notes=action.notes,
        autonomy=state.autonomy,
        seal=action.seal,
        left=budget.left(state),
    )


def write_handoff(state: AgentState, *, final: bool, jobs: tuple[Job, ...] = ()) -> WriteHandoffInput:
    """Room in everything before the current step, or a last note over it."""
    checkpoint = state.checkpoint
    return WriteHandoffInput(
        agent=state.agent,
        task_id=state.task_id,
        profile=state.profile,
        epoch=state.epoch,
        epoch_first_step=state.epoch_first_step,
        step=state.step,
        context_tokens=state.context_tokens,
        final=final,
        changed_files=checkpoint.changed_files if checkpoint else (),
        changed_count=checkpoint.changed_count if checkpoint else 0,
        jobs=jobs,
        plan=describe.plan_text(state.plan, state.completion.proposed),
        workspace=state.workspace,
        reason=state.ending,
        limits=state.limits,
        bytes_per_token=state.bytes_per_token,
        learnt_window_tokens=state.learnt_window_tokens,
        keep_rounds=state.overflow_streak <= 1,
        may_clear=context.may_clear(state),
        foreign=bool(state.epoch_profile),
        by_runner=state.note_by_runner,
        failed_approaches=state.stuck.failed_approaches,
    )


def run_tool(state: AgentState, call: CallDigest, workspace: Workspace) -> RunToolInput:
    """One call of the current step, on the host of `workspace`."""
    return RunToolInput(
        agent=state.agent,
        epoch=state.epoch,
        step=state.step,
        index=call.index,
        name=call.name,
        tool_class=call.tool_class,
        workspace=workspace,
    )


def run_checks(state: AgentState, workspace: Workspace) -> RunChecksInput:
    """The checks that `finish` asks for."""
    return RunChecksInput(
        workspace=workspace,
        task_id=state.task_id,
        agent=state.agent,
        step=state.step,
        proposed=state.completion.proposed,
    )


def export_diff(state: AgentState, workspace: Workspace) -> ExportDiffInput:
    """What a verifier reads."""
    return ExportDiffInput(workspace=workspace, agent=state.agent, step=state.step)


def verify(state: AgentState, diff: DiffDigest) -> VerifyInput:
    """The verifier's call."""
    wanted = state.verifier.model if state.verifier is not None else None
    return VerifyInput(
        agent=state.agent,
        task_id=state.task_id,
        profile=wanted or state.profile,
        epoch=state.epoch,
        step=state.step,
        diff_key=diff.key,
        checks=state.checks if state.checked_step == state.step else None,
        proposed=state.takes_checks,
        claims=state.completion.claims,
    )


def checkpoint(state: AgentState, step: int, workspace: Workspace) -> CheckpointInput:
    """The files after `step`."""
    return CheckpointInput(workspace=workspace, agent=state.agent, step=step)


def roll_back_files(state: AgentState, action: RollBack, workspace: Workspace) -> RollBackFilesInput:
    """The files as they were after an earlier step."""
    return RollBackFilesInput(workspace=workspace, agent=state.agent, step=state.step - 1, to_step=action.wish.to_step)


def roll_back_conversation(state: AgentState, action: RollBack) -> RollBackConversationInput:
    """The conversation as it was then."""
    return RollBackConversationInput(
        agent=state.agent,
        profile=state.profile,
        epoch=state.epoch,
        step=state.step,
        to_step=action.wish.to_step,
        bytes_per_token=state.bytes_per_token,
    )
