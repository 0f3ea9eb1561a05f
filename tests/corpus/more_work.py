"""More scenes of agents at work, harder to tell from being stuck."""

from tests.corpus.healthy import Scene
from tests.corpus.recorder import Recorder, lines


def cluster(r: Recorder) -> None:
    """A deployment is applied and watched; pods come up one after the other."""
    name = r.fresh("deploy")
    r.step(r.write(f"deploy/{name}.yaml"))
    r.step(r.bash(f"kubectl apply -f deploy/{name}.yaml", f"{name} configured"))
    for ready in (0, 0, 0, 1, 1, 2, 3):
        r.step(r.bash(f"kubectl get pods -l app={name}", f"NAME READY AGE\n{name} {ready}/3 {r.rng.randint(1, 99)}s"))
    r.step(r.bash(f"kubectl logs deploy/{name}", lines(r.fresh("log"), 40)))


def web_page(r: Recorder) -> None:
    """Pictures are taken and looked at after each change."""
    for _ in range(9):
        r.step(r.edit("web/style.css"))
        r.step(r.bash("node shot.js", "saved shot.png"))
        r.step(r.read("web/shot.png", offset=r.names))


def translating(r: Recorder) -> None:
    """One file after the other is read and written in another language, several at once."""
    for _ in range(12):
        names = [r.fresh("locale/text") for _ in range(4)]
        r.step(*(r.read(f"{name}.en") for name in names))
        r.step(*(r.write(f"{name}.de") for name in names))


def c_build(r: Recorder) -> None:
    """Errors of a compiler, one after the other; what is built lies in the tree as well."""
    for error in range(14):
        r.step(r.edit("src/main.c"))
        r.change("build/main.o")
        r.step(r.bash("make", lines(f"error {error} {r.names}", 5), failed=error < 13))
    r.step(r.bash("make clean && make", lines("cc", 8)))


def notebook(r: Recorder) -> None:
    """Questions to a database, all different, short answers."""
    for index in range(30):
        r.step(r.bash(f"psql -c 'select count(*) from t where k={r.names + index}'", f"{r.rng.randint(0, 3)}"))


def pipeline(r: Recorder) -> None:
    """A pipeline elsewhere is asked for its state, which is the same twice or thrice at a time."""
    run = r.fresh("run")
    for state in ("queued", "queued", "building", "building", "building", "testing", "testing", "testing", "passed"):
        r.step(r.bash(f"gh run view {run}", f"{run}: {state}"))


def dead_ends(r: Recorder) -> None:
    """Searches without a hit and commands that are not there, mixed with what is found."""
    for _ in range(5):
        r.step(r.grep(r.fresh("nothing"), 0))
        r.step(r.bash(f"which {r.fresh('tool')}", "", failed=True))
        r.step(r.bash(f"cat {r.fresh('file')}", f"No such file {r.names}", failed=True))
        r.step(r.grep(r.fresh("something")))


def several_suites(r: Recorder) -> None:
    """Packages of one repository are tested one after the other and print the same."""
    for _ in range(18):
        r.step(r.bash(f"cd {r.fresh('packages/p')} && npm test", "1 passing"))


def merge(r: Recorder) -> None:
    """Conflicts, file after file."""
    r.step(r.bash("git merge feature", lines(r.fresh("CONFLICT"), 10), failed=True))
    for _ in range(10):
        path = r.fresh("src/both") + ".py"
        r.step(r.read(path))
        r.step(r.edit(path), r.bash(f"git add {path}"))
    r.step(r.bash("git commit --no-edit", lines(r.fresh("merged"), 2)))


def long_text(r: Recorder) -> None:
    """One document is written in many edits and read from time to time."""
    for index in range(25):
        r.step(r.edit("docs/manual.md"))
        if index % 4 == 3:
            r.step(r.read("docs/manual.md"))
    r.step(r.plan())


def debugger(r: Recorder) -> None:
    """The same program with more and more prints; the error stays until its cause is found."""
    error = lines(r.fresh("Traceback"), 10)
    for _ in range(4):
        r.step(r.edit("src/app.py"))
        r.step(r.bash("python -m app", lines(r.fresh("debug"), 3) + error, failed=True))
    r.step(r.edit("src/app.py"))
    r.step(r.bash("python -m app", "done"))


def release(r: Recorder) -> None:
    """Version, changelog, tag: commands that say nothing or next to nothing."""
    version = r.fresh("v1")
    r.step(r.edit("pyproject.toml"), r.edit("CHANGELOG.md"))
    for command in ("git add -A", f"git commit -m {version}", f"git tag {version}", "git log -1"):
        r.step(r.bash(command, "" if command.endswith("-A") else version))
    r.step(r.plan())


def waiting_for_the_lock(r: Recorder) -> None:
    """Three tries, then something else is done, then it works."""
    for _ in range(3):
        r.step(r.bash("apt-get install libfoo", "Could not get lock", failed=True))
    r.step(r.bash("ps aux", lines(r.fresh("processes"), 20)))
    r.step(r.bash("apt-get install libfoo", lines(r.fresh("installed"), 5)))


def stubborn(r: Recorder) -> None:
    """Five different attempts at one failure, which stays the same, and the sixth works."""
    path = r.fresh("src/stubborn") + ".py"
    for _ in range(5):
        r.step(r.edit(path))
        r.step(r.pytest(path, ("test_stubborn",)))
    r.step(r.edit(path))
    r.step(r.pytest(path))


def three_times_is_proof(r: Recorder) -> None:
    """A test that was flaky is run three times in a row before and after a stress run, and passes."""
    test = r.fresh("tests/test_calm") + ".py"
    for _ in range(3):
        r.step(r.pytest(test))
    r.step(r.bash(f"stress-ng & pytest --count 50 {test}", lines(r.fresh("stress"), 20)))
    for _ in range(3):
        r.step(r.pytest(test))


def remote_setting(r: Recorder) -> None:
    """Something outside is set and looked at, one setting after the other; nothing is in the workspace."""
    for _ in range(20):
        name = r.fresh("setting")
        r.step(r.bash(f"gh variable set {name}", ""))
        r.step(r.bash("gh variable list", lines(name, 12)))


def careful_reader(r: Recorder) -> None:
    """Ten files are read, then each again beside its test, before the first edit."""
    paths = [r.fresh("src/careful") + ".py" for _ in range(10)]
    for path in paths:
        r.step(r.read(path))
    for path in paths:
        r.step(r.read(path), r.read(f"tests/{path}"))
    r.step(r.edit(paths[0]))


def watcher(r: Recorder) -> None:
    """Two jobs run; one is asked, then the other, for long."""
    jobs = (r.fresh("job"), r.fresh("job"))
    for _ in range(25):
        r.step(*(r.poll(job, "") for job in jobs))


SCENES: tuple[Scene, ...] = (
    stubborn,
    three_times_is_proof,
    remote_setting,
    careful_reader,
    watcher,
    cluster,
    web_page,
    translating,
    c_build,
    notebook,
    pipeline,
    dead_ends,
    several_suites,
    merge,
    long_text,
    debugger,
    release,
    waiting_for_the_lock,
)
