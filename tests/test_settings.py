"""Settings: layers, their order, and what is said about a wrong value."""

import asyncio
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.connect import connect
from longshift.contracts.errors import BadInput, EngineError
from longshift.contracts.task import Budget, TaskSpec
from longshift.host_identity import persisted_host_id
from longshift.settings import load_settings
from tests.ports import free_port

PROFILES = """
[models.house]
extends = "generic"
base_url = "http://127.0.0.1:9"
model = "house-1"
api_key_env = "LONGSHIFT_HOUSE_KEY"
window_tokens = 100000
limits = { concurrency = 10, share = 0.5 }
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, a project folder and an environment of the test's own."""
    for name in list(os.environ):
        if name.startswith(("LONGSHIFT_", "TEMPORAL_", "OTEL_", "XDG_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return tmp_path


@pytest.fixture
def user_file(home: Path) -> Callable[[str], Path]:
    return lambda text: written(home / ".config" / "longshift" / "config.toml", text)


@pytest.fixture
def project_file(home: Path) -> Callable[[str], Path]:
    return lambda text: written(home / "project" / "longshift.toml", text)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


Write = Callable[[str], Path]


def test_without_any_configuration_everything_has_a_default(home: Path) -> None:
    settings = load_settings()
    assert home / ".local" / "share" / "longshift" == settings.data_dir
    assert (settings.data_dir / "store").as_uri() == settings.store_url
    assert ("kimi-k2.6", "bubblewrap", "console") == (settings.model_profile, settings.sandbox, settings.log_format)
    assert settings.uses_external_engine is False
    assert not settings.data_dir.exists()


def test_later_layers_win_field_by_field(
    user_file: Write, project_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file("model_slots = 1\ntool_slots = 1\nhost = 'one'\nlog_level = 'debug'")
    project_file("model_slots = 2\ntool_slots = 2\nhost = 'two'")
    monkeypatch.setenv("LONGSHIFT_MODEL_SLOTS", "3")
    monkeypatch.setenv("LONGSHIFT_TOOL_SLOTS", "3")
    settings = load_settings({"model_slots": 4, "data_dir": None})
    assert (4, 3, "two", "debug") == (settings.model_slots, settings.tool_slots, settings.host, settings.log_level)


def test_store_lies_in_whatever_data_directory_won(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("LONGSHIFT_DATA_DIR", "~/elsewhere with space")
    settings = load_settings()
    assert home / "elsewhere with space" == settings.data_dir
    assert f"file://{home}/elsewhere%20with%20space/store" == settings.store_url


def test_xdg_folders_are_honoured(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "conf"))
    written(home / "conf" / "longshift" / "config.toml", "tool_slots = 7")
    settings = load_settings()
    assert (home / "data" / "longshift", 7) == (settings.data_dir, settings.tool_slots)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("LONGSHIFT_TOOL_SLOTS", "many", r"^environment: tool_slots: .*valid integer.*; got 'many'$"),
        ("LONGSHIFT_PROVIDER_SHARE", "0", r"^environment: provider_share: .*greater than 0; got '0'$"),
        ("LONGSHIFT_LOG_LEVEL", "loud", r"^environment: log_level: .*'debug', 'info'.*; got 'loud'$"),
        ("LONGSHIFT_SANDBOX", "bwrap", r"^environment: sandbox: .*'bubblewrap', .* or 'none'; got 'bwrap'$"),
        ("LONGSHIFT_TOOL_SLOT", "3", r"^environment: LONGSHIFT_TOOL_SLOT is not .* mean LONGSHIFT_TOOL_SLOTS\?$"),
        ("LONGSHIFT_ZZZZZZ", "3", r"^environment: LONGSHIFT_ZZZZZZ is not a setting; there are: LONGSHIFT_API_ADDRESS"),
        ("LONGSHIFT_USES_EXTERNAL_ENGINE", "1", r"^environment: LONGSHIFT_USES_EXTERNAL_ENGINE is not a setting"),
        ("LONGSHIFT_MODL_API_KEY", "k", r"did you mean LONGSHIFT_MODEL_API_KEY\?$"),
        ("LONGSHIFT_METRICS_ADDRESS", "9000", r"^environment: metrics_address: "),
        ("LONGSHIFT_MODEL_PROFILE", "kimi-k2.7", r"^model_profile: no profile 'kimi-k2.7'; there are: .*kimi-k2.6,"),
        ("LONGSHIFT_MODEL_PROFILES", "/nonexistent.toml", r"^/nonexistent\.toml: cannot be read"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", r"^environment: otlp_endpoint: "),
    ],
)  # fmt: skip
def test_wrong_variable_is_refused_with_layer_field_and_remedy(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadInput, match=expected):
        load_settings()


def test_wrong_file_is_refused_by_its_path(user_file: Write, project_file: Write) -> None:
    path = user_file("tool_slot = 3")
    with pytest.raises(BadInput, match=rf"^{path}: tool_slot is not a setting; did you mean tool_slots\?$"):
        load_settings()
    user_file("tool_slots = 0")
    with pytest.raises(BadInput, match=rf"^{path}: tool_slots: .*greater than or equal to 1; got 0$"):
        load_settings()
    user_file("")
    path = project_file("tool_slots = ")
    with pytest.raises(BadInput, match=rf"^{path}: is not valid TOML"):
        load_settings()
    path.unlink()
    path.mkdir()
    with pytest.raises(BadInput, match=rf"^{path}: cannot be read \(Is a directory\)"):
        load_settings()


def test_key_in_a_file_is_refused_and_not_repeated(project_file: Write) -> None:
    project_file("model_api_key = 'sk-very-secret'")
    with pytest.raises(BadInput, match="set LONGSHIFT_MODEL_API_KEY instead") as refused:
        load_settings()
    assert "sk-very-secret" not in str(refused.value)


def test_wrong_command_line_value_names_that_layer() -> None:
    with pytest.raises(BadInput, match=r"^command line: engine_port: .*65535; got 70000$"):
        load_settings({"engine_port": 70_000})
    with pytest.raises(BadInput, match=r"^command line: engin_port is not a setting; did you mean engine_port\?$"):
        load_settings({"engin_port": 1})


def test_variables_of_kubernetes_services_are_not_taken_for_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT", "PORT_7233_TCP", "PORT_7233_TCP_ADDR"):
        monkeypatch.setenv(f"LONGSHIFT_{suffix}", "10.0.0.1")
        monkeypatch.setenv(f"LONGSHIFT_WEB_{suffix}", "10.0.0.1")
    assert load_settings().engine_port is None


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_TOOL_SLOTS", "")
    monkeypatch.setenv("LONGSHIFT_NOT_A_SETTING", "")
    assert 32 == load_settings().tool_slots


@pytest.mark.parametrize("text", ['["{}", "~/b.toml"]', "{},~/b.toml", " {} , '~/b.toml' "])
def test_list_in_a_variable_is_json_or_has_commas(monkeypatch: pytest.MonkeyPatch, home: Path, text: str) -> None:
    first = written(home / "a.toml", PROFILES)
    second = written(home / "b.toml", "")
    monkeypatch.setenv("LONGSHIFT_MODEL_PROFILES", text.replace("{}", str(first)))
    settings = load_settings()
    assert (first, second) == settings.model_profiles
    assert "house-1" == settings.profiles()["house"].model


def test_profiles_in_the_configuration_files_count_and_keys_are_found_by_the_variable_they_name(
    project_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_file('model_profile = "house"\nprovider_share = 0.5\n' + PROFILES)
    monkeypatch.setenv("LONGSHIFT_HOUSE_KEY", "sk-house")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant")
    settings = load_settings()
    assert ("LONGSHIFT_HOUSE_KEY", 0.25) == (
        settings.profiles()["house"].api_key_env,
        settings.profiles()["house"].limits.share,
    )
    assert ("sk-house", "sk-ant", None) == tuple(
        settings.key_of(name) for name in ("LONGSHIFT_HOUSE_KEY", "ANTHROPIC_API_KEY", "MOONSHOT_API_KEY")
    )
    assert frozenset({"sk-house", "sk-ant"}) == settings.secret_values()
    assert "sk-house" not in repr(settings)


def test_model_variables_change_the_default_profile_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_MODEL_BASE_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("LONGSHIFT_MODEL_NAME", "local")
    monkeypatch.setenv("LONGSHIFT_MODEL_API_KEY", "sk-mine")
    settings = load_settings()
    default, other = settings.profiles()["kimi-k2.6"], settings.profiles()["claude"]
    assert ("http://127.0.0.1:8000", "local", "LONGSHIFT_MODEL_API_KEY") == (
        default.base_url,
        default.model,
        default.api_key_env,
    )
    assert "ANTHROPIC_API_KEY" == other.api_key_env
    assert "sk-mine" == settings.key_of(default.api_key_env)
    assert "sk-mine" not in repr(settings)


def test_standard_collector_variable_counts_unless_the_sdk_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert "http://collector:4318" == load_settings().otlp_endpoint
    monkeypatch.setenv("LONGSHIFT_OTLP_ENDPOINT", "http://mine:4318")
    assert "http://mine:4318" == load_settings().otlp_endpoint
    monkeypatch.delenv("LONGSHIFT_OTLP_ENDPOINT")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert load_settings().otlp_endpoint is None


def test_settings_are_frozen_and_do_not_look_around_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    monkeypatch.setenv("LONGSHIFT_TOOL_SLOTS", "5")
    assert 32 == type(settings)().tool_slots
    with pytest.raises(ValidationError, match="frozen"):
        settings.tool_slots = 1  # pyright: ignore[reportAttributeAccessIssue]  # that is what is refused


def test_agent_limits_join_the_tasks_budget_with_the_configuration() -> None:
    chosen = load_settings({"compact_at_share": 0.7, "swarm_width": 12})
    limits = chosen.agent_limits(Budget(steps=10, tokens=20, usd=3))
    assert (10, 20, 3, 0.7) == (limits.steps, limits.tokens, limits.usd, limits.compact_at_share)
    assert 12 == limits.swarm_width


def test_host_id_is_made_once_and_kept(home: Path) -> None:
    first = load_settings()
    assert first.host_id == load_settings().host_id
    assert first.host_id == (first.data_dir / "host-id").read_text().strip()
    assert ["host-id"] == [path.name for path in first.data_dir.iterdir()]
    assert "named" == load_settings({"host": "named"}).host_id


def test_all_of_many_first_calls_get_the_same_host_id(home: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(persisted_host_id, [home / "data"] * 64))
    assert 1 == len(found)


def test_damaged_host_id_is_refused_and_never_replaced(home: Path) -> None:
    path = written(home / "data" / "host-id", "A B\n")
    with pytest.raises(BadInput, match=r"host-id: holds no host id; restore it"):
        persisted_host_id(home / "data")
    assert "A B\n" == path.read_text()


def test_data_directory_that_cannot_be_made_is_bad_input(home: Path) -> None:
    written(home / "file", "")
    with pytest.raises(BadInput, match="LONGSHIFT_DATA_DIR"):
        persisted_host_id(home / "file" / "data")


async def test_connect_without_an_engine_says_how_to_get_one() -> None:
    with pytest.raises(EngineError, match=r"no engine runs on .*longshift up.*TEMPORAL_ADDRESS"):
        await connect(load_settings())


async def test_connect_to_an_address_where_nobody_listens_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("TEMPORAL_ADDRESS", target)
        settings = load_settings()
        assert settings.uses_external_engine is True
        with pytest.raises(EngineError, match=rf"cannot connect to {target}: .*check TEMPORAL_ADDRESS"):
            await connect(settings)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("TEMPORAL_PROFILE", "Profile 'missing' not found"), ("TEMPORAL_CONFIG_FILE", "names a server")],
)
async def test_wrong_profile_of_the_sdk_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, variable: str, expected: str
) -> None:
    monkeypatch.setenv(variable, "missing")
    with pytest.raises(BadInput, match=expected):
        await connect(load_settings())


