"""Decodes OTLP/HTTP protobuf with the classes OpenTelemetry publishes and prints one JSON line per span, metric and log
record. Prints its address first; GET /stop ends it."""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def service(resource):
    names = [a.value.string_value for a in resource.attributes if a.key == "service.name"]
    return names[0] if names else None


def spans(body):
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield {
                    "signal": "traces",
                    "service": service(group.resource),
                    "name": span.name,
                    "kind": span.kind,
                    "trace_id": span.trace_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "status": span.status.code,
                    "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
                    "attributes": {a.key: str(a.value) for a in span.attributes},
                }


def metrics(body):
    for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                points = getattr(metric, kind).data_points
                yield {
                    "signal": "metrics",
                    "service": service(group.resource),
                    "name": metric.name,
                    "unit": metric.unit,
                    "kind": kind,
                    "points": len(points),
                }


def logs(body):
    for group in ExportLogsServiceRequest.FromString(body).resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                yield {
                    "signal": "logs",
                    "service": service(group.resource),
                    "body": record.body.string_value,
                    "severity": record.severity_text,
                    "trace_id": record.trace_id.hex(),
                }


DECODERS = {"/v1/traces": spans, "/v1/metrics": metrics, "/v1/logs": logs}
LOCK = threading.Lock()


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200)
        threading.Thread(target=self.server.shutdown).start()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.headers["content-type"] == "application/x-protobuf", self.headers
        with LOCK:
            for item in DECODERS[self.path](body):
                print(json.dumps(item), flush=True)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print("%s:%d" % server.server_address, flush=True)
    server.serve_forever()
    sys.exit(0)
