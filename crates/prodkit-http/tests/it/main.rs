//! Real sockets, hand-written bytes.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod adaptive;
mod bind;
mod client;
mod connections;
mod drain;
mod drain_http2;
mod frames;
mod framing;
mod grpc;
mod headers_http2;
mod hostile_http2;
mod http1;
mod limits;
mod limits_http2;
mod observe;
mod observe_faults;
mod panics;
#[cfg(feature = "__tls")]
mod proxied;
mod proxies;
mod refused;
mod rules_http2;
mod support;
mod targets;
#[cfg(feature = "__tls")]
mod tls;
mod trace_context;
mod unix;
mod upgrade;
