"""`read_file`: windows of lines from whatever lies in a workspace."""

import codecs
import os
import socket

import pytest
from tools_workshop import Workshop

from longshift.contracts.tools import ToolStatus


async def test_lines_carry_their_numbers(workshop: Workshop) -> None:
    workshop.write("a.txt", "one\ntwo\n")
    outcome = await workshop.call("read_file", path="a.txt")
    assert (ToolStatus.OK, "     1\tone\n     2\ttwo") == (outcome.status, outcome.text)
    assert not outcome.changes_workspace


async def test_a_window_says_where_to_continue(workshop: Workshop) -> None:
    workshop.write("a.txt", "".join(f"line {number}\n" for number in range(1, 101)))
    outcome = await workshop.call("read_file", path="a.txt", offset=10, limit=2)
    assert "    10\tline 10\n    11\tline 11\n[lines 10-11 of 100; continue with offset=12]" == outcome.text


async def test_a_window_that_ends_with_the_file_says_nothing(workshop: Workshop) -> None:
    workshop.write("a.txt", "one\ntwo")
    assert "     2\ttwo" == (await workshop.call("read_file", path="a.txt", offset=2, limit=1)).text


async def test_an_offset_behind_the_end_is_an_error(workshop: Workshop) -> None:
    workshop.write("a.txt", "one\n")
    outcome = await workshop.call("read_file", path="a.txt", offset=5)
    assert (ToolStatus.ERROR, "a.txt has only 1 line; offset 5 lies behind its end.") == (outcome.status, outcome.text)


async def test_an_empty_file_is_called_empty(workshop: Workshop) -> None:
    workshop.write("a.txt", "")
    assert "(a.txt is empty)" == (await workshop.call("read_file", path="a.txt")).text


async def test_long_lines_are_cut_with_a_mark(workshop: Workshop) -> None:
    workshop.write("a.txt", "x" * 200_000 + "\n" + "y" * 2_000 + "\r\nend\n")
    first, second, third = (await workshop.call("read_file", path="a.txt")).text.split("\n")
    assert "     1\t" + "x" * 2_000 + "… [line cut: 200,000 characters]" == first
    assert "     2\t" + "y" * 2_000 == second
    assert "     3\tend" == third


async def test_a_window_has_at_most_100_kilobytes(workshop: Workshop) -> None:
    workshop.write("a.txt", ("ü" * 500 + "\n") * 200)
    text = (await workshop.call("read_file", path="a.txt")).text
    assert len(text.encode()) < 100_200
    assert text.endswith("[lines 1-99 of 200; continue with offset=100]")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (codecs.BOM_UTF8 + "größe\n".encode(), "UTF-8 with BOM"),
        (codecs.BOM_UTF16_LE + "größe\n".encode("utf-16-le"), "UTF-16 LE"),
        (codecs.BOM_UTF16_BE + "größe\n".encode("utf-16-be"), "UTF-16 BE"),
    ],
)
async def test_encodings_with_a_mark_are_read(workshop: Workshop, content: bytes, note: str) -> None:
    workshop.write("a.txt", content)
    assert f"     1\tgröße\n[encoding: {note}]" == (await workshop.call("read_file", path="a.txt")).text


async def test_invalid_bytes_are_shown_as_replacement_characters(workshop: Workshop) -> None:
    workshop.write("a.txt", b"gr\xf6\xdfe\n" + b"x" * 10_000 + b"\x00\n")
    text = (await workshop.call("read_file", path="a.txt", limit=1)).text
    assert text.startswith("     1\tgr\ufffd\ufffde\n")
    assert "\x00" not in (await workshop.call("read_file", path="a.txt")).text


async def test_crlf_line_ends_are_named_not_shown(workshop: Workshop) -> None:
    workshop.write("a.txt", "one\r\ntwo\r\n")
    assert "     1\tone\n     2\ttwo\n[line ends are CRLF]" == (await workshop.call("read_file", path="a.txt")).text


