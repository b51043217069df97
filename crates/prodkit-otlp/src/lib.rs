//! Traces, metrics and logs over OTLP that never block start, never grow without bound and never hang exit.
//!
//! [`start`] makes one thread with a runtime of its own and returns at once, collector or not. Finished spans come in
//! through [`Spans`] and through a `tracing` [`Layer`], log records through [`Logs`] and the same layer, metrics from a
//! [`prodkit_metrics::Recorder`]. Everything waits in bounded queues; what does not fit or does not arrive is counted,
//! exactly, in [`Stats`]. [`Otlp::shutdown`] flushes all three at once and keeps its budget whatever the collector does.
//!
//! ```
//! use prodkit_otlp::{Resource, Settings, Span, start};
//! use prodkit_trace::TraceContext;
//! use std::time::{Duration, SystemTime};
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), prodkit_otlp::Error> {
//! # let collector = prodkit_fakes::FakeCollector::start(); let url = collector.url();
//! let env = |name: &str| std::env::var(name).ok();
//! let (settings, warnings) = Settings::from_env(Settings::to(url), env);
//! let (resource, more) = Resource::detect(env);
//! for warning in warnings.iter().chain(&more) {
//!     eprintln!("{warning}");
//! }
//! let metrics = prodkit_metrics::Recorder::new(prodkit_metrics::Options::default());
//! let otlp = start(settings, resource.or("service.name", "orders"), Some(metrics))?;
//!
//! // spans of user code: ids from the layer below, export from this one
//! let sampler = otlp.sampler();
//! let ids = prodkit_trace::Layer::new().sample_roots({
//!     let sampler = sampler.clone();
//!     move |trace| sampler.sample(trace, None)
//! });
//! let subscriber = tracing_subscriber::registry().with(ids).with(otlp.layer());
//! # let _default = tracing::subscriber::set_default(subscriber);
//!
//! // spans of the request path, finished and complete
//! let context = TraceContext::root(true);
//! let mut span = Span::new(context, "GET /orders/{id}", SystemTime::now());
//! span.end = SystemTime::now();
//! otlp.spans().push(span);
//!
//! let report = otlp.shutdown(Duration::from_secs(2)).await;
//! assert_eq!(report.stats.traces.exported, 1);
//! println!("{report}"); // traces 1 exported; metrics 0 exported; logs off
//! # Ok(()) }
//! ```
//!
//! # When a collector fails
//!
//! | it | then |
//! |---|---|
//! | refuses, is silent, breaks off, answers 429, 502, 503 or 504 | the batch is tried again with growing, jittered pauses, `Retry-After` honoured, for [`Retry::max_elapsed_time`] at most |
//! | answers anything else | the batch has failed |
//! | accepts a part | the rejected rest has failed |
//! | is away while more comes | queues fill to their bounds, then the newest is dropped |
//!
//! There is one warning per outage, with what was lost by then, and one line when it is over; both go to `tracing` and
//! are never exported themselves. At exit a collector that cannot be reached is not waited for.
//!
//! # Features
//!
//! - `grpc`: OTLP/gRPC. Without it an endpoint that speaks gRPC is an [`Error`] at start.
//!
//! - `tls`: endpoints that begin with `https`, by prodkit-tls with ring. [`Settings::tls`] names files, which `start` reads
//!   once; `start_with` takes certificates that change.
//! - `tls-aws-lc`: the same with aws-lc-rs.
//!
//! # When not to use it
//!
//! - In a process that must not have a thread more: there is one, named `prodkit-otlp`, wherever anything is exported,
//!   and up to two of that name while host names are resolved.
//! - To keep telemetry across a restart: nothing is written to disk. Run a collector beside the process for that.
//!
//! # Formats
//!
//! [OTLP 1.x](https://opentelemetry.io/docs/specs/otlp/) over HTTP with binary protobuf and over gRPC; the variables of
//! [`Settings::from_env`]; resource attributes by the semantic conventions.

mod baggage;
mod books;
mod delivery;
mod doctor;
mod encode;
mod end;
mod endpoint;
mod error;
mod layer;
pub mod otel;
mod otlp;
mod outage;
mod pipeline;
mod queue;
mod record;
mod redact;
mod resource;
mod sampler;
mod security;
mod settings;
mod signal;
mod span;
mod spans;
mod stats;
mod thread;
mod transport;
mod wire;
mod writer;

pub use doctor::{Finding, examine};
pub use error::Error;
pub use layer::Layer;
#[cfg(feature = "__tls")]
pub use otlp::start_with;
pub use otlp::{Otlp, start};
pub use record::{LogRecord, Logs};
pub use resource::Resource;
pub use sampler::{Sampler, Sampling};
#[cfg(feature = "__tls")]
pub use security::Credentials;
pub use settings::{
    Batch, Compression, Exporter, Headers, Histograms, InvalidHeader, Limits, Protocol, Retry, Settings,
    Signal, Temporality, Tls, Warning,
};
pub use span::{Attributes, Event, Link, Span, SpanKind, Status, Value};
pub use spans::Spans;
pub use stats::{Report, Stats, Tally};
pub use writer::SpanWriter;
