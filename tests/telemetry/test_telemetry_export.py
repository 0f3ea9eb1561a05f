"""Spans and counts arrive where the settings say: at a collector over HTTP, at the Prometheus endpoint."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from longshift.contracts.errors import BadInput
from longshift.settings import Settings
from longshift.telemetry import Telemetry
from longshift.telemetry.counters import COST, OPERATION_SECONDS, STEPS, Count
from longshift.telemetry.sdk_runtime import sdk_runtime
from tests.ports import free_port


class Collector(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Received)
        self.bodies: dict[str, list[bytes]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class Received(BaseHTTPRequestHandler):
    """One request."""

    server: Collector  # pyright: ignore[reportIncompatibleVariableOverride]  # only ever made by a collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_collector_gets_spans_and_metrics_under_our_name(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    telemetry = Telemetry.from_settings(Settings(data_dir=tmp_path, host="host-1", otlp_endpoint=f"{collector.url}/"))
    telemetry.tracer.start_span("chat x").end()
    telemetry.counters.add([Count(STEPS, 2, {}), Count(OPERATION_SECONDS, 3_000, {})])
    telemetry.close()

    (traces,), (metrics,) = collector.bodies["/v1/traces"], collector.bodies["/v1/metrics"]
    spans = ExportTraceServiceRequest.FromString(traces).resource_spans[0]
    assert "chat x" == spans.scope_spans[0].spans[0].name
    resource = {each.key: each.value.string_value for each in spans.resource.attributes}
    assert ("longshift", "host-1", "test") == (
        resource["service.name"],
        resource["service.instance.id"],
        resource["deployment.environment.name"],
    )
    exported = ExportMetricsServiceRequest.FromString(metrics).resource_metrics[0].scope_metrics[0].metrics
    points = {each.name: each for each in exported}
    assert 2 == points["longshift.steps"].sum.data_points[0].as_int
    histogram = points["gen_ai.client.operation.duration"].histogram.data_points[0]
    assert 7_200 == max(histogram.explicit_bounds)


def test_operators_service_name_wins(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "fleet-a")
    telemetry = Telemetry.from_settings(Settings(data_dir=tmp_path, host="host-1", otlp_endpoint=collector.url))
    telemetry.tracer.start_span("x").end()
    telemetry.close()
    spans = ExportTraceServiceRequest.FromString(collector.bodies["/v1/traces"][0]).resource_spans[0]
    names = [each.value.string_value for each in spans.resource.attributes if each.key == "service.name"]
    assert ["fleet-a"] == names


def test_nothing_is_exported_when_nobody_asks(tmp_path: Path) -> None:
    telemetry = Telemetry.from_settings(Settings(data_dir=tmp_path / "data"))
    span = telemetry.tracer.start_span("x")
    telemetry.counters.add([Count(STEPS, 1, {})])
    telemetry.close()
    assert not span.is_recording()
    assert not (tmp_path / "data").exists()


def test_prometheus_endpoint_has_our_counts_with_buckets_up_to_two_hours() -> None:
    port = free_port()
    telemetry = Telemetry(runtime=sdk_runtime(f"127.0.0.1:{port}"))
    labels = {"gen_ai.request.model": "m"}
    telemetry.counters.add([Count(COST, 0.25, labels), Count(OPERATION_SECONDS, 5_000, labels), Count(STEPS, 3, {})])
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    telemetry.close()
    tags = 'gen_ai_request_model="m",service_name="temporal-core-sdk"'
    assert f"longshift_cost_micro_usd_total{{{tags}}} 250000" in text
    assert 'longshift_steps_total{service_name="temporal-core-sdk"} 3' in text
    assert f'gen_ai_client_operation_duration_seconds_bucket{{{tags},le="7200"}} 1' in text
    assert f'gen_ai_client_operation_duration_seconds_bucket{{{tags},le="3600"}} 0' in text


def test_metrics_address_that_is_taken_is_bad_input() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BadInput, match=rf"^metrics_address: {address} cannot be used .*LONGSHIFT_METRICS_ADDRESS"):
            sdk_runtime(address)
