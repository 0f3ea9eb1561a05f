"""Groups are made with their limits before a command joins them, and removed when nobody is in them.

Version 1 on this machine's hierarchies where they are writable; version 2 on a folder that imitates one, as the files
that are written are all that differs.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from limits_places import HOST, SMALL, emptied, first_hierarchies, groups_for, imitated

from longshift.adapters.limits.choice import choose, control_groups
from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.hierarchies import Hierarchies, Unusable, find_hierarchies, take_over
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished
from longshift.adapters.process.runner import ProcessRunner
from longshift.contracts.errors import HostError

needs_first = pytest.mark.skipif(
    os.getuid() != 0 or first_hierarchies() is None, reason="no writable control groups of version 1"
)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def first() -> Iterator[Hierarchies]:
    with groups_for(os.getuid()) as hierarchies:
        yield hierarchies


@needs_first
class TestVersion1:
    def test_a_group_has_the_sessions_limits(self, first: Hierarchies, tmp_path: Path) -> None:
        groups = ControlGroups(first, replace(SMALL, processors=0.5), tmp_path, HOST)
        found = {name: value for folder in groups.folders("s-1") for name, value in limits_in(Path(folder)).items()}
        assert {
            "pids.max": "60",
            "memory.limit_in_bytes": str(160_000_000 // 4_096 * 4_096),
            "cpu.cfs_quota_us": "50000",
        } == found

    def test_all_sessions_together_leave_memory_to_the_host(self, first: Hierarchies, tmp_path: Path) -> None:
        groups = ControlGroups(first, SMALL, tmp_path, HOST)
        above = {Path(folder).parent for folder in groups.folders("s-1")}
        limits = [path / "memory.limit_in_bytes" for path in above if "memory" in path.parts]
        assert [3_600_000_000 // 4_096 * 4_096] == [int(path.read_text()) for path in limits]

    def test_an_idle_group_is_removed_and_made_again_when_it_is_asked_for(
        self, first: Hierarchies, tmp_path: Path
    ) -> None:
        groups = ControlGroups(first, SMALL, tmp_path, HOST)
        folders = groups.folders("s-1")
        assert 0 == groups.sweep(idle_seconds=60.0)
        assert 1 == groups.sweep()
        assert [False] * len(folders) == [Path(folder).exists() for folder in folders]
        assert folders == groups.folders("s-1")
        assert [True] * len(folders) == [Path(folder).exists() for folder in folders]

    def test_what_a_crashed_worker_left_is_removed_and_what_it_left_running_is_kept(
        self, first: Hierarchies, tmp_path: Path
    ) -> None:
        before = ControlGroups(first, SMALL, tmp_path, HOST)
        idle, busy = before.folders("idle"), before.folders("busy")
        sleeper = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
        try:
            for folder in busy:
                Path(folder, "cgroup.procs").write_text(str(sleeper))
            assert 1 == ControlGroups(first, SMALL, tmp_path, HOST).sweep(idle_seconds=60.0)
            assert {False} == {Path(folder).exists() for folder in idle}
            assert {True} == {Path(folder).exists() for folder in busy}
        finally:
            os.kill(sleeper, 9)
            os.waitpid(sleeper, 0)
        assert 1 == before.sweep()

    def test_what_another_worker_left_is_removed_once_that_worker_is_gone(
        self, first: Hierarchies, tmp_path: Path
    ) -> None:
        worker = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
        left = ControlGroups(first, SMALL, tmp_path / "gone", HOST, worker=worker).folders("s-1")
        own = ControlGroups(first, SMALL, tmp_path, HOST)
        own.sweep()
        assert {True} == {Path(folder).exists() for folder in left}
        os.kill(worker, 9)
        os.waitpid(worker, 0)
        own.sweep()
        assert {False} == {Path(folder).parent.exists() for folder in left}

    def test_another_data_directory_has_groups_of_its_own(self, first: Hierarchies, tmp_path: Path) -> None:
        one = ControlGroups(first, SMALL, tmp_path / "one", HOST)
        other = ControlGroups(first, SMALL, tmp_path / "other", HOST)
        assert set() == set(one.folders("s-1")) & set(other.folders("s-1"))
        assert 1 == one.sweep()
        assert {True} == {Path(folder).exists() for folder in other.folders("s-1")}

    async def test_a_command_is_in_its_group_before_its_first_instruction(
        self, first: Hierarchies, tmp_path: Path
    ) -> None:
        groups = ControlGroups(first, SMALL, tmp_path, HOST)
        runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
        spec = CommandSpec(argv=("cat", "/proc/self/cgroup"), cwd="/", cgroups=groups.folders("s-1"))
        await runner.start("s-1/a", spec)
        state = await runner.wait("s-1/a", 20)
        assert isinstance(state, Finished)
        said = (await asyncio.to_thread(runner.output, "s-1/a")).text
        assert len(groups.controllers) == said.count("/session-s-1\n")


def limits_in(folder: Path) -> dict[str, str]:
    names = ("pids.max", "memory.limit_in_bytes", "cpu.cfs_quota_us")
    return {name: (folder / name).read_text().strip() for name in names if (folder / name).exists()}


async def test_a_command_whose_group_cannot_be_joined_is_not_started(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
    made = tmp_path / "made"
    spec = CommandSpec(argv=("/usr/bin/touch", str(made)), cwd="/", cgroups=(str(tmp_path / "gone"),))
    with pytest.raises(HostError, match=r"ENOENT.*gone/cgroup\.procs"):
        await runner.start("s-1/a", spec)
    assert not made.exists()


def container(folder: Path) -> tuple[Path, Hierarchies]:
    """An imitated group as its own container sees it."""
    mounts, own = imitated(folder)
    place = folder / "unified" / "worker.service"
    mounts.write_text(f"41 31 0:38 / {place} rw,relatime - cgroup2 cgroup2 rw\n")
    own.write_text("0::/\n")
    found = find_hierarchies(mounts, own)
    assert isinstance(found, Hierarchies)
    return place, found


class TestVersion2:
    def test_a_delegated_group_is_found_and_nothing_is_changed(self, tmp_path: Path) -> None:
        mounts, own = imitated(tmp_path)
        place = tmp_path / "unified" / "worker.service"
        before = contents(place)
        assert Hierarchies(2, dict.fromkeys(("pids", "memory", "cpu"), place)) == find_hierarchies(mounts, own)
        assert before == contents(place)

    def test_a_containers_processes_go_into_a_group_of_their_own(self, tmp_path: Path) -> None:
        place, found = container(tmp_path)
        (place / "cgroup.procs").write_text("4711\n")
        (place / "longshift-worker").mkdir()
        take_over(found)
        assert "4711" == (place / "longshift-worker" / "cgroup.procs").read_text()
        # A kernel's file takes each line on its own; a plain one keeps the last.
        assert (place / "cgroup.subtree_control").read_text() in {"+pids", "+memory", "+cpu"}

    def test_the_processes_of_the_whole_machine_stay_where_they_are(self, tmp_path: Path) -> None:
        place, found = container(tmp_path)
        (place / "cgroup.type").unlink()
        (place / "cgroup.procs").write_text("1\n")
        take_over(found)
        assert not (place / "longshift-worker").exists()

    def test_a_group_without_a_subgroup_for_the_worker_is_left_alone(self, tmp_path: Path) -> None:
        mounts, own = imitated(tmp_path)
        own.write_text("0::/worker.service\n")
        found = find_hierarchies(mounts, own)
        assert isinstance(found, Unusable)
        assert "/worker.service was not delegated with a subgroup longshift-worker" in found.why

    def test_a_group_has_the_sessions_limits(self, tmp_path: Path) -> None:
        found = find_hierarchies(*imitated(tmp_path))
        assert isinstance(found, Hierarchies)
        limits = replace(SMALL, processors=1.5)
        [folder] = ControlGroups(found, limits, tmp_path, HOST).folders("s-1")
        assert {"pids.max": "60", "memory.max": "160000000", "cpu.max": "150000 100000"} == contents(Path(folder))
        assert "3600000000" == contents(Path(folder).parent)["memory.max"]

    def test_as_many_processors_as_the_host_has_are_no_quota(self, tmp_path: Path) -> None:
        found = find_hierarchies(*imitated(tmp_path))
        assert isinstance(found, Hierarchies)
        [folder] = ControlGroups(found, replace(SMALL, processors=2.0), tmp_path, HOST).folders("s-1")
        assert "max 100000" == contents(Path(folder))["cpu.max"]

    def test_swap_is_none_where_the_kernel_accounts_for_it(self, tmp_path: Path) -> None:
        found = find_hierarchies(*imitated(tmp_path))
        assert isinstance(found, Hierarchies)
        groups = ControlGroups(found, SMALL, tmp_path, HOST)
        [folder] = groups.folders("s-1")
        (Path(folder) / "memory.swap.max").write_text("max")
        ControlGroups(found, SMALL, tmp_path, HOST).folders("s-1")
        assert "0" == contents(Path(folder))["memory.swap.max"]

    def test_a_group_without_processes_is_removed(self, tmp_path: Path) -> None:
        found = find_hierarchies(*imitated(tmp_path))
        assert isinstance(found, Hierarchies)
        groups = ControlGroups(found, SMALL, tmp_path, HOST)
        [folder] = groups.folders("s-1")
        emptied(Path(folder))
        assert 1 == groups.sweep()
        assert not Path(folder).exists()

    def test_a_name_that_is_no_plain_one_stays_in_the_folder(self, tmp_path: Path) -> None:
        found = find_hierarchies(*imitated(tmp_path))
        assert isinstance(found, Hierarchies)
        groups = ControlGroups(found, SMALL, tmp_path, HOST)
        places = {Path(folder) for name in ("s-1", "../s-1", "a/b", "é", "x" * 300) for folder in groups.folders(name)}
        assert (5, 1) == (len(places), len({place.parent for place in places}))


@pytest.mark.parametrize("controllers", ["cpu io", ""])
def test_what_is_missing_is_said(tmp_path: Path, controllers: str) -> None:
    found = find_hierarchies(*imitated(tmp_path, controllers=controllers))
    assert isinstance(found, Unusable)
    assert "has no controller pids and memory; cgroup v1 has no hierarchy for pids and memory" in found.why


def test_first_version_needs_its_hierarchies_to_be_writable(tmp_path: Path) -> None:
    mounts, own = tmp_path / "mountinfo", tmp_path / "cgroup"
    own.write_text("4:memory:/\n")
    places = {name: tmp_path / name for name in ("pids", "memory", "cpu,cpuacct")}
    places["pids"].mkdir()
    mounts.write_text("".join(f"1 1 0:1 / {path} rw - cgroup cgroup rw,{name}\n" for name, path in places.items()))
    found = find_hierarchies(mounts, own)
    assert isinstance(found, Unusable)
    assert f"{places['memory'] / 'longshift'} cannot be written" in found.why
    places["memory"].mkdir()
    assert Hierarchies(1, {name: places[name] for name in ("pids", "memory")}) == find_hierarchies(mounts, own)


def test_what_is_demanded_and_cannot_be_had_is_refused() -> None:
    with pytest.raises(HostError, match=r"control groups cannot be made: nothing here\. cgroup v2: run the worker"):
        choose("cgroup", Unusable("nothing here"))


def test_what_is_chosen_instead_says_why() -> None:
    chosen = choose("auto", Unusable("nothing here"))
    assert (None, "nothing here") == (chosen.found, chosen.why)
    assert "about once a second" in chosen.gap


def test_groups_that_the_kernel_refuses_after_all_are_no_reason_to_do_without(tmp_path: Path) -> None:
    gone = Hierarchies(2, dict.fromkeys(("pids", "memory"), tmp_path / "gone"))
    with pytest.raises(HostError, match="LONGSHIFT_SESSION_LIMITS=rlimits"):
        control_groups(choose("auto", gone), SMALL, tmp_path, HOST)
    with pytest.raises(HostError, match=r"cannot make the control group of session s-1: .*LONGSHIFT_SESSION_LIMITS"):
        ControlGroups(Hierarchies(1, {"pids": Path("/proc/none")}), SMALL, tmp_path, HOST).folders("s-1")
