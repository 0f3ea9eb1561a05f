"""Scenes of agents at work: what a session of hours is made of. None of them is stuck."""

from collections.abc import Callable

from tests.corpus.recorder import Recorder, lines

Scene = Callable[[Recorder], None]


def python_bug(r: Recorder) -> None:
    """Reproduce, look around, mend in two attempts, run everything."""
    module, test = r.fresh("src/mod") + ".py", r.fresh("tests/test") + ".py"
    r.step(r.bash("git status --short"), r.bash("ls -la", lines(f"ls {len(r.files)}", 8)))
    r.step(r.pytest(test, ("test_a", "test_b")))
    r.step(r.grep(module))
    r.step(r.read(module))
    r.step(r.read(test), r.read("pyproject.toml"))
    r.step(r.bash(f"python -c 'import {module}'", lines(f"traceback {module}", 9), failed=True))
    r.step(r.edit(module))
    r.step(r.pytest(test, ("test_a", "test_b")))
    r.step(r.read(module))
    r.step(r.edit(module))
    r.step(r.pytest(test, ("test_b",)))
    r.step(r.edit(module))
    r.step(r.pytest(test))
    r.step(r.pytest("tests", passed=400))
    r.step(r.bash("git diff", lines(f"diff {r.files[module]}", 30)))
    r.step(r.plan())


def refactoring(r: Recorder) -> None:
    """The same change in 60 files, type-checked now and then."""
    paths = [r.fresh("src/pkg/part") + ".py" for _ in range(60)]
    r.step(r.grep("old_name", 60))
    for index, path in enumerate(paths):
        if r.rng.random() < 0.3:
            r.step(r.read(path))
        r.step(r.edit(path))
        if index % 10 == 9:
            r.step(r.bash("mypy src", lines(f"mypy {60 - index}", 61 - index), failed=index < 59))
    r.step(r.plan())


def silent_renames(r: Recorder) -> None:
    """Many commands that say nothing."""
    for _ in range(25):
        old, new = r.fresh("old"), r.fresh("new")
        r.change(new)
        r.step(r.bash(f"git mv {old}.py {new}.py"))
    r.step(r.bash("git status --short", lines(f"moved {r.names}", 25)))


def silent_folders(r: Recorder) -> None:
    """Folders outside of the workspace's tree: nothing said, nothing in git."""
    for _ in range(30):
        r.step(r.bash(f"mkdir -p build/{r.fresh('folder')}"))


def polled_build(r: Recorder) -> None:
    """A build in the background whose output grows, then stands still for long, then ends."""
    job = r.fresh("job")
    r.step(r.bash(f"make -j8 world # {job}", f"started {job}"))
    seen = 0
    for _ in range(r.rng.randint(10, 60)):
        seen += r.rng.choice((0, 0, 0, 5))
        r.step(r.poll(job, lines(job, seen)))
    r.step(r.bash(f"tail -5 {job}.log", lines(f"{job} done", 5)))


def polled_while_reading(r: Recorder) -> None:
    """A build is polled, and files are read in between."""
    job = r.fresh("job")
    r.step(r.bash(f"cargo build # {job}", f"started {job}"))
    for _ in range(12):
        r.step(r.poll(job, "Compiling"))
        r.step(r.read(r.fresh("doc") + ".md"))


def growing_log(r: Recorder) -> None:
    """A log that moves is looked at with the same command."""
    log = r.fresh("train")
    for epoch in range(20):
        r.step(r.bash(f"sleep 60; tail -3 {log}.log", f"{r.clock()} epoch {epoch} loss {1 / (epoch + 1):.4f}"))


def tests_first(r: Recorder) -> None:
    """A slowly shrinking list of failures: edit, run, edit, run."""
    test, module = r.fresh("tests/test") + ".py", r.fresh("src/mod") + ".py"
    names = tuple(r.fresh("test") for _ in range(15))
    r.step(r.write(test))
    same = 0
    while names:
        r.step(r.edit(module))
        if r.rng.random() < 0.3:
            r.step(r.read(module))
        r.step(r.pytest(test, names))
        same = 0 if r.rng.random() < 0.75 or same == 3 else same + 1
        if same == 0:
            names = names[1:]
    r.step(r.pytest(test))
    r.step(r.plan())


def tests_in_one_command(r: Recorder) -> None:
    """Edit and run in one command; each run fails, each in another way, until it passes."""
    module, test = r.fresh("src/mod") + ".py", r.fresh("tests/test") + ".py"
    for _ in range(12):
        r.change(module)
        failure = lines(f"failure {r.files[module]}", 8)
        r.step(r.bash(f"sed -i 's/{r.fresh('a')}/b/' {module} && pytest {test}", failure, failed=True))
    r.change(module)
    r.step(r.bash(f"sed -i 's/{r.fresh('a')}/b/' {module} && pytest {test}", "40 passed in 0.31s"))


