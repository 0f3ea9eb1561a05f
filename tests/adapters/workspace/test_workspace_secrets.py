"""A setup gets its secrets, and when it is over they are gone: from the tree, from what it printed, from the record."""

import asyncio
import base64
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.secrets import SecretBook, SecretDefinition
from longshift.adapters.workspace import Workspaces
from longshift.adapters.workspace.leftovers import refuse_leftovers
from longshift.adapters.workspace.published import refuse_secrets
from longshift.contracts.errors import BadInput, WorkspaceFailed
from longshift.contracts.task import TaskSpec
from longshift.telemetry import Redactor
from tests.sandboxing import best_sandbox

CANARY = 'canary-9f8e7d6c5b4a-"quoted" value'
Git = Callable[..., str]


def task(*setup: str, **fields: object) -> TaskSpec:
    given = {"id": "t-1", "title": "T", "instructions": "Do.", "setup": setup, "setup_secrets": ["TOKEN"], **fields}
    return TaskSpec.model_validate(given)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the secret lies."""
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n")
    return file


Made = Callable[..., Workspaces]


@pytest_asyncio.fixture
async def made(data_dir: Path, place: Path) -> AsyncGenerator[Made]:
    """Makes a worker of the host that knows the secret; `tenants` may use it."""
    workers: list[Workspaces] = []

    def make(*tenants: str) -> Workspaces:
        redactor = Redactor(lambda: [CANARY])
        runner = ProcessRunner(data_dir / "runs", disk_floor_bytes=0, clean=redactor.known)
        book = SecretBook({"TOKEN": SecretDefinition(file=str(place), tenants=tenants)})
        sandbox = best_sandbox(data_dir)
        workers.append(Workspaces(data_dir, runner, sandbox, "host-1", "queue", secrets=book, clean=redactor.known))
        return workers[-1]

    yield make
    for each in workers:
        await each.close()


def holding(folder: Path, value: str = CANARY) -> list[str]:
    """The files below a folder that hold a value."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(str(path.relative_to(folder)) for path in files if value.encode() in path.read_bytes())


async def test_setup_finds_the_secret_and_nothing_of_it_stays(made: Made, data_dir: Path) -> None:
    commands = ('test "$TOKEN" = \'canary-9f8e7d6c5b4a-"quoted" value\'', 'echo "$TOKEN"; echo "$TOKEN" | base64 >&2')
    workspaces = made("default")
    workspace = await workspaces.prepare(task(*commands), 1)
    assert [] == holding(data_dir)
    assert [] == holding(data_dir, base64.b64encode(CANARY.encode()).decode()[:40])
    after = workspaces.shell(workspace, 'test -z "$TOKEN"')
    assert {} == after.secret_env


async def test_the_words_of_a_setup_that_fails_are_clean(made: Made, data_dir: Path) -> None:
    command = 'echo "it is $TOKEN"; printf %s "$TOKEN" | base64 -w0; exit 7'
    with pytest.raises(WorkspaceFailed, match="exit code 7") as failed:
        await made("default").prepare(task(command), 1)
    assert "it is [redacted]" in str(failed.value)
    assert base64.b64encode(CANARY.encode()).decode()[:20] not in str(failed.value)
    assert [] == holding(data_dir)


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ('echo "x $TOKEN" > note.txt', "tree/note.txt"),
        (
            'mkdir -p .git && printf \'[remote "o"]\\n url = https://u:%s@host\' "$TOKEN" > .git/config',
            "tree/.git/config",
        ),
        ('echo "$TOKEN" > ~/.netrc', "home/.netrc"),
        ('printf "u:%s" "$TOKEN" | base64 > auth', "tree/auth"),
        ('head -c 3999990 /dev/zero > big; printf %s "$TOKEN" >> big', "tree/big"),
        ('truncate -s 1T sparse; printf %s "$TOKEN" >> sparse', "tree/sparse"),
        ('ln -s "/nowhere/$TOKEN" link', "tree/link"),
        ('printf %s "$TOKEN" > plain; chmod 400 plain', "tree/plain"),
    ],
)
async def test_what_a_setup_leaves_is_found(made: Made, data_dir: Path, command: str, file: str) -> None:
    workspaces = made("default")
    for _ in range(2):  # the next attempt runs no command again, and comes to the same end
        with pytest.raises(WorkspaceFailed, match=f"the setup left secret TOKEN in {file}: an agent must not find it"):
            await workspaces.prepare(task(command), 1)


async def test_another_tenants_secret_is_refused_on_the_host_too(made: Made, data_dir: Path) -> None:
    with pytest.raises(BadInput, match="setup_secrets: no secret 'TOKEN' for tenant 'default'"):
        await made("others").prepare(task("touch ran"), 1)
    assert not (data_dir / "workspaces/t-1/tree/ran").exists()


async def test_a_worker_that_died_looks_the_secret_up_again(made: Made, data_dir: Path) -> None:
    place_of_gate = data_dir / "workspaces/t-1/tree/gate"
    commands = ("mkfifo gate; cat gate; rm gate", 'test -n "$TOKEN" && touch had-it')
    first = asyncio.create_task(made("default").prepare(task(*commands), 1))
    while not place_of_gate.exists():  # noqa: ASYNC110  # the command makes it
        await asyncio.sleep(0.01)
    gate = await asyncio.to_thread(place_of_gate.open, "w")
    first.cancel()
    await asyncio.wait({first})
    second = asyncio.create_task(made("default").prepare(task(*commands), 1))
    await asyncio.to_thread(gate.close)
    workspace = await second
    assert (Path(workspace.root) / "had-it").exists()


def test_a_gigabyte_of_nothing_is_looked_through_without_being_held(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1_000_000_000_000)
    (tmp_path / "fifo").touch()
    os.mkfifo(tmp_path / "pipe")
    refuse_leftovers(tmp_path, {"TOKEN": CANARY})


def test_a_patch_that_adds_a_secret_is_refused_and_one_that_removes_it_is_not(repository: Path, git: Git) -> None:
    clean = Redactor([CANARY]).known
    (repository / "src" / "app.py").write_text(f"token = '''{CANARY}'''\n")
    (repository / "ok.py").write_text("fine\n")
    git(repository, "add", "--all")
    adding = git(repository, "diff", "--cached", "--binary").encode()
    with pytest.raises(WorkspaceFailed, match=r"nothing is delivered: .* configuration in src/app\.py\. Take it out"):
        refuse_secrets(adding, clean)
    git(repository, "commit", "--quiet", "--message", "leak")
    (repository / "src" / "app.py").write_text("token = None\n")
    refuse_secrets(git(repository, "diff").encode(), clean)
    refuse_secrets(b"", clean)
