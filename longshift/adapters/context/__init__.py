"""A conversation and its window: asking within it, hand-off notes, and the epochs that compaction begins."""

from longshift.adapters.context.asker import Asker, Prompt, most_of
from longshift.adapters.context.compactor import Compactor
from longshift.adapters.context.criticising import Criticising
from longshift.adapters.context.epochs import Epochs
from longshift.adapters.context.judging import Judging
from longshift.adapters.context.openings import Openings
from longshift.adapters.context.sizes import overhead_bytes, view_tokens
from longshift.adapters.context.tab import Tab
from longshift.adapters.context.timeline import Timeline
from longshift.adapters.context.undoing import Undoing
from longshift.adapters.context.verifying import Verifying

__all__ = [
    "Asker",
    "Compactor",
    "Criticising",
    "Epochs",
    "Judging",
    "Openings",
    "Prompt",
    "Tab",
    "Timeline",
    "Undoing",
    "Verifying",
    "most_of",
    "overhead_bytes",
    "view_tokens",
]
