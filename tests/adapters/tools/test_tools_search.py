"""`glob` and `grep`: ripgrep's answers, without what is ignored and within limits."""

import asyncio
import os
from pathlib import Path

import pytest
from tools_workshop import Workshop

from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import SandboxCommand, WrappedCommand
from longshift.adapters.tools.grep import grep
from longshift.adapters.tools.openers import WalkingOpener
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.ripgrep import Ripgrep, find_ripgrep
from longshift.contracts.errors import HostError
from longshift.contracts.tools import GrepArguments, ToolStatus


@pytest.fixture(params=["repository", "plain folder"])
def project(request: pytest.FixtureRequest, workshop: Workshop) -> Workshop:
    """A small project, inside of a folder whose ignore file excludes everything."""
    (workshop.folder / ".gitignore").write_text("*\n")
    (workshop.folder / ".ignore").write_text("*.md\n" if request.param == "repository" else "*\n")
    if request.param == "repository":
        workshop.write(".git/HEAD", "ref: refs/heads/main\nneedle\n")
    workshop.write(".gitignore", "node_modules/\n*.log\n/src/generated/\n")
    workshop.write("src/a.py", "import os\nneedle = 1\n")
    workshop.write("src/deep/b.py", "needle\n")
    workshop.write("src/deep/c.ts", "needle\n")
    workshop.write("src/generated/d.py", "needle\n")
    workshop.write("node_modules/lib/e.py", "needle\n")
    workshop.write("build.log", "needle\n")
    workshop.write(".github/ci.yml", "needle\n")
    workshop.write("image.bin", b"needle\x00\n")
    return workshop


@pytest.mark.parametrize(
    ("pattern", "path", "files"),
    [
        ("*.py", ".", "src/a.py src/deep/b.py"),
        ("**/*.py", ".", "src/a.py src/deep/b.py"),
        ("**/*.{py,ts}", ".", "src/a.py src/deep/b.py src/deep/c.ts"),
        ("src/*.py", ".", "src/a.py"),
        ("./src/*", ".", "src/a.py"),
        ("src/**", ".", "src/a.py src/deep/b.py src/deep/c.ts"),
        ("deep/*", "src", "src/deep/b.py src/deep/c.ts"),
        ("**", "src", "src/a.py src/deep/b.py src/deep/c.ts"),
        ("**/*", ".", ".github/ci.yml .gitignore image.bin src/a.py src/deep/b.py src/deep/c.ts"),
        ("*.yml", ".", ".github/ci.yml"),
        ("*", "src/deep", "src/deep/b.py src/deep/c.ts"),
    ],
)
async def test_glob_lists_matching_files_that_are_not_ignored(
    project: Workshop, pattern: str, path: str, files: str
) -> None:
    outcome = await project.call("glob", pattern=pattern, path=path)
    assert (ToolStatus.OK, files.split()) == (outcome.status, outcome.text.split("\n"))


async def test_grep_never_waits_at_a_pipe(workshop: Workshop) -> None:
    os.mkfifo(workshop.root / "pipe")
    outcome = await workshop.call("grep", pattern="x", path="pipe")
    assert (ToolStatus.ERROR, "pipe is a named pipe, not an ordinary file.") == (outcome.status, outcome.text)


async def test_glob_takes_an_absolute_pattern_inside_the_workspace(project: Workshop) -> None:
    assert "src/a.py" == (await project.call("glob", pattern=f"{project.root}/src/*.py")).text


async def test_glob_without_a_match_says_so(project: Workshop) -> None:
    outcome = await project.call("glob", pattern="*.rs", path="src")
    assert "No files match *.rs beneath src (ignored files are not listed)." == outcome.text
    assert ToolStatus.OK == outcome.status


