"""Why a person should look at an agent."""

from longshift.contracts.wire import Wire


class Attention(Wire):
    """Why a person should look."""

    kind: str
    """`configuration`, `quota`, `provider`, `refused`, `overflow`, `host`."""
    text: str
    since_step: int = 0
