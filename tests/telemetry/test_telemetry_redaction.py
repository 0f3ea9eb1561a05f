"""Secrets do not leave, and looking for them costs no more than the text is long."""

import base64
import json
import textwrap
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.telemetry.redaction import MASK, Redactor

TOKENS = (
    "sk-" + "a1B2" * 6,
    "sk-ant-api03-" + "x_-9" * 8,
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a_B2" * 9,
    "glpat-" + "a1B2" * 5,
    "xoxb-1234567890-abcdef",
    "xapp-1-A0-123456789",
    "ls_0123456789abcdef_" + "x_-9" * 10,
    "whsec_" + "a1B2" * 8,
    "AKIA" + "ABCD1234" * 2,
    "AIza" + "a_B-" * 9,
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "key={}", 'say "{}", then', "line\n{}\nline", "({})"])
def test_token_is_masked_wherever_it_stands(token: str, around: str) -> None:
    assert around.format(MASK) == Redactor().text(around.format(token))


def test_credentials_in_addresses_headers_and_keys_are_masked() -> None:
    redactor = Redactor()
    assert f"https://{MASK}@host/x.git" == redactor.text("https://me:pass-word@host/x.git")
    assert f"Authorization: Bearer {MASK}" == redactor.text("Authorization: Bearer abcdef.123456~789")
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----"
    assert f"a {MASK} b" == redactor.text(f"a {key} b")
    assert f"a {MASK}" == redactor.text("a " + key.partition("-----END")[0])


@pytest.mark.parametrize(
    "text",
    ["https://host:8080/a@b", "task-sk-1", "ask-me-anything-about-this-thing", "e.g. eyJ", "git@host:a/b", "none"],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert text == Redactor(["none"]).text(text)


def test_known_value_is_masked_even_within_a_word_and_the_longer_of_two_first() -> None:
    redactor = Redactor(["house-secret", "house-secret-2", ".*.*.*.*"])
    assert f"x{MASK}y {MASK}" == redactor.text("xhouse-secrety house-secret-2")
    assert f"{MASK} anything" == redactor.text(".*.*.*.* anything")


def test_values_are_masked_at_any_depth_and_by_the_name_of_their_key() -> None:
    redactor = Redactor(["house-secret"])
    nested: dict[str, Any] = {
        "a": [{"b": ("house-secret", 1)}],
        "Authorization": "x",
        "tokens": 5,
        "raw": b"house-secret",
    }
    assert {"a": [{"b": [MASK, 1]}], "Authorization": MASK, "tokens": 5, "raw": MASK} == redactor.table(nested)
    deep: Any = "house-secret"
    for _ in range(50):
        deep = [deep]
    assert "house-secret" not in str(redactor.value(deep))


@given(st.text(), st.lists(st.text(min_size=8), max_size=3))
def test_no_known_value_ever_survives(text: str, secrets: list[str]) -> None:
    redacted = Redactor(secrets).text(text + "".join(secrets))
    assert all(secret not in redacted or secret in MASK * 4 for secret in secrets)


@pytest.mark.parametrize(
    "unit",
    ["eyJ", "eyJaaaaaaaa.", "sk-", "sk-a", "Bearer ", "://a:", "-----BEGIN PRIVATE KEY-----", "xoxb-", "ghp_", "a@"],
)
def test_looking_through_megabytes_ends(unit: str) -> None:
    # A pattern that is quadratic in the text takes hours for this and runs into the test's time limit.
    text = unit * (2_000_000 // len(unit))
    assert len(Redactor(["house-secret"]).text(text)) <= len(text) * 2


SECRET = 'p4ss/w0rd+with "quotes" & spaces-0123456789'  # it is one, for the tests


def test_a_known_value_is_masked_in_the_forms_that_programs_write() -> None:
    redactor = Redactor([SECRET])
    raw = SECRET.encode()
    shifted = [base64.b64encode(b"x" * count + raw + b"yz").decode() for count in range(4)]
    written = [SECRET, json.dumps({"a": SECRET}), quote(SECRET), quote(SECRET, safe=""), raw.hex(), raw.hex().upper()]
    wrapped = base64.encodebytes(b"some text before it: " + raw * 3).decode()
    for text in [*written, *shifted, wrapped, "\n".join(textwrap.wrap(raw.hex(), 30))]:
        assert MASK in redactor.known(f"a {text} b"), text
        assert f"a {MASK} b" == redactor.known(f"a {SECRET} b")


def test_what_only_looks_like_a_token_stays_where_files_are_shown() -> None:
    text = "url = 'postgres://me:pass-word@host/db'; key = 'sk-" + "a1B2" * 6 + "'"
    assert text == Redactor(["house-secret"]).known(text)
    assert "sk-a1B2" not in Redactor(["house-secret"]).text(text)


def test_a_value_that_becomes_known_later_is_masked_from_then_on() -> None:
    values: set[str] = set()
    redactor = Redactor(lambda: values)
    assert "a house-secret" == redactor.text("a house-secret")
    values.add("house-secret")
    assert f"a {MASK}" == redactor.text("a house-secret")


def test_bytes_without_a_secret_are_the_same_object_and_need_no_encoding() -> None:
    redactor = Redactor(["house-secret"])
    body = b"\xff\x00 anything"
    assert redactor.known_bytes(body) is body
    assert b"\xff [redacted]" == redactor.known_bytes(b"\xff house-secret")


@given(st.text(max_size=200))
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert text == Redactor(["a-value-that-nobody-draws-9f8e7d"]).known(text)


def test_time_grows_with_the_text_and_not_faster() -> None:
    redactor = Redactor([f"{number:04d}-aaaaaaaaaaaaaaaaaaaaaaaaab" for number in range(20)])
    for unit in ("a", "aaaa \n", "0001-aaaa", " "):
        text = unit * (2_000_000 // len(unit))
        begun = time.monotonic()
        redactor.known(text)
        assert time.monotonic() - begun < 10, unit
