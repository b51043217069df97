//! Connections that are counted, from their making to their end.

use super::targets::{METADATA, Servers, label};
use crate::BoxError;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use metrics::{Gauge, Histogram, Key, Label, Recorder, Unit};
use pin_project_lite::pin_project;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;
use tower_service::Service;

const OPEN: &str = "http_client_open_connections";
const LIFE: &str = "http_client_connection_duration_seconds";
const CONNECT: &str = "http_client_connect_duration_seconds";

/// A connector for hyper-util's client whose connections are counted. It measures
/// - `http_client_open_connections{server}`: those in the pool and those in use;
/// - `http_client_connection_duration_seconds{server}`: from the end of its making to its own;
/// - `http_client_connect_duration_seconds{server,outcome}`: what it took to make one, name resolution and TLS included, as
///   far as the connector does them. `outcome` is `connected`, `failed`, or `dropped` where nobody waited for the end.
///
/// `server` is host and port, as with [`Outbound`](super::Outbound); at most 200 of them are told apart.
///
/// What the pool does in between is not to be seen from here. How many connections are idle is what is open less
/// `http_client_active_requests`, over HTTP/1. Who finds none idle waits for one to be made and for nothing else, since that pool
/// has no upper bound: the time to connect is the time in line.
///
/// ```
/// use hyper_util::client::legacy::{Client, connect::HttpConnector};
/// use hyper_util::rt::TokioExecutor;
/// use prodkit_http::client::Connections;
/// use std::sync::Arc;
///
/// let recorder = Arc::new(metrics::NoopRecorder); // or one that counts
/// let connector = Connections::new(HttpConnector::new(), recorder);
/// let client: Client<_, http_body_util::Empty<&[u8]>> = Client::builder(TokioExecutor::new()).build(connector);
/// # drop(client);
/// ```
#[derive(Clone)]
pub struct Connections<C> {
    inner: C,
    servers: Arc<Servers<Server>>,
    recorder: Arc<dyn Recorder + Send + Sync>,
}

impl<C> Connections<C> {
    /// Counts what `inner` connects with `recorder`.
    pub fn new(inner: C, recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        recorder.describe_gauge(OPEN.into(), Some(Unit::Count), "Connections to others, idle or not.".into());
        let what = "How long connections to others were open.";
        recorder.describe_histogram(LIFE.into(), Some(Unit::Seconds), what.into());
        let what = "Time to make a connection to others, by how that ended.";
        recorder.describe_histogram(CONNECT.into(), Some(Unit::Seconds), what.into());
        Self { inner, servers: Arc::default(), recorder }
    }
}

impl<C> fmt::Debug for Connections<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// One server.
struct Server {
    open: Gauge,
    life: Histogram,
    connected: Histogram,
    failed: Histogram,
    dropped: Histogram,
}

impl Server {
    fn new(name: &Arc<str>, recorder: &dyn Recorder) -> Self {
        let connect = |outcome| {
            let labels = vec![label(name), Label::from_static_parts("outcome", outcome)];
            recorder.register_histogram(&Key::from_parts(CONNECT, labels), &METADATA)
        };
        Self {
            open: recorder.register_gauge(&Key::from_parts(OPEN, vec![label(name)]), &METADATA),
            life: recorder.register_histogram(&Key::from_parts(LIFE, vec![label(name)]), &METADATA),
            connected: connect("connected"),
            failed: connect("failed"),
            dropped: connect("dropped"),
        }
    }
}

impl<C> Service<Uri> for Connections<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
{
    type Response = CountedConnection<C::Response>;
    type Error = BoxError;
    type Future = Connecting<C::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let server = self.servers.of(&uri, |name| Server::new(name, &*self.recorder));
        let attempt = Attempt { server, begun: Instant::now(), ended: false };
        Connecting { inner: self.inner.call(uri), attempt }
    }
}

pin_project! {
    /// The future of [`Connections`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Connecting<F> {
        #[pin]
        inner: F,
        attempt: Attempt,
    }
}

struct Attempt {
    server: Arc<Server>,
    begun: Instant,
    ended: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.ended {
            self.server.dropped.record(self.begun.elapsed());
        }
    }
}

impl<F, T, E> Future for Connecting<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<CountedConnection<T>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        let Attempt { server, begun, ended } = this.attempt;
        *ended = true;
        let took = begun.elapsed();
        Poll::Ready(match result {
            Ok(stream) => {
                server.connected.record(took);
                server.open.increment(1.0);
                Ok(CountedConnection { stream, open: Open { server: server.clone(), since: Instant::now() } })
            }
            Err(error) => {
                server.failed.record(took);
                Err(error.into())
            }
        })
    }
}

impl<F> fmt::Debug for Connecting<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

struct Open {
    server: Arc<Server>,
    since: Instant,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.server.open.decrement(1.0);
        self.server.life.record(self.since.elapsed());
    }
}

pin_project! {
    /// A connection made by [`Connections`]; open until it is dropped.
    pub struct CountedConnection<T> {
        #[pin]
        stream: T,
        open: Open,
    }
}

impl<T> fmt::Debug for CountedConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedConnection").finish_non_exhaustive()
    }
}

impl<T: Connection> Connection for CountedConnection<T> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<T: Read> Read for CountedConnection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(cx, buffer)
    }
}

impl<T: Write> Write for CountedConnection<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}
