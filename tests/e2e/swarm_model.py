"""The scripted lead and its sub-agents: what each says is computed from who asks and how far it has come."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn
from tests.e2e.rig import KEY
from tests.e2e.swarm_job import OUTSIDE, SHARED, Job, JobItem, Role

HANDOFF = Turn(text="The module is being annotated.")
VERDICT = Turn(text='{"verdict": "accept", "reasons": ["it is what the task asks for"], "missing": []}')
MARKERS = r"sed -i -e '/^||||||| /,/^=======$/d' -e '/^=======$/d' -e '/^<<<<<<< /d' -e '/^>>>>>>> /d' " + SHARED
"""Keeps both sides of a conflict."""
LEAKED = (KEY[:8], KEY[8:])
"""The worker's key of the model, in parts: no conversation holds it whole."""
ITEM = re.compile(r"\.swarm\d+(?:-\d+)?\.([^.]+)(\.fix\d+)?$")


@dataclass
class JobModel:
    """A `Policy` for lead, items and resolvers."""

    job: Job
    effects: Path | None = None
    """A file outside of all workspaces to which each item appends its name, once."""
    delay_seconds: float = 0.0
    """Of each answer to a sub-agent."""
    asked: Counter[str] = field(default_factory=Counter[str])
    """How many steps each task asked for."""

    def __call__(self, request: RequestView) -> Turn:
        """The turn for `request`."""
        self.asked[request.user_id] += 1
        if request.is_handoff:
            return HANDOFF
        if request.is_verification:
            return VERDICT
        found = ITEM.search(request.user_id)
        if found is None:
            return self._lead(request)
        item = self.job.by_id[found[1]]
        turn = self._resolver(item, request.turn_index) if found[2] else self._item(item, request.turn_index)
        return turn.model_copy(update={"delay_seconds": self.delay_seconds})

    def _lead(self, request: RequestView) -> Turn:
        if request.turn_index == 0:
            return turn("delegate", **self.job.arguments())
        return finish("All modules are annotated, but for those that the report names.")

    def _item(self, item: JobItem, index: int) -> Turn:
        path = item.edit.path
        if index == 0:
            return turn("read_file", path=path, limit=200)
        if item.role is Role.LOOPS:
            return turn("bash", command="ls pygments")
        if item.role is Role.COSTLY:
            return turn("bash", command=f"echo {index} >> notes-{index}.txt; ls | wc -l")
        if index == 1:
            return turn("edit_file", path=path, old=item.edit.old, new=item.edit.new)
        if item.role is Role.OUTSIDE:
            return turn("bash", command=f"echo {index} >> {OUTSIDE}") if index % 2 == 0 else finish("Done.")
        if index == 2:
            return self._third(item)
        return finish(f"{path} is annotated.", measurements={"annotations": 1})

    def _third(self, item: JobItem) -> Turn:
        effect = f"echo {item.id} >> {self.effects}" if self.effects else "true"
        if item.role is Role.COLLIDES:
            return turn("bash", command=f"echo '{item.line}' >> {SHARED}; {effect}")
        if item.role is Role.LEAKS:
            return turn("bash", command=f"printf '# %s%s\\n' {LEAKED[0]} {LEAKED[1]} >> {item.edit.path}; {effect}")
        if item.damage is not None and item.role in (Role.BREAKS, Role.MENDED):
            return turn("edit_file", path=item.edit.path, old=item.damage.old, new=item.damage.new)
        if self.effects:
            return turn("bash", command=effect)
        return finish(f"{item.edit.path} is annotated.", measurements={"annotations": 1})

    def _resolver(self, item: JobItem, index: int) -> Turn:
        if item.role is Role.COLLIDES and index == 0:
            return turn("bash", command=MARKERS)
        if item.role is Role.MENDED and item.damage is not None and index == 0:
            return turn("read_file", path=item.edit.path, limit=200)
        if item.role is Role.MENDED and item.damage is not None and index == 1:
            return turn("edit_file", path=item.edit.path, old=item.damage.new, new=item.damage.old)
        return finish("Both sides are kept.")


def turn(name: str, **arguments: Any) -> Turn:
    """An answer of one call."""
    return Turn(text="next", calls=(ScriptedCall(name=name, input=arguments),))


def finish(summary: str, **more: Any) -> Turn:
    """The end."""
    return turn("finish", summary=summary, **more)
