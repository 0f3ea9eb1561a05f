"""The files of `deploy/`, each read in its own form, and the programs that check them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.sources import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
DOCKERFILE = DEPLOY / "Dockerfile"
KUBERNETES = DEPLOY / "kubernetes"
SYSTEMD = DEPLOY / "systemd"
SERVICES = tuple(sorted(SYSTEMD.glob("*.service")))
MANIFESTS = tuple(path for path in sorted(KUBERNETES.glob("*.yaml")) if path.name != "kustomization.yaml")
ROLES = {"control", "model", "host"}

Table = dict[str, Any]


def compose_services() -> dict[str, Table]:
    """Name → service, with anchors and merges resolved."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def our_services() -> dict[str, Table]:
    """Those that run our image."""
    return {name: each for name, each in compose_services().items() if "build" in each}


def manifests() -> list[Table]:
    """Every object of the cluster."""
    return [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def pods() -> dict[str, Table]:
    """Name → the pod's specification."""
    kinds = {"Deployment", "StatefulSet"}
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in manifests() if each["kind"] in kinds}


def unit(path: Path) -> dict[str, list[str]]:
    """Setting → its values in order, of all sections; systemd knows no setting of one name in two of ours."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def text_files() -> list[Path]:
    """All of `deploy/`."""
    return sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def installed(name: str) -> str:
    """A program of the development environment."""
    return str(Path(sys.executable).parent / name)


def required(name: str) -> str:
    """A program of the system: without it the test is skipped, but not in CI."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{name} is missing; .ci/run installs it")
    return found or pytest.skip(f"{name} is missing")


def complaints(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """What a program says about its arguments; nothing when it ends well and is silent on its error stream."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return done.stderr + done.stdout if done.returncode else done.stderr
