"""What a model reads of the limits that its command met."""

from typing import Any

import pytest

from longshift.adapters.process.run_state import Finished
from longshift.adapters.tools.endings import ending


def finished(**changes: Any) -> Finished:
    values: dict[str, Any] = {
        "exit_code": 0,
        "signal": None,
        "timed_out": False,
        "killed_reason": None,
        "duration_seconds": 0.1,
        "total_bytes": 0,
        "io_errno": None,
    }
    return Finished(**values | changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"exit_code": 137, "oom_kills": 1},
            "exit code 137; 1 process of the session killed by the kernel: its commands together used up the memory"
            " that it may use",
        ),
        ({"exit_code": 137}, "exit code 137 (killed by SIGKILL, perhaps for want of memory)"),
        (
            {"exit_code": 0, "oom_kills": 3},
            "exit code 0; 3 processes of the session killed by the kernel: its commands together used up the memory"
            " that it may use",
        ),
        (
            {"exit_code": 254, "refused_forks": 7},
            "exit code 254; the session's commands had as many processes as they may have, further ones were refused",
        ),
        (
            {"killed_reason": "the session's commands used 4.1 GB of memory, the limit is 4 GB"},
            "killed: the session's commands used 4.1 GB of memory, the limit is 4 GB",
        ),
    ],
)
def test_the_limit_that_was_met_is_named(changes: dict[str, Any], text: str) -> None:
    assert text == ending(finished(**changes), None)
