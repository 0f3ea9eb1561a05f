"""From what a session left in the store to a branch and a pull request. Whether it may leave is not decided here."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.delivery.clean_repository import CleanRepository, Identity, already_there
from longshift.adapters.delivery.github import PullRequests, api_url, owner_and_name
from longshift.adapters.delivery.remotes import Remotes
from longshift.adapters.store import Store, read_task
from longshift.adapters.workspace.change_bundle import Change
from longshift.adapters.workspace.git import RunGit, run_git
from longshift.contracts import ids
from longshift.contracts.delivery import LISTED_FILES, BranchDelivery, BranchPlan, PlannedPullRequest, PullRequest
from longshift.contracts.errors import DeliveryRefused
from longshift.contracts.session import SessionStatus
from longshift.contracts.task import TaskSpec
from longshift.policy import outgoing, outgoing_words

NAMED_FILES = 5


@dataclass(frozen=True)
class _Made:
    """A commit in a clean repository, and what it is to become."""

    git: CleanRepository
    plan: BranchPlan
    body: str
    """Of the pull request."""


class Delivering:
    """Plans and publishes branches, each in a clean repository of its own."""

    def __init__(
        self,
        store: Store,
        remotes: Remotes,
        *,
        author: Identity,
        user: str,
        github_api_url: str,
        folder: Path,
        run: RunGit = run_git,
    ) -> None:
        """`folder`: where the repositories are made; they are gone when a call is over."""
        self._store = store
        self._remotes = remotes
        self._author = author
        self._user = user
        self._github_api_url = github_api_url
        self._folder = folder
        self._run = run

    async def plan(self, task_id: str, at: int, on_progress: Callable[[str], None] = lambda line: None) -> BranchPlan:
        """What would leave, to the last argument. Nothing does.

        Raises:
            DeliveryRefused: it cannot be delivered; the text says why and what to do.
            DeliveryUnavailable: the remote cannot be reached.
            StoreMissing, StoreUnavailable, DiskFull.
        """
        async with self._made(task_id, at, on_progress) as made:
            return made.plan

    async def publish(
        self, task_id: str, at: int, approved: BranchPlan, on_progress: Callable[[str], None] = lambda line: None
    ) -> BranchDelivery:
        """Do what was planned; a repetition finds what is done.

        Raises:
            DeliveryRefused: what would leave now is not what was planned, or the remote refuses it.
            DeliveryUnavailable, StoreMissing, StoreUnavailable, DiskFull.
        """
        async with self._made(task_id, at, on_progress) as made:
            if made.plan != approved:
                raise DeliveryRefused("deliver: what would leave now is not what was planned; nothing was pushed")
            plan, git = made.plan, made.git
            on_progress(f"pushing {plan.branch}")
            await git.push(plan.commit, plan.branch)
            url = ""
            if plan.pull_request is not None:
                on_progress("opening the pull request")
                async with PullRequests(git.remote, api_url(git.remote, self._github_api_url)) as pull_requests:
                    url = await pull_requests.opened(plan.branch, plan.commit, plan.pull_request, made.body)
        return BranchDelivery(remote=plan.remote, branch=plan.branch, commit=plan.commit, pushed=True, pull_request=url)

    @asynccontextmanager
    async def _made(self, task_id: str, at: int, on_progress: Callable[[str], None]) -> AsyncGenerator[_Made]:
        task = await read_task(self._store, task_id)
        report = SessionStatus.model_validate_json(await self._store.get(ids.artifact_key(task_id, "report.json")))
        bundle = await self._store.get(ids.artifact_key(task_id, ids.CHANGES_ARTIFACT))
        if not bundle:
            raise DeliveryRefused(
                "deliver: changed files are too large or cannot be read, so the branch would not be whole; the patch "
                "has the others"
            )
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{task_id}-", dir=self._folder) as place:
            remote = await asyncio.to_thread(self._remotes.find, task.workspace.git or "")
            folder, file = Path(place) / "clean.git", Path(place) / "changes.bundle"
            await asyncio.to_thread(folder.mkdir)
            await asyncio.to_thread(file.write_bytes, bundle)
            git = CleanRepository(folder, remote, self._user, self._run)
            yield await self._planned(git, file, task, report, at, on_progress)

    async def _planned(
        self,
        git: CleanRepository,
        bundle: Path,
        task: TaskSpec,
        report: SessionStatus,
        at: int,
        on_progress: Callable[[str], None],
    ) -> _Made:
        assert task.deliver is not None  # the session has looked
        base = report.workspace.source_commit if report.workspace is not None else ""
        await git.create()
        branch = task.deliver.branch.replace("{id}", task.id)
        wished = task.deliver.wanted_pull_request
        if wished is not None:
            owner_and_name(git.remote)
        into = await _looked(git, task, branch, wished)
        if base:
            on_progress(f"fetching {base[:12]}")
            await git.fetch_base(base)
        changes = await git.fetch_changes(bundle)
        before = await git.files_of_base(base)
        remarks = _remarks(changes, before, base)
        commit = await git.commit(base, changes, outgoing_words.commit_message(task, report), self._author, at)
        plan = BranchPlan(remote=git.remote.address, branch=branch, base_commit=base, commit=commit, remarks=remarks)
        if not commit:
            return _Made(git, plan, "")
        there = (await git.look(f"refs/heads/{branch}"))[0].get(f"refs/heads/{branch}", commit)
        if there != commit:
            raise already_there(branch, there)
        insertions, deletions, names = await git.numbers(base, commit)
        guarded = outgoing.sensitive(names)
        body = outgoing_words.pull_request_body(task, report, _facts(names, insertions, deletions, guarded, remarks))
        found = {
            "files": len(names),
            "insertions": insertions,
            "deletions": deletions,
            "changed_files": tuple(names[:LISTED_FILES]),
            "sensitive_files": guarded[:LISTED_FILES],
            "pull_request": _pull_request(task, wished, into, body),
        }
        return _Made(git, plan.model_copy(update=found), body)


async def _looked(git: CleanRepository, task: TaskSpec, branch: str, wished: PullRequest | None) -> str:
    """The branch that a pull request goes into."""
    if wished is None:
        return ""
    ref = task.workspace.ref or ""
    named = wished.base or ref
    found, default = await git.look(*([f"refs/heads/{named}"] if named else []))
    if named and f"refs/heads/{named}" in found:
        into = named
    elif wished.base:
        raise DeliveryRefused(
            f"deliver.pull_request.base: {git.remote.address} has no branch {wished.base!r}; give one"
        )
    else:
        into = default
    if not into or into == branch:
        raise DeliveryRefused("deliver.pull_request.base: it is not known which branch it goes into; name one")
    return into


def _pull_request(task: TaskSpec, wished: PullRequest | None, into: str, body: str) -> PlannedPullRequest | None:
    if wished is None:
        return None
    return PlannedPullRequest(
        title=outgoing_words.pull_request_title(task, wished.title),
        base=into,
        draft=wished.draft,
        labels=wished.labels,
        body_hash=hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:32],
    )


def _remarks(changes: list[Change], before: dict[bytes, tuple[str, str]], base: str) -> tuple[str, ...]:
    """What a reviewer should know of how the commit was made; changes that cannot be made are refused."""
    links = {path for path, (mode, _) in before.items() if mode == "160000"}
    for change in changes:
        inside = next((link for link in links if change.path == link or change.path.startswith(link + b"/")), None)
        if inside is not None:
            raise DeliveryRefused(
                f"deliver: {_shown(change.path)} is in the submodule {_shown(inside)}, which a branch of this "
                "repository cannot hold; take it from the patch"
            )
    if not base:
        return ()
    zeros = "0" * 40
    others = [each.path for each in changes if before.get(each.path, ("", zeros))[1] != each.old_blob]
    if not others:
        return ()
    named = ", ".join(_shown(path) for path in others[:NAMED_FILES])
    more = f" and {len(others) - NAMED_FILES} more" if len(others) > NAMED_FILES else ""
    return (f"The setup, or a rule of line endings, had changed these files before work began: {named}{more}.",)


def _facts(
    names: list[str], insertions: int, deletions: int, guarded: tuple[str, ...], remarks: tuple[str, ...]
) -> tuple[str, ...]:
    facts = [f"{len(names):,} files changed, +{insertions:,} −{deletions:,}."]
    if guarded:
        listed = ", ".join(guarded[:NAMED_FILES]) + (" and more" if len(guarded) > NAMED_FILES else "")
        facts.append(f"Look at these first, they run with rights of their own: {listed}.")
    return (*facts, *remarks)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")[:200]
