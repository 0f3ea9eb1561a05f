"""Ways of being stuck that no rule was tuned by: they are for measuring alone."""

from longshift.contracts.stuck import SignalKind
from tests.corpus.loops import Label, Loop, label
from tests.corpus.recorder import Recorder, lines


def login_that_fails(r: Recorder) -> Label:
    """The same request with a refusal that has another request number and time in it each time."""
    body = lines(r.fresh("Unauthorized"), 4)
    found = label(r, SignalKind.REPETITION, 5)
    for _ in range(10):
        number = f"{r.rng.randrange(16**8):08x}-{r.rng.randrange(16**4):04x}-4a5b-8c9d-{r.rng.randrange(16**12):012x}"
        r.step(r.bash("curl -i https://example.org/login", f"{r.clock()} request {number}\n{body}", failed=True))
    return found


def three_voices(r: Recorder) -> Label:
    """A cycle of three, of which one step has two calls and one has a text before it that counts as a step."""
    paths = [r.fresh("src/voice") + ".py" for _ in range(4)]
    found = label(r, SignalKind.REPETITION, 4 * 4)
    for _ in range(7):
        r.step(r.read(paths[0]), r.read(paths[1]))
        r.step()
        r.step(r.read(paths[2]))
        r.step(r.read(paths[3]))
    return found


def long_way_round(r: Recorder) -> Label:
    """A cycle of fifteen with a plan that is written anew in each but never moves."""
    paths = [r.fresh("src/round") + ".py" for _ in range(14)]
    found = label(r, SignalKind.REPETITION, 45)
    for _ in range(5):
        for path in paths:
            r.step(r.read(path))
        r.step(r.plan(0))
    return found


def reinstall(r: Recorder) -> Label:
    """Uninstall, install, import error, and again; nothing of it is in the workspace."""
    error = lines(r.fresh("ImportError"), 8)
    found = label(r, SignalKind.REPETITION, 9)
    for _ in range(7):
        r.step(r.bash("pip uninstall -y thing", "Successfully uninstalled thing-1.2"))
        r.step(r.bash("pip install thing", f"Collecting thing\n{lines('thing', 3)}took {r.rng.random():.2f}s"))
        r.step(r.bash("python -c 'import thing'", error, failed=True))
    return found


def commands_that_do_not_exist(r: Recorder) -> Label:
    """One unknown command after the other, and now and then a file that is not there."""
    found = label(r, SignalKind.ERROR_STREAK, 6)
    for index in range(12):
        name = r.fresh("tool")
        if index % 3:
            r.step(r.bash(f"{name} --help", f"{name}: command not found", failed=True))
        else:
            r.step(r.bash(f"cat {name}.cfg", f"cat: {name}.cfg: No such file", failed=True))
    return found


def broken_json(r: Recorder) -> Label:
    """Arguments that are no JSON, each time cut elsewhere, with apologies in between."""
    found = label(r, SignalKind.MALFORMED_CALLS, 8)
    for _ in range(8):
        r.step(r.rejected("write_file", r.fresh("{'path': ")))
        r.step()
    return found


def asking_nobody(r: Recorder) -> Label:
    """Questions in prose, one after the other, to nobody who reads them."""
    found = label(r, SignalKind.MONOLOGUE, 3)
    for _ in range(6):
        r.step()
    return found


def revert_of_the_revert(r: Recorder) -> Label:
    """`git revert` of the last commit, test, and again, with reading in between."""
    states = (r.fresh("with"), r.fresh("without"))
    r.step(r.edit("src/disputed.py", states[0]))
    found = label(r, SignalKind.OSCILLATION, 4 * 4 + 2)
    for turn in range(9):
        r.change("src/disputed.py", states[(turn + 1) % 2])
        r.step(r.bash("git revert --no-edit HEAD", lines(r.fresh("commit"), 2)))
        r.step(r.pytest("tests", (f"test_{turn % 2}",)))
        r.step(r.read("src/disputed.py"))
        r.step(r.read(r.fresh("docs/reason") + ".md"))
    return found


def parameters_by_guess(r: Recorder) -> Label:
    """One number is changed, the program gives the same wrong answer, and again."""
    answer = lines(r.fresh("wrong answer"), 10)
    found = label(r, SignalKind.CHECK_PLATEAU, 3 * 7)
    for _ in range(9):
        r.step(r.edit("config.yaml"))
        r.step(r.bash("make -s", ""))
        r.step(r.bash("./verify", f"{r.clock()} {answer}", failed=True))
    return found


def checks_by_themselves(r: Recorder) -> Label:
    """`finish` after much work each time, of which nothing helps: the same two checks are red."""
    red = r.fresh("lint and suite")
    found = label(r, SignalKind.FALSE_COMPLETION, 3 * 18 + 4)
    for _ in range(6):
        r.finish(red, 2)
        for _ in range(8):
            r.step(r.edit(r.fresh("src/work") + ".py"))
            r.step(r.pytest(r.fresh("tests/test") + ".py"))
        r.step(r.plan(0))
    return found


def lost_in_documents(r: Recorder) -> Label:
    """Two dozen pages are read again and again in no order, several at once, with the odd new one."""
    pages = [r.fresh("docs/page") + ".md" for _ in range(24)]
    for page in pages:
        r.step(r.read(page))
    found = label(r, SignalKind.NO_NEW_INFORMATION, 24)
    for index in range(40):
        some = r.rng.sample(pages, 3)
        r.step(*(r.read(page) for page in some), *([r.read(r.fresh("docs/new"))] if index % 12 == 11 else []))
    return found


def window_full_of_pictures(r: Recorder) -> Label:
    """Pictures fill the window every five steps; a little is drawn in between."""
    found = label(r, SignalKind.COMPACTION_THRASH, 5 * 4 + 1)
    for _ in range(7):
        for _ in range(4):
            r.step(r.read(r.fresh("web/shot") + ".png"))
        r.step(r.edit("web/draw.svg"))
        r.compact()
    r.step(r.edit("web/draw.svg"))
    return found


def collecting(r: Recorder) -> Label:
    """Searches without end, with texts in between; the plan is written and never moves."""
    found = label(r, SignalKind.NO_PROGRESS, 153)
    for index in range(165):
        if index % 10 == 9:
            r.step()
        else:
            r.step(r.grep(r.fresh("term"), r.rng.choice((0, 5, 9))))
    return found


LOOPS: dict[str, Loop] = {
    "login that fails": login_that_fails,
    "three voices": three_voices,
    "long way round": long_way_round,
    "reinstall": reinstall,
    "commands that do not exist": commands_that_do_not_exist,
    "broken json": broken_json,
    "asking nobody": asking_nobody,
    "revert of the revert": revert_of_the_revert,
    "parameters by guess": parameters_by_guess,
    "checks by themselves": checks_by_themselves,
    "lost in documents": lost_in_documents,
    "window full of pictures": window_full_of_pictures,
    "collecting": collecting,
}
