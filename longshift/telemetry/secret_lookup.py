"""Looking up all secrets of a process once, at its start: redaction can only mask what it knows."""

import structlog

from longshift.settings import Settings

log = structlog.get_logger("longshift.secrets")


def look_up_secrets(settings: Settings) -> None:
    """Resolve every reference; what cannot be found now is warned of, and looked up again when it is needed. Blocks."""
    for name, complaint in settings.resolve_secrets().items():
        log.warning("a secret cannot be found", secret=name, complaint=complaint)
