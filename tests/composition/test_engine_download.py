"""The last resort for a server binary: what was downloaded once is used again."""

import os
from pathlib import Path

from longshift.adapters.engine import EngineOrigin
from longshift.engine_download import downloaded


def test_the_newest_downloaded_binary_is_used(tmp_path: Path) -> None:
    for age, name in enumerate(("temporal-sdk-new", "temporal-sdk-old")):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        modified = 1_000_000 - age
        os.utime(path, (modified, modified))
    (tmp_path / "temporal-notes.txt").write_text("not a program")
    found = downloaded(tmp_path)
    assert found is not None
    assert (tmp_path / "temporal-sdk-new", EngineOrigin.DOWNLOAD) == (found.path, found.origin)


def test_without_a_download_there_is_none(tmp_path: Path) -> None:
    assert downloaded(tmp_path) is None
