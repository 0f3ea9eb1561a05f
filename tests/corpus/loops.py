"""Agents that are stuck, in every way that there is a signal for. Each says what has to be found by when.

Thresholds are the defaults. A loop goes on for longer than it takes to be found.
"""

from collections.abc import Callable
from dataclasses import dataclass

from longshift.contracts.stuck import SignalKind
from tests.corpus.recorder import Recorder, lines

GLANCES = ("ls -la", "git status", "git diff --stat", "cat Makefile", "env", "git log -3")


@dataclass(frozen=True)
class Label:
    """What has to be found, and by which step."""

    expected: frozenset[SignalKind]
    found_by: int


Loop = Callable[[Recorder], Label]


def label(r: Recorder, kind: SignalKind, within: int) -> Label:
    """To be found within so many steps from the next one."""
    return Label(frozenset({kind}), r.number + within)


def cycle_of(length: int, *, noise_every: int = 0, fails: bool = False, rejects: bool = False) -> Loop:
    """The same calls over and over; with `noise_every` something new after so many cycles."""

    def loop(r: Recorder) -> Label:
        paths = [r.fresh("src/loop") + ".py" for _ in range(length)]
        needed = 4 if length == 1 else 3
        slack = 2 * length + 4 if noise_every else 0
        found = label(r, SignalKind.REPETITION, length * needed + slack)
        for turn in range(needed + 5):
            for path in paths:
                if rejects:
                    r.step(r.rejected("edit_file", path))
                elif fails:
                    r.step(r.pytest(path, ("test_same",)))
                else:
                    r.step(r.read(path))
            if noise_every and turn % noise_every == noise_every - 1:
                r.step(r.grep(r.fresh("noise")))
        return found

    return loop


def mixed_calls(r: Recorder) -> Label:
    """The same calls, sometimes in one answer and sometimes one after the other."""
    paths = [r.fresh("src/mixed") + ".py" for _ in range(3)]
    found = label(r, SignalKind.REPETITION, 12)
    for turn in range(8):
        if turn % 2:
            r.step(*(r.read(path) for path in paths))
        else:
            for path in paths:
                r.step(r.read(path))
    return found


def parallel_cycle(calls: int) -> Loop:
    """Answers with many calls, the same ones in any order."""

    def loop(r: Recorder) -> Label:
        paths = [r.fresh("src/many") + ".py" for _ in range(calls)]
        found = label(r, SignalKind.REPETITION, 4)
        for _ in range(8):
            r.rng.shuffle(paths)
            r.step(*(r.read(path) for path in paths))
        return found

    return loop


def wide_cycle(length: int, calls: int) -> Loop:
    """A cycle of answers with many calls each."""

    def loop(r: Recorder) -> Label:
        answers = [[r.fresh("src/wide") + ".py" for _ in range(calls)] for _ in range(length)]
        found = label(r, SignalKind.REPETITION, 3 * length)
        for _ in range(5):
            for paths in answers:
                r.step(*(r.read(path) for path in paths))
        return found

    return loop


def poll_of_the_dead(r: Recorder) -> Label:
    """A log that does not move any more, with a time in front of each look."""
    log = r.fresh("dead")
    text = lines(log, 3)
    found = label(r, SignalKind.REPETITION, 4)
    for _ in range(12):
        r.step(r.bash(f"date; tail -3 {log}.log", f"{r.clock()}\n{text}"))
    return found


def all_errors(r: Recorder) -> Label:
    """Every command fails, each with an error of its own, with a text in between at times."""
    found = label(r, SignalKind.ERROR_STREAK, 8)
    for index in range(14):
        r.step(r.bash(r.fresh("./try"), lines(r.fresh("error"), 5), failed=True))
        if index in (2, 4):
            r.step()
    return found


def edits_that_miss(r: Recorder) -> Label:
    """Edits that find nothing to replace, never twice the same."""
    path = r.fresh("src/miss") + ".py"
    found = label(r, SignalKind.ERROR_STREAK, 6)
    for _ in range(12):
        r.step(r.bad_edit(path, r.fresh("guess")))
    return found


def malformed(r: Recorder) -> Label:
    """No call comes through, none is like the one before."""
    found = label(r, SignalKind.MALFORMED_CALLS, 5)
    for index in range(9):
        r.step(*(r.rejected("bash", r.fresh("nonsense")) for _ in range(r.rng.randint(1, 3))))
        if index == 1:
            r.step()
    return found


