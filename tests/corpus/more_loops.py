"""More ways of being stuck, harder to tell from work."""

from longshift.contracts.stuck import SignalKind
from tests.corpus.loops import Label, Loop, label
from tests.corpus.recorder import Recorder, lines


def pods_that_never_come(r: Recorder) -> Label:
    """A cluster that does not move is looked at from two sides; the age of things counts up."""
    name = r.fresh("deploy")
    found = label(r, SignalKind.REPETITION, 8)
    for turn in range(9):
        r.step(r.bash(f"kubectl get pods -l app={name}", f"{name} 0/3 CrashLoopBackOff {turn + 3}m{turn}s"))
        r.step(r.bash(f"kubectl describe pod {name}", f"Started: {r.clock()}\n{lines(name, 20)}"))
    return found


def build_break_fix(r: Recorder) -> Label:
    """An include goes in and out again, with a build each time that fails in one way or the other."""
    path = r.fresh("src/main") + ".c"
    states = (r.fresh("with"), r.fresh("without"))
    found = label(r, SignalKind.OSCILLATION, 12)
    for turn in range(12):
        r.step(r.edit(path, states[turn % 2]))
        r.step(r.bash("make", f"{r.clock()}\n{lines(states[turn % 2], 6)}", failed=True))
    return found


def package_hunt(r: Recorder) -> Label:
    """Names of packages are guessed, and none of them is there."""
    found = label(r, SignalKind.ERROR_STREAK, 6)
    for _ in range(15):
        name = r.fresh("libguess")
        r.step(r.bash(f"pip install {name}", f"ERROR: No matching distribution found for {name}", failed=True))
    return found


def wrong_tool(r: Recorder) -> Label:
    """A tool that does not exist, called with other arguments each time, two at once."""
    found = label(r, SignalKind.MALFORMED_CALLS, 4)
    for _ in range(8):
        r.step(r.rejected("search_web", r.fresh("query")), r.rejected("open_url", r.fresh("url")))
    return found


def report_for_ever(r: Recorder) -> Label:
    """A final report in prose, again and again, instead of `finish`; one glance in between does not help."""
    found = label(r, SignalKind.MONOLOGUE, 5)
    for turn in range(10):
        if turn == 1:
            r.step(r.bash("git status", lines(r.fresh("status"), 5)))
        else:
            r.step()
    return found


def snapshot_chase(r: Recorder) -> Label:
    """Snapshots are made anew, the suite fails as before, something is read, and again."""
    found = label(r, SignalKind.CHECK_PLATEAU, 4 * 7)
    for _ in range(9):
        r.change("tests/snapshots.json")
        r.step(r.bash("pytest --snapshot-update -q", f"{r.fresh('snapshots')} updated"))
        r.step(r.read(r.fresh("src/view") + ".py"))
        r.step(r.read("tests/snapshots.json"))
        r.step(r.pytest("tests/test_view.py", ("test_page", "test_list")))
    return found


def tour(r: Recorder) -> Label:
    """The same tour of eleven stations, three or four of them in one answer, cut elsewhere each time."""
    stations = [r.fresh("src/station") + ".py" for _ in range(11)]
    found = label(r, SignalKind.REPETITION, 26)
    for _ in range(6):
        rest = list(stations)
        while rest:
            size = r.rng.randint(1, 4)
            r.step(*(r.read(path) for path in rest[:size]))
            rest = rest[size:]
    return found


def same_answer_to_other_questions(r: Recorder) -> Label:
    """A search tool says the same long thing whatever is asked."""
    text = lines(r.fresh("usage"), 20)
    found = label(r, SignalKind.NO_NEW_INFORMATION, 16)
    for _ in range(25):
        r.step(r.bash(f"./search --for {r.fresh('term')}", text))
    return found


def early_victory(r: Recorder) -> Label:
    """`finish`, a cosmetic edit, a test that passes, `finish`, while the runner's check stays red."""
    red = r.fresh("speed check")
    found = label(r, SignalKind.FALSE_COMPLETION, 3 * 3 + 1)
    for _ in range(7):
        r.finish(red, 1)
        r.step(r.edit(r.fresh("docs/cosmetic") + ".md"))
        r.step(r.pytest("tests"))
    return found


def walk_without_end(r: Recorder) -> Label:
    """Folders of a dependency are walked through, some at once; not a line is written."""
    found = label(r, SignalKind.NO_PROGRESS, 152)
    for _ in range(170):
        r.step(*(r.bash(f"ls {r.fresh('vendor/folder')}", lines(r.fresh("ls"), 8)) for _ in range(r.rng.randint(1, 3))))
    return found


def swallowed_window(r: Recorder) -> Label:
    """A huge log fills the window every other step."""
    found = label(r, SignalKind.COMPACTION_THRASH, 9)
    for _ in range(8):
        r.step(r.read(r.fresh("huge") + ".log"))
        r.step(r.edit("notes.md"))
        r.compact()
    r.step(r.edit("notes.md"))
    return found


