"""The defaults of the limits follow what this process may use, not what the machine has."""

import os
from pathlib import Path

import pytest
from limits_places import imitated

from longshift.adapters.limits.host_size import HostSize, host_size, meminfo_bytes
from longshift.settings import Settings


def test_the_machines_figures_count_where_nothing_limits_this_process(tmp_path: Path) -> None:
    mounts, own = imitated(tmp_path)
    size = host_size(tmp_path / "not" / "yet", mounts=mounts, own=own)
    assert (len(os.sched_getaffinity(0)), meminfo_bytes("MemTotal")) == (size.processors, size.memory_bytes)
    assert size.disk_bytes > 0


@pytest.mark.parametrize("level", ["unified", "unified/worker.service"])
def test_a_containers_limit_counts_wherever_it_is_set(tmp_path: Path, level: str) -> None:
    mounts, own = imitated(tmp_path)
    (tmp_path / "unified" / "worker.service" / "memory.max").write_text("max\n")
    (tmp_path / level / "memory.max").write_text("300000000\n")
    assert 300_000_000 == host_size(tmp_path, mounts=mounts, own=own).memory_bytes


def test_a_limit_of_version_1_counts_too(tmp_path: Path) -> None:
    mounts, own = tmp_path / "mountinfo", tmp_path / "cgroup"
    mounts.write_text(f"35 31 0:32 / {tmp_path} rw - cgroup cgroup rw,memory\n")
    own.write_text("4:memory:/box\n3:cpu,cpuacct:/\n")
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "memory.limit_in_bytes").write_text("200000000\n")
    assert 200_000_000 == host_size(tmp_path, mounts=mounts, own=own).memory_bytes


def test_a_session_gets_its_part_of_the_host_unless_it_is_told(tmp_path: Path) -> None:
    host = HostSize(processors=8, memory_bytes=16_000_000_000, disk_bytes=100_000_000_000)
    default = Settings(data_dir=tmp_path).limits_of_session(host)
    assert (8_000_000_000, 8.0, 25_000_000_000, 1_024) == (
        default.memory_bytes,
        default.processors,
        default.disk_bytes,
        default.processes,
    )
    told = Settings(data_dir=tmp_path, session_memory_bytes=64_000_000, session_cpus=0.5, session_disk_bytes=10_000_000)
    limits = told.limits_of_session(host)
    assert (64_000_000, 0.5, 10_000_000) == (limits.memory_bytes, limits.processors, limits.disk_bytes)
