"""What people and machines see of the work: logs, spans, metrics. Nothing here changes what happens."""

from longshift.telemetry.interceptor import ActivityTelemetry
from longshift.telemetry.logs import configure_logging
from longshift.telemetry.redaction import Redactor
from longshift.telemetry.secret_lookup import look_up_secrets
from longshift.telemetry.telemetry import Telemetry

__all__ = ["ActivityTelemetry", "Redactor", "Telemetry", "configure_logging", "look_up_secrets"]
