"""What leaves the sandbox, how risky that is, and what people are shown of it. Rules and texts alone.

The runner does these things itself, for a session; commands of the agent are judged in `risk`.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from longshift.contracts.delivery import BranchPlan
from longshift.contracts.reviews import Autonomy, Risk
from longshift.policy import asking
from longshift.policy.reviews import EVIDENCE_CHARACTERS, EVIDENCE_LINES


class Outgoing(StrEnum):
    """An action outside of the sandbox."""

    PUSH = "push"
    """A new branch."""
    PUSH_SENSITIVE = "push_sensitive"
    """The same, with files that run with the repository's rights."""
    PULL_REQUEST = "pull_request"


RISKS: dict[Outgoing, Risk] = {
    Outgoing.PUSH: Risk.MEDIUM,
    Outgoing.PUSH_SENSITIVE: Risk.HIGH,
    Outgoing.PULL_REQUEST: Risk.MEDIUM,
}
_GRAVITY = (Risk.LOW, Risk.MEDIUM, Risk.UNKNOWN, Risk.HIGH)

_SENSITIVE = re.compile(
    r"\.github/(?:workflows|actions)/.*|\.github/(?:dependabot\.ya?ml|CODEOWNERS)|(?:docs/)?CODEOWNERS"
    r"|(?:.*/)?action\.ya?ml|\.gitlab-ci\.yml|\.gitlab/.*|\.circleci/.*|\.buildkite/.*|\.woodpecker(?:/.*|\.ya?ml)"
    r"|\.drone\.ya?ml|\.travis\.yml|\.ci/.*|(?:.*/)?Jenkinsfile[^/]*|(?:.*/)?azure-pipelines[^/]*\.ya?ml"
    r"|bitbucket-pipelines\.yml|cloudbuild\.ya?ml|(?:.*/)?buildspec\.ya?ml|\.gitea/.*|\.forgejo/.*|\.tekton/.*"
    r"|(?:.*/)?\.gitmodules|(?:.*/)?\.gitattributes|\.husky/.*|\.githooks/.*|(?:.*/)?\.pre-commit-config\.ya?ml"
    r"|\.devcontainer(?:/.*|\.json)|\.vscode/.*|(?:.*/)?\.envrc|(?:.*/)?\.npmrc|(?:.*/)?pip\.conf",
    re.IGNORECASE,
)


def risk_of(action: str) -> Risk:
    """How risky an action is; one without a row is unknown."""
    return RISKS[Outgoing(action)] if action in set(Outgoing) else Risk.UNKNOWN


def sensitive(files: Iterable[str]) -> tuple[str, ...]:
    """Files that run with the rights of the repository, of its CI, or of those who open it."""
    return tuple(name for name in files if _SENSITIVE.fullmatch(name))


def risk_of_plan(plan: BranchPlan) -> tuple[Risk, str]:
    """How risky a delivery is as a whole, and why in a few words."""
    if plan.files > len(plan.changed_files):
        return Risk.UNKNOWN, f"changes {plan.files:,} files, more than are listed"
    actions = [Outgoing.PUSH_SENSITIVE if plan.sensitive_files else Outgoing.PUSH]
    reason = "pushes files that run with the repository's rights" if plan.sensitive_files else "pushes a new branch"
    if plan.pull_request is not None:
        actions.append(Outgoing.PULL_REQUEST)
        reason += " and opens a pull request"
    return max((risk_of(action) for action in actions), key=_GRAVITY.index), reason


def needs_approval(autonomy: Autonomy, plan: BranchPlan) -> bool:
    """Whether a person has to let it leave."""
    return asking.is_asked_about(autonomy, risk_of_plan(plan)[0])


def question(plan: BranchPlan) -> str:
    """What people are asked."""
    risk, reason = risk_of_plan(plan)
    return f"May this leave the sandbox? It {reason} ({risk.value} risk)."


def evidence(plan: BranchPlan) -> tuple[str, ...]:
    """The exact arguments of the delivery; a decision is bound to them by the hash of what is shown."""
    head = [
        f"repository: {plan.remote}",
        f"new branch: {plan.branch}",
        f"commit: {plan.commit}, on top of {plan.base_commit or 'nothing'}",
        f"changes: {plan.files:,} files, +{plan.insertions:,} −{plan.deletions:,}",
    ]
    if wanted := plan.pull_request:
        labels = f", labels {', '.join(wanted.labels)}" if wanted.labels else ""
        kind = "draft pull request" if wanted.draft else "pull request"
        head.append(f"{kind}: “{wanted.title}” into {wanted.base}{labels}; its text has the hash {wanted.body_hash}")
    head += [f"remark: {remark}" for remark in plan.remarks]
    lines = [*_packed(head), *_packed([f"runs with rights: {name}" for name in plan.sensitive_files])]
    lines += _packed(["changed files:", *plan.changed_files])
    if len(lines) <= EVIDENCE_LINES:
        return tuple(lines)
    return (*lines[: EVIDENCE_LINES - 1], "… there are more names than can be listed; the commit has them all")


def _packed(lines: Iterable[str]) -> list[str]:
    """Lines put together into as few pieces of evidence as possible."""
    pieces: list[str] = []
    for line in lines:
        text = line[:EVIDENCE_CHARACTERS]
        if pieces and len(pieces[-1]) + 1 + len(text) <= EVIDENCE_CHARACTERS:
            pieces[-1] += f"\n{text}"
        else:
            pieces.append(text)
    return pieces
