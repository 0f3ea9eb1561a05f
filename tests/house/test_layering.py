"""Who may import whom. The table is that of ARCHITECTURE.md; a folder without a row fails."""

import sys
from dataclasses import dataclass
from fnmatch import fnmatch

import pytest

from tests.house.sources import PRODUCT, imported, is_under, listed, modules

VERSION = "longshift.__version__"
OURS = ("longshift", "workflows", "activities", "worker", "tests", "bench")

PURE_STDLIB = (
    "__future__",
    "abc",
    "base64",
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fnmatch",
    "fractions",
    "functools",
    "graphlib",
    "hashlib",
    "heapq",
    "html",
    "ipaddress",
    "itertools",
    "json",
    "keyword",
    "math",
    "operator",
    "re",
    "shlex",
    "statistics",
    "string",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
)
"""What decisions may be made with: nothing here waits, reads a clock or the environment, draws lots or does I/O."""

WAITING_STDLIB = ("asyncio", "contextlib")
"""What a workflow needs beyond it; the workflow's own event loop stands behind asyncio."""


@dataclass(frozen=True)
class Row:
    """One row of the table: prefixes of dotted names that the files under `folder` may import."""

    folder: str
    ours: tuple[str, ...]
    vendors: tuple[str, ...] = ()
    stdlib: tuple[str, ...] | None = None
    """None: all of it."""


CORE = ("longshift.contracts", "longshift.policy")
PYDANTIC = ("pydantic", "pydantic_core")
BROKERS = ("aio_pika", "aiobotocore", "aiormq", "botocore", "nats", "redis")
EVERY_VENDOR = (
    *BROKERS,
    "aiohttp",
    "h11",
    "httpx",
    "obstore",
    "opentelemetry",
    "orjson",
    "pathspec",
    *PYDANTIC,
    "pydantic_settings",
    "rich",
    "slack_bolt",
    "slack_sdk",
    "standardwebhooks",
    "starlette",
    "structlog",
    "temporalio",
    "typer",
    "uvicorn",
    "yaml",
)

