"""What must stand in no file: hosts of package registries, places of one machine, and names of nobody's concern.

A lock with a host in it installs from there whatever the user has configured. The words are put together here so that
this file does not contain them.
"""

import re
import subprocess

import pytest

from tests.house.sources import ROOT, listed

REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "npmjs." + "com", "crates" + ".io")
PLACES = ("/wo" + "rk/", "/opt/" + "pypi", "/opt/" + "wheels")
WORKSHOP = (
    "helper " + "session",
    "sub" + "-session",
    "the " + "brief",
    "brief" + ".md",
    "facts" + "/",
    "(facts" + ":",
    "(design " + "section",
    "As an " + "AI",
    "Co-Authored" + "-By",
)
FORBIDDEN = re.compile(
    "|".join(rf"(?<!\w){re.escape(word)}" for word in (*REGISTRIES, *PLACES, *WORKSHOP)), re.IGNORECASE
)


def tracked_files() -> list[str]:
    """What git knows or would take, apart from what it ignores."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for path in done.stdout.split("\0") if path and (ROOT / path).is_file()]


def test_no_file_has_a_forbidden_word() -> None:
    found = [
        f"{path}:{number}: {word}"
        for path in tracked_files()
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for word in FORBIDDEN.findall(line)
    ]
    assert [] == found, listed(found)


@pytest.mark.parametrize("text", [f"see {word}x" for word in (*REGISTRIES, *PLACES, *WORKSHOP)])
def test_a_forbidden_word_is_found(text: str) -> None:
    assert FORBIDDEN.search(text)
