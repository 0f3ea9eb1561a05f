"""The history of a swarm: the same base everywhere, and no bundle that brings in what it should not."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace.git_places import GitPlaces
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.workspace.shadow import Shadow
from longshift.adapters.worktrees import history
from longshift.contracts.errors import WorkspaceFailed
from tests.adapters.workspace.confined import every_sandbox, sandbox_named
from tests.user_git import USER_ENVIRONMENT


@pytest.fixture(params=every_sandbox())
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return sandbox_named(request.param, tmp_path / "hidden")


class Two:
    """Two shadow repositories with the same files, as on two hosts."""

    def __init__(self, folder: Path, places: GitPlaces) -> None:
        self.shadows = [self._shadow(folder / name, places) for name in ("one", "two")]

    def _shadow(self, folder: Path, places: GitPlaces) -> Shadow:
        (folder / "tree" / "src").mkdir(parents=True)
        (folder / "tree" / "src" / "a.txt").write_text("a\n")
        return Shadow(folder / "shadow.git", folder / "tree", run=places.inside(folder))


@pytest_asyncio.fixture
async def two(tmp_path: Path, sandbox: Sandbox) -> AsyncGenerator[Two]:
    places = GitPlaces(sandbox)
    two = Two(tmp_path, places)
    for shadow in two.shadows:
        await shadow.create()
        await shadow.record_base()
    yield two
    await places.close_all()


async def worked(shadow: Shadow) -> tuple[str, str]:
    """The base commit, and the tree after some work."""
    async with shadow.held() as git:
        base = await history.base_commit(git, (await git("rev-parse", "base^{tree}")).text)
    (shadow.tree / "src" / "a.txt").write_text("b\n")
    (shadow.tree / "link").symlink_to("src/a.txt")
    return base, await shadow.tree_hash()


async def test_every_host_makes_the_same_base_of_the_same_files(two: Two) -> None:
    bases: list[str] = []
    for shadow in two.shadows:
        async with shadow.held() as git:
            tree = (await git("rev-parse", "base^{tree}")).text
            bases.append(await history.base_commit(git, tree))
    assert bases[0] == bases[1]


async def test_sealed_work_travels_to_another_host(two: Two) -> None:
    one, other = two.shadows
    base, tree = await worked(one)
    async with one.held() as git:
        bundle = await history.seal_bundle(git, base, tree, "fix-1")
        assert bundle == await history.seal_bundle(git, base, tree, "fix-1")
    async with other.held() as git:
        await history.base_commit(git, (await git("rev-parse", "base^{tree}")).text)
        commit = await history.fetched(git, bundle)
        assert tree == await history.tree_of(git, commit)
        assert base == (await git("rev-parse", f"{commit}^")).text
        assert commit == await history.fetched(git, bundle)


async def test_a_bundle_is_refused_where_its_base_is_missing(two: Two) -> None:
    one, other = two.shadows
    base, tree = await worked(one)
    async with one.held() as git:
        bundle = await history.seal_bundle(git, base, tree, "fix-1")
    async with other.held() as git:
        with pytest.raises(WorkspaceFailed, match="builds on"):
            await history.fetched(git, bundle)


async def test_a_damaged_bundle_is_refused(two: Two) -> None:
    one, _ = two.shadows
    base, tree = await worked(one)
    async with one.held() as git:
        bundle = await history.seal_bundle(git, base, tree, "fix-1")
        with pytest.raises(WorkspaceFailed, match="damaged"):
            await history.fetched(git, bundle[:-30])
        with pytest.raises(WorkspaceFailed, match="damaged"):
            await history.fetched(git, b"no bundle")
        with pytest.raises(WorkspaceFailed, match="does not lead to"):
            await history.fetched(git, bundle, "refs/heads/other")


async def entry_added(git: Repository, base: str, entry: str) -> bytes:
    """A bundle whose tree is the base's with one more entry at its top."""
    listed = (await git("ls-tree", "-z", base)).stdout
    tree = (await git("mktree", "-z", "--missing", stdin=listed + entry.encode() + b"\0")).text
    return await history.seal_bundle(git, base, tree, "bad")


async def test_links_to_other_repositories_are_refused(two: Two) -> None:
    base, _ = await worked(two.shadows[0])
    async with two.shadows[0].held() as git:
        bundle = await entry_added(git, base, f"160000 commit {base}\tvendored")
        with pytest.raises(WorkspaceFailed, match="mode 160000"):
            await history.fetched(git, bundle)


async def test_paths_in_a_git_folder_are_refused(two: Two) -> None:
    base, _ = await worked(two.shadows[0])
    async with two.shadows[0].held() as git:
        blob = (await git("hash-object", "-w", "--stdin", stdin=b"[core]\n")).text
        inner = (await git("mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())).text
        bundle = await entry_added(git, base, f"040000 tree {inner}\t.Git")
        with pytest.raises(WorkspaceFailed, match=r"\.git"):
            await history.fetched(git, bundle)


async def test_a_bundle_of_the_users_own_git_can_be_read(two: Two, tmp_path: Path) -> None:
    base, tree = await worked(two.shadows[0])
    async with two.shadows[0].held() as git:
        path = tmp_path / "work.bundle"
        path.write_bytes(await history.seal_bundle(git, base, tree, "fix-1"))
    assert [history.WORK_REF] == await asyncio.to_thread(heads, path)


def heads(bundle: Path) -> list[str]:
    command = ["git", "bundle", "list-heads", str(bundle)]
    done = subprocess.run(command, env=USER_ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout.split()[1::2]
