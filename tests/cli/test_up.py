"""`up` where it cannot start: who is there already is said."""

import os
from pathlib import Path

from longshift.adapters.engine import DataLock
from tests.cli.processes import finished


def test_a_locked_data_directory_names_who_holds_it(data_dir: Path) -> None:
    with DataLock(data_dir):
        code, out, err = finished("up")
    assert (2, "") == (code, out)
    assert f"data_dir: {data_dir} is in use by process {os.getpid()}, since 20" in err
    assert "stop it first, or choose another directory with --data-dir" in err


def test_a_data_directory_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = finished("up", "--data-dir", str(tmp_path / "file"))
    assert (2, True) == (code, "set LONGSHIFT_DATA_DIR to a directory that can be written" in err)
