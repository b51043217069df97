//! One metric store: a recorder for the [`metrics`] facade, concrete handles for hot paths, and the Prometheus text
//! formats out of the same numbers.
//!
//! ```
//! use prodkit_metrics::{Format, Options, Recorder};
//!
//! let recorder = Recorder::new(Options::new());
//!
//! // A hot path keeps its handle: one atomic addition per call.
//! let requests = recorder.counter("http_requests_total", &[("method", "GET"), ("status", "200")]);
//! requests.increment(1);
//!
//! // Everybody else uses the facade.
//! metrics::with_local_recorder(&recorder, || {
//!     metrics::describe_gauge!("active_connections", "Connections open right now.");
//!     metrics::gauge!("active_connections").set(3.0);
//! });
//!
//! // A scrape.
//! let mut text = Vec::new();
//! recorder.encode(Format::negotiate(Some("text/plain;version=0.0.4")), &mut text);
//! assert_eq!(
//!     String::from_utf8(text)?,
//!     r#"# HELP active_connections Connections open right now.
//! ## TYPE active_connections gauge
//! active_connections 3
//! ## TYPE http_requests_total counter
//! http_requests_total{method="GET",status="200"} 1
//! "#,
//! );
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```
//!
//! # What it promises
//!
//! - **Memory** is a function of the series that exist, never of how often something is recorded or how rarely
//!   anybody scrapes. Metrics, series per metric, labels and their lengths are all bounded; what is beyond the cap of
//!   a metric is summed into one series labelled `otel_metric_overflow="true"`.
//! - **A scrape stops no writer.** Recording through a handle is atomics only.
//! - **One name per metric**, the same in every format: `http.server.request.duration` described in seconds is
//!   `http_server_request_duration_seconds`; a counter ends in `_total`; a name that is right already stays as it is.
//!   [`Snapshot`] has the names and labels as they were given.
//! - **Histograms** have explicit buckets. The last value of each bucket recorded inside a sampled trace is kept as
//!   an [`Exemplar`] and shown in OpenMetrics.
//!
//! # When not to use it
//!
//! For summaries (quantiles cannot be added up over replicas), or for high-cardinality events: those belong in logs
//! and traces. It has no global state and opens no port; `prodkit` connects it to both.

mod buckets;
mod catalogue;
mod counter;
mod encode;
mod exemplar;
mod exponential;
mod export;
mod exported;
mod fold;
mod format;
mod gauge;
mod histogram;
mod index;
mod labelled;
mod labels;
mod name;
mod number;
mod observers;
mod options;
mod recorder;
mod report;
mod scrape;
mod series;
mod snapshot;
mod stats;

pub use buckets::{Buckets, Error};
pub use counter::{Counter, TimeCounter};
pub use exemplar::{Exemplar, ExemplarFilter};
pub use exponential::{Exponential, Side};
pub use exported::Exported;
pub use format::Format;
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use labelled::Labelled;
pub use metrics::Unit;
pub use options::{Options, Select};
pub use recorder::Recorder;
pub use snapshot::{Distribution, Family, Kind, Point, Snapshot, Value};
pub use stats::Stats;
