"""What is kept of a command's output, and how it reads."""

import errno
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from process_commands import program, record, shell, text_of, until

from longshift.adapters.process.kept_output import Output
from longshift.adapters.process.run_output import OutputReader, harmless
from longshift.adapters.process.run_state import Finished
from longshift.adapters.process.runner import ProcessRunner

FULL_DISK = "head -c 9000000 /dev/zero | tr '\\0' x; echo; echo THE END; exit 6"


async def test_fifty_megabytes_are_kept_whole_and_shown_in_part(runner: ProcessRunner) -> None:
    await runner.start("t/1", shell("echo FIRST; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo LAST"))
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert 50_000_012 == state.total_bytes
    output = runner.output("t/1")
    assert state.total_bytes == output.path.stat().st_size
    assert output.text.startswith("FIRST\nxxx")
    assert output.text.endswith("xxx\nLAST\n")
    notice = f"\n[… {50_000_012 - 30_000} bytes omitted; whole output: {output.path}]\n"
    assert notice in output.text
    assert 30_000 + len(notice) == len(output.text)


async def test_a_flood_is_kept_within_the_caps_and_in_bounded_memory(
    runner: ProcessRunner, runs_dir: Path, tmp_path: Path
) -> None:
    script = "head -c 200000000 /dev/zero | tr '\\0' x; echo END; touch done; while [ ! -e go ]; do sleep 0.02; done"
    await runner.start("t/1", shell(script, tmp_path, head_bytes=1_000_000, tail_bytes=100_000))
    await until((tmp_path / "done").exists)
    run = runs_dir / "t" / "1.run"
    status = text_of(f"/proc/{record(run, 'started.json')['supervisor_pid']}/status")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    assert int(peak[1]) < 64_000
    (tmp_path / "go").touch()
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (0, 200_000_004) == (state.exit_code, state.total_bytes)
    assert (1_000_000, 100_016) == ((run / "output.txt").stat().st_size, (run / "output.tail").stat().st_size)
    output = runner.output("t/1", 1_000)
    assert output.text.endswith("xxxEND\n")
    assert 200_000_004 - 1_000 == output.omitted_bytes
    assert f"the first 1000000 bytes: {output.path}; the last 100000 bytes: {run}/output-tail.txt]" in output.text
    assert b"x" * 99_996 + b"END\n" == (run / "output-tail.txt").read_bytes()


async def test_output_can_be_read_while_the_command_runs(runner: ProcessRunner, tmp_path: Path) -> None:
    await runner.start("t/1", shell("echo so far; sleep 60", tmp_path))
    await until(lambda: runner.output("t/1").text)
    assert "so far\n" == runner.output("t/1").text


def test_a_size_limit_loses_neither_the_exit_code_nor_the_end(runs_dir: Path) -> None:
    command = program(str(runs_dir), "t/1", FULL_DISK, "file-limit", "300000")
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    report = json.loads(done.stdout.splitlines()[1])
    assert ("Finished", 6, errno.EFBIG) == (report["state"], report["exit_code"], report["io_errno"])
    assert "the first 300000 bytes" in report["text"]
    assert report["text"].endswith("xxx\nTHE END\n")


def test_a_full_disk_loses_neither_the_exit_code_nor_the_end(runs_dir: Path) -> None:
    runs_dir.mkdir(parents=True)
    apart = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    mount = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(runs_dir))
    if shutil.which("unshare") is None or subprocess.run([*apart, *mount], capture_output=True).returncode != 0:
        pytest.skip("no mounts here; the size limit stands in for the full disk")
    command = (*apart, *program(str(runs_dir), "t/1", FULL_DISK, "tmpfs", "1000000"))
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    report = json.loads(done.stdout.splitlines()[1])
    assert ("Finished", 6, errno.ENOSPC) == (report["state"], report["exit_code"], report["io_errno"])
    assert report["text"].endswith("xxx\nTHE END\n")


@settings(max_examples=60, deadline=None)
@given(
    chunks=st.lists(st.binary(max_size=40), max_size=12),
    head_bytes=st.integers(0, 64),
    tail_bytes=st.integers(0, 32),
    limit=st.integers(0, 60),
)
def test_head_and_tail_are_the_outputs_own(chunks: list[bytes], head_bytes: int, tail_bytes: int, limit: int) -> None:
    whole = b"".join(chunks)
    with tempfile.TemporaryDirectory() as folder:
        write_output(Path(folder), chunks, head_bytes, tail_bytes)
        reader = OutputReader(Path(folder))
        output = reader.read(limit, is_over=True, total_bytes=len(whole))
        assert whole[:head_bytes] == reader.path.read_bytes()
        tail = Path(folder, "output-tail.txt")
        if tail.exists():
            assert whole[head_bytes:][-tail_bytes:] == tail.read_bytes()
    assert len(whole) == output.total_bytes
    shown, _, rest = output.text.partition("\n[… ")
    if output.omitted_bytes == 0:
        assert harmless(whole.decode(errors="surrogateescape")) == output.text
    else:
        notice, _, last = rest.partition("]\n")
        assert notice.startswith(f"{output.omitted_bytes} bytes omitted; ")
        assert len(shown) <= limit // 2
        assert len(last) <= limit // 2


def write_output(folder: Path, chunks: list[bytes], head_bytes: int, tail_bytes: int) -> None:
    """Let the supervisor's writer keep some chunks."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        output = Output(head_bytes, tail_bytes)
        for chunk in chunks:
            output.keep(chunk)
        output.close()
    finally:
        os.chdir(before)


def test_the_limit_counts_characters_and_cuts_none(tmp_path: Path) -> None:
    write_output(tmp_path, ["äöü€𝒲".encode() * 20], 10_000, 0)
    reader = OutputReader(tmp_path)
    assert "äöü€𝒲" * 20 == reader.read(100, is_over=True).text
    output = reader.read(10, is_over=True)
    assert f"äöü€𝒲\n[… {13 * 18} bytes omitted; whole output: {tmp_path}/output.txt]\näöü€𝒲" == output.text


def test_the_end_joins_head_and_ring_where_nothing_is_missing(tmp_path: Path) -> None:
    write_output(tmp_path, [b"0123456789"], 7, 3)
    assert "0123456789" == OutputReader(tmp_path).read(10, is_over=True).text
    write_output(tmp_path, [b"0123456789"], 7, 2)
    output = OutputReader(tmp_path).read(10, is_over=True)
    assert "01234" == output.text.partition("\n")[0]
    assert "89" == output.text.rpartition("\n")[2]
    assert 3 == output.omitted_bytes


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended\nnext line", "never ended\nnext line"),
        ("a\0b\x08c\x7f", "a␀b␈c␡"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("tab\tand\u009b31m", "tab\tand�31m"),
        ("\udcff", "�"),
        ("\x1b", "␛"),
    ],
)
def test_control_characters_do_no_harm(raw: str, shown: str) -> None:
    assert shown == harmless(raw)
