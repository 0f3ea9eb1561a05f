"""What the engine alone can tell, while no worker runs. Whole sessions are followed in `tests/e2e`."""

from pathlib import Path

import pytest
from temporalio.client import Client

from longshift.contracts import ids
from tests.cli.conftest import Said

pytestmark = pytest.mark.engine

TASK = '---\nid: mend\ntitle: "Mend \\e[31mit"\n---\nDo it.\n'


@pytest.mark.usefixtures("client")
async def test_a_session_that_waits_for_a_worker(said: Said, tmp_path: Path) -> None:
    task = tmp_path / "task.md"
    task.write_text(TASK)
    submitted = await said("submit", "task.md", "--json")
    assert (0, "submitted", "mend", True, "queued") == (
        submitted.code,
        *(submitted.document[key] for key in ("event", "task_id", "is_new", "state")),
    )
    task.write_text(TASK + "And more.\n")
    other = await said("run", "task.md", "--json")
    assert (2, True) == (other.code, "'mend' belongs to another task" in other.document["error"]["message"])

    assert ["mend"] == [
        each["task_id"] for each in (await said("list", "--state", "active", "--json")).document["sessions"]
    ]
    assert ["mend"] == [each["task_id"] for each in (await said("watch", "--json")).document["sessions"]]
    assert "no sessions\n" == (await said("list", "--state", "done")).out
    status = await said("status", "mend")
    assert (0, True) == (status.code, "no worker answers; start one with `longshift up`" in status.out)
    assert "\x1b" not in status.out
    logs = await said("logs", "mend")
    assert (2, True) == (logs.code, "a worker writes to the store" in logs.err)
    doctor = (await said("doctor", "--json")).document
    workers = next(each for each in doctor["findings"] if each["name"] == "workers")
    assert ("warn", True) == (workers["level"], "longshift worker" in workers["remedy"])


async def test_a_session_that_the_engine_ended_has_failed_and_an_unknown_namespace_is_bad_input(
    client: Client, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "task.md").write_text(TASK)
    assert 0 == (await said("submit", "task.md")).code
    await client.get_workflow_handle(ids.session_workflow_id("mend")).terminate("too old")

    status = (await said("status", "mend", "--json")).document
    assert ("failed", True) == (status["status"]["state"], "terminated in the engine" in status["status"]["reason"])
    followed = await said("run", "task.md", "--json")
    lines = [line for line in followed.out.splitlines() if line]
    assert (1, 3, True) == (followed.code, len(lines), '"event":"ended"' in lines[-1])
    assert 1 == (await said("watch", "mend")).code
    steer = await said("steer", "mend", "faster", "--json")
    assert (1, {"kind": "refused", "message": "cannot steer: the session is failed"}) == (
        steer.code,
        steer.document["error"],
    )
    unknown = await said("pause", "other")
    assert (2, True) == (unknown.code, "no session has the id 'other'; `longshift list` shows" in unknown.err)

    monkeypatch.setenv("TEMPORAL_ADDRESS", client.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    for arguments in (["list"], ["status", "mend"]):
        outcome = await said(*arguments)
        assert (2, True) == (outcome.code, "check TEMPORAL_NAMESPACE" in outcome.err), outcome.err
