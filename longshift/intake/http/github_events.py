"""What GitHub tells asks for: a task, or nothing and why. Pure functions; whether it is genuine, `github` checks.

https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from longshift.intake.http.github_task import IssueTask, Words

TRUSTED = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""`author_association` of those who may write to the repository or belong to its organisation."""


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class User(_Payload):
    """Somebody on GitHub."""

    login: str = "ghost"


class Label(_Payload):
    """A label."""

    name: str = ""


class Issue(_Payload):
    """An issue, or a pull request, which GitHub counts among them."""

    number: int
    title: str = ""
    body: str | None = None
    state: str = "open"
    user: User | None = None
    author_association: str = "NONE"
    labels: list[Label] = []
    pull_request: dict[str, object] | None = None

    @property
    def author(self) -> str:
        """Who opened it."""
        return self.user.login if self.user else "ghost"

    def has_label(self, name: str) -> bool:
        """GitHub's labels differ by more than case."""
        return any(label.name.lower() == name.lower() for label in self.labels)


class Comment(_Payload):
    """A comment on an issue."""

    id: int
    issue_url: str = ""
    created_at: str = ""
    updated_at: str = ""
    body: str | None = None
    user: User | None = None
    author_association: str = "NONE"

    @property
    def author(self) -> str:
        """Who wrote it."""
        return self.user.login if self.user else "ghost"


class IssueEvent(_Payload):
    """Something that was done with an issue."""

    event: str = ""
    actor: User | None = None
    label: Label | None = None


class Repository(_Payload):
    """Where it happened."""

    full_name: str = ""


class Payload(_Payload):
    """The parts of a delivery that are looked at."""

    action: str = ""
    repository: Repository = Repository()
    issue: Issue | None = None
    comment: Comment | None = None
    label: Label | None = None
    sender: User | None = None


@dataclass(frozen=True)
class Skipped:
    """No task, and why."""

    reason: str


@dataclass(frozen=True)
class Rules:
    """What the settings say."""

    repositories: tuple[str, ...]
    label: str
    command: str

    def spelled(self, full_name: str) -> str | None:
        """The repository as the settings spell it; None when it is not among them. GitHub does not look at case."""
        return next((each for each in self.repositories if each.lower() == full_name.lower()), None)


def read(event: str, payload: Payload, rules: Rules) -> IssueTask | Skipped:
    """What the delivery asks for."""
    if event not in ("issues", "issue_comment"):
        return Skipped(f"events of the kind {event!r} make no task")
    repository = rules.spelled(payload.repository.full_name)
    if repository is None:
        return Skipped(f"the repository {payload.repository.full_name!r} is not in LONGSHIFT_GITHUB_REPOSITORIES")
    if payload.issue is None:
        return Skipped("the delivery has no issue")
    if event == "issues":
        sender = payload.sender.login if payload.sender else ""
        return _of_label(repository, payload, payload.issue, rules, sender)
    if payload.action != "created" or payload.comment is None:
        return Skipped(f"comments that were {payload.action} make no task")
    return of_comment(repository, payload.issue, payload.comment, rules)


def _of_label(repository: str, payload: Payload, issue: Issue, rules: Rules, sender: str) -> IssueTask | Skipped:
    if payload.action not in ("labeled", "opened"):
        return Skipped(f"issues that were {payload.action} make no task")
    if payload.action == "labeled" and (payload.label is None or payload.label.name.lower() != rules.label.lower()):
        return Skipped(f"the label is not {rules.label!r}")
    return of_label(repository, issue, rules, labelled_by={sender})


def of_label(repository: str, issue: Issue, rules: Rules, *, labelled_by: Iterable[str]) -> IssueTask | Skipped:
    """The task of an issue with the label.

    Only who may write can set labels, with one exception: a template's labels are set for whoever opens the issue. So a
    label that the author brought along counts only when the author is trusted.
    """
    skipped = _not_workable(issue)
    if skipped:
        return skipped
    if not issue.has_label(rules.label):
        return Skipped(f"the issue does not have the label {rules.label!r}")
    if issue.author_association not in TRUSTED and not {each for each in labelled_by if each} - {issue.author}:
        return Skipped(f"{issue.author} is {issue.author_association} here, and nobody else has set the label")
    return IssueTask(repository, issue.number, issue.title, _words_of(issue))


def of_comment(repository: str, issue: Issue, comment: Comment, rules: Rules) -> IssueTask | Skipped:
    """The task of a comment that begins with the command."""
    skipped = _not_workable(issue)
    if skipped:
        return skipped
    if not is_command(comment, rules):
        return Skipped(f"the comment does not begin with {rules.command!r}")
    if comment.author_association not in TRUSTED:
        return Skipped(f"{comment.author} is {comment.author_association} here, and may not give commands")
    rest = (comment.body or "").strip()[len(rules.command) :].strip()
    said = (Words(f"comment on issue {issue.number} by {comment.author}", rest),) if rest else ()
    return IssueTask(repository, issue.number, issue.title, (*_words_of(issue), *said), comment_id=comment.id)


def is_command(comment: Comment, rules: Rules) -> bool:
    """Whether the comment begins with the command, and the command is a word of its own there."""
    text = (comment.body or "").strip()
    return text.startswith(rules.command) and (text == rules.command or text[len(rules.command)].isspace())


def _not_workable(issue: Issue) -> Skipped | None:
    if issue.pull_request is not None:
        return Skipped("it is a pull request, not an issue")
    return Skipped("the issue is closed") if issue.state != "open" else None


def _words_of(issue: Issue) -> tuple[Words, ...]:
    whose = f"issue {issue.number} by {issue.author}"
    title = Words(f"title of {whose}", issue.title)
    return (title, Words(f"text of {whose}", issue.body)) if (issue.body or "").strip() and issue.body else (title,)
