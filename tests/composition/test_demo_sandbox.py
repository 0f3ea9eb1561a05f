"""The demo without a sandbox: its own script may run, a live model may not, and what was spelled out counts."""

from pathlib import Path

import pytest

from longshift.contracts.errors import HostError
from longshift.demo.run import confined
from longshift.settings import Settings
from tests.sandboxing import requires_bubblewrap

LIVE = {"model_base_url": "http://127.0.0.1:1/"}


@pytest.fixture
def no_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def settings(tmp_path: Path, **given: object) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path / "data", **given})


@pytest.mark.usefixtures("no_bubblewrap")
async def test_the_script_runs_unsandboxed_and_says_why(tmp_path: Path) -> None:
    found, why = await confined(settings(tmp_path), tmp_path / "downloads" / "package.tar.gz")
    assert ("none", True) == (found.sandbox, "bubblewrap (bwrap) is not on the PATH" in why)


@pytest.mark.usefixtures("no_bubblewrap")
async def test_a_live_model_is_refused_with_the_remedies(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"apt-get install bubblewrap.*LONGSHIFT_SANDBOX=none"):
        await confined(settings(tmp_path, **LIVE), tmp_path / "downloads" / "package.tar.gz")


@pytest.mark.usefixtures("no_bubblewrap")
async def test_a_live_model_runs_where_none_is_spelled_out(tmp_path: Path) -> None:
    found, why = await confined(settings(tmp_path, **LIVE, sandbox="none"), tmp_path / "downloads" / "package.tar.gz")
    assert ("none", "") == (found.sandbox, why)


@requires_bubblewrap()
async def test_with_a_sandbox_both_run_in_it(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    for given in ({}, LIVE):
        found, why = await confined(settings(tmp_path, **given), tmp_path / "downloads" / "package.tar.gz")
        assert ("bubblewrap", "") == (found.sandbox, why)
