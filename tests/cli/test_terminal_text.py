"""Text of models and repositories: nothing in it moves the cursor, changes the terminal or hides."""

import pytest

from longshift.cli.terminal_text import clean, one_line
from tests.cli.pages import HOSTILE, UNSAFE


def test_control_and_direction_characters_become_visible() -> None:
    assert set() == UNSAFE & set(clean(HOSTILE))
    assert "␛[31mred␇ \\u202eback \\u009b" == clean("\x1b[31mred\x07 \u202eback \x9b")


def test_line_ends_tabs_and_all_other_text_stay() -> None:
    assert "ä\t漢字 🙂\nnext\nlast" == clean("ä\t漢字 🙂\r\nnext\nlast")


def test_a_carriage_return_alone_cannot_overwrite_a_line() -> None:
    assert "harmless␍rm -rf" == clean("harmless\rrm -rf")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n\n  first \n second", "first"),
        ("a\tb", "a b"),
        ("123456", "123456"),
        ("1234567", "12345…"),
        ("\x1b[2J", "␛[2J"),
    ],
)
def test_one_line_is_the_first_that_says_something_shortened(text: str, line: str) -> None:
    assert line == one_line(text, 6)
