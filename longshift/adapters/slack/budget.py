"""How much of a session's budget is used, as a bar of text."""

from longshift.contracts.cards import SessionCard

BAR_CHARACTERS = 10


def used_share(card: SessionCard) -> float:
    """The largest share of any limit that is used, 0 to 1."""
    pairs = (
        (card.step, card.steps_limit),
        (card.tokens, card.tokens_limit),
        (card.cost_usd, card.usd_limit),
        (card.active_seconds, card.active_limit_seconds),
    )
    return min(1.0, max((used / limit for used, limit in pairs if limit), default=0.0))


def bar(share: float) -> str:
    """A bar, full at 1."""
    full = round(share * BAR_CHARACTERS)
    return "■" * full + "□" * (BAR_CHARACTERS - full)


def budget_line(card: SessionCard) -> str:
    """What is used of what, in one line."""
    share = used_share(card)
    parts = [
        f"{bar(share)} {share:.0%} of the budget",
        f"step {card.step:,}" + (f" of {card.steps_limit:,}" if card.steps_limit else ""),
        f"{short(card.tokens)} tokens" + (f" of {short(card.tokens_limit)}" if card.tokens_limit else ""),
        f"${card.cost_usd:,.2f}" + (f" of ${card.usd_limit:,.2f}" if card.usd_limit else ""),
        f"{card.active_seconds / 3600:.1f} of {card.active_limit_seconds / 3600:.1f} h",
    ]
    if card.context_fill:
        parts.append(f"context {card.context_fill:.0%} full")
    return "  ·  ".join(parts)


def short(number: int) -> str:
    """A large number in a few characters, such as `1.2M`."""
    for unit, size in (("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)
