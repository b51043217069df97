"""Decodes OTLP with the classes OpenTelemetry publishes, over HTTP and, where grpcio is there, over gRPC, and prints one
JSON line per span, metric and log record. Prints its two addresses first; GET /stop ends it."""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

LOCK = threading.Lock()


def service(resource):
    names = [a.value.string_value for a in resource.attributes if a.key == "service.name"]
    return names[0] if names else None


def text(value):
    return str(getattr(value, value.WhichOneof("value")))


def attributes(owner):
    return {a.key: text(a.value) for a in owner.attributes}


def spans(request):
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield {
                    "signal": "traces",
                    "service": service(group.resource),
                    "scope": scope.scope.name,
                    "name": span.name,
                    "kind": span.kind,
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "flags": span.flags,
                    "status": span.status.code,
                    "message": span.status.message,
                    "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
                    "attributes": attributes(span),
                    "events": [{"name": e.name, "attributes": attributes(e)} for e in span.events],
                    "links": [{"span_id": l.span_id.hex(), "attributes": attributes(l)} for l in span.links],
                }


def total(point):
    """What the buckets of a histogram add up to."""
    if hasattr(point, "zero_count"):
        return point.zero_count + sum(point.positive.bucket_counts) + sum(point.negative.bucket_counts)
    return sum(getattr(point, "bucket_counts", ()))


def metrics(request):
    for group in request.resource_metrics:
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
                    "value": sum(getattr(point, point.WhichOneof("value")) for point in points) if kind in ("sum", "gauge") else None,
                    "monotonic": getattr(getattr(metric, kind), "is_monotonic", None),
                    "temporality": getattr(getattr(metric, kind), "aggregation_temporality", 0),
                    "attributes": attributes(points[0]),
                    "numbers": [a.key for a in points[0].attributes if a.value.WhichOneof("value") == "int_value"],
                    "count": sum(getattr(point, "count", 0) for point in points),
                    "buckets": sum(map(total, points)),
                }


def logs(request):
    for group in request.resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                yield {
                    "signal": "logs",
                    "service": service(group.resource),
                    "scope": scope.scope.name,
                    "body": record.body.string_value,
                    "severity": record.severity_text,
                    "number": record.severity_number,
                    "trace_id": record.trace_id.hex(),
                    "span_id": record.span_id.hex(),
                    "attributes": attributes(record),
                }


SIGNALS = {
    "trace": (ExportTraceServiceRequest, ExportTraceServiceResponse, spans),
    "metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse, metrics),
    "logs": (ExportLogsServiceRequest, ExportLogsServiceResponse, logs),
}
PATHS = {"/v1/traces": "trace", "/v1/metrics": "metrics", "/v1/logs": "logs"}


def take(signal, body):
    request, response, items = SIGNALS[signal]
    with LOCK:
        for item in items(request.FromString(body)):
            print(json.dumps(item), flush=True)
    return response().SerializeToString()


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"")
        threading.Thread(target=self.server.shutdown).start()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.headers["content-type"] == "application/x-protobuf", self.headers
        self.answer(200, take(PATHS[self.path], body))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_grpc():
    """The address of a gRPC server, and the server; without grpcio neither."""
    try:
        from concurrent.futures import ThreadPoolExecutor

        import grpc
    except ImportError:
        return "none", None

    class Services(grpc.GenericRpcHandler):
        def service(self, details):
            # /opentelemetry.proto.collector.trace.v1.TraceService/Export
            signal = details.method.split(".")[3]
            return grpc.unary_unary_rpc_method_handler(lambda body, _: take(signal, body))

    server = grpc.server(ThreadPoolExecutor(4), handlers=[Services()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return f"127.0.0.1:{port}", server


if __name__ == "__main__":
    http = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    address, rpc = serve_grpc()
    print("%s:%d" % http.server_address, flush=True)
    print(address, flush=True)
    http.serve_forever()
    if rpc:
        rpc.stop(1).wait()
    sys.exit(0)
