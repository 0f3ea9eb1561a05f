"""Payload keys in the settings: forms, references, and that no message repeats a key."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from longshift.adapters.codec import new_key_text
from longshift.contracts.errors import BadInput
from longshift.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_keys_are_given_as_a_list_with_commas_and_the_first_encrypts(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = new_key_text(), new_key_text()
    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", f"new:{new}, old:{old}")
    settings = load_settings()
    assert (("new", "old"), "new") == (settings.key_ring.ids, settings.key_ring.first_id)
    assert {new, old} <= settings.secret_values()
    assert new not in repr(settings)


def test_without_keys_nothing_is_encrypted() -> None:
    assert (None, False) == (load_settings().key_ring.first_id, load_settings().has_codec_server)


def test_a_key_may_stand_in_a_file_or_another_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = new_key_text(), new_key_text()
    (home / "key").write_text(f"{first}\n")
    monkeypatch.setenv("KEY_OF_PAYLOADS", second)
    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", f"one:file:{home / 'key'},two:env:KEY_OF_PAYLOADS")
    settings = load_settings()
    assert ("one", "two") == settings.key_ring.ids
    assert {first, second} <= settings.secret_values(), "what a reference leads to is a secret too"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("one:env:NO_SUCH_VARIABLE", "payload_keys: one: env:NO_SUCH_VARIABLE is not set"),
        ("one:file:/no/such/key", r"payload_keys: one: file:/no/such/key cannot be read \(No such file"),
        ("one:env:", "payload_keys: one: env: names nothing"),
        ("one:vault:secret/x", "payload_keys: one: is not base64"),
        ("one:c2hvcnQ=", "one: has 5 bytes instead of 32"),
        ("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==", "'…' is no id of a key"),
    ],
)
def test_a_wrong_key_names_its_id_and_not_itself(given: str, said: str) -> None:
    settings = Settings(payload_keys=(SecretStr(given),))
    with pytest.raises(BadInput, match=said) as refused:
        _ = settings.key_ring
    assert "c2" not in str(refused.value)


def test_keys_do_not_belong_in_a_file(home: Path) -> None:
    key = new_key_text()
    (home / "longshift.toml").write_text(f"payload_keys = ['a:{key}']")
    with pytest.raises(BadInput, match="set LONGSHIFT_PAYLOAD_KEYS instead") as refused:
        load_settings()
    assert key not in str(refused.value)
