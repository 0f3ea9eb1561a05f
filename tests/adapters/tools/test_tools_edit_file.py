"""`edit_file`: exact replacements, precise refusals, and calls that may be repeated after a crash."""

import codecs
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools_workshop import Workshop

from longshift.adapters.tools.edit_record import EditRecord, content_hash, forget_edits
from longshift.adapters.tools.outcome import ToolRefused
from longshift.adapters.tools.replacement import replace
from longshift.contracts.tools import ToolStatus

SOURCE = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"


async def test_the_change_is_shown_with_its_surroundings(workshop: Workshop) -> None:
    file = workshop.write("a.py", SOURCE)
    outcome = await workshop.call("edit_file", path="a.py", old="return 2", new="return 22")
    assert SOURCE.replace("return 2", "return 22") == file.read_text()
    assert "Edited a.py: 1 replacement.\n@@ line 6 @@\n \n def two():\n-    return 2\n+    return 22" == outcome.text
    assert (ToolStatus.OK, True) == (outcome.status, outcome.changes_workspace)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("    return 1\n", "", "@@ line 2 @@\n def one():\n-    return 1\n \n "),
        ("def one():\n", "@cache\ndef one():\n", "@@ line 1 @@\n-def one():\n+@cache\n+def one():\n     return 1\n "),
        (
            "():\n    return 1\n",
            "(): ...\n",
            "@@ line 1 @@\n-def one():\n-    return 1\n+def one(): ...\n \n ",
        ),
        (
            "return 1\n\n",
            "pass",
            "@@ line 2 @@\n def one():\n-    return 1\n-\n-\n+    pass\n def two():\n     return 2",
        ),
    ],
)
def test_changes_are_shown_in_whole_lines(old: str, new: str, changes: str) -> None:
    assert changes == replace(SOURCE, old, new, replace_all=False, path="a.py").changes


async def test_several_occurrences_are_refused_with_their_lines(workshop: Workshop) -> None:
    file = workshop.write("a.py", SOURCE)
    outcome = await workshop.call("edit_file", path="a.py", old="    return", new="    yield")
    assert ToolStatus.ERROR == outcome.status
    assert "occurs 2 times in a.py, at lines 2, 6; nothing was changed" in outcome.text
    assert SOURCE == file.read_text()


async def test_replace_all_replaces_all(workshop: Workshop) -> None:
    file = workshop.write("a.py", "x\n" * 5)
    outcome = await workshop.call("edit_file", path="a.py", old="x", new="y", replace_all=True)
    assert "y\n" * 5 == file.read_text()
    assert outcome.text.startswith("Edited a.py: 5 replacements.\n")
    assert outcome.text.endswith("… and 2 more places")


async def test_an_equal_replacement_is_refused(workshop: Workshop) -> None:
    workshop.write("a.py", SOURCE)
    outcome = await workshop.call("edit_file", path="a.py", old="one", new="one")
    assert "old and new are the same; nothing was changed." == outcome.text


@pytest.mark.parametrize(
    ("old", "hint"),
    [
        (
            "def two():\n  return 2\n",
            "differs only in blanks at the ends of lines:\n     5\tdef two():\n     6\t    return 2",
        ),
        ("def two():\n    return 3\n", "is the most similar one:\n     5\tdef two():\n     6\t    return 2"),
        ("     5\tdef two():", "It carries the line numbers of read_file"),
        ("completely unrelated words", "nothing was changed."),
    ],
)
async def test_a_text_that_is_not_there_is_answered_with_what_is(workshop: Workshop, old: str, hint: str) -> None:
    workshop.write("a.py", SOURCE)
    outcome = await workshop.call("edit_file", path="a.py", old=old, new="x")
    assert ToolStatus.ERROR == outcome.status
    assert outcome.text.startswith("The old text does not occur in a.py")
    assert outcome.text.endswith(hint) if "It carries" not in hint else hint in outcome.text


def test_the_hint_is_found_in_a_large_file_without_delay() -> None:
    text = "".join(f"value_{number} = compute(value_{number - 1}, {number})\n" for number in range(200_000))
    with pytest.raises(ToolRefused, match="40001\tvalue_40000"):
        replace(text, "value_40000 = compute(value_39999, 40001)\n" * 1, "", replace_all=False, path="a.py")


async def test_crlf_line_ends_are_kept(workshop: Workshop) -> None:
    file = workshop.write("a.txt", "one\r\ntwo\r\nthree\r\n")
    await workshop.call("edit_file", path="a.txt", old="one\ntwo\n", new="1\n2\n")
    await workshop.call("edit_file", path="a.txt", old="three", new="3\n4")
    assert b"1\r\n2\r\n3\r\n4\r\n" == file.read_bytes()


async def test_a_single_newline_in_a_mixed_file_stays_as_it_is(workshop: Workshop) -> None:
    file = workshop.write("a.txt", "one\r\ntwo\nthree\n")
    await workshop.call("edit_file", path="a.txt", old="two\nthree", new="2\n3")
    assert b"one\r\n2\n3\n" == file.read_bytes()