def research(r: Recorder) -> None:
    """Reading what was never read, alone and many at once, with notes now and then."""
    for index in range(40):
        paths = [r.fresh("docs/page") + ".md" for _ in range(r.rng.choice((1, 1, 3, 8)))]
        r.step(*(r.read(path) for path in paths))
        if index % 5 == 4:
            r.step(r.grep(r.fresh("term"), r.rng.choice((0, 4, 9))))
        if index % 20 == 19:
            r.step(r.write("NOTES.md"))


def data_jobs(r: Recorder) -> None:
    """The same program over many parts; it says little, and nothing of it is in the workspace."""
    start = r.rng.randint(0, 10_000)
    for part in range(start, start + 80):
        r.step(r.bash(f"python load.py --part {part}", "ok"))


def data_jobs_told(r: Recorder) -> None:
    """The same with a summary that differs in its figures only."""
    for part in range(40):
        rows = r.rng.randint(1_000, 9_999)
        text = f"{r.clock()} part {part}\n{lines('columns', 10)}rows {rows} took {r.rng.random():.2f}s"
        r.step(r.bash(f"python load.py --part {part}", text))


def next_batch(r: Recorder) -> None:
    """One command, one answer, and the files move on each time."""
    for _ in range(20):
        r.change("state.json")
        r.step(r.bash("./migrate_next.sh", "migrated 1 batch"))


def flaky_test(r: Recorder) -> None:
    """A test that fails at times is run some times, then its logs are read."""
    test = r.fresh("tests/test_flaky") + ".py"
    for fails in (True, False, False, True, False, True):
        r.step(r.pytest(test, ("test_race",) if fails else ()))
    r.step(r.read(test))
    r.step(r.bash(f"grep -n sleep {test}", f"{r.rng.randint(1, 99)}: sleep(1)"))
    r.step(r.edit(test))
    r.step(r.pytest(test))
    r.step(r.pytest(test))


def bisect(r: Recorder) -> None:
    """Another commit each time, the same test."""
    home = dict(r.files)
    r.step(r.bash("git bisect start HEAD v1.0", lines(r.fresh("bisecting"), 2)))
    for _ in range(9):
        r.change("src/everything.py")
        bad = r.rng.random() < 0.5
        r.step(r.pytest("tests/test_regression.py", ("test_it",) if bad else ()))
        r.step(r.bash(f"git bisect {'bad' if bad else 'good'}", lines(r.fresh("bisecting"), 2)))
    r.files = home
    r.step(r.bash("git bisect reset", "Previous HEAD position was restored"))


def compare_with_before(r: Recorder) -> None:
    """The changes are put aside to see whether a failure is old, twice, with work in between."""
    for _ in range(2):
        r.step(r.edit("src/core.py"))
        changed, clean = r.files["src/core.py"], r.files.setdefault("src/core.py.orig", "0")
        r.change("src/core.py", clean)
        r.step(r.bash("git stash", "Saved working directory"))
        r.step(r.pytest("tests/test_core.py", ("test_old",)))
        r.change("src/core.py", changed)
        r.step(r.bash("git stash pop", "Dropped stash"))
        r.step(r.pytest("tests/test_core.py", ("test_old", r.fresh("test_new"))))


def proof_of_a_test(r: Recorder) -> None:
    """The code is broken on purpose to see a new test fail, and mended again."""
    r.step(r.write(r.fresh("tests/test_new") + ".py"))
    good = r.files.setdefault("src/core.py", "0")
    for _ in range(2):
        r.step(r.edit("src/core.py"))
        r.step(r.pytest("tests", (r.fresh("test_new"),)))
        r.step(r.edit("src/core.py", good))
        r.step(r.pytest("tests"))


def server_comes_up(r: Recorder) -> None:
    """A few attempts until the server listens."""
    port = r.rng.randint(8_000, 8_999)
    r.step(r.bash(f"./serve --port {port} &", f"pid={r.rng.randint(100, 99_999)}"))
    for _ in range(3):
        r.step(r.bash(f"curl -s localhost:{port}/health", "connection refused", failed=True))
    r.step(r.bash(f"curl -s localhost:{port}/health", '{"status": "ok"}'))


def installing(r: Recorder) -> None:
    """One error after another, each another one, until it works."""
    for attempt in range(5):
        text = lines(f"error {r.fresh('missing')} {attempt}", 12)
        r.step(r.bash(f"pip install {r.fresh('package')}", text, failed=True))
    r.step(r.bash("pip install .", lines(r.fresh("installed"), 4)))