def cycle_with_glances(r: Recorder) -> Label:
    """A failing cycle of three, with a glance that is always the same one at odd places."""
    paths = [r.fresh("src/odd") + ".py" for _ in range(2)]
    failing = r.fresh("src/failing") + ".py"
    glance = lines(r.fresh("status"), 9)
    found = label(r, SignalKind.REPETITION, 20)
    for turn in range(10):
        r.step(r.read(paths[0]))
        r.step(r.read(paths[1]))
        r.step(r.pytest(failing, ("test_same",)))
        if turn in (1, 4, 8):
            r.step(r.bash("git status", glance))
    return found


def mended_and_broken(r: Recorder) -> Label:
    """Two tests, of which an edit mends one and breaks the other, back and forth, with looks in between."""
    path = r.fresh("src/either") + ".py"
    states = (r.fresh("one"), r.fresh("other"))
    found = label(r, SignalKind.OSCILLATION, 18)
    for turn in range(10):
        r.step(r.edit(path, states[turn % 2]))
        r.step(r.pytest("tests", (f"test_{turn % 2}",)))
        r.step(r.read(path))
        r.step(r.read("tests/test_both.py"))
    return found


def loop_with_report(r: Recorder) -> Label:
    """A failing test again and again, which writes a report with a time into the workspace each time."""
    found = label(r, SignalKind.CHECK_PLATEAU, 8)
    for _ in range(12):
        r.change("report.xml")
        r.step(r.pytest("tests/test_report.py", ("test_same",)))
    return found


def toggling_slowly(r: Recorder) -> Label:
    """The same setting goes in and out, with a dozen looks in between each time."""
    states = (r.fresh("in"), r.fresh("out"))
    r.step(r.edit("config.toml", states[1]))
    found = label(r, SignalKind.OSCILLATION, 13 * 5)
    for turn in range(8):
        r.step(r.edit("config.toml", states[turn % 2]))
        for _ in range(12):
            r.step(r.read(r.fresh("docs/setting") + ".md"))
    return found


def pair_with_much_noise(r: Recorder) -> Label:
    """Two calls over and over, and every third step something new."""
    paths = [r.fresh("src/pair") + ".py" for _ in range(2)]
    found = label(r, SignalKind.REPETITION, 18)
    for _ in range(12):
        r.step(r.read(paths[0]))
        r.step(r.read(paths[1]))
        r.step(r.grep(r.fresh("noise")))
    return found


def almost_all_errors(r: Recorder) -> Label:
    """Commands fail, each in another way; a glance that succeeds comes after every fifth."""
    found = label(r, SignalKind.ERROR_STREAK, 18)
    for index in range(24):
        if index % 6 == 5:
            r.step(r.bash("pwd", f"/src/{index}"))
        else:
            r.step(r.bash(r.fresh("./run"), lines(r.fresh("error"), 5), failed=True))
    return found


def two_walls(r: Recorder) -> Label:
    """Two tests fail as before after every edit, one after the other."""
    found = label(r, SignalKind.CHECK_PLATEAU, 3 * 6 + 1)
    for _ in range(9):
        r.step(r.edit("src/walls.py"))
        r.step(r.pytest("tests/test_one.py", ("test_one",)))
        r.step(r.pytest("tests/test_two.py", ("test_two",)))
    return found


def other_words_for_nothing(r: Recorder) -> Label:
    """Echoes and lists of an empty folder in ever new words: it is only found as a lack of progress."""
    found = label(r, SignalKind.NO_PROGRESS, 152)
    for _ in range(160):
        r.step(r.bash(f"echo {r.fresh('thinking')}; ls empty", ""))
    return found


def shuffled_glances(r: Recorder) -> Label:
    """Four commands in an order that never repeats."""
    names = [r.fresh("./status") for _ in range(4)]
    found = label(r, SignalKind.NO_NEW_INFORMATION, 4 + 4 + 15)
    for _ in range(12):
        r.rng.shuffle(names)
        for name in names:
            r.step(r.bash(name, lines(name, 10)))
    return found


LOOPS: dict[str, Loop] = {
    "loop with report": loop_with_report,
    "toggling slowly": toggling_slowly,
    "pair with much noise": pair_with_much_noise,
    "almost all errors": almost_all_errors,
    "two walls": two_walls,
    "other words for nothing": other_words_for_nothing,
    "shuffled glances": shuffled_glances,
    "pods that never come": pods_that_never_come,
    "build break fix": build_break_fix,
    "package hunt": package_hunt,
    "wrong tool": wrong_tool,
    "report for ever": report_for_ever,
    "snapshot chase": snapshot_chase,
    "tour": tour,
    "same answer to other questions": same_answer_to_other_questions,
    "early victory": early_victory,
    "walk without end": walk_without_end,
    "swallowed window": swallowed_window,
    "cycle with glances": cycle_with_glances,
    "mended and broken": mended_and_broken,
}
