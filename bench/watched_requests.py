"""What requests keep of the ones before: how much of the prompt's prefix, and which facts. Nothing is parsed."""

from collections.abc import Mapping

from longshift.adapters.scripted_model.prompt import common_prefix_bytes

PROMPT_BEGIN = b'"system":'
PROMPT_END = b'],"max_tokens":'
"""System, tools and messages stand together in a request; what varies comes after them."""


class WatchedRequests:
    """Sees the requests of one conversation, in order."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.facts: dict[str, dict[str, int]] = {name: {"seen_turn": -1, "missing": 0} for name in facts}
        """By name: the turn whose request held the fact first, in how many requests after that it was missing, and
        the turn of the first of these."""
        self._texts = {name: text.encode() for name, text in facts.items()}
        self._previous = b""

    def see(self, body: bytes, turn: int, *, is_handoff: bool) -> tuple[float, int]:
        """Take a request; the share of the previous prompt that this one begins with (1 for the first), and in bytes.

        The previous request is the last one that asked for a step, not one for a hand-off note.
        """
        self._look_for_facts(body, turn)
        prompt = body[max(0, body.find(PROMPT_BEGIN)) : body.rfind(PROMPT_END)]
        previous = self._previous
        if not is_handoff:
            self._previous = prompt
        common = common_prefix_bytes(previous, prompt)
        return (common / len(previous) if previous else 1.0), common

    def _look_for_facts(self, body: bytes, turn: int) -> None:
        for name, text in self._texts.items():
            found, fact = text in body, self.facts[name]
            if fact["seen_turn"] < 0:
                fact["seen_turn"] = turn if found else -1
            elif not found:
                fact["missing"] += 1
                fact.setdefault("missing_turn", turn)