def monologue(r: Recorder) -> Label:
    """Talk."""
    found = label(r, SignalKind.MONOLOGUE, 3)
    for _ in range(r.rng.randint(4, 12)):
        r.step()
    return found


def toggling(between: int) -> Loop:
    """An edit, a look or some, the edit undone, a look, and again; each edit in other words."""

    def loop(r: Recorder) -> Label:
        path = r.fresh("src/toggle") + ".py"
        r.step(r.edit(path))
        states = (r.files[path], r.fresh("other"))
        found = label(r, SignalKind.OSCILLATION, 4 * (between + 1) + 2)
        for turn in range(8):
            r.step(r.write(path, states[(turn + 1) % 2]) if turn % 2 else r.edit(path, states[(turn + 1) % 2]))
            for _ in range(between):
                r.step(r.read(r.fresh("src/else") + ".py"))
        return found

    return loop


def rotating(r: Recorder) -> Label:
    """Three versions of a file, one after the other, and from the beginning."""
    path = r.fresh("src/rotate") + ".py"
    states = [r.fresh("version") for _ in range(3)]
    found = label(r, SignalKind.OSCILLATION, 2 * (3 + 3) + 2)
    for turn in range(12):
        r.step(r.write(path, states[turn % 3]))
        r.step(r.pytest(path, (f"test_{turn % 3}",)))
    return found


def undone_attempts(r: Recorder) -> Label:
    """Always another attempt, always undone."""
    path = r.fresh("src/attempt") + ".py"
    r.step(r.edit(path))
    good = r.files[path]
    found = label(r, SignalKind.OSCILLATION, 4 * 4 + 1)
    for _ in range(7):
        r.step(r.edit(path))
        r.step(r.pytest(path, (r.fresh("test"),)))
        r.change(path, good)
        r.step(r.bash(f"git checkout {path}", "Updated 1 path from the index"))
        r.step(r.read(r.fresh("src/else") + ".py"))
    return found


def known_files(noise: float) -> Loop:
    """What is known is read again, in no order, with other words for the same; something new at times."""

    def loop(r: Recorder) -> Label:
        paths = [r.fresh("src/known") + ".py" for _ in range(9)]
        r.step(*(r.read(path) for path in paths))
        seen = [r.bash(f"cat {path}", lines(path, 20)) for path in paths]
        r.step(*seen)
        found = label(r, SignalKind.NO_NEW_INFORMATION, 15 + (6 if noise else 0))
        for index in range(30):
            if noise and index % int(1 / noise) == 3:
                r.step(r.read(r.fresh("src/new") + ".py"))
                continue
            path = r.rng.choice(paths)
            command = r.rng.choice(("head -99", "less", "sed -n p"))
            again = r.bash(f"{command} {path} # {r.fresh('word')}", lines(path, 20))
            r.step(r.read(path) if r.rng.random() < 0.5 else again)
        return found

    return loop


def large_cycle(r: Recorder) -> Label:
    """Forty files, read one after the other over and over: too long for a cycle."""
    paths = [r.fresh("src/forty") + ".py" for _ in range(40)]
    found = label(r, SignalKind.NO_NEW_INFORMATION, 40 + 15)
    for path in (*paths, *paths):
        r.step(r.read(path))
    return found


def same_failure(between: int) -> Loop:
    """Edit, some looks, the test fails as before, and again: each edit is another one."""

    def loop(r: Recorder) -> Label:
        path = r.fresh("src/wall") + ".py"
        found = label(r, SignalKind.CHECK_PLATEAU, (between + 2) * 7)
        for _ in range(10):
            r.step(r.edit(path))
            for _ in range(between):
                r.step(r.read(r.fresh("src/look") + ".py"))
            r.step(r.pytest(path, ("test_wall",)))
        return found

    return loop


def same_failure_in_one_command(r: Recorder) -> Label:
    """Edit and test in one command, which is never the same; the failure is."""
    path = r.fresh("src/wall") + ".py"
    failure = lines(r.fresh("AssertionError"), 12)
    found = label(r, SignalKind.CHECK_PLATEAU, 8)
    for _ in range(12):
        r.change(path)
        r.step(r.bash(f"sed -i s/{r.fresh('x')}/y/ {path}; pytest", f"{r.clock()}\n{failure}", failed=True))
    return found


