"""When the context needs room, how large an answer may be, and when a budget is used up."""

from collections.abc import Iterable
from math import ceil

from longshift.contracts.agent import AgentState
from longshift.contracts.model import BYTES_PER_TOKEN, ModelProfile
from longshift.contracts.tools import ToolDigest
from longshift.contracts.transcript import SealInput

BYTES_PER_TOKEN_BOUNDS = (1.5, 6.0)
"""What is believed of a `usage`: a provider that counts nothing, or a stored prompt, must not spoil the estimate."""
BODY_SHARE = 0.85
"""Compact when the request's body has this share of what the provider takes, whatever the tokens say."""
REFUSED_SHARE = 0.95
"""What a provider that names no number takes at most, of the size that it refused."""
CLEAR_AGAIN_AFTER_STEPS = 10
COUNT_FROM_SHARE = 0.7
"""Of the window: below it an estimate that is off does no harm."""
COUNT_ESTIMATED_SHARE = 0.03
"""Of the window: less than this is within the margin that `output_tokens` keeps."""
MIN_OUTPUT_TOKENS = 1_024
"""Below this much room for an answer a call makes no sense."""


def estimate_tokens(size_bytes: int, bytes_per_token: float = BYTES_PER_TOKEN) -> int:
    """Tokens of `size_bytes` bytes of JSON, rounded up."""
    return ceil(size_bytes / bytes_per_token)


def measured_bytes_per_token(size_bytes: int, prompt_tokens: int) -> float:
    """Bytes of JSON per token, out of what a prompt's `usage` said; the usual estimate where it said nothing."""
    if not prompt_tokens or not size_bytes:
        return BYTES_PER_TOKEN
    least, most = BYTES_PER_TOKEN_BOUNDS
    return round(min(most, max(least, size_bytes / prompt_tokens)), 3)


def added_bytes(seal: SealInput, results: Iterable[ToolDigest]) -> int:
    """What a closed step adds to the context beyond the model's answer: its results and the runner's words."""
    texts = [line.text or "" for line in seal.results] + [note.text for note in seal.notes]
    return sum(map(len, texts)) + sum(result.result_bytes for result in results)


def guessed_window_tokens(profile: ModelProfile, refused_tokens: int) -> int:
    """The window of a provider that refused so many tokens and named no number; never below half of the profile's.

    The estimate of what was refused may be far off, and what is learnt holds for all agents.
    """
    return max(profile.window_tokens // 2, int(refused_tokens * REFUSED_SHARE))


def compaction_threshold_tokens(window_tokens: int, share: float, reserve_tokens: int) -> int:
    """The context size from which on it is compacted: a share of the window, or the window less a reserve.

    The reserve counts only where the window is larger than twice the reserve.
    """
    by_share = int(window_tokens * share)
    return min(by_share, window_tokens - reserve_tokens) if window_tokens > 2 * reserve_tokens else by_share


def fill(state: AgentState) -> float:
    """Share of the window in use, 0 to 1; 0 while the window is unknown."""
    return round(state.context_tokens / state.window_tokens, 3) if state.window_tokens else 0.0


def should_compact(state: AgentState) -> bool:
    """Whether the next model call should wait for a compaction."""
    if state.step <= state.epoch_first_step or state.window_tokens == 0:
        return False
    limits = state.limits
    threshold = compaction_threshold_tokens(state.window_tokens, limits.compact_at_share, limits.compact_reserve_tokens)
    is_heavy = 0 < state.body_limit_bytes * BODY_SHARE <= state.context_bytes
    return state.needs_room or is_heavy or state.context_tokens >= threshold


def may_clear(state: AgentState) -> bool:
    """Whether clearing old results may be enough: not so soon after the last time, as little would be left to clear."""
    if state.overflow_streak > 1:
        return False
    return not state.cleared_step or state.step - state.cleared_step >= CLEAR_AGAIN_AFTER_STEPS


def should_count(profile: ModelProfile, prompt_tokens: int, estimated_tokens: int) -> bool:
    """Whether an estimate is worth a request to the provider's endpoint for counting: much hangs on it."""
    is_near = prompt_tokens > COUNT_FROM_SHARE * profile.window_tokens
    return is_near and estimated_tokens > COUNT_ESTIMATED_SHARE * profile.window_tokens


def output_tokens(profile: ModelProfile, prompt_tokens: int, wanted_tokens: int | None = None) -> int:
    """How many output tokens to ask for, so that prompt and answer fit the window.

    Providers refuse a request whose prompt plus `max_tokens` exceeds the window. A twentieth of the prompt is kept
    free, as the estimate of what was added since the last `usage` can be off.
    """
    wanted = profile.max_output_tokens if wanted_tokens is None else wanted_tokens
    room = profile.window_tokens - prompt_tokens - prompt_tokens // 20
    return max(MIN_OUTPUT_TOKENS, min(wanted, profile.output_limit_tokens, room))


def exhausted_budget(state: AgentState) -> str:
    """Which budget is used up, in words for people; empty when none is."""
    limits = state.limits
    if limits.steps is not None and state.step - state.first_step >= limits.steps:
        return f"budget.steps: {limits.steps} steps used"
    if limits.tokens is not None and state.usage.total_tokens >= limits.tokens:
        return f"budget.tokens: {state.usage.total_tokens} of {limits.tokens} tokens used"
    if limits.usd is not None and state.cost_usd >= limits.usd:
        return f"budget.usd: {state.cost_usd:.2f} of {limits.usd:.2f} dollars used"
    return ""
