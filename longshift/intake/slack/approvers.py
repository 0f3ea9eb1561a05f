"""Who may decide and steer in Slack: users on the list, from the app's own workspace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Somebody in Slack who did something."""

    id: str
    name: str
    team: str
    """Where they did it."""
    home: str
    """Where they are from; another one in a channel that is shared between workspaces."""

    @property
    def signature(self) -> str:
        """How a decision names them."""
        return f"{self.id} ({self.name})"[:200] if self.name else self.id


@dataclass(frozen=True)
class Approvers:
    """The list."""

    team: str
    users: frozenset[str]

    def refusal(self, person: Person) -> str:
        """Why the person may not decide, in words for them; empty: they may."""
        if person.team != self.team or person.home not in ("", self.team):
            return "Nothing was done: only members of the workspace that this app belongs to may decide here."
        if not self.users:
            return "Nothing was done: nobody may decide in Slack, as LONGSHIFT_SLACK_APPROVERS is empty."
        if person.id not in self.users:
            return (
                "Nothing was done: you are not among those who may decide and steer here (LONGSHIFT_SLACK_APPROVERS)."
            )
        return ""