ROWS = (
    # A supervisor outlives the release that started it, and starts in 30 ms: the stdlib, and what has nothing else.
    Row(
        "longshift/adapters/process/supervisor.py",
        ours=("longshift.adapters.process.kept_output", "longshift.adapters.process.process_table"),
    ),
    Row("longshift/adapters/process/kept_output.py", ours=()),
    Row("longshift/adapters/process/process_table.py", ours=()),
    # It runs inside of the sandbox, where nothing of the product but this file is to be found.
    Row("longshift/adapters/sandbox/bridge.py", ours=()),
    *(
        # The proxy runs without the installed packages. Of the policy it has what needs none.
        Row(
            f"longshift/adapters/network/{name}.py",
            ours=("longshift.adapters.network", "longshift.policy.addresses", "longshift.policy.hosts"),
        )
        for name in (
            *("bodies", "byte_count", "client_hello", "dialling", "proxy"),
            *("relay", "request_head", "request_log"),
        )
    ),
    *(Row(f"longshift/policy/{name}.py", ours=(), stdlib=PURE_STDLIB) for name in ("addresses", "hosts")),
    Row("longshift/contracts", ours=("longshift.contracts",), vendors=(*PYDANTIC, "temporalio.activity")),
    Row("longshift/policy", ours=CORE, stdlib=PURE_STDLIB),
    Row(
        "longshift/adapters/brokers",
        ours=(*CORE, VERSION, "longshift.adapters"),
        vendors=(*BROKERS, "orjson", *PYDANTIC),
    ),
    Row(
        "longshift/adapters/slack",
        ours=(*CORE, "longshift.adapters.slack"),
        vendors=("aiohttp", *PYDANTIC, "slack_sdk"),
    ),
    Row(
        "longshift/adapters/fake_slack",
        ours=(*CORE, "longshift.adapters.slack.limits", "longshift.adapters.fake_slack"),
        vendors=("aiohttp", "orjson"),
    ),
    Row("longshift/adapters/codec", ours=(*CORE, "longshift.adapters.codec"), vendors=("cryptography",)),
    Row(
        "longshift/adapters",
        ours=(*CORE, VERSION, "longshift.adapters"),
        vendors=("httpx", "obstore", "orjson", "pathspec", *PYDANTIC, "starlette", "uvicorn", "yaml"),
    ),
    Row(
        "workflows",
        ours=(*CORE, "workflows"),
        vendors=("temporalio.workflow", "temporalio.common", "temporalio.exceptions"),
        stdlib=(*PURE_STDLIB, *WAITING_STDLIB),
    ),
    # The boundary is an interceptor, and interceptors are a worker's.
    Row(
        "activities/boundary.py",
        ours=("longshift.contracts",),
        vendors=("temporalio.exceptions", "temporalio.worker"),
    ),
    Row("activities/slot_supply.py", ours=("longshift.adapters.slots",), vendors=("temporalio.worker",)),
    Row(
        "activities/quarantine.py",
        ours=("longshift.adapters.crashes",),
        vendors=("temporalio.activity", "temporalio.worker"),
    ),
    *(
        # These talk to the engine about other workflows, through the worker's own client.
        Row(
            place,
            ours=(*CORE, "longshift.adapters", "activities"),
            vendors=("temporalio.activity", "temporalio.client", "temporalio.common", "temporalio.service"),
        )
        for place in ("activities/fleet.py", "activities/gate.py", "activities/slots.py")
    ),
    Row(
        "activities",
        ours=(*CORE, VERSION, "longshift.adapters", "activities"),
        vendors=("temporalio.activity", "temporalio.exceptions", "orjson", *PYDANTIC),
    ),
    Row(
        "longshift/settings.py",
        ours=(
            *CORE,
            "longshift.adapters",
            "longshift.settings_layers",
            "longshift.settings_budget",
            "longshift.settings_codec",
            "longshift.settings_delivery",
            "longshift.settings_intake",
            "longshift.settings_network",
            "longshift.settings_limits",
            "longshift.settings_people",
            "longshift.settings_secrets",
            "longshift.settings_sandbox",
            "longshift.host_identity",
        ),
        vendors=(*PYDANTIC, "pydantic_settings"),
    ),
    Row(
        "longshift/settings_budget.py",
        ours=("longshift.contracts",),
        vendors=("pydantic", "pydantic_settings"),
    ),
    Row("longshift/settings_network.py", ours=CORE, vendors=("pydantic", "pydantic_settings")),
    Row(
        "longshift/settings_codec.py",
        ours=(
            "longshift.contracts",
            "longshift.adapters.codec",
            "longshift.adapters.secrets",
            "longshift.settings_intake",
        ),
        vendors=("pydantic", "pydantic_settings"),
    ),
    Row(
        "longshift/settings_delivery.py",
        ours=(
            "longshift.adapters.delivery",
            "longshift.adapters.secrets",
            "longshift.contracts",
            "longshift.settings_intake",
        ),
        vendors=("pydantic", "pydantic_settings"),
    ),
    Row(
        "longshift/settings_intake.py", ours=("longshift.adapters.secrets",), vendors=("pydantic", "pydantic_settings")
    ),
    Row(
        "longshift/settings_people.py",
        ours=("longshift.settings_intake", "longshift.adapters.secrets"),
        vendors=("pydantic", "pydantic_settings"),
    ),
    Row(
        "longshift/settings_sandbox.py", ours=("longshift.settings_intake",), vendors=("pydantic", "pydantic_settings")
    ),
    Row(
        "longshift/settings_secrets.py",
        ours=("longshift.contracts", "longshift.adapters.secrets"),
        vendors=("pydantic", "pydantic_settings"),
    ),
    Row(
        "longshift/settings_layers.py",
        ours=("longshift.contracts", "longshift.adapters.secrets"),
        vendors=("pydantic_settings",),
    ),
    Row(
        "longshift/settings_limits.py",
        ours=("longshift.adapters.limits",),
        vendors=("pydantic", "pydantic_settings"),
    ),
    Row("longshift/host_identity.py", ours=("longshift.contracts",)),
    Row("longshift/taskfile", ours=(*CORE, "longshift.taskfile"), vendors=(*PYDANTIC, "yaml")),
    Row(
        "longshift/telemetry",
        ours=(*CORE, VERSION, "longshift.settings", "longshift.telemetry"),
        vendors=("opentelemetry", "orjson", *PYDANTIC, "rich", "structlog", "temporalio"),
    ),
    # Composition: these may see everything but the command line, which only its own entry points see.
    Row("longshift/__init__.py", ours=()),
    Row("longshift/__main__.py", ours=("longshift.cli",)),
    Row("longshift/cli", ours=("longshift", "workflows", "activities", "worker"), vendors=EVERY_VENDOR),
    *(
        Row(place, ours=("longshift", "workflows", "activities"), vendors=EVERY_VENDOR)
        for place in ("longshift/codec_server", "longshift/demo", "longshift/intake", "longshift/sessions", "worker.py")
    ),
)