@pytest.mark.parametrize(
    ("mark", "codec"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
async def test_encoding_mark_and_mode_are_kept(workshop: Workshop, mark: bytes, codec: str) -> None:
    file = workshop.write("a.txt", mark + "größe\n".encode(codec))
    file.chmod(0o700)
    await workshop.call("edit_file", path="a.txt", old="größe", new="Größe")
    assert mark + "Größe\n".encode(codec) == file.read_bytes()
    assert 0o700 == stat.S_IMODE(file.stat().st_mode)


async def test_bytes_that_are_no_text_survive(workshop: Workshop) -> None:
    file = workshop.write("a.txt", b"gr\xf6\xdfe\none\n")
    await workshop.call("edit_file", path="a.txt", old="one", new="two")
    assert b"gr\xf6\xdfe\ntwo\n" == file.read_bytes()


@pytest.mark.parametrize(
    ("path", "new", "reason"),
    [
        ("binary", "x", "is a binary file"),
        ("late-nul", "x", "is a binary file"),
        ("text", "\ud800", "half of a character"),
        ("missing", "x", "does not exist"),
        ("folder", "x", "is a folder"),
        (".git/config", "x", "lies in .git"),
        ("../secret", "x", "leads out of the workspace"),
    ],
)
async def test_what_cannot_be_edited_is_refused(workshop: Workshop, path: str, new: str, reason: str) -> None:
    workshop.write("binary", b"one\x00")
    workshop.write("late-nul", b"one\n" * 5_000 + b"\x00")
    workshop.write("text", "one")
    workshop.write(".git/config", "one")
    (workshop.root / "folder").mkdir()
    (workshop.folder / "secret").write_text("one")
    outcome = await workshop.call("edit_file", path=path, old="one", new=new)
    assert ToolStatus.ERROR == outcome.status
    assert reason in outcome.text


async def test_a_repeated_call_reports_the_success_of_the_first(new_workshop: Callable[[], Workshop]) -> None:
    before, after = new_workshop(), new_workshop()
    file = before.write("a.py", SOURCE)
    first = await before.call("edit_file", path="a.py", old="one", new="one_more", index=1)
    second = await after.call("edit_file", path="a.py", old="one", new="one_more", index=1)
    assert first == second
    assert SOURCE.replace("one", "one_more") == file.read_text()


async def test_an_edit_that_was_only_recorded_is_made(workshop: Workshop) -> None:
    file = workshop.write("a.py", "one")
    _record("a.py", before="one", after="two").keep(workshop.outputs_root, workshop.context(1).run_key)
    outcome = await workshop.call("edit_file", path="a.py", old="one", new="two", index=1)
    assert (ToolStatus.OK, "two") == (outcome.status, file.read_text())


async def test_a_file_that_changed_between_two_attempts_is_left_alone(workshop: Workshop) -> None:
    file = workshop.write("a.py", "one and something else")
    _record("a.py", before="one", after="two").keep(workshop.outputs_root, workshop.context(1).run_key)
    outcome = await workshop.call("edit_file", path="a.py", old="one", new="two", index=1)
    assert (ToolStatus.ERROR, "one and something else") == (outcome.status, file.read_text())
    assert "whether the edit was applied is unknown" in outcome.text


async def test_another_call_with_the_same_arguments_is_an_edit_of_its_own(workshop: Workshop) -> None:
    workshop.write("a.py", "one")
    await workshop.call("edit_file", path="a.py", old="one", new="one one", index=1)
    outcome = await workshop.call("edit_file", path="a.py", old="one", new="one one", index=2)
    assert "occurs 2 times" in outcome.text


def test_records_of_a_task_can_be_forgotten(tmp_path: Path) -> None:
    record = _record("a.py", before="one", after="two")
    record.keep(tmp_path, "task-1/lead/s000001-000")
    record.keep(tmp_path, "task-2/lead/s000001-000")
    forget_edits(tmp_path, "task-1")
    assert None is EditRecord.load(tmp_path, "task-1/lead/s000001-000")
    assert record == EditRecord.load(tmp_path, "task-2/lead/s000001-000")


def _record(path: str, *, before: str, after: str) -> EditRecord:
    return EditRecord(path, content_hash(before.encode()), content_hash(after.encode()), "Edited.")


_LINES = st.lists(st.sampled_from(["a", "b"]), max_size=12)


@given(_LINES, st.text("ab\n", min_size=1, max_size=4), st.text("ab\n", max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_an_edit_means_the_same_whatever_the_line_ends(lines: list[str], old: str, new: str, end: str) -> None:
    plain = "\n".join(lines)
    try:
        replaced = replace(end.join(lines), old, new, replace_all=True, path="a.txt")
    except ToolRefused:
        assert old not in plain or old == new
        return
    assert plain.replace(old, new) == replaced.text.replace(end, "\n")
    assert plain.count(old) == replaced.count
