"""What stands behind an agent's word that it is done: whose checks, which claims, whose verdict. Pure functions."""

from collections.abc import Sequence

from rich.text import Text

from longshift.cli.terminal_text import clean, one_line
from longshift.contracts.completion import CheckSource, ClaimVerdict, CompletionReport, JudgedClaim, Verdict
from longshift.policy import proof_notes

ORIGINS = {CheckSource.PROPOSED: "  proposed by the agent, as the task declares none", CheckSource.DECLARED: ""}


def origin(said: CompletionReport | None) -> str:
    """Whose checks they are, where that is worth a word."""
    return ORIGINS.get(said.source, "") if said is not None else ""


def proof(said: CompletionReport | None) -> list[Text]:
    """Proposed checks, what became of them, claims and verdicts; nothing where there is nothing to say."""
    if said is None:
        return []
    parts: list[Text] = []
    if said.proposed:
        lines = [f"  {clean(check.name)}: {one_line(check.run, 120)}" for check in said.proposed]
        parts.append(_section("checks proposed in the plan", [Text(line) for line in lines]))
    if said.weakened:
        parts.append(_section("checks changed by the agent", [_warning(line) for line in said.weakened]))
    if said.claims:
        parts.append(_section("what the agent says it ran", list(map(_claim, said.claims))))
    if said.verdicts:
        parts.append(_section("verifier", [line for each in said.verdicts for line in _verdict(each)]))
    return parts


def _section(title: str, lines: Sequence[Text]) -> Text:
    return Text("\n").join([Text(title, style="bold"), *lines])


def _warning(text: str) -> Text:
    return Text(f"  ! {one_line(text, 300)}", style="yellow")


def _claim(claim: JudgedClaim) -> Text:
    mark, style = ("✔", "green") if claim.verdict is ClaimVerdict.PROVED else ("✗ not proved:", "yellow")
    said = f" ({one_line(claim.outcome, 60)})" if claim.outcome else ""
    record = f"\n      {proof_notes.record_says(claim)}"
    return Text.assemble((f"  {mark} {one_line(claim.command, 120)}", style), said, (record, "dim"))


def _verdict(verdict: Verdict) -> list[Text]:
    style = "green" if verdict.accepted else "yellow" if verdict.overruled_by else "red"
    (line,) = proof_notes.verdict_line([verdict])
    head = Text(f"  {'✔' if verdict.accepted else '✗'} {one_line(line.removeprefix('[verifier] '), 300)}", style=style)
    return [head, *(Text(f"      missing: {one_line(what, 200)}", style="dim") for what in verdict.missing)]
