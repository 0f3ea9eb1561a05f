"""The secrets that tasks may ask for by name: refused unless they are in scope, resolved when they are used."""

from collections.abc import Mapping

from longshift.adapters.secrets.definition import SecretDefinition
from longshift.adapters.secrets.referred import ReferredSecret
from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec
from longshift.policy.secret_forms import SHORTEST_SECRET
from longshift.policy.secret_scope import may_use


class SecretBook:
    """All of them, by name."""

    def __init__(self, definitions: Mapping[str, SecretDefinition] | None = None) -> None:
        self._definitions = dict(definitions or {})
        self.secrets: dict[str, ReferredSecret] = {
            name: definition.secret(name) for name, definition in self._definitions.items()
        }

    def require(self, task: TaskSpec) -> None:
        """Make sure that a task may have the secrets that it names.

        Raises: BadInput. What is unknown and what is somebody else's is told in the same words, so that nobody learns
            which secrets others have.
        """
        for name in task.setup_secrets:
            definition = self._definitions.get(name)
            if (
                definition is None
                or "setup" not in definition.phases
                or not may_use(task, definition.tenants, definition.repositories)
            ):
                raise BadInput(
                    f"setup_secrets: no secret {name!r} for tenant {task.tenant!r} and repository {task.repository!r}; "
                    f"leave it out, or define it as [secrets.{name}] with this tenant in its `tenants`"
                )

    def resolved(self, task: TaskSpec) -> dict[str, str]:
        """The values of a task's setup secrets, by the variable that setup commands find them in. Blocks.

        Raises: BadInput, where one is not the task's, cannot be resolved, or is too short to be told from other text.
        """
        self.require(task)
        values: dict[str, str] = {}
        for name in task.setup_secrets:
            values[name] = self.secrets[name].get_secret_value()
            if len(values[name]) < SHORTEST_SECRET:
                raise BadInput(
                    f"secrets.{name}: has {len(values[name])} characters; one below {SHORTEST_SECRET} could not be "
                    "told from other text, so nobody could say that it is gone after the setup"
                )
        return values
