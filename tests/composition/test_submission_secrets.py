"""A task that names a secret which is not its own is refused where it is submitted."""

import pytest

from longshift.adapters.secrets import SecretDefinition
from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec
from longshift.settings import Settings
from longshift.submission import session_input


def test_a_secret_of_another_tenant_or_of_nobody_is_refused_before_there_is_a_session() -> None:
    settings = Settings(secrets={"TOKEN": SecretDefinition(env="ANY", tenants=("team-a",))})
    task = TaskSpec(id="t", title="T", instructions="Do.", setup_secrets=("TOKEN",), tenant="team-a")
    assert ("TOKEN",) == session_input(settings, task).task.setup_secrets
    for change in ({"tenant": "team-b"}, {"setup_secrets": ("OTHER",)}):
        with pytest.raises(BadInput, match="setup_secrets: no secret"):
            session_input(settings, task.model_copy(update=change))
