"""How evidence reads, for the model and for people alike: short sentences with numbers of steps in them."""

from collections.abc import Iterable, Sequence

from longshift.contracts.stuck import CallEvidence, Severity, Signal, SignalKind, StepEvidence

SENTENCE_CHARACTERS = 300
SENTENCES = 5
_QUOTED_CALLS = 3
_NAMED_STEPS = 6


def signal(kind: SignalKind, severity: Severity, steps: tuple[int, int], *sentences: str) -> Signal:
    """A signal with its evidence in bounds; empty sentences are left out."""
    told = tuple(_cut(sentence) for sentence in sentences if sentence)[:SENTENCES]
    return Signal(kind=kind, severity=severity, first_step=steps[0], last_step=steps[1], evidence=told)


def span(first: int, last: int) -> str:
    """`step 4` or `steps 4 to 9`."""
    return f"step {first}" if first == last else f"steps {first} to {last}"


def steps_named(steps: Sequence[int]) -> str:
    """`steps 4, 9 and 12`; of many the latest, and how many there were before."""
    if len(steps) == 1:
        return f"step {steps[0]}"
    named = [str(step) for step in steps[-_NAMED_STEPS:]]
    earlier = f" (and {len(steps) - len(named)} earlier)" if len(steps) > len(named) else ""
    return f"steps {', '.join(named[:-1])} and {named[-1]}{earlier}"


def quoted(calls: Iterable[CallEvidence]) -> str:
    """The calls in a few words each, every one once."""
    told = list(dict.fromkeys(call.summary or call.name for call in calls))
    more = f" and {len(told) - _QUOTED_CALLS} more" if len(told) > _QUOTED_CALLS else ""
    return ", ".join(f"`{text}`" for text in told[:_QUOTED_CALLS]) + more


def tokens_spent(steps: Iterable[StepEvidence]) -> str:
    """What the steps cost; nothing where that is not known."""
    tokens = sum(step.tokens for step in steps)
    return f"These steps cost {tokens:,} tokens." if tokens else ""


def _cut(sentence: str) -> str:
    line = " ".join(sentence.split())
    return line if len(line) <= SENTENCE_CHARACTERS else line[: SENTENCE_CHARACTERS - 1] + "…"
