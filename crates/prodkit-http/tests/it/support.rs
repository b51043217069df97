//! A server to talk to, a client that speaks bytes, and recorders of typed values.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString,
};
use prodkit_http::{
    Body, BoxError, Decision, Drain, Drained, Exchange, Limits, Listener, Observe, Observer, Outcome, Parent,
    Service, Traffic, serve,
};
use prodkit_shutdown::{Cause, Trigger, channel};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Nothing here takes longer, on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = tokio::time::timeout(PATIENCE, future).await;
    late.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Waits for `condition` to come true.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "a test's own task")]
pub(crate) fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(future)
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) traffic: Traffic,
    pub(crate) polite: Trigger,
    pub(crate) close: Trigger,
    pub(crate) abort: Trigger,
    pub(crate) driver: JoinHandle<Drained>,
}

impl Server {
    pub(crate) async fn start(service: Service, limits: Limits) -> Self {
        let listener = Listener::bind("127.0.0.1", 0).await.expect("a free port");
        Self::start_on(listener, service, limits, &metrics::NoopRecorder)
    }

    pub(crate) fn start_on(
        listener: Listener,
        service: Service,
        limits: Limits,
        recorder: &dyn metrics::Recorder,
    ) -> Self {
        let address = listener.local_addr().unwrap_or(([0, 0, 0, 0], 0).into());
        let (polite, on_polite) = channel();
        let (close, on_close) = channel();
        let (abort, on_abort) = channel();
        let driver =
            serve(listener, service, limits, Drain::new(on_polite, on_close, on_abort)).recorder(recorder);
        let traffic = driver.traffic();
        Self { address, traffic, polite, close, abort, driver: spawn(driver) }
    }

    pub(crate) fn polite(&self) {
        self.polite.fire(Cause::requested("test"));
    }

    pub(crate) fn close(&self) {
        self.close.fire(Cause::requested("test"));
    }

    pub(crate) fn abort(&self) {
        self.abort.fire(Cause::requested("test"));
    }

    pub(crate) async fn connect(&self) -> Raw {
        within("connect", TcpStream::connect(self.address)).await.expect("connected").into()
    }

    pub(crate) async fn drained(self) -> Drained {
        within("drained", self.driver).await.expect("no panic")
    }

    /// The last thing in a test that leaves nothing behind.
    pub(crate) async fn ends_clean(self) {
        self.close();
        let drained = self.drained().await;
        assert_eq!((drained.connections_cut, drained.requests_cut), (0, 0));
    }
}

/// A client of bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("send", self.stream.write_all(bytes.as_ref())).await.expect("sent");
    }

    /// The next response: its head, and its body by `Content-Length`.
    pub(crate) async fn response(&mut self) -> (String, String) {
        let head_end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more().await > 0, "closed in a head: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head = String::from_utf8(self.read.drain(..head_end).collect()).expect("text");
        let length = header(&head, "content-length").map_or(0, |length| length.parse().expect("a number"));
        while self.read.len() < length {
            assert!(self.more().await > 0, "closed in a body");
        }
        let body = String::from_utf8(self.read.drain(..length).collect()).expect("text");
        (head, body)
    }

    /// The head alone, of a response whose body is not read.
    pub(crate) async fn response_head(&mut self) {
        while !self.read.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(self.more().await > 0, "closed in a head");
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> (String, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        self.response().await
    }

    /// Reads until the server closes; what came.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await > 0 {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// The server has closed, without another word.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.rest().await, "", "more than the end");
    }

    /// The next bytes, or `None` if the server closes before.
    pub(crate) async fn up_to(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            if self.more().await == 0 {
                return None;
            }
        }
        Some(self.read.drain(..length).collect())
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.more().await > 0, "closed early");
        }
        self.read.drain(..length).collect()
    }

    /// 0 for the end, a reset included.
    async fn more(&mut self) -> usize {
        within("read", self.stream.read_buf(&mut self.read)).await.unwrap_or(0)
    }
}

impl From<TcpStream> for Raw {
    fn from(stream: TcpStream) -> Self {
        Self { stream, read: vec![] }
    }
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

pub(crate) fn status(head: &str) -> u16 {
    head.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status: {head}"))
}

pub(crate) type Answer = Response<Full<Bytes>>;

pub(crate) fn text(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()))
}

/// A service of one function.
pub(crate) fn service<F, Fut>(function: F) -> Service
where
    F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer, BoxError>> + Send + 'static,
{
    Service::new(tower::service_fn(function))
}

pub(crate) fn hello() -> Service {
    service(async |_| Ok(text("hello")))
}