async def test_a_lone_carriage_return_is_no_line_end(workshop: Workshop) -> None:
    workshop.write("a.txt", "10%\r20%\rdone\nend\n")
    assert "     1\t10%\r20%\rdone\n     2\tend" == (await workshop.call("read_file", path="a.txt")).text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "PNG image, 9 bytes"),
        (b"%PDF-1.7\n", "PDF document, 9 bytes"),
        (b"a\x00b", "application/octet-stream, 3 bytes"),
        (codecs.BOM_UTF32_LE + b"a\x00\x00\x00", "application/octet-stream, 8 bytes"),
    ],
)
async def test_binary_files_are_refused_with_type_and_size(workshop: Workshop, content: bytes, kind: str) -> None:
    workshop.write("a.bin", content)
    outcome = await workshop.call("read_file", path="a.bin")
    assert ToolStatus.ERROR == outcome.status
    assert f"({kind})" in outcome.text


async def test_a_folder_is_refused_with_what_it_holds(workshop: Workshop) -> None:
    workshop.write("src/b.py", "")
    workshop.write("src/a.py", "")
    outcome = await workshop.call("read_file", path="src")
    assert "src is a folder; list it with glob. It holds a.py, b.py." == outcome.text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("src/setings.py", "src/setings.py does not exist. Similar names there: settings.py."),
        ("src/settings.ts", "src/settings.ts does not exist. Similar names there: settings.py."),
        ("scr/settings.py", "scr/settings.py does not exist. There is no scr in .. Similar names there: src."),
        ("dangling", "dangling does not exist: dangling is a symbolic link whose target is missing."),
        ("zzz", "zzz does not exist."),
    ],
)
async def test_a_missing_file_is_answered_with_similar_names(workshop: Workshop, path: str, hint: str) -> None:
    workshop.write("src/settings.py", "")
    (workshop.root / "dangling").symlink_to("nowhere")
    assert hint == (await workshop.call("read_file", path=path)).text


async def test_pipes_sockets_and_devices_are_refused_without_waiting(workshop: Workshop) -> None:
    os.mkfifo(workshop.root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(workshop.root / "socket"))
    for name, kind in (("pipe", "a named pipe"), ("socket", "a socket")):
        outcome = await workshop.call("read_file", path=name)
        assert f"{name} is {kind}, not an ordinary file." == outcome.text


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link", "absolute", "a/../../secret"])
async def test_what_lies_outside_is_refused(workshop: Workshop, path: str) -> None:
    (workshop.folder / "secret").write_text("secret")
    (workshop.root / "a").mkdir()
    (workshop.root / "link").symlink_to("../secret")
    (workshop.root / "absolute").symlink_to("/etc/passwd")
    outcome = await workshop.call("read_file", path=path)
    assert ToolStatus.ERROR == outcome.status
    assert "outside of the workspace" in outcome.text or "leads out of the workspace" in outcome.text


async def test_absolute_paths_and_links_inside_are_fine(workshop: Workshop) -> None:
    file = workshop.write("a/b.txt", "inside\n")
    (workshop.root / "link").symlink_to("a/b.txt")
    for path in (str(file), "link", "a/../a/b.txt", f"{workshop.root}//a/b.txt"):
        assert "     1\tinside" == (await workshop.call("read_file", path=path)).text


async def test_a_nul_in_a_path_is_refused(workshop: Workshop) -> None:
    assert "The path holds a NUL character." == (await workshop.call("read_file", path="a\x00b")).text


async def test_undecodable_names_do_not_reach_the_result(workshop: Workshop) -> None:
    (workshop.root / os.fsdecode(b"caf\xe9.txt")).write_text("")
    text = (await workshop.call("read_file", path="cafe.txt")).text
    assert "cafe.txt does not exist. Similar names there: caf?.txt." == text


async def test_stored_outputs_may_be_read(workshop: Workshop) -> None:
    await workshop.call("bash", command="echo kept", index=7)
    path = workshop.runner.output(workshop.context(7).run_key).path
    assert "     1\tkept" == (await workshop.call("read_file", path=str(path))).text


async def test_a_vanished_workspace_is_an_error_for_the_model(workshop: Workshop) -> None:
    workshop.root.rmdir()
    assert ToolStatus.ERROR == (await workshop.call("read_file", path="a")).status
