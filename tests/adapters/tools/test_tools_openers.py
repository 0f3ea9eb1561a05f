"""Both openers keep a path beneath its folder, in the same way."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshift.adapters.tools.openers import KernelOpener, PathOpener, WalkingOpener, best_opener


def _kernel_or_skip() -> PathOpener:
    if not isinstance(best_opener(), KernelOpener):
        pytest.skip("this kernel has no openat2")
    return KernelOpener()


@pytest.fixture(params=["kernel", "walking"])
def opener(request: pytest.FixtureRequest) -> PathOpener:
    return _kernel_or_skip() if request.param == "kernel" else WalkingOpener()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "root"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    links = {
        "inward": "a/b",
        "up_and_in": "a/../a/b/file",
        "out": "../secret",
        "absolute": str(folder / "a"),
        "loop": "loop",
        "dangling": "nowhere",
        "a/up": "..",
        "a/far_up": "../..",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    "path", ["a/b/file", "./a//b/./file", "a/../a/b/file", "inward/file", "up_and_in", "a/up/a/b/file"]
)
def test_a_path_that_stays_inside_leads_to_its_file(opener: PathOpener, root: int, path: str) -> None:
    descriptor = opener.open_path(root, path)
    with open(f"/proc/self/fd/{descriptor}") as file:
        assert "inside" == file.read()
    os.close(descriptor)


@pytest.mark.parametrize(
    "path",
    ["..", "../secret", "a/../../secret", "out", "absolute", "absolute/b", "a/far_up", "a/far_up/secret", "/etc"],
)
def test_a_path_that_leads_out_is_refused(opener: PathOpener, root: int, path: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is checked below
        opener.open_path(root, path)
    assert errno.EXDEV == caught.value.errno


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("missing", errno.ENOENT),
        ("dangling", errno.ENOENT),
        ("a/missing/x", errno.ENOENT),
        ("loop", errno.ELOOP),
        ("a/b/file/x", errno.ENOTDIR),
        ("x" * 300, errno.ENAMETOOLONG),
    ],
)
def test_failures_are_those_of_an_ordinary_open(opener: PathOpener, root: int, path: str, number: int) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is checked below
        opener.open_path(root, path)
    assert number == caught.value.errno


def test_no_descriptor_is_left_open(opener: PathOpener, root: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a/b/file", "inward/file", "out", "loop", "missing", "a/up/a/b", ".."):
        try:
            os.close(opener.open_path(root, path))
        except OSError:
            continue
    assert before == len(os.listdir("/proc/self/fd"))