@pytest.mark.engine
async def test_connect_finds_the_embedded_engine_of_the_data_directory_and_a_profile_wins_over_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings()
    binary = await asyncio.to_thread(find_engine_binary)
    engine = EmbeddedEngine(settings.data_dir, binary=binary, search_attributes={}, ui=False, port=free_port())
    address = await engine.start()
    try:
        client = await connect(settings)
        assert (address.address, "default") == (client.service_client.config.target_host, client.namespace)

        profile = f'[profile.cluster]\naddress = "{address.address}"\nnamespace = "other"\n'
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(written(home / "temporal.toml", profile)))
        monkeypatch.setenv("TEMPORAL_PROFILE", "cluster")
        assert "other" == (await connect(load_settings())).namespace
    finally:
        await engine.stop()


def test_network_profiles_are_tables_and_a_default_is_one_of_them(project_file: Write) -> None:
    project_file('default_network = "a"\n[network_profiles.a]\nhosts = ["*.example.org"]\n')
    settings = load_settings()
    assert ("*.example.org",) == settings.network_profiles["a"].hosts
    assert ("a", "none") == (settings.default_network, settings.default_setup_network)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[network_profiles.a]\nhosts = ["127.1"]', "a.hosts: '127.1' is not an address in its usual form"),
        ("[network_profiles.a]\nhosts = []", "network_profiles.a.hosts: "),
        ('[network_profiles.a]\nhost = ["x.example"]', "network_profiles.a.hosts: Field required"),
        ('[network_profiles.a]\nhosts = ["x.example"]\nallow_private = ["10.0.0.1/8"]', "a.allow_private: 10.0.0.1/8"),
        ('[network_profiles.none]\nhosts = ["x.example"]', "'none' is built in"),
        ('default_network = "b"', "default_network: Value error, no network profile is named so; choose one of none"),
    ],
)
def test_a_wrong_network_profile_is_refused_by_its_field(project_file: Write, text: str, complaint: str) -> None:
    path = project_file(text)
    with pytest.raises(BadInput) as refused:
        load_settings()
    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)


