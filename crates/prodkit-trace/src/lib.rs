//! The W3C trace context of the running work: which trace, which span, sampled or not.
//!
//! A [`TraceContext`] is three numbers that are copied, never shared. One of them is [`current()`] on each thread while
//! work runs in it: [`TraceContext::enter`] sets it for a block of code, [`FutureExt::in_trace`] around each poll of a
//! future, and [`Layer`] while a `tracing` span is entered. Whoever writes a log line, a metric exemplar or an outgoing
//! request asks [`current()`] and needs to know nothing about who set it.
//!
//! ```
//! use prodkit_trace::{FutureExt as _, Layer, TraceContext, current};
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), prodkit_trace::ParseError> {
//! // a request arrives: its caller's span becomes the parent of ours
//! let caller = TraceContext::from_traceparent(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
//! let request = caller.child();
//! assert!(request.is_sampled());
//!
//! // every `tracing` span opened below gets ids of its own, under that request
//! let subscriber = tracing_subscriber::registry().with(Layer::new());
//! let _default = tracing::subscriber::set_default(subscriber);
//!
//! async {
//!     assert_eq!(current(), Some(request));
//!     tracing::info_span!("query").in_scope(|| {
//!         let query = current().expect("the layer entered the span's own context");
//!         assert_eq!(query.trace_id(), request.trace_id());
//!         assert_ne!(query.span_id(), request.span_id());
//!         // what goes into the `traceparent` header of an outgoing request
//!         println!("{}", query.traceparent());
//!     });
//!     // a task of its own keeps the trace only when told to: a bare `tokio::spawn` loses it
//!     tokio::spawn(async move { assert_eq!(current(), Some(request)) }.in_current_trace()).await.expect("no panic");
//! }
//! .in_trace(request)
//! .await;
//! assert_eq!(current(), None);
//! # Ok(())
//! # }
//! ```
//!
//! # Where the trace goes
//!
//! | work | has the trace |
//! |---|---|
//! | the future given to [`in_trace`](FutureExt::in_trace), and all it awaits | yes |
//! | code in an entered `tracing` span, `Instrument`ed futures | yes, through [`Layer`] |
//! | a task spawned as `work.in_current_trace()` or `work.instrument(span)` | yes |
//! | `spawn_blocking(move \|\| span.in_scope(work))`, or with [`TraceContext::enter`] in the closure | yes |
//! | a bare `spawn` or `spawn_blocking` | no: runtimes offer no stable hook |
//!
//! The `tracestate` a trace arrived with, and its `baggage`, go the same ways: see [`current_companion()`].
//!
//! At the edges of a process, [`Propagators::extract`] reads the headers of a request, or the variables of a job, and
//! [`inject`] writes those of an outgoing one.
//!
//! # When not to use it
//!
//! - To decide what is recorded. This crate never samples: the decision comes in as a flag or through a function.
//! - To record or export spans: that is an exporter's layer, which reads [`SpanIds`] from the span's extensions.
//! - As a request-local store. Carry values as arguments; only what must reach code that nobody calls with arguments
//!   (a log line) belongs on the thread.
//! - As a source of secrets. Ids are unpredictable enough not to collide, not enough to be a token: see
//!   [`TraceId::random`].
//!
//! # Formats
//!
//! [W3C Trace Context Level 2](https://www.w3.org/TR/trace-context-2/): `traceparent` (section 3.2), `tracestate`
//! (section 3.3), the `random-trace-id` flag, and the forward compatibility rules for versions not yet written.
//! [W3C Baggage](https://www.w3.org/TR/baggage/). B3 in one header or many, Jaeger's and X-Ray's, where
//! [`Propagators`] name them.

mod baggage;
mod carried;
mod companion;
mod context;
mod error;
mod flags;
mod future;
mod hex;
mod id;
mod layer;
mod propagators;
mod random;
mod scope;
mod traceparent;
mod tracestate;

pub use baggage::Baggage;
pub use carried::{current_baggage, current_companion, current_state};
pub use companion::Companion;
pub use context::TraceContext;
pub use error::ParseError;
pub use flags::TraceFlags;
pub use future::{FutureExt, InTrace};
pub use id::{SpanId, TraceId};
pub use layer::{Layer, SpanIds};
pub use propagators::{Arrival, Propagators, inject};
pub use scope::{Scope, current};
pub use traceparent::Traceparent;
pub use tracestate::TraceState;
