"""The life of a worktree as the user who runs this: `python ordinary_program.py FOLDER`; prints what was found."""

import asyncio
import json
import sys
from pathlib import Path

from obstore.store import MemoryStore

from longshift.adapters.sandbox.bubblewrap import Bubblewrap
from longshift.adapters.worktrees.sealing import sealed
from longshift.contracts import ids
from tests.adapters.workspace.hosts import FailingStore
from tests.adapters.worktrees.swarms import SWARM, SwarmHost, repository, task
from tests.sandboxing import BWRAP

SETUP = ("mkdir -p build/closed && echo made > build/out && chmod 0500 build/closed", "ln -s /etc/shadow build/link")


async def life(folder: Path) -> dict[str, object]:
    """Make an item's worktree, work in it, seal it, discard it."""
    sandbox = Bubblewrap(executable=BWRAP, folder=folder / "hidden", hidden=(folder / "a",))
    host = SwarmHost(folder / "a", "a", FailingStore(MemoryStore()), sandbox=sandbox)
    spec = task(workspace={"git": str(repository(folder / "user"))}, setup=SETUP)
    lead, sub_agent = await host.delegating(spec)
    item = await host.item(spec, sub_agent, "one")
    found = {
        "copied": await host.says(item, "cat build/out; readlink build/link; stat -c %a build/closed"),
        "linked": shared_objects(host),
        "own": await host.says(item, "echo work > app.py; git stash -q; git stash list | wc -l; git stash pop -q"),
        "lead": await host.says(lead, "git stash list | wc -l; cat app.py"),
    }
    spec = spec.model_copy(update={"id": item.workspace_id, "sub_agent": sub_agent})
    work = await sealed(host.workspaces, item, spec, message="one", seconds=1)
    await host.workspaces.discard(item.workspace_id)
    await host.close()
    return {**found, "files": work.counts.changed_files, "left": await host.workspaces.known(SWARM)}


def shared_objects(host: SwarmHost) -> bool:
    """Whether the shadow repositories of lead and item share their objects."""
    shadows = [host.tree.parent, host.folder / "workspaces" / ids.item_task_id(SWARM, "one")]
    first, other = ({path.stat().st_ino for path in each.glob("shadow.git/objects/??/*")} for each in shadows)
    return first <= other


if __name__ == "__main__":
    json.dump(asyncio.run(life(Path(sys.argv[1]))), sys.stdout)
