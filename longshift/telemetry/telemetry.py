"""Where spans and counts go, built once per worker from the settings and closed at its end."""

import logging
from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracerProvider, Tracer
from temporalio.runtime import Runtime

from longshift import __version__
from longshift.contracts.model import ModelProfile
from longshift.settings import Settings
from longshift.telemetry.counters import Counters
from longshift.telemetry.recipes import Endpoints, ModelEndpoint
from longshift.telemetry.redaction import Redactor
from longshift.telemetry.sdk_runtime import sdk_runtime
from longshift.telemetry.session_trace import SessionIds

SCOPE = "longshift"
EXPORT_SECONDS = 4.0
"""The limit of one export, retries included: a collector that is away must not hold up the end of a worker."""
PROVIDERS: Mapping[str, str] = {
    "moonshot": "moonshot_ai",
    "anthropic": "anthropic",
    "deepseek": "deepseek",
    "openai": "openai",
    "z.ai": "z_ai",
    "dashscope": "alibaba_cloud",
}
"""A part of the host's name → `gen_ai.provider.name`."""


class Telemetry:
    """A tracer and counters; they do nothing where nobody asked for them."""

    def __init__(
        self,
        *,
        spans: SpanProcessor | None = None,
        metrics: MetricReader | None = None,
        runtime: Runtime | None = None,
        resource: Resource | None = None,
        endpoints: Endpoints | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.runtime = runtime or sdk_runtime()
        """For the client: the SDK's logs go where ours go, and its metrics where they are wanted."""
        self.endpoints = endpoints or {}
        self.redactor = redactor or Redactor()
        self._spans = TracerProvider(resource=resource, id_generator=SessionIds()) if spans else None
        if self._spans and spans:
            self._spans.add_span_processor(spans)
        self._metrics = MeterProvider([metrics], resource=resource or Resource({})) if metrics else None
        self.tracer: Tracer = (self._spans or NoOpTracerProvider()).get_tracer(SCOPE, __version__)
        meter = (self._metrics or NoOpMeterProvider()).get_meter(SCOPE, __version__)
        self.counters = Counters(meter, self.runtime.metric_meter)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Exporters where the settings name a collector, a Prometheus endpoint where they name an address.

        Raises:
            BadInput: the metrics address cannot be bound.
        """
        base = (settings.otlp_endpoint or "").rstrip("/")
        return cls(
            spans=_span_exporter(base) if base else None,
            metrics=_metric_exporter(base) if base else None,
            runtime=sdk_runtime(settings.metrics_address),
            resource=_resource(settings) if base else None,
            endpoints={name: _endpoint(profile) for name, profile in settings.profiles().items()},
            redactor=Redactor(settings.secret_values),
        )

    def close(self) -> None:
        """Send what is left, within a few seconds, and stop the exporters' threads."""
        # What an exporter still has to complain about at the end is not worth a person's attention.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        if self._spans is not None:
            self._spans.shutdown()
        if self._metrics is not None:
            self._metrics.shutdown(EXPORT_SECONDS * 1_000)


def _span_exporter(base_url: str) -> SpanProcessor:
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{base_url}/v1/traces", timeout=EXPORT_SECONDS))


def _metric_exporter(base_url: str) -> MetricReader:
    exporter = OTLPMetricExporter(endpoint=f"{base_url}/v1/metrics", timeout=EXPORT_SECONDS)
    return PeriodicExportingMetricReader(exporter, export_timeout_millis=EXPORT_SECONDS * 1_000)


def _resource(settings: Settings) -> Resource:
    ours = {"service.name": SCOPE, "service.version": __version__, "service.instance.id": settings.host_id}
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win: an operator's names fit the rest of the fleet.
    return Resource(ours).merge(OTELResourceDetector().detect())


def _endpoint(profile: ModelProfile) -> ModelEndpoint:
    host = urlsplit(profile.base_url).hostname or ""
    provider = next((name for part, name in PROVIDERS.items() if part in host), profile.name)
    return ModelEndpoint(model=profile.model or profile.name, provider=provider, address=host)
