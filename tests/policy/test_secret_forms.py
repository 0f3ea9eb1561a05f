"""Every form in which a program writes a value is known."""

import base64
import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from longshift.policy.secret_forms import forms

VALUES = st.text(st.characters(codec="utf-8"), min_size=8, max_size=60)


@given(VALUES, st.binary(max_size=5), st.binary(max_size=5))
def test_base64_is_found_wherever_the_value_stands_in_what_was_encoded(value: str, before: bytes, after: bytes) -> None:
    encoded = before + value.encode() + after
    for text in (base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode()):
        assert any(form in text for form in forms(value))


@given(VALUES, st.text(max_size=3), st.text(max_size=3))
def test_other_encodings_are_found_too(value: str, before: str, after: str) -> None:
    text = f"{before}{value}{after}"
    written = (text, json.dumps(text), json.dumps(text, ensure_ascii=False), text.encode().hex(), quote(value, safe=""))
    assert all(any(form in each for form in forms(value)) for each in written)


def test_short_values_and_short_lines_have_no_forms() -> None:
    assert frozenset() == forms("1234567")
    key = "-----BEGIN KEY-----\n" + "A1b2" * 16 + "\nshort\n-----END KEY-----"
    assert "A1b2" * 16 in forms(key)
    assert "short" not in forms(key)
