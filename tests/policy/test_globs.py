"""Globs of write scopes: no two that share a path are taken for apart, whatever the files of today are."""

import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from longshift.policy import globs

NAMES = ("a", "b", "ab", "ba", "a.b", "aab")
PATHS = tuple("/".join(names) for length in (1, 2, 3) for names in itertools.product(NAMES, repeat=length))
WORDS = st.text("ab.*?", min_size=1, max_size=4) | st.sampled_from(("[ab]", "[a-c]*", "*.b", "**", "?[b-z]"))


def written(start: str, words: list[str], end: str) -> str:
    return f"{start}{'/'.join(words)}{end}"


PATTERNS = st.builds(
    written,
    st.sampled_from(("", "/")),
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from(("", "", "/", "/**")),
).filter(lambda text: not globs.problem_of(text))


def matched(pattern: str) -> set[str]:
    """The paths for which the rule holds as the seal reads it."""
    spec = GitIgnoreSpec.from_lines([pattern])
    return {path for path in PATHS if spec.match_file(path)}


def shared(one: str, other: str) -> str | None:
    return globs.shared_path(globs.parse(one), globs.parse(other))


@settings(max_examples=400)
@given(PATTERNS, PATTERNS)
def test_globs_that_match_one_path_are_never_taken_for_apart(one: str, other: str) -> None:
    if matched(one) & matched(other):
        assert shared(one, other) is not None


@settings(max_examples=400)
@given(PATTERNS, PATTERNS)
def test_the_path_that_is_named_is_matched_by_both(one: str, other: str) -> None:
    path = shared(one, other)
    if path is not None and not {".", ".."} & {*path.split("/")}:  # no file has such a name
        assert GitIgnoreSpec.from_lines([one]).match_file(path), path
        assert GitIgnoreSpec.from_lines([other]).match_file(path), path


@settings(max_examples=300)
@given(PATTERNS, st.sampled_from(PATHS))
def test_a_glob_stands_for_the_paths_that_it_matches(pattern: str, path: str) -> None:
    assert (path in matched(pattern)) == (globs.shared_path(globs.parse(pattern), globs.of_path(path)) is not None)


@given(PATTERNS, PATTERNS)
def test_the_order_does_not_matter(one: str, other: str) -> None:
    assert (shared(one, other) is None) == (shared(other, one) is None)


@given(st.lists(st.lists(PATTERNS, max_size=3), max_size=6))
def test_all_pairs_are_found_without_comparing_all_of_them(scopes: Sequence[Sequence[str]]) -> None:
    parsed = [[globs.parse(text) for text in scope] for scope in scopes]
    found = {(each.first, each.second) for each in globs.overlaps(parsed, lambda _one, _other: False)}
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(scopes)), 2)
        if any(globs.shared_path(one, other) is not None for one in parsed[i] for other in parsed[j])
    }
    assert expected == found


@given(PATTERNS, PATTERNS)
def test_what_is_covered_is_matched(one: str, other: str) -> None:
    if globs.covers(globs.parse(one), globs.parse(other)):
        assert matched(other) <= matched(one)


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ("src/a.py", "src/b.py", None),
        ("src/*_001.py", "src/*_002.py", None),
        ("src/**", "src/new/file.py", "src/new/file.py"),
        ("src/a", "src/a/b.py", "src/a/b.py"),
        ("docs/", "src/docs", "src/docs/x"),
        ("/docs/", "/docs", "docs/x"),
        ("/docs/", "src/docs", None),
        ("docs/", "docs/**", "docs/x"),
        ("src/*.py", "src/a*", "src/a.py"),
        ("a[0-4].py", "a[5-9].py", "a5.py/a0.py"),
        ("/a[0-4].py", "/a[5-9].py", None),
        ("**/tests/*.py", "src/**", "src/tests/.py"),
    ],
)
def test_what_two_globs_share(one: str, other: str, path: str | None) -> None:
    assert path == shared(one, other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("/", "is empty"),
        ("!src/a", "an exception"),
        ("#a", "a comment"),
        ("../a", ".."),
        ("./a", "from the root"),
        ("a//b", "from the root"),
        (" a", "blanks"),
        ("a\nb", "control characters"),
        ("src/[a", "no pattern of a name"),
        ("src/[!a]", "no pattern of a name"),
        ("src/[+-9]", "no pattern of a name"),
        ("src/[z-a]", "no pattern of a name"),
        ("src/a**b", "no pattern of a name"),
        ("src/[[:alpha:]]", "no pattern of a name"),
        ("src/**/", "ends with **/"),
        ("src/a\\", "no pattern of a name"),
        ("a" * 501, "501 characters"),
    ],
)
def test_what_is_no_glob_of_a_scope_is_refused_with_the_remedy(text: str, words: str) -> None:
    assert words in globs.problem_of(text)


@pytest.mark.parametrize("text", ["src/parser/**", "a b.py", "/setup.py", "src/[a-c]*.p?", "docs/", "**", "\\#a", "ä"])
def test_what_is_one_passes(text: str) -> None:
    assert "" == globs.problem_of(text)


@pytest.mark.parametrize(
    ("protected", "scope", "is_covered"),
    [
        ("tests/**", "tests/test_a.py", True),
        ("tests/", "tests/unit/**", True),
        ("tests/", "tests/**", True),
        ("tests/", "tests", False),
        ("tests/*.py", "tests/*.py", True),
        ("conftest.py", "src/conftest.py", True),
        ("tests/*.py", "tests/**", False),
        ("*.lock", "src/**", False),
        ("src/schema.sql", "src/**", False),
    ],
)
def test_a_scope_in_which_nothing_may_change_is_found(protected: str, scope: str, is_covered: bool) -> None:
    assert is_covered == globs.covers(globs.parse(protected), globs.parse(scope))


def test_long_patterns_are_compared_without_a_limit_on_depth() -> None:
    assert shared("*a" * 240, "a*" * 240) is not None
    assert shared("a/" * 240 + "b", "**/b") is not None


@pytest.mark.parametrize(
    "scopes",
    [
        [[f"src/package/module_{number:03}.py", f"tests/test_{number:03}.py"] for number in range(300)],
        [[f"src/*_{number:03}.py"] for number in range(300)],
        [[f"src/part_{number:03}/**/*.py"] for number in range(300)],
    ],
    ids=["files", "stars", "folders"],
)
def test_three_hundred_scopes_are_compared_within_a_second(scopes: list[list[str]]) -> None:
    parsed = [[globs.parse(text) for text in scope] for scope in scopes]
    seconds: list[float] = []
    for _ in range(3):
        started = time.process_time()
        assert [] == list(globs.overlaps(parsed, lambda _one, _other: False))
        seconds.append(time.process_time() - started)
    assert min(seconds) < 1