async def test_glob_lists_at_most_a_thousand_files(workshop: Workshop) -> None:
    for number in range(1_005):
        workshop.write(f"many/{number:04}", "")
    rows = (await workshop.call("glob", pattern="many/*")).text.split("\n")
    assert ["many/0000", "many/0999"] == [rows[0], rows[999]]
    assert ["[the first 1,000 of 1,005 files, by path; narrow the pattern to see others]"] == rows[1_000:]


@pytest.mark.parametrize(
    ("pattern", "path", "reason"),
    [
        ("a[", ".", "unclosed character class"),
        ("*", "src/a.py", "src/a.py is a file"),
        ("*", "../", "leads out of the workspace"),
        ("*", "scr", "Similar names there: src"),
    ],
)
async def test_glob_refuses_what_makes_no_sense(project: Workshop, pattern: str, path: str, reason: str) -> None:
    outcome = await project.call("glob", pattern=pattern, path=path)
    assert ToolStatus.ERROR == outcome.status
    assert reason in outcome.text
    assert {asyncio.current_task()} == asyncio.all_tasks(), "no search goes on for an answer that was given"


async def test_grep_finds_lines_that_are_not_ignored(project: Workshop) -> None:
    outcome = await project.call("grep", pattern="needle")
    assert [
        ".github/ci.yml:1:needle",
        "src/a.py:2:needle = 1",
        "src/deep/b.py:1:needle",
        "src/deep/c.ts:1:needle",
    ] == outcome.text.split("\n")
    assert (ToolStatus.OK, "grep needle: 4 matches in 4 files") == (outcome.status, outcome.summary)


@pytest.mark.parametrize(
    ("glob", "path", "rows"),
    [
        ("*.py", ".", "src/a.py:2 src/deep/b.py:1"),
        ("**/*.py", ".", "src/a.py:2 src/deep/b.py:1"),
        ("src/**", ".", "src/a.py:2 src/deep/b.py:1 src/deep/c.ts:1"),
        ("**/*", "src", "src/a.py:2 src/deep/b.py:1 src/deep/c.ts:1"),
        ("!*.ts", "src", "src/a.py:2 src/deep/b.py:1"),
        ("deep/*", "src", "src/deep/b.py:1 src/deep/c.ts:1"),
        (None, "src/a.py", "src/a.py:2"),
        ("*.ts", "src/a.py", "src/a.py:2"),
    ],
)
async def test_grep_keeps_to_glob_and_path(project: Workshop, glob: str | None, path: str, rows: str) -> None:
    text = (await project.call("grep", pattern="needle", glob=glob, path=path)).text
    assert rows.split() == [row.rpartition(":")[0] for row in text.split("\n")]


async def test_grep_shows_context_and_gaps(workshop: Workshop) -> None:
    workshop.write("a.txt", "1\nx\n3\n4\n5\n6\nx\n8\n")
    text = (await workshop.call("grep", pattern="x", context_lines=1)).text
    assert "a.txt-1-1\na.txt:2:x\na.txt-3-3\n--\na.txt-6-6\na.txt:7:x\na.txt-8-8" == text


async def test_grep_stops_at_the_number_of_matches_asked_for(workshop: Workshop) -> None:
    workshop.write("a.txt", "x\n" * 10)
    text = (await workshop.call("grep", pattern="x", max_matches=2)).text
    assert "a.txt:1:x\na.txt:2:x\n[stopped at 2 matches; narrow the search or raise max_matches]" == text
    assert "[stopped" not in (await workshop.call("grep", pattern="x", max_matches=10)).text


async def test_grep_cuts_long_lines_and_long_results(workshop: Workshop) -> None:
    workshop.write("a.txt", ("x" * 2_000 + "\n") * 200)
    text = (await workshop.call("grep", pattern="x")).text
    assert len(text) < 30_200
    assert max(len(line) for line in text.split("\n")) < 600
    assert text.endswith("[stopped at 30,000 characters; narrow the search]")