def same_red_checks(r: Recorder) -> Label:
    """The runner's own checks stay red in the same way, whatever is edited."""
    red = r.fresh("suite: 3 failed")
    found = label(r, SignalKind.CHECK_PLATEAU, 15)
    for _ in range(10):
        r.step(r.edit(r.fresh("src/red") + ".py"))
        r.step(r.bash(f"true {r.fresh('n')}", ""), green=2, checks=red)
    return found


def false_completion(work: int) -> Loop:
    """`finish` again and again, with some work between, while the same checks are red."""

    def loop(r: Recorder) -> Label:
        red = r.fresh("suite")
        found = label(r, SignalKind.FALSE_COMPLETION, 4 + 3 * work)
        for _ in range(6):
            r.finish(red, 3)
            for _ in range(work):
                r.step(r.read(r.fresh("src/late") + ".py"))
        return found

    return loop


def thrash(r: Recorder) -> Label:
    """A compaction every few steps, and work in between."""
    every = r.rng.randint(3, 7)
    found = label(r, SignalKind.COMPACTION_THRASH, 4 * every + 1)
    for _ in range(7):
        for _ in range(every):
            r.step(r.read(r.fresh("src/huge") + ".py"), r.edit("src/huge.py"))
        r.compact()
    r.step(r.edit("src/huge.py"))
    return found


def read_again(r: Recorder) -> Label:
    """After a compaction all is read again, in pieces of several, and nothing comes of it."""
    paths = [r.fresh("src/lost") + ".py" for _ in range(24)]
    for path in paths:
        r.step(r.read(path))
    r.compact()
    found = label(r, SignalKind.COMPACTION_THRASH, 12)
    for start in range(0, 24, 2):
        r.step(*(r.read(path) for path in paths[start : start + 2]))
    return found


def idle(r: Recorder) -> Label:
    """New things are read for ever, and nothing is done."""
    found = label(r, SignalKind.NO_PROGRESS, 152)
    for _ in range(160):
        r.step(r.read(r.fresh("docs/endless") + ".md"))
    return found


def glances(r: Recorder) -> Label:
    """Small commands in no order, without end; nothing has changed since the last time."""
    texts = {glance: lines(r.fresh(glance), 12) for glance in GLANCES}
    found = label(r, SignalKind.NO_NEW_INFORMATION, 6 * 4 + 15)
    for _ in range(50):
        glance = r.rng.choice(GLANCES)
        r.step(r.bash(glance, texts[glance]))
    return found


LOOPS: dict[str, Loop] = {
    **{f"cycle {length}": cycle_of(length) for length in range(1, 13)},
    **{f"cycle {length} of failures": cycle_of(length, fails=True) for length in (1, 2, 3, 5)},
    **{f"cycle {length} with noise": cycle_of(length, noise_every=2) for length in (2, 3, 4, 7)},
    "step with noise": cycle_of(1, noise_every=4),
    "cycle 17": cycle_of(17),
    "refused cycle": cycle_of(2, rejects=True),
    "mixed calls": mixed_calls,
    "parallel 2": parallel_cycle(2),
    "parallel 16": parallel_cycle(16),
    "parallel 30": parallel_cycle(30),
    "wide cycle 3": wide_cycle(3, 8),
    "wide cycle 6": wide_cycle(6, 16),
    "dead poll": poll_of_the_dead,
    "all errors": all_errors,
    "edits that miss": edits_that_miss,
    "malformed": malformed,
    "monologue": monologue,
    **{f"toggling with {between} between": toggling(between) for between in (0, 1, 4, 9)},
    "rotating": rotating,
    "undone attempts": undone_attempts,
    "known files": known_files(0),
    "known files and some new": known_files(0.1),
    "large cycle": large_cycle,
    **{f"same failure with {between} between": same_failure(between) for between in (0, 2, 6, 14)},
    "same failure in one command": same_failure_in_one_command,
    "same red checks": same_red_checks,
    **{f"false completion with {work} between": false_completion(work) for work in (0, 3, 30)},
    "thrash": thrash,
    "read again": read_again,
    "idle": idle,
    "glances": glances,
}
