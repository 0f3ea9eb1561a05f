"""Ports for the servers of the tests: in one run no port is given twice, also when several processes share its tests.

A port that was free a moment ago may be another test's by the time its server is up; and a worker that looks for an
engine which has ended must not find the next one there. So every process of a run has a range of its own, below those
that the kernel gives to clients (`ip_local_port_range`, from 32,768). Other runs on the machine are avoided by asking.
"""

import os
import re
import socket
from itertools import count

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 10_000, 32_000
PROCESSES = 8
"""More of them share their ranges, and rely on asking."""
PORTS_EACH = (LAST_PORT - FIRST_PORT) // PROCESSES

_steps = count(os.getpid())  # runs that start at the same time begin at different places


def process_number() -> int:
    """Which of the processes of this run it is, from 0."""
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    return int(worker[1]) if worker else 0


def free_port() -> int:
    """A port of this process's range that no server listens on."""
    begin = FIRST_PORT + process_number() % PROCESSES * PORTS_EACH
    for _ in range(PORTS_EACH):
        port = begin + next(_steps) % PORTS_EACH
        try:
            socket.create_server((HOST, port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("all ports are in use")
