"""What is offered with a question."""

from longshift.contracts.reviews import AskKind, Option, OptionStyle

_APPROVE = Option(id="approve", label="Approve", style=OptionStyle.PRIMARY)
_REJECT = Option(id="reject", label="Reject", style=OptionStyle.DANGER)
_END = Option(id="end", label="Hand off and end")
_CANCEL = Option(id="cancel", label="Cancel the session", style=OptionStyle.DANGER)
_ADVISE = Option(id="advise", label="Give advice…", style=OptionStyle.PRIMARY, needs_text=True)

OPTIONS: dict[AskKind, tuple[Option, ...]] = {
    AskKind.STUCK: (_ADVISE, Option(id="continue", label="Go on"), _END, _CANCEL),
    AskKind.PLAN: (_APPROVE, _REJECT.model_copy(update={"needs_text": True})),
    AskKind.RISK: (_APPROVE, _REJECT),
    AskKind.BUDGET: (Option(id="raise", label="Raise by half", style=OptionStyle.PRIMARY), _END, _CANCEL),
    AskKind.CONFIGURATION: (Option(id="retry", label="Try again", style=OptionStyle.PRIMARY), _CANCEL),
    AskKind.QUESTION: (Option(id="reply", label="Reply…", needs_text=True),),
    AskKind.DEADLINE: (Option(id="extend", label="Extend"), _END, _CANCEL),
    AskKind.VERDICT: (Option(id="accept", label="Accept as it is"), _ADVISE, _END),
}


def options_of(kind: AskKind, choices: tuple[str, ...] = ()) -> tuple[Option, ...]:
    """What a person may decide; `choices` are the answers that the agent itself offers."""
    offered = [Option(id=f"choice-{number}", label=choice[:75]) for number, choice in enumerate(choices, 1)]
    return (*offered, *OPTIONS[kind])