def test_a_task_with_a_network_that_is_not_there_is_refused_when_it_comes_in(project_file: Write) -> None:
    project_file('[network_profiles.a]\nhosts = ["x.example"]\ntenants = ["them"]\n')
    settings = load_settings()
    spec = {"id": "t-1", "title": "t", "instructions": "i"}
    settings.refuse_network(TaskSpec.model_validate({**spec, "network": "a", "tenant": "them"}))
    with pytest.raises(BadInput, match="setup_network: tenant 'default' may not use 'a'; choose one of none"):
        settings.refuse_network(TaskSpec.model_validate({**spec, "setup_network": "a"}))


def test_a_reference_in_a_file_is_no_secret_and_is_resolved_at_use(
    project_file: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(home / "token", "xoxb-from-a-file\n")
    written(home / "orders", "whsec_b3JkZXJz\n")
    project_file(
        f'slack_bot_token = "file:{home}/token"\nwebhook_secrets = ["orders=file:{home}/orders"]\n'
        f'[secrets.NPM_TOKEN]\nfile = "{home}/token"\ntenants = ["default"]\n'
    )
    monkeypatch.setenv("MOONSHOT_API_KEY", "env:HOUSE_KEY")
    settings = load_settings()
    assert (frozenset(), True) == (settings.secret_values(), settings.has_key("MOONSHOT_API_KEY"))
    with pytest.raises(BadInput, match="env:HOUSE_KEY is not set"):
        settings.key_of("MOONSHOT_API_KEY")
    monkeypatch.setenv("HOUSE_KEY", "sk-house")
    assert "sk-house" == settings.key_of("MOONSHOT_API_KEY")
    assert {} == settings.resolve_secrets()
    assert {"sk-house", "xoxb-from-a-file", "whsec_b3JkZXJz"} == settings.secret_values()
    assert "orders=whsec_b3JkZXJz" == settings.webhook_secrets[0].get_secret_value()
    assert "xoxb" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[secrets.X]\nvalue = "hunter2-hunter2"', r"secrets\.X\.value: Extra inputs"),
        ('[secrets.X]\nenv = "A"\nfile = "/b"', r"secrets\.X: .*exactly one of env, file, command"),
        ('[secrets.PATH]\nenv = "A"', "PATH is no name for a secret"),
        ('[secrets.1x]\nenv = "A"', r"secrets\.1x"),
        ('github_token = "file:relative"', "github_token: .*relative is not an absolute path"),
        ("webhook_secrets = ['orders=whsec_hunter2-hunter2']", "a key does not belong in a file"),
    ],
)
def test_wrong_secret_is_refused_and_not_repeated(project_file: Write, text: str, message: str) -> None:
    project_file(text)
    with pytest.raises(BadInput, match=message) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
