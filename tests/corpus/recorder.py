"""A workspace and an agent in it, as far as evidence goes: scenes act on it, and it records the steps."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from longshift.contracts.agent import Recall
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.stuck import CallEvidence, StepEvidence
from longshift.policy import recall
from longshift.policy.normalise import result_hash
from tests.corpus.trace import Event


@dataclass(frozen=True)
class Act:
    """A call that was made, with its result."""

    call: CallEvidence
    reads: str = ""


@dataclass
class Recorder:
    """Files by path, a clock that runs, and the steps so far. Acts change the files, `step` closes a step with them."""

    rng: random.Random
    files: dict[str, str] = field(default_factory=lambda: {"README.md": "0", "pyproject.toml": "0"})
    events: list[Event] = field(default_factory=list[Event])
    recall: Recall = field(default_factory=Recall)
    plan_done: int = 0
    number: int = 0
    seconds: int = 0
    names: int = 0

    @property
    def next_step(self) -> int:
        """The number of the next step."""
        return self.number + 1

    def fresh(self, stem: str) -> str:
        """A name that was not used before."""
        self.names += 1
        return f"{stem}_{self.names}"

    def clock(self) -> str:
        """The time, as logs have it."""
        self.seconds += self.rng.randint(1, 50)
        minutes, seconds = divmod(self.seconds, 60)
        return f"2026-11-24 {minutes // 60 % 24:02}:{minutes % 60:02}:{seconds:02}"

    def change(self, path: str, content: str = "") -> None:
        """Give a file a content, by default one that it never had."""
        self.files[path] = content or self.fresh("content")

    def bash(
        self, command: str, output: str = "", *, failed: bool = False, waits: bool = False, changes: bool = True
    ) -> Act:
        """A command that ran; what it changed is told by `change` before the step closes."""
        code = 1 if failed else 0
        text = f"{output}\nexit code {code}" if output or failed else "exit code 0"
        return self._act("bash", {"command": command}, text, failed=failed, waits=waits, changes=changes)

    def poll(self, job: str, output: str) -> Act:
        """A look at a job that still runs."""
        args = {"job": job, "wait_seconds": 60}
        return self._act("bash_output", args, f"{output}\nstill running", waits=True)

    def read(self, path: str, offset: int = 1) -> Act:
        """A file that is read."""
        text = lines(f"{path} {self.files.get(path, '0')} {offset}", 30)
        return self._act("read_file", {"path": path, "offset": offset}, text, reads=f"{path} {offset}")

    def grep(self, pattern: str, hits: int = 6) -> Act:
        """A search; without a hit its result is short."""
        text = lines(f"grep {pattern}", hits) if hits else "no match"
        return self._act("grep", {"pattern": pattern}, text, reads=f"grep {pattern}")

    def edit(self, path: str, content: str = "") -> Act:
        """An edit that succeeds: the file is another one afterwards."""
        before = self.files.setdefault(path, "0")
        self.change(path, content)
        args = {"path": path, "old": before, "new": self.files[path]}
        return self._act("edit_file", args, f"Replaced 1 place in {path}.", changes=True)

    def bad_edit(self, path: str, old: str) -> Act:
        """An edit that finds nothing to replace."""
        args = {"path": path, "old": old, "new": "x"}
        text = f"The text to replace does not occur in {path}. Read the file again and copy it exactly as it stands."
        return self._act("edit_file", args, text, failed=True)

    def write(self, path: str, content: str = "") -> Act:
        """A file that is written whole."""
        self.change(path, content)
        return self._act("write_file", {"path": path, "content": self.files[path]}, f"Wrote {path}.", changes=True)

    def rejected(self, name: str, args: str) -> Act:
        """A call that fails the format check."""
        signature = hashlib.sha256(f"{name} {args}".encode()).hexdigest()[:16]
        return Act(CallEvidence(name=name, signature=signature, failed=True, rejected=True, summary=f"{name} {args}"))

    def pytest(self, target: str, failures: tuple[str, ...] = (), passed: int = 40) -> Act:
        """A run of tests, with all that changes from run to run."""
        took = f"{self.rng.uniform(0.2, 9):.2f}s"
        head = f"platform linux -- Python 3.11\n{self.clock()} collected {passed + len(failures)} items\n"
        body = "".join(f"FAILED {target}::{name} - AssertionError\n{lines(name, 4)}" for name in failures)
        tail = (
            f"=== {len(failures)} failed, {passed} passed in {took} ===" if failures else f"{passed} passed in {took}"
        )
        return self.bash(f"pytest -q {target}", head + body + tail, failed=bool(failures))

    def plan(self, done: int = 1) -> Act:
        """Lines of the plan that are done now."""
        self.plan_done += done
        return self._act("update_plan", {"done": self.plan_done}, "Plan noted.")

    def step(self, *acts: Act, green: int | None = None, checks: str = "", refused: bool = False) -> None:
        """Close a step with these calls; none of them: the answer was text alone."""
        self.number += 1
        compacted = bool(self.recall.recent_steps) and self.recall.recent_steps[-1] == self.number
        self.recall = recall.after_calls(self.recall, tuple(_digest(index, act) for index, act in enumerate(acts)))
        evidence = StepEvidence(
            step=self.number,
            calls=tuple(act.call for act in acts),
            green=green,
            checks=_hash(checks) if checks else "",
            finish_refused=refused,
            plan_done=self.plan_done,
            tokens=self.rng.randint(20_000, 90_000),
            compacted=compacted,
        )
        tree = _hash(json.dumps(self.files, sort_keys=True)) if any(act.call.changes for act in acts) else ""
        self.events.append(Event(evidence, tree, self.recall))

    def finish(self, red: str, green: int) -> None:
        """A `finish` that is refused because checks are red."""
        text = f"Not done: these checks are red.\n{red}\n{lines(red, 6)}"
        self.step(self._act("finish", {"summary": "Done."}, text, failed=True), green=green, checks=red, refused=True)

    def compact(self) -> None:
        """The context is compacted before the next step."""
        self.recall = recall.after_compaction(self.recall, self.next_step)

    def _act(
        self,
        name: str,
        args: Mapping[str, object],
        text: str,
        *,
        failed: bool = False,
        waits: bool = False,
        changes: bool = False,
        reads: str = "",
    ) -> Act:
        canonical = json.dumps(args, sort_keys=True)
        call = CallEvidence(
            name=name,
            signature=_hash(f"{name} {canonical}"),
            result=result_hash(text, ToolClass.EFFECT if name.startswith("bash") else ToolClass.PURE),
            result_bytes=len(text.encode()),
            failed=failed,
            changes=changes,
            waits=waits,
            summary=f"{name}: {' '.join(map(str, args.values()))}"[:120],
        )
        return Act(call, reads)


def lines(key: str, count: int) -> str:
    """Text of so many lines that depends on the key alone; no line looks like a time."""
    return "".join(f"{number}: {_hash(f'{key} {number}', 24)} {key[:40]}\n" for number in range(count))


def _hash(text: str, size: int = 16) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:size]


def _digest(index: int, act: Act) -> CallDigest:
    return CallDigest(
        index=index,
        call_id=f"c{index}",
        name=act.call.name,
        tool_class=ToolClass.PURE,
        arguments_hash=act.call.signature,
        reads=act.reads,
        rejected=act.call.rejected,
    )
