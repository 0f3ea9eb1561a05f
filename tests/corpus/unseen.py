"""Scenes of work that no rule was tuned by: they are for measuring alone."""

from tests.corpus.healthy import Scene
from tests.corpus.recorder import Recorder, lines


def upgrade(r: Recorder) -> None:
    """Dependencies are raised one by one: install, test, mend, commit."""
    for _ in range(8):
        package = r.fresh("package")
        r.step(r.edit("pyproject.toml"))
        r.step(r.bash("uv sync", lines(package, 6)))
        broken = r.rng.random() < 0.5
        r.step(r.pytest("tests", (r.fresh("test"),) if broken else (), passed=300))
        if broken:
            r.step(r.read(r.fresh("src/user") + ".py"))
            r.step(r.edit(r.fresh("src/user") + ".py"))
            r.step(r.pytest("tests", passed=300))
        r.step(r.bash(f"git commit -am 'Raise {package}'", lines(r.fresh("commit"), 2)))


def memory_leak(r: Recorder) -> None:
    """A long program is started in the background and its memory is read every while; the figures move."""
    job = r.fresh("job")
    r.step(r.bash(f"./soak & # {job}", f"started {job}"))
    for index in range(18):
        r.step(r.bash("ps -o rss= -C soak", f"{100_000 + 37 * index}"))
        if index % 6 == 5:
            r.step(r.poll(job, "running"))
    r.step(r.edit(r.fresh("src/pool") + ".c"))


def documentation(r: Recorder) -> None:
    """For each of many modules: read it, write a page, build the pages, which says the same each time."""
    for _ in range(14):
        name = r.fresh("module")
        r.step(r.read(f"src/{name}.py"), r.grep(name, r.rng.choice((0, 3))))
        r.step(r.write(f"docs/{name}.md"))
        r.step(r.bash("mkdocs build -q", ""))


def shell_exploration(r: Recorder) -> None:
    """An unknown machine: versions, services, disks; some commands are not there."""
    for _ in range(9):
        r.step(r.bash(f"systemctl status {r.fresh('service')}", lines(r.fresh("unit"), 7), failed=r.rng.random() < 0.3))
        r.step(r.bash(f"{r.fresh('tool')} --version", "command not found", failed=True))
        r.step(r.bash(f"df -h /{r.fresh('mnt')}", lines(r.fresh("disk"), 2)))


def property_search(r: Recorder) -> None:
    """A random test is run again and again: each run finds another counterexample, or none."""
    for _ in range(9):
        found = r.rng.random() < 0.6
        text = lines(r.fresh("Falsifying example"), 7) if found else f"{r.rng.randint(900, 999)} examples, no failure"
        r.step(r.bash("pytest tests/test_properties.py", text, failed=found))


def paging(r: Recorder) -> None:
    """A long file is read page by page, some pages twice, and then a second one."""
    for path in (r.fresh("logs/long") + ".log", r.fresh("logs/long") + ".log"):
        for page in range(16):
            r.step(r.read(path, offset=1 + 2_000 * page))
            if page % 5 == 4:
                r.step(r.read(path, offset=1 + 2_000 * (page - 1)))


def ticket_by_ticket(r: Recorder) -> None:
    """Twenty tickets are labelled through an interface that always answers the same."""
    for _ in range(20):
        ticket = r.fresh("ticket")
        r.step(r.bash(f"gh issue view {ticket}", lines(ticket, 15)))
        r.step(r.bash(f"gh issue edit {ticket} --add-label triaged", "https://example.org/ok"))


def patient_check(r: Recorder) -> None:
    """Something far away takes its time; it is looked at three times, then other work is done, then three times."""
    page = r.fresh("page")
    for state in ("building", "live"):
        for _ in range(3):
            r.step(r.bash(f"curl -s https://example.org/{page}/state", f"{state}: {lines(page + state, 8)}"))
        r.step(r.edit(r.fresh("docs/meanwhile") + ".md"))
        r.step(r.read(r.fresh("docs/meanwhile") + ".md"))


def formatter(r: Recorder) -> None:
    """Edits that the formatter changes at once; the check of formatting complains, then does not."""
    for _ in range(8):
        path = r.fresh("src/format") + ".py"
        r.step(r.edit(path))
        r.step(r.bash("ruff format --check .", f"Would reformat: {path}", failed=True))
        r.change(path)
        r.step(r.bash("ruff format .", "1 file reformatted"))


def two_branches(r: Recorder) -> None:
    """Work on one branch, a glance at the other, back again; both go on."""
    here, there = dict(r.files), dict(r.files)
    for _ in range(3):
        r.step(r.edit("src/feature.py"))
        here = dict(r.files)
        r.files = {**there, r.fresh("only_there"): "1"}
        there = dict(r.files)
        r.step(r.bash("git checkout main && git pull", lines(r.fresh("pull"), 3)))
        r.step(r.read("src/feature.py"))
        r.files = here
        r.step(r.bash("git checkout feature", "Switched to branch 'feature'"))


SCENES: tuple[Scene, ...] = (
    upgrade,
    memory_leak,
    documentation,
    shell_exploration,
    property_search,
    paging,
    ticket_by_ticket,
    patient_check,
    formatter,
    two_branches,
)
