"""Tokens on the command line: shown once, kept as a hash, gone when revoked."""

import json
from pathlib import Path

import pytest

from longshift.contracts.errors import LongshiftError
from tests.cli.conftest import Command


def test_a_token_is_shown_once_and_only_its_hash_is_kept(longshift: Command, data_dir: Path) -> None:
    added = longshift("token", "add", "ci", "--scope", "submit", "--scope", "read", "--json").document
    secret = added["token"].split("_", 2)[2]
    kept = (data_dir / "tokens.json").read_text()
    assert (["submit", "read"], None, [], 1) == tuple(
        added[name] for name in ("scopes", "tenant", "repositories", "highest_priority")
    )
    assert (False, 0o600) == (secret in kept, (data_dir / "tokens.json").stat().st_mode & 0o777)
    listed = longshift("token", "list", "--json").document
    assert (["ci"], False) == ([token["name"] for token in listed["tokens"]], "hash" in json.dumps(listed))


def test_for_people_the_token_stands_alone_on_stdout(longshift: Command) -> None:
    outcome = longshift("token", "add", "ci", "--scope", "read")
    assert (1, True, True) == (
        len(outcome.out.splitlines()),
        outcome.out.startswith("ls_"),
        "not shown again" in outcome.err,
    )
    assert "ci" in longshift("token", "list").out


def test_limits_are_listed(longshift: Command) -> None:
    given = ("--tenant", "acme", "--repository", "https://git/acme/*", "--highest-priority", "3", "--expires", "8w")
    assert 0 == longshift("token", "add", "ci", "--scope", "submit", *given).code
    line = longshift("token", "list").out.splitlines()[1]
    assert [] == [
        word
        for word in ("tenant acme", "https://git/acme/*", "priority 3 at most", "never")
        if (word in line) == (word == "never")
    ]


def test_a_revoked_token_is_gone_and_its_name_free(longshift: Command) -> None:
    assert 0 == longshift("token", "add", "ci", "--scope", "read").code
    taken = longshift("token", "add", "ci", "--scope", "read", "--json")
    assert (2, True) == (taken.code, "named 'ci' already" in taken.document["error"]["message"])
    assert {"revoked": "ci"} == longshift("token", "revoke", "ci", "--json").document
    unknown = longshift("token", "revoke", "ci")
    assert (2, True) == (unknown.code, "`longshift token list`" in unknown.err)
    assert "no tokens\n" == longshift("token", "list").out
    assert 0 == longshift("token", "add", "ci", "--scope", "read").code


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["c i", "--scope", "read"], "NAME"),
        (["ci"], "--scope"),
        (["ci", "--scope", "all"], "--scope"),
        (["ci", "--scope", "read", "--tenant", "a'b"], "--tenant"),
        (["ci", "--scope", "read", "--repository", "a b"], "--repository"),
        (["ci", "--scope", "read", "--expires", "soon"], "--expires"),
        (["ci", "--scope", "read", "--expires", "2001-01-01"], "--expires"),
        (["ci", "--scope", "read", "--highest-priority", "9"], "--highest-priority"),
    ],
)
def test_what_no_token_can_have_is_bad_input(longshift: Command, arguments: list[str], word: str) -> None:
    outcome = longshift("token", "add", *arguments, "--json")
    assert (2, True) == (outcome.code, word in outcome.document["error"]["message"])


def test_a_damaged_file_is_said_and_not_overwritten(longshift: Command, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "tokens.json").write_text("{")
    outcome = longshift("token", "add", "ci", "--scope", "read", "--json")
    assert (1, "tokens", "{") == (
        outcome.code,
        outcome.document["error"]["kind"],
        (data_dir / "tokens.json").read_text(),
    )
    with pytest.raises(LongshiftError, match="restore it"):
        longshift("token", "list", "--debug")