def review(r: Recorder) -> None:
    """Commits are looked at, many in one answer."""
    for _ in range(6):
        r.step(*(r.bash(f"git show {r.fresh('c')}", lines(r.fresh("commit"), 30)) for _ in range(16)))
    r.step(r.write("REVIEW.md"))


def lint(r: Recorder) -> None:
    """Fewer complaints each time."""
    for left in range(12, 0, -1):
        path = r.fresh("src/style") + ".py"
        r.step(r.edit(path), r.edit(r.fresh("src/style") + ".py"))
        r.step(r.bash("ruff check .", lines(f"ruff {left} {r.names}", left), failed=True))
    r.step(r.bash("ruff check .", "All checks passed!"))


def always_the_same_glance(r: Recorder) -> None:
    """`git status` between steps that all do something else, and nothing is changed yet."""
    glance = lines(f"status {r.names}", 9)
    for _ in range(14):
        r.step(r.bash("git status", glance))
        r.step(r.read(r.fresh("src/part") + ".py"))


def rebuilt_after_each_change(r: Recorder) -> None:
    """The build says the same each time, and is right to."""
    for _ in range(10):
        r.step(r.edit(r.fresh("web/page") + ".tsx"))
        r.step(r.bash("npm run build", lines("build ok", 12)))


def verifying(r: Recorder) -> None:
    """At the end what is known is looked at again: files, differences, tests."""
    paths = [r.fresh("src/final") + ".py" for _ in range(6)]
    for path in paths:
        r.step(r.read(path))
    for path in paths:
        r.step(r.edit(path))
    r.step(r.pytest("tests"))
    diff = lines(f"diff {r.names}", 60)
    r.step(r.bash("git diff", diff))
    for path in paths:
        r.step(r.read(path))
    r.step(r.pytest("tests"), r.bash("git diff", diff))
    r.step(r.plan())


def read_again_after_compaction(r: Recorder) -> None:
    """What a compaction took away is read once more, then the work goes on."""
    paths = [r.fresh("src/deep") + ".py" for _ in range(12)]
    for path in paths:
        r.step(r.read(path))
    r.compact()
    for path in paths[:9]:
        r.step(r.read(path))
    r.step(r.edit(paths[0]))
    r.step(r.read(r.fresh("src/deep") + ".py"))
    r.step(r.edit(paths[1]))


def slips(r: Recorder) -> None:
    """Some refused calls, a text without a call, an edit that missed: each is mended at once."""
    path = r.fresh("src/slip") + ".py"
    r.step(r.rejected("bash", "no command"))
    r.step(r.rejected("bash", "no command at all"))
    r.step(r.bash(f"wc -l {path}", f"{r.rng.randint(1, 999)} {path}"))
    r.step()
    r.step()
    r.step(r.bad_edit(path, r.fresh("old")))
    r.step(r.bad_edit(path, r.fresh("old")))
    r.step(r.read(path))
    r.step(r.edit(path))
    r.step(r.plan())


def towards_green(r: Recorder) -> None:
    """`finish` is refused some times, each time with fewer checks red."""
    for red in (r.fresh("suite and types"), r.fresh("suite"), r.fresh("one test")):
        r.finish(red, 3)
        for _ in range(3):
            r.step(r.read(r.fresh("src/late") + ".py"))
        r.step(r.edit("src/late.py"))
        r.step(r.pytest("tests", (r.fresh("test_late"),)))
    r.step(r.plan())


def compile_and_run(r: Recorder) -> None:
    """One program, one input, another wrong answer each time."""
    for _ in range(10):
        r.step(r.edit("src/solve.c"))
        r.step(r.bash("cc -O2 -o solve src/solve.c"))
        r.step(r.bash("./solve < input.txt", f"{r.rng.randint(0, 10**9)}"))


def measured(r: Recorder) -> None:
    """Attempts at speed: measured, kept or undone."""
    for attempt in range(5):
        before = r.files.setdefault("src/hot.py", "0")
        r.step(r.edit("src/hot.py"))
        r.step(r.bash("python bench.py", f"{r.rng.uniform(90, 110):.3f} units"))
        if attempt % 3 == 1:
            r.step(r.edit("src/hot.py", before))


SCENES: tuple[Scene, ...] = (
    python_bug,
    refactoring,
    silent_renames,
    silent_folders,
    polled_build,
    polled_while_reading,
    growing_log,
    tests_first,
    tests_in_one_command,
    research,
    data_jobs,
    data_jobs_told,
    next_batch,
    flaky_test,
    bisect,
    compare_with_before,
    proof_of_a_test,
    server_comes_up,
    installing,
    review,
    lint,
    always_the_same_glance,
    rebuilt_after_each_change,
    verifying,
    read_again_after_compaction,
    slips,
    towards_green,
    compile_and_run,
    measured,
)
