"""`requirements.lock` is what pyproject.toml asks for: every dependency is pinned, within its bounds, with hashes."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT, listed

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def asked_for() -> list[Requirement]:
    """Dependencies of the product and of its development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [Requirement(text) for text in (*project["project"]["dependencies"], *project["dependency-groups"]["dev"])]


def pins() -> dict[str, str]:
    """Name → version of everything in the lock."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in PIN.findall(text)}


def test_the_lock_agrees_with_the_project() -> None:
    locked = pins()
    wrong = [
        f"{wanted}: the lock has {locked.get(canonicalize_name(wanted.name), 'nothing')}"
        for wanted in asked_for()
        if not wanted.specifier.contains(locked.get(canonicalize_name(wanted.name), "0.dev0"), prereleases=True)
        or canonicalize_name(wanted.name) not in locked
    ]
    assert [] == wrong, "run `make lock`:" + listed(wrong)


def test_every_pin_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    assert [] == [block for block in blocks if block.strip() and "--hash=sha256:" not in block]