async def test_grep_ignores_case_only_when_asked(workshop: Workshop) -> None:
    workshop.write("a.txt", "Needle\r\n")
    missed = await workshop.call("grep", pattern="needle$")
    assert (ToolStatus.OK, True) == (missed.status, missed.text.startswith("No matches for needle$"))
    assert "a.txt:1:Needle" == (await workshop.call("grep", pattern="needle$", ignore_case=True)).text


@pytest.mark.parametrize(
    ("pattern", "glob", "reason"),
    [("a(", None, "unclosed group"), ("(?=x)", None, "look-around"), ("x", "a[", "unclosed character class")],
)
async def test_grep_passes_on_what_is_wrong_with_a_pattern(
    workshop: Workshop, pattern: str, glob: str | None, reason: str
) -> None:
    workshop.write("a.txt", "x\n")
    outcome = await workshop.call("grep", pattern=pattern, glob=glob)
    assert ToolStatus.ERROR == outcome.status
    assert reason in outcome.text


async def test_a_pattern_or_path_is_never_taken_for_an_option(workshop: Workshop) -> None:
    workshop.write("--files/a.txt", "--help\n")
    outcome = await workshop.call("grep", pattern="--help", path="--files", glob="-g")
    assert (ToolStatus.OK, True) == (outcome.status, outcome.text.startswith("No matches"))
    assert "--files/a.txt:1:--help" == (await workshop.call("grep", pattern="--help", path="--files")).text


async def test_no_configuration_of_the_workers_user_is_read(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workshop.folder / "ripgreprc").write_text("--invert-match\n")
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(workshop.folder / "ripgreprc"))
    workshop.write("a.txt", "x\ny\n")
    assert "a.txt:1:x" == (await workshop.call("grep", pattern="x")).text


async def test_grep_does_not_follow_links_out_of_the_workspace(workshop: Workshop) -> None:
    (workshop.folder / "secret").write_text("needle\n")
    (workshop.root / "link").symlink_to("../secret")
    (workshop.root / "folder").symlink_to("..")
    assert (await workshop.call("grep", pattern="needle")).text.startswith("No matches")
    for path in ("link", "folder", "folder/secret", "/etc/passwd"):
        assert ToolStatus.ERROR == (await workshop.call("grep", pattern="needle", path=path)).status


async def test_stored_outputs_may_be_searched(workshop: Workshop) -> None:
    await workshop.call("bash", command="seq 100", index=9)
    path = workshop.runner.output(workshop.context(9).run_key).path
    text = (await workshop.call("grep", pattern="^9[0-9]$", path=str(path), max_matches=1)).text
    assert text.startswith(f"{path.relative_to(workshop.outputs_root)}:90:90\n")


async def test_a_search_that_takes_too_long_is_an_error_with_what_was_found(workshop: Workshop) -> None:
    workshop.write("a.txt", "x\n")
    ripgrep = Ripgrep(find_ripgrep(), NoSandbox(), timeout_seconds=0.0)
    tree = Tree(workshop.root, WalkingOpener())
    outcome = await grep(GrepArguments(pattern="x"), tree, ripgrep, workshop.context(1))
    assert (ToolStatus.ERROR, True) == (outcome.status, "the search is not complete" in outcome.text)


class _Broken:
    """A sandbox that does not start."""

    name = "broken"

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        return WrappedCommand(("bash", "-c", "echo 'setting up: not permitted' >&2; exit 1"), {}, command.cwd)

    async def broken(self, command: SandboxCommand, output: str) -> str:
        raise NotImplementedError


async def test_a_sandbox_that_does_not_start_is_not_taken_for_a_search_without_matches(workshop: Workshop) -> None:
    tree = Tree(workshop.root, WalkingOpener())
    with pytest.raises(HostError, match="setting up: not permitted"):
        await grep(GrepArguments(pattern="x"), tree, Ripgrep("rg", _Broken()), workshop.context(1))


def test_ripgrep_comes_with_the_package() -> None:
    assert Path(find_ripgrep()).is_file()
