"""When a fall-back profile takes over, and what becomes of the conversation: it is handed over as a compaction.

Thinking and call ids of one provider mean nothing to another, so the new model reads the old conversation once, without
them, writes the note, and goes on in an epoch of its own.
"""

from longshift.contracts.agent import AgentState, Phase


def is_due(state: AgentState) -> bool:
    """Whether the provider in use has been waited for long enough, and there is another."""
    return bool(state.fallback) and state.waited_seconds >= state.limits.fallback_after_seconds


def within_patience(state: AgentState, wait_seconds: float) -> float:
    """The next wait, not longer than until a fall-back profile takes over."""
    if not state.fallback:
        return wait_seconds
    return max(1.0, min(wait_seconds, state.limits.fallback_after_seconds - state.waited_seconds))


def to_next_profile(state: AgentState, detail: str) -> AgentState:
    """The next profile takes over; the one that was down goes to the end of the line.

    Where it comes back to the profile that wrote the current epoch, there is nothing to hand over. The waits for a last
    note go on counting, so that an agent whose providers are all down still ends.
    """
    profile, rest = state.fallback[0], (*state.fallback[1:], state.profile)
    author = state.epoch_profile or state.profile
    is_foreign = profile != author and state.step > 1
    phase = state.phase
    if phase in {Phase.MODEL, Phase.COMPACT}:
        phase = Phase.COMPACT if is_foreign else Phase.MODEL
    return state.model_copy(
        update={
            "phase": phase,
            "profile": profile,
            "fallback": rest,
            "epoch_profile": author if is_foreign else "",
            "window_tokens": 0,
            "learnt_window_tokens": 0,
            "body_limit_bytes": 0,
            "attention": None,
            "waits": state.waits if phase is Phase.HANDOFF else 0,
            "waited_seconds": 0.0,
            "last_handover": f"step {state.step}: {state.profile} → {profile}, as it stayed down ({detail[:300]})",
        }
    )
