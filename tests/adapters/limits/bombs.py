"""Bombs of a size that a test may set off, as commands of a session. None has more than 200 processes or files.

Each says how far it came, so that a test can tell a bomb that was stopped from one that never went off.
"""

PYTHON = "/usr/bin/python3"
"""The commands' own, not that of the tests: a sandbox may show no other."""

FORKS = f"""exec {PYTHON} -c '
import os, time
made = 0
for _ in range(200):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except OSError:
        break
    made += 1
    time.sleep(0.01)
print("forked", made, flush=True)
if made == 200:
    time.sleep(60)
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
'"""
"""Up to 200 processes that wait; it ends them itself when it is refused more."""
MEMORY = f"""exec {PYTHON} -c '
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = b"x" * 64_000_000
        time.sleep(60)
        os._exit(0)
    time.sleep(0.3)
ended = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)]
print("ended", ended, flush=True)
os._exit(3)
'"""
"""Four processes of 64 MB each, none of which goes beyond a limit of its own."""
ONE_PROCESS = f"""exec {PYTHON} -c '
held = []
for _ in range(20):
    held.append(b"x" * 16_000_000)
print("held", len(held), flush=True)
'"""
"""One process of 320 MB."""
BIG_FILE = "head -c 200000000 /dev/zero > big; code=$?; stat -c %s big; exit $code"
SMALL_FILES = """for i in $(seq 200); do head -c 1000000 /dev/zero > "small-$i"; sleep 0.03; done; sleep 60"""
OUTPUT = "exec yes"
SPIN = "while :; do :; done"
OPEN_FILES = f"""exec {PYTHON} -c '
held = []
try:
    for _ in range(10_000):
        held.append(open("/dev/null"))
except OSError as error:
    print("opened", len(held), error.strerror, flush=True)
    raise SystemExit(4)
'"""
NEIGHBOUR = "for i in 1 2 3 4 5; do /bin/true || exit 9; done; echo $(echo well)"
"""What the session beside it does all the time: a few short programs."""

BOMBS = {
    "forks": FORKS,
    "memory": MEMORY,
    "one-process": ONE_PROCESS,
    "big-file": BIG_FILE,
    "small-files": SMALL_FILES,
    "output": OUTPUT,
    "spin": SPIN,
    "open-files": OPEN_FILES,
}
