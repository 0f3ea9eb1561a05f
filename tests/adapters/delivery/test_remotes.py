"""Results go where the operator has named it, however an address is spelled, and a token goes to its own place."""

from typing import Any

import pytest
from pydantic import ValidationError

from longshift.adapters.delivery import Remotes
from longshift.contracts.errors import DeliveryRefused
from longshift.contracts.task import TaskSpec
from longshift.settings import Settings

REMOTES = Remotes(
    ("git@git.example:acme/", "/srv/git"),
    {"https://github.com/acme": lambda: "wide", "https://github.com/acme/tool": lambda: "narrow"},
)


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("https://github.com/acme/other.git", "wide"),
        ("https://GitHub.com/acme/tool", "narrow"),
        ("https://github.com/acme/tool.git", "narrow"),
        ("https://github.com/acme/toolbox", "wide"),
        ("git@git.example:acme/tool.git", ""),
        ("/srv/git/tool.git", ""),
    ],
)
def test_the_longest_prefix_gives_the_token(address: str, token: str) -> None:
    assert token == REMOTES.find(address).token


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/acme-evil/tool",
        "https://github.com/acme/../evil/tool",
        "https://github.com/acme/%2e%2e/evil",
        "https://github.com.evil.example/acme/tool",
        "https://github.com@evil.example/acme/tool",
        "https://x:y@github.com/acme/tool",
        "http://github.com/acme/tool",
        "https://github.com/acme//tool",
        "https://github.com\\@evil.example/acme",
        "/srv/gitter/tool",
        "/srv/git/../../etc/x",
        "srv/git/tool",
        "git@git.example:evil/tool",
        "ext::sh -c id",
        "git://git.example/acme/tool",
        "--upload-pack=x",
        "",
    ],
)
def test_nothing_else_is_taken_for_a_place_that_is_named(address: str) -> None:
    with pytest.raises(DeliveryRefused):
        REMOTES.find(address)


def test_a_token_is_not_sent_in_the_clear_to_another_machine() -> None:
    remotes = Remotes((), {"http://git.example/": lambda: "t", "http://127.0.0.1:80/": lambda: "t"})
    with pytest.raises(DeliveryRefused, match="https"):
        remotes.find("http://git.example/a/b")
    assert "t" == remotes.find("http://127.0.0.1:80/a/b").token


def settings(**given: Any) -> Settings:
    return Settings(store_url="memory://", **given)


def test_a_token_may_be_elsewhere_and_is_known_for_redaction_once_used(tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("a-token-0123456789\n")
    entry = f"https://github.com/acme/=file:{file}"
    found = settings(data_dir=tmp_path, delivery_tokens=[entry], delivery_remotes="/srv/git, git@git.example:acme/")
    assert "a-token-0123456789" == found.remotes().find("https://github.com/acme/tool").token
    assert "a-token-0123456789" in found.secret_values()
    assert "" == found.remotes().find("/srv/git/tool").token
    assert "a-token" not in repr(found)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"delivery_tokens": ["https://github.com/acme/"]}, "PREFIX=TOKEN"),
        ({"delivery_tokens": ["git@x.y:acme/=t"]}, "http"),
        ({"delivery_tokens": ["https://u:p@x.y/=t"]}, "credentials"),
        ({"delivery_remotes": ["../x"]}, "plain"),
        ({"delivery_author": "nobody"}, "pattern"),
    ],
)
def test_a_wrong_setting_says_what_is_wrong(tmp_path: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(data_dir=tmp_path, **given)


@pytest.mark.parametrize(
    ("deliver", "told"),
    [
        ({"branch": "a..b"}, "cannot name a branch"),
        ({"branch": "-x"}, "cannot name a branch"),
        ({"branch": "x.lock"}, "cannot name a branch"),
        ({"branch": "{name}"}, "cannot name a branch"),
        ({"branch": "a b"}, "cannot name a branch"),
        ({"force": True}, "Extra inputs"),
        ({"pull_request": {"title": ""}}, "at least 1 character"),
    ],
)
def test_a_wrong_wish_is_told(deliver: dict[str, Any], told: str) -> None:
    given = {"id": "t", "title": "T", "instructions": "I", "workspace": {"git": "https://x.y/a/b"}}
    with pytest.raises(ValidationError, match=told):
        TaskSpec.model_validate({**given, "deliver": deliver})


def test_a_wish_needs_a_repository() -> None:
    with pytest.raises(ValidationError, match=r"workspace\.git"):
        TaskSpec.model_validate({"id": "t", "title": "T", "instructions": "I", "deliver": {}})
