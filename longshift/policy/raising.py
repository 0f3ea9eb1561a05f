"""How a person says by how much a budget is raised: `+10 usd`, `2M tokens, 500 steps`; nonsense is refused."""

import re

from longshift.contracts.ledger import Allowance, Extension
from longshift.policy import ledger

MOST = {"tokens": 1e12, "usd": 1e7, "steps": 1e6}
"""Beyond this a number is a slip."""
EXAMPLES = "such as `+10 usd`, `+2000000 tokens` or `+500 steps`, several with commas between them"
_UNITS = {
    "usd": ("usd", "$", "dollar", "dollars"),
    "tokens": ("token", "tokens", "tok"),
    "steps": ("step", "steps"),
}
_NAMES = {word: name for name, words in _UNITS.items() for word in words}
_SCALES = {"": 1.0, "k": 1e3, "m": 1e6}
_PART = re.compile(r"\+?\s*(?P<front>\$?)\s*(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<scale>[km]?)\s*(?P<unit>\$|[a-z]*)")
_SEPARATORS = re.compile(r"\s*(?:[;\n]|,(?!\d{3}\b)|\band\b)\s*")


def more_of(text: str, limits: Allowance) -> Extension | str:
    """By how much `limits` are raised; a text is the refusal, for the person who wrote."""
    asked = [part for part in _SEPARATORS.split(text.strip().lower()) if part]
    found: dict[str, float] = dict.fromkeys(ledger.LIMITS, 0.0)
    for part in asked:
        match = _PART.fullmatch(part.replace(",", ""))
        unit = (match["unit"] or match["front"]) if match else ""
        if match is None or unit not in _NAMES or (match["front"] and _NAMES[unit] != "usd"):
            return f"{part!r} is not an amount; write {EXAMPLES}"
        found[_NAMES[unit]] += float(match["number"]) * _SCALES[match["scale"]]
    return _checked(found, limits) if asked else f"no amount is given; write {EXAMPLES}"


def refuse(more: Extension, limits: Allowance) -> str:
    """Why an extension is not taken; empty: it is."""
    has, wants = ledger.amounts(limits), ledger.amounts(more)
    for name, amount in wants.items():
        wanted = amount or 0
        if wanted < 0:
            return f"{name}: {wanted:g} is below 0; a budget can only be raised"
        if wanted > MOST[name]:
            return f"{name}: {wanted:g} is more than {MOST[name]:g}, and seems to be a slip"
        if wanted and has[name] is None:
            return f"{name}: this task has no such limit, so there is nothing to raise"
    return "" if any(wants.values()) else f"nothing is raised; write {EXAMPLES}"


def in_words(more: Extension) -> str:
    """`+500,000 tokens, +$2.50, +20 steps`."""
    parts = (
        f"+{more.tokens:,} tokens" if more.tokens else "",
        f"+${more.usd:,.2f}" if more.usd else "",
        f"+{more.steps:,} steps" if more.steps else "",
    )
    return ", ".join(part for part in parts if part)


def _checked(found: dict[str, float], limits: Allowance) -> Extension | str:
    if any(amount > MOST[name] for name, amount in found.items()):
        return next(f"{name}: {found[name]:g} seems to be a slip" for name in found if found[name] > MOST[name])
    more = Extension(tokens=round(found["tokens"]), usd=found["usd"], steps=round(found["steps"]))
    return refuse(more, limits) or more
