"""Provider profiles: the built-in ones and people's own."""

from pathlib import Path

import pytest
from model_wire import profile_of

from longshift.adapters.model.profiles import load_profiles, override
from longshift.contracts.errors import BadInput
from longshift.contracts.model import Limits, Usage


def written(folder: Path, text: str, name: str = "models.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(BadInput) as caught:
        load_profiles(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


OWN = """
[models.mine]
base_url = "http://127.0.0.1:8000"
model = "m"
window_tokens = 1000
max_output_tokens = 100
output_limit_tokens = 200
"""


def test_every_promised_profile_is_built_in() -> None:
    names = {"kimi-k2.6", "kimi-k3", "claude", "deepseek", "glm", "qwen", "generic"}
    assert names == set(load_profiles())
    assert all(name == profile.name for name, profile in load_profiles().items())


def test_sampling_is_sent_only_where_the_endpoint_takes_it() -> None:
    profiles = load_profiles()
    default = {"temperature": 1.0, "top_p": 1.0}
    assert {"deepseek": default, "generic": default} == {
        name: profile.sampling for name, profile in profiles.items() if profile.sampling
    }


def test_every_hosted_profile_can_be_used_as_it_is_and_knows_its_prices() -> None:
    for name, profile in load_profiles().items():
        if name != "generic":
            assert profile == override(profile)
            assert profile.prices.cost_usd(Usage(input_tokens=1, cached_tokens=1, output_tokens=1)) > 0
            assert profile.prices.cached < profile.prices.input


def test_only_endpoints_that_refuse_unsigned_thinking_say_so() -> None:
    assert ["claude"] == [name for name, profile in load_profiles().items() if not profile.unsigned_thinking]


def test_generic_profile_asks_for_address_and_model() -> None:
    generic = load_profiles()["generic"]
    with pytest.raises(BadInput, match="base_url: is empty"):
        override(generic, model="m")
    with pytest.raises(BadInput, match="model: is empty"):
        override(generic, base_url="http://127.0.0.1:8000")
    ready = override(generic, base_url="http://127.0.0.1:8000", model="m", auth="none", window_tokens=50_000)
    assert ("http://127.0.0.1:8000", "m", "none", 50_000) == (
        ready.base_url,
        ready.model,
        ready.auth,
        ready.window_tokens,
    )


def test_override_leaves_the_rest_as_it_was() -> None:
    changed = override(profile_of(sampling={"top_p": 0.5}), limits=Limits(concurrency=3))
    assert profile_of(sampling={"top_p": 0.5}, limits={"concurrency": 3}) == changed


def test_own_profile_stands_beside_the_built_in_ones(tmp_path: Path) -> None:
    profiles = load_profiles(written(tmp_path, OWN))
    assert ("m", "mine", 8) == (profiles["mine"].model, profiles["mine"].name, len(profiles))


def test_extending_takes_over_what_is_not_given_and_merges_limits_prices_and_headers(tmp_path: Path) -> None:
    text = '[models.fast]\nextends = "kimi-k2.6"\nlimits = { concurrency = 50 }\nextra_body = {}\n'
    profiles = load_profiles(written(tmp_path, text))
    base, fast = profiles["kimi-k2.6"], profiles["fast"]
    assert (50, base.limits.requests_per_minute) == (fast.limits.concurrency, fast.limits.requests_per_minute)
    assert ({}, base.prices, base.base_url) == (fast.extra_body, fast.prices, fast.base_url)
    assert 15 == base.limits.concurrency


def test_entry_with_a_built_in_name_changes_that_profile(tmp_path: Path) -> None:
    profiles = load_profiles(written(tmp_path, '[models."kimi-k2.6"]\nlimits = { share = 0.5 }\n'))
    assert (0.5, 15) == (profiles["kimi-k2.6"].limits.share, profiles["kimi-k2.6"].limits.concurrency)


def test_profile_may_extend_one_that_stands_below_it_or_in_an_earlier_file(tmp_path: Path) -> None:
    first = written(tmp_path, OWN, "one.toml")
    text = '[models.c]\nextends = "b"\n[models.b]\nextends = "mine"\nmodel = "n"\n'
    profiles = load_profiles(first, written(tmp_path, text, "two.toml"))
    assert ("n", "http://127.0.0.1:8000") == (profiles["c"].model, profiles["c"].base_url)


def test_other_tables_of_the_file_are_left_to_others(tmp_path: Path) -> None:
    assert "mine" in load_profiles(written(tmp_path, "[worker]\nslots = 3\n" + OWN))


def test_file_without_models_adds_none(tmp_path: Path) -> None:
    assert set(load_profiles()) == set(load_profiles(written(tmp_path, "")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models.mine\n", "is not valid TOML"),
        ("models = 3\n", "models: must be a table"),
        ("[models]\nmine = 3\n", "models.mine: must be a table"),
        ('[models.x]\nextends = "kimi-k2.5"\n', "did you mean 'kimi-k2.6'?"),
        ("[models.x]\nextends = 3\n", "models.x.extends: must be the name"),
        ('[models.x]\nextends = "y"\n[models.y]\nextends = "x"\n', "in a circle"),
        ('[models.x]\nextends = "x"\n', "no profile 'x'"),
        ('[models.x]\nmodel = "m"\n', "models.x.base_url: is missing; set it"),
        (OWN + "window_token = 5\n", "models.mine.window_token: is not a field of a profile"),
        (OWN + "window_token = 5\n", "did you mean 'window_tokens'?"),
        (OWN + "limits = { rpm = 3 }\n", "models.mine.limits.rpm: is not a field"),
        (OWN + 'auth = "basic"\n', "models.mine.auth: Input should be 'bearer'"),
        (OWN + "body_limit_bytes = 0\n", "models.mine.body_limit_bytes: Input should be greater than 0; got 0"),
        ('[models.x]\nextends = "generic"\nmodel = "m"\n', "models.x.base_url: is empty"),
        ('[models.x]\nextends = "kimi-k3"\nbase_url = "api.example.com"\n', "must start with http"),
        ('[models.x]\nextends = "kimi-k3"\nbase_url = "https://a/v1"\n', "leave out '/v1'"),
        ('[models.x]\nextends = "kimi-k3"\nbase_url = "https://a/v1/messages/"\n', "leave out"),
        ('[models.x]\nextends = "kimi-k3"\nbase_url = "https://u:p@a"\n', "put the key into api_key_env"),
        ('[models.x]\nextends = "kimi-k3"\nbase_url = "https://a?k=1"\n', "must not carry a query"),
        ('[models.x]\nextends = "kimi-k3"\nbase_url = "https://a:x"\n', "base_url: is not a URL"),
        ('[models.x]\nextends = "kimi-k3"\npath = "messages"\n', "path: must start with /"),
        ('[models.x]\nextends = "kimi-k3"\nheaders = { "a b" = "c" }\n', "headers.a b: must be a header name"),
        ('[models.x]\nextends = "kimi-k3"\nheaders = { a = "ä" }\n', "headers.a: must be"),
        ('[models.x]\nextends = "kimi-k3"\nheaders = { X-Api-Key = "s" }\n', "keys are not kept in profiles"),
        (
            '[models.x]\nextends = "kimi-k3"\nextra_body = { stream = false }\n',
            "extra_body.stream: is set by Longshift",
        ),
        ('[models.x]\nextends = "kimi-k3"\nsampling = { max_tokens = 3 }\n', "sampling.max_tokens: is set by"),
        ('[models.x]\nextends = "kimi-k3"\nmax_output_tokens = 999999\n', "is more than output_limit_tokens"),
        ('[models.x]\nextends = "kimi-k3"\nwindow_tokens = 32768\n', "leaves no room for a prompt"),
        ('[models.x]\nextends = "kimi-k3"\nerror_rules = [{ kind = "quota" }]\n', "error_rules.0: matches everything"),
        (
            '[models.x]\nextends = "kimi-k3"\nerror_rules = [{ kind = "quota", pattern = "(" }]\n',
            "error_rules.0.pattern: is not a regular expression",
        ),
        (
            '[models.x]\nextends = "kimi-k3"\nerror_rules = [{ kind = "lost", status = 400 }]\n',
            "models.x.error_rules.0.kind",
        ),
    ],
)
def test_wrong_entry_is_refused_with_file_field_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.toml: cannot be read"):
        load_profiles(tmp_path / "nowhere.toml")


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"models\.toml: is not valid TOML"):
        load_profiles(path)
