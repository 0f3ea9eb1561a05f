"""Whether compaction loses what is needed: how often it happens, and how much is read again after it.

Both are evidence for the stuck detector. What counts as a read is decided where a call is checked.
"""

from longshift.contracts.agent import Recall
from longshift.contracts.model import CallDigest

RECENT_COMPACTIONS = 10
KNOWN_READS = 200


def after_calls(recall: Recall, calls: tuple[CallDigest, ...]) -> Recall:
    """Take note of what an answer reads; a call that was refused reads nothing."""
    reads = tuple(call.reads for call in calls if call.reads and not call.rejected)
    if not reads:
        return recall
    latest = tuple(dict.fromkeys((*reversed(reads), *reversed(recall.reads))))[:KNOWN_READS]
    return recall.model_copy(
        update={
            "reads": latest[::-1],
            "reads_since": recall.reads_since + len(reads),
            "repeated_since": recall.repeated_since + sum(read in recall.known_reads for read in reads),
        }
    )


def after_compaction(recall: Recall, step: int) -> Recall:
    """A compaction at `step`: what was read so far is what may be read again."""
    latest = tuple(dict.fromkeys((*reversed(recall.reads), *reversed(recall.known_reads))))[:KNOWN_READS]
    return Recall(recent_steps=(*recall.recent_steps, step)[-RECENT_COMPACTIONS:], known_reads=latest[::-1])


def after_rollback(recall: Recall, to_step: int) -> Recall:
    """Steps after `to_step` are undone: what was read in them, and what they compacted, is no evidence any more."""
    steps = tuple(step for step in recall.recent_steps if step <= to_step)
    return Recall(recent_steps=steps, known_reads=recall.known_reads if steps == recall.recent_steps else ())


def compactions_per_100_steps(recall: Recall, step: int) -> float:
    """How often the context was compacted lately: over the steps since the first of the latest compactions.

    One compaction alone says nothing of a rate.
    """
    if len(recall.recent_steps) < 2:
        return 0.0
    return round(100 * (len(recall.recent_steps) - 1) / max(1, step - recall.recent_steps[0]), 2)


def repeated_reads_share(recall: Recall) -> float:
    """Of the reads since the last compaction, the part that repeats what was read before it; 0 to 1."""
    return round(recall.repeated_since / recall.reads_since, 3) if recall.reads_since else 0.0
