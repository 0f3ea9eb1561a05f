"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.errors import BadInput
from longshift.policy.durations import parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1_800), ("6h", 21_600), ("1d12h", 129_600), ("2w", 1_209_600), ("1D 2H", 93_600)],
)
def test_a_length_of_time_is_read(text: str, seconds: int) -> None:
    assert timedelta(seconds=seconds) == parse_duration("every", text)


@pytest.mark.parametrize("text", ["", "6", "h", "-1h", "1h1d", "0s", "1.5h", "6 hours", "999999999w"])
def test_anything_else_is_refused_with_the_forms_that_there_are(text: str) -> None:
    with pytest.raises(BadInput, match=r"every: .* is no length of time; write it like 90s, 30m, 6h"):
        parse_duration("every", text)


@given(st.integers(1, 10**9))
def test_what_is_shown_is_read_as_the_same(seconds: int) -> None:
    assert timedelta(seconds=seconds) == parse_duration("every", show_duration(timedelta(seconds=seconds)))