/// A stream of what `poll` gives.
pub(crate) fn stream_of<T>(
    poll: impl FnMut(&mut Context<'_>) -> Poll<Option<T>>,
) -> impl futures_core::Stream<Item = T> {
    struct Polled<F>(F);
    impl<F> Unpin for Polled<F> {}
    impl<T, F: FnMut(&mut Context<'_>) -> Poll<Option<T>>> futures_core::Stream for Polled<F> {
        type Item = T;
        fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            (self.0)(cx)
        }
    }
    Polled(poll)
}

pub(crate) type Http2<B> = hyper::client::conn::http2::SendRequest<B>;

pub(crate) async fn http2<B>(server: &Server) -> (Http2<B>, JoinHandle<hyper::Result<()>>)
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("http2");
    (client, spawn(connection))
}

/// An exchange, to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) route: Option<String>,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) error: Option<String>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) sampled: bool,
    pub(crate) trace_id: String,
    pub(crate) parent: Option<String>,
    pub(crate) tracestate: Option<String>,
    pub(crate) request_id: String,
    pub(crate) user_agent: Option<String>,
    pub(crate) version: String,
    pub(crate) has_peer: bool,
    pub(crate) client: Option<String>,
    pub(crate) grpc: Option<u8>,
    pub(crate) rpc: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) host: Option<String>,
}

/// Samples what its caller sampled, and remembers what finished.
#[derive(Default)]
pub(crate) struct Witness {
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) counts: Arc<Counts>,
}

impl Observer for Witness {
    fn decide(&self, parent: &Parent<'_>) -> Decision {
        Decision::new(parent.context().is_some_and(|context| context.is_sampled()))
    }

    fn finished(&self, exchange: &Exchange<'_>) {
        self.seen.lock().expect("no panic").push(Seen {
            method: exchange.method().to_string(),
            route: exchange.route().map(Into::into),
            path: exchange.path().into(),
            status: exchange.status().as_u16(),
            outcome: Some(exchange.outcome()),
            error: exchange.error().map(|error| error.to_string()),
            bytes_in: exchange.bytes_in(),
            bytes_out: exchange.bytes_out(),
            sampled: exchange.context().is_sampled(),
            trace_id: exchange.context().trace_id().to_string(),
            parent: exchange.parent_span_id().map(|id| id.to_string()),
            tracestate: exchange.tracestate().map(|state| state.as_str().into()),
            request_id: exchange
                .request_id()
                .map_or_else(|| exchange.context().trace_id().to_string(), Into::into),
            user_agent: exchange.user_agent().map(Into::into),
            version: format!("{:?}", exchange.version()),
            has_peer: exchange.peer_addr().is_some_and(|peer| peer.ip().is_loopback()),
            grpc: exchange.grpc_status().map(prodkit_http::GrpcStatus::code),
            rpc: exchange.grpc_method().map(|(service, method)| format!("{service} {method}")),
            client: exchange.client_addr().map(|client| client.to_string()),
            scheme: exchange.scheme().map(Into::into),
            host: exchange.forwarded_host().map(Into::into),
        });
    }
}

impl Witness {
    pub(crate) fn observe(self: &Arc<Self>) -> Observe {
        Observe::new(self.clone(), self.counts.clone())
    }

    /// The exchanges, once there are so many.
    pub(crate) async fn exchanges(&self, count: usize) -> Vec<Seen> {
        until("exchanges", || self.seen.lock().expect("no panic").len() >= count).await;
        let seen = self.seen.lock().expect("no panic").clone();
        assert_eq!(seen.len(), count, "{seen:?}");
        seen
    }

    pub(crate) async fn exchange(&self) -> Seen {
        self.exchanges(1).await.remove(0)
    }
}

/// A recorder that only counts: counters and gauges by their value, histograms by their samples.
#[derive(Default)]
pub(crate) struct Counts {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    pub(crate) registrations: Mutex<usize>,
}

struct Cell(String, Arc<Mutex<BTreeMap<String, f64>>>);

impl Cell {
    fn add(&self, value: f64) {
        *self.1.lock().expect("no panic").entry(self.0.clone()).or_default() += value;
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }
    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.add(value);
    }
    fn decrement(&self, value: f64) {
        self.add(-value);
    }
    fn set(&self, value: f64) {
        self.1.lock().expect("no panic").insert(self.0.clone(), value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, _: f64) {
        self.add(1.0);
    }
}

impl Counts {
    /// `name{a="b"}` and values, in order.
    pub(crate) fn values(&self) -> Vec<(String, f64)> {
        self.values.lock().expect("no panic").clone().into_iter().collect()
    }

    fn cell(&self, key: &Key) -> Arc<Cell> {
        *self.registrations.lock().expect("no panic") += 1;
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Cell(format!("{}{{{}}}", key.name(), labels.join(",")), self.values.clone()))
    }
}

impl metrics::Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.cell(key).into()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.cell(key).into()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.cell(key).into()
    }
}