COMPOSITION = Row("longshift/*.py", ours=("longshift", "workflows", "activities"), vendors=EVERY_VENDOR)
"""Modules directly in `longshift` without a row of their own put the parts together."""


def row_of(path: str) -> Row:
    """The first row that covers a file."""
    for row in ROWS:
        if path == row.folder or path.startswith(f"{row.folder}/"):
            return row
    if fnmatch(path, "longshift/*.py") and path.count("/") == 1:
        return COMPOSITION
    pytest.fail(f"{path}: no row of the import table covers it; add one here and in ARCHITECTURE.md")


def violations(path: str) -> list[str]:
    """The imports of a file that its row does not allow."""
    row = row_of(path)
    found: list[str] = []
    for line, name in imported(path):
        top = name.split(".")[0]
        if top in OURS:
            allowed = row.ours
        elif top in sys.stdlib_module_names:
            allowed = (top,) if row.stdlib is None else row.stdlib
        else:
            allowed = row.vendors
        if not any(is_under(name, prefix) for prefix in allowed):
            found.append(f"{path}:{line} imports {name}, which the row of {row.folder} does not allow")
    return found


def test_imports_keep_to_the_table() -> None:
    found = [violation for path in modules(*PRODUCT) for violation in violations(path)]
    assert [] == found, listed(found)


def test_only_entry_points_import_the_command_line() -> None:
    outside = [path for path in modules(*PRODUCT) if not path.startswith(("longshift/cli/", "longshift/__main__"))]
    importers = [path for path in outside if any(is_under(name, "longshift.cli") for _, name in imported(path))]
    assert [] == importers, listed(importers)


def test_the_product_does_not_import_its_tests() -> None:
    importers = [
        path
        for path in modules(*PRODUCT)
        if any(name.split(".")[0] in {"tests", "bench"} for _, name in imported(path))
    ]
    assert [] == importers, listed(importers)


@pytest.mark.parametrize(
    ("path", "imports"),
    [
        ("longshift/policy/loop.py", "random"),
        ("longshift/policy/loop.py", "pydantic.BaseModel"),
        ("longshift/contracts/ids.py", "longshift.policy.loop"),
        ("longshift/adapters/store/objects.py", "temporalio.client"),
        ("workflows/agent.py", "activities.model"),
        ("activities/model.py", "workflows.agent"),
    ],
)
def test_the_table_refuses_what_it_is_there_for(path: str, imports: str) -> None:
    row = row_of(path)
    allowed = (*row.ours, *row.vendors, *(row.stdlib if row.stdlib is not None else sys.stdlib_module_names))
    assert not any(is_under(imports, prefix) for prefix in allowed)
