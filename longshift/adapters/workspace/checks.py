"""Running the declared checks on a workspace. What the runs prove is judged in `policy.checks`.

The tree is recorded first. Files that a check changes or removes make it red, and when all checks have run the tree is
put back, so that what is delivered is what was proved and the next proof starts from the same files. New files that a
check leaves (a build before a test) stay until then. Progress is kept in a file, so that a worker that takes
over goes on with the same facts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Lost, NotStarted, RunState
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.workspace.folder import disk_full_named, read_file, replace_file
from longshift.adapters.workspace.lock import locked
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.shadow import Shadow
from longshift.adapters.workspace.workspaces import Workspaces
from longshift.adapters.workspace.write_scope import outside_scope
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.task import Check, TaskSpec
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace
from longshift.policy.checks import CheckRun, judge, judge_baseline, newly_edited

OUTPUT_CHARACTERS = 4_000
REPORT_SECONDS = 5.0
LOCK_TIMEOUT_SECONDS = 86_400.0
SHOWN_PROTECTED = 100


class ChecksRecord(Wire):
    """What is known so far of one run of the checks."""

    tree: str
    """The tree that is checked."""
    protected: tuple[str, ...] = ()
    """Protected files that differ from the base tree, or that a check touched."""
    out_of_scope: tuple[str, ...] = ()
    """Of a sub-agent: files that differ from the base tree and lie outside of its write scope."""
    edited: dict[int, tuple[str, ...]] = {}
    """By the number of each check that has ended: files of the tree that changed while it ran."""
    is_over: bool = False
    """The tree was put back; it must not be again, because work may have gone on."""


@dataclass(frozen=True)
class _Proof:
    """One run of the checks of one task."""

    task: TaskSpec
    workspace: Workspace
    shadow: Shadow
    key_prefix: str
    on_progress: Callable[[str], None]


class Checks:
    """Runs checks through the process runner, each run under its own key, so that none is repeated after a crash."""

    def __init__(self, workspaces: Workspaces, runner: ProcessRunner) -> None:
        self._workspaces = workspaces
        self._runner = runner

    async def run(
        self,
        task: TaskSpec,
        workspace: Workspace,
        *,
        baseline: Mapping[str, float | None],
        takes_baseline: bool = False,
        key_prefix: str,
        on_progress: Callable[[str], None] = lambda line: None,
    ) -> ChecksDigest:
        """Run the checks in their order and compare protected files; `key_prefix` names this run of them for ever.

        With `takes_baseline` only the measurements that are compared with a baseline are taken.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration, HostError; a check that fails is a result.
        """
        folder = self._workspaces.open(workspace)
        key_prefix = self._workspaces.run_prefix(workspace, key_prefix)
        path = folder.checks_file(key_prefix)
        with disk_full_named(path):
            path.parent.mkdir(exist_ok=True)
        proof = _Proof(task, workspace, self._workspaces.shadow(workspace), key_prefix, on_progress)
        async with locked(path.parent / "checks.lock", timeout_seconds=LOCK_TIMEOUT_SECONDS):
            body = read_file(path)
            record = ChecksRecord.model_validate_json(body) if body else await self._begun(proof)
            results: list[CheckResult] = []
            for index, check in enumerate(task.checks):
                if takes_baseline and (check.measure is None or not check.measure.needs_baseline):
                    continue
                replace_file(path, record.model_dump_json().encode())
                runs = await self._runs(proof, index, check)
                if index not in record.edited and not record.is_over:
                    record = await self._looked_after(proof, record, index)
                if takes_baseline:
                    results.append(judge_baseline(check, runs))
                else:
                    edited = record.edited.get(index, ())
                    results.append(judge(check, runs, baseline=baseline.get(check.name), edited=edited))
            if not record.is_over:
                replace_file(path, record.model_dump_json().encode())
                # Without a check that ran, and begun in this call, the files were recorded a moment ago.
                await proof.shadow.restore(record.tree, now="" if body or results else record.tree)
                replace_file(path, record.model_copy(update={"is_over": True}).model_dump_json().encode())
        protected = () if takes_baseline else record.protected
        out_of_scope = () if takes_baseline else record.out_of_scope
        return ChecksDigest(
            passed=not protected and not out_of_scope and all(result.passed for result in results),
            results=tuple(results),
            protected_changes=tuple(readable(name) for name in protected[:SHOWN_PROTECTED]),
            out_of_scope=tuple(readable(name) for name in out_of_scope[:SHOWN_PROTECTED]),
            tree_hash=record.tree,
        )

    async def _begun(self, proof: _Proof) -> ChecksRecord:
        snapshot = await proof.shadow.snapshot(with_protected=True)
        changed = await proof.shadow.changed_files(proof.workspace.base_tree, to_tree=snapshot.tree)
        scope = proof.task.sub_agent.write_scope if proof.task.sub_agent is not None else None
        return ChecksRecord(
            tree=snapshot.tree,
            protected=tuple(_protected(proof, changed)),
            out_of_scope=tuple(outside_scope(changed, scope)),
        )

    async def _looked_after(self, proof: _Proof, record: ChecksRecord, index: int) -> ChecksRecord:
        """See what the check has done to the files."""
        after = (await proof.shadow.snapshot(with_protected=True)).tree
        changed = await proof.shadow.changed_files(record.tree, to_tree=after)
        kept = await proof.shadow.changed_files(record.tree, to_tree=after, kinds="a")
        edited = tuple(readable(name) for name in kept)
        return record.model_copy(
            update={
                "edited": {**record.edited, index: tuple(newly_edited(edited, record.edited))},
                "protected": tuple(sorted({*record.protected, *_protected(proof, changed)})),
            }
        )

    async def _runs(self, proof: _Proof, index: int, check: Check) -> list[CheckRun]:
        """Run one check as often as it asks for, but not on after a failure."""
        runs: list[CheckRun] = []
        for repeat in range(check.repeats):
            of_repeats = f", run {repeat + 1} of {check.repeats}" if check.repeats > 1 else ""
            title = f"check {index + 1} of {len(proof.task.checks)} ({check.name}{of_repeats})"
            runs.append(await self._run_once(proof, f"{proof.key_prefix}/{index}-{repeat}", check, title))
            if not runs[-1].is_success:
                break
        return runs

    async def _run_once(self, proof: _Proof, key: str, check: Check, title: str) -> CheckRun:
        """Run the command, or follow the one that runs already; a lost one is run a second time, as a proof may be."""
        await self._workspaces.network_opened(proof.workspace)
        spec = self._workspaces.shell(proof.workspace, check.run, timeout_seconds=check.timeout_seconds)
        state = await self._followed(key, spec, title, proof.on_progress)
        if isinstance(state, Lost):
            key = f"{key}-again"
            state = await self._followed(key, spec, title, proof.on_progress)
        output = self._runner.output(key, OUTPUT_CHARACTERS).text
        if isinstance(state, Finished):
            if state.exit_code != 0:
                await self._workspaces.require_sandbox(proof.workspace, output)
            return CheckRun(
                exit_code=state.exit_code,
                signal=state.signal,
                timed_out=state.timed_out,
                ended_because=f"ended from outside: {state.killed_reason}"
                if state.killed_reason and not state.timed_out
                else "",
                output=output,
                duration_seconds=state.duration_seconds,
            )
        why = state.why if isinstance(state, Lost) else "it could not be started"
        return CheckRun(ended_because=f"its outcome is unknown: {why}", output=output)

    async def _followed(self, key: str, spec: CommandSpec, title: str, on_progress: Callable[[str], None]) -> RunState:
        state = await self._runner.start(key, spec)
        while not isinstance(state, Finished | Lost | NotStarted):
            progress = self._runner.progress(key)
            on_progress(f"{title}: {progress.running_seconds:.0f} s, {progress.total_bytes} bytes of output")
            state = await self._runner.wait(key, REPORT_SECONDS)
        return state


def _protected(proof: _Proof, names: Sequence[str]) -> list[str]:
    """Of these files, the ones that match the task's protected globs."""
    spec = GitIgnoreSpec.from_lines(proof.task.protected)
    return [name for name in names if spec.match_file(name)]
