"""A workspace, a real process runner and the tools on top of them."""

from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.outcome import ToolContext, ToolOutcome
from longshift.adapters.tools.toolbox import Toolbox
from longshift.contracts import ids
from longshift.contracts.tools import TOOL_ARGUMENTS

AGENT = "task-1/lead"


@dataclass
class Workshop:
    """Calls tools as the loop would: every call has its own index unless one is given."""

    folder: Path
    runner: ProcessRunner
    toolbox: Toolbox
    progress: list[str] = field(default_factory=list[str])
    calls: int = 0

    @property
    def root(self) -> Path:
        return self.folder / "workspace"

    @property
    def outputs_root(self) -> Path:
        return self.folder / "runs" / "task-1"

    def context(self, index: int, agent: str = AGENT) -> ToolContext:
        return ToolContext(
            agent=agent,
            task_id="task-1",
            step=1,
            index=index,
            root=self.root,
            home=self.folder / "home",
            tmp=self.folder / "tmp",
            outputs_root=self.outputs_root,
            run_key=ids.run_key(agent, 1, index),
        )

    async def call(
        self, name: str, *, index: int | None = None, patience_seconds: float | None = None, **values: object
    ) -> ToolOutcome:
        if index is None:
            self.calls += 1
            index = self.calls
        return await self.toolbox.run(
            name,
            TOOL_ARGUMENTS[name].model_validate(values),
            self.context(index),
            patience_seconds=patience_seconds,
            on_progress=self.progress.append,
        )

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file
