//! The three kinds of telemetry.

/// A kind of telemetry, and what the OTLP specification calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Traces,
    Metrics,
    Logs,
}

impl Kind {
    /// The path below a collector's base URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
            Self::Logs => "v1/logs",
        }
    }

    /// The path of the gRPC method.
    #[cfg(feature = "grpc")]
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// How a message calls this signal's own endpoint.
    pub(crate) fn endpoint(self) -> &'static str {
        match self {
            Self::Traces => "OTLP endpoint for traces",
            Self::Metrics => "OTLP endpoint for metrics",
            Self::Logs => "OTLP endpoint for logs",
        }
    }
}
