//! Traces, metrics and logs over OTLP that never block start or exit
