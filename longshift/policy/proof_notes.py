"""The runner's words to the model about the proof of its work: claims, proposed checks, verdicts."""

from collections.abc import Sequence

from longshift.contracts.completion import CheckSource, ClaimVerdict, CompletionReport, JudgedClaim, Verdict
from longshift.policy import notes

CHECKS_WANTED = (
    "This task declares no checks, so nothing proves yet when it is done. Call update_plan once more with `checks`: "
    "the commands whose exit code 0 would prove the work. The runner runs them itself when you call finish."
)
CHECKS_IGNORED = (
    "This task declares its own checks, and those decide; the checks in your plan are not taken. Go on with the work."
)
TIME_IS_UP = "Not finished: the time was up before the work could be verified."
REFUSAL_LIMIT_CHARACTERS = 12_000
_SAID = {
    ClaimVerdict.PROVED: "ran at step {step}, after the last change of files, and succeeded",
    ClaimVerdict.NEVER_RUN: "no command that contains it is among those that ran lately",
    ClaimVerdict.FAILED: "the command line that held it failed when it ran last, at step {step}",
    ClaimVerdict.STALE: "it ran last at step {step}, and files were changed after that",
    ClaimVerdict.UNKNOWN: "it was started at step {step}, and its end was not seen",
}


_ACCEPTED = {
    CheckSource.DECLARED: notes.FINISH_ACCEPTED,
    CheckSource.PROPOSED: "Accepted: every check of your plan passes. The session ends here.",
    CheckSource.NONE: "Accepted: there are no checks to prove it by. The session ends here.",
}


def accepted(said: CompletionReport) -> str:
    """The result of a `finish` that is accepted, with all that speaks for it and against it."""
    return "\n".join([_ACCEPTED[said.source], *claim_lines(said.claims), *verdict_line(said.verdicts[-1:])])


def claim_lines(claims: Sequence[JudgedClaim]) -> list[str]:
    """Claims and what the record says, a line each."""
    marks = {ClaimVerdict.PROVED: "proved"}
    return [f"[{marks.get(each.verdict, 'NOT PROVED')}] `{each.command}`: {record_says(each)}" for each in claims]


def verdict_line(verdicts: Sequence[Verdict]) -> list[str]:
    """Verdicts in a line each."""
    return [f"[verifier] step {each.step}: {_outcome(each)}. {' '.join(each.reasons)}".rstrip() for each in verdicts]


def _outcome(verdict: Verdict) -> str:
    if verdict.accepted:
        return "accepts"
    said = "gave no usable verdict" if verdict.unreadable else "rejects"
    return f"{said}, overruled by {verdict.overruled_by}" if verdict.overruled_by else said


def record_says(claim: JudgedClaim) -> str:
    """What the record says about a claim."""
    if claim.verdict is ClaimVerdict.PROVED and claim.hidden:
        return f"ran at step {claim.step}, after the last change of files; the exit code of its line was another's"
    return _SAID[claim.verdict].format(step=claim.step)


def claims_unproved(unproved: Sequence[JudgedClaim], *, is_last: bool) -> str:
    """The result of a `finish` whose claims are not borne out."""
    lines = ["Not finished: `verified` names commands that the record of this session does not bear out."]
    lines += [f"- `{claim.command}`: {record_says(claim)}" for claim in unproved]
    lines.append(
        "Run each of them now, on the files as they are, and look at the result; or leave out of `verified` what you "
        "did not run. Then call finish again."
    )
    if is_last:
        lines.append("The next time the runner accepts it and reports these claims as not proved.")
    return "\n".join(lines)[:REFUSAL_LIMIT_CHARACTERS]


def verdict_lines(verdict: Verdict) -> list[str]:
    """A rejection, line by line."""
    return [*(f"- {reason}" for reason in verdict.reasons), *(f"- missing: {what}" for what in verdict.missing)]


def rejected(verdict: Verdict) -> str:
    """The result of a `finish` that the verifier rejects."""
    if verdict.unreadable:
        return (
            "Not finished: a second model was asked to verify the work, and gave no usable verdict. Look over the task "
            "and the changes once more, then call finish again."
        )
    lines = "\n".join(verdict_lines(verdict)) or "- it gave no reason"
    return (
        f"Not finished: another engineer read the task and your changes and does not agree that it is done.\n{lines}\n"
        "Mend what is right in this; where it is wrong, say why in the summary. Then call finish again."
    )[:REFUSAL_LIMIT_CHARACTERS]
