"""A process of its own that prepares a workspace and kills itself at a given call of git or of the store.

Usage: workspace_killed.py DATA_FOLDER STORE_FOLDER SOURCE GENERATION CALL
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from obstore.store import LocalStore

from tests.adapters.workspace.hosts import FailingStore, Fuse, Host
from tests.adapters.workspace.test_workspace_crashes import spec_of


def main(data: str, store_folder: str, source: str, generation: str, call: str) -> None:
    """Prepare; the process ends at the call, or says that there was none."""
    fuse = Fuse(int(call), burn=lambda: os.kill(os.getpid(), signal.SIGKILL))
    store = FailingStore(LocalStore(store_folder), local_root=Path(store_folder))
    store.fuse = fuse
    host = Host(Path(data), "a", store, run=fuse.run_git)
    asyncio.run(host.prepare(spec_of(Path(source)), int(generation)))
    sys.stdout.write("ready")


if __name__ == "__main__":
    main(*sys.argv[1:])
