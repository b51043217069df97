//! An OTLP collector that answers as told and remembers what it was sent.

mod behaviour;
mod serve;

pub use behaviour::Behaviour;

use bytes::Bytes;
use http::HeaderMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How long a waiting helper waits before it declares the test failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A collector on a free loopback port, over OTLP/HTTP and OTLP/gRPC on the same one.
///
/// It takes any path and keeps the body as it came: decoding is up to the test, so that this crate depends on no
/// schema. It starts with [`Behaviour::Answer`].
#[derive(Debug)]
pub struct FakeCollector {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Dropping it ends the server's thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// One request, complete as it arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The path of the request, without its query: `/v1/traces`, or the method's path for gRPC.
    pub path: String,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// The body; of a gRPC request the message without its five byte prefix.
    pub body: Bytes,
}

#[derive(Debug)]
struct Shared {
    behaviour: watch::Sender<Behaviour>,
    received: Mutex<Vec<Received>>,
    /// The number of requests received; the waiting helpers sleep on it.
    count: watch::Sender<usize>,
    /// Whether a listener is bound right now.
    listening: watch::Sender<bool>,
}

impl FakeCollector {
    /// Starts a collector that answers every request with an empty success.
    ///
    /// # Panics
    ///
    /// When the machine has no free port or thread left.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its server cannot go on")]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a non-blocking listener");

        let shared = Arc::new(Shared {
            behaviour: watch::Sender::new(Behaviour::Answer),
            received: Mutex::default(),
            count: watch::Sender::new(0),
            listening: watch::Sender::new(true),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let thread = thread::Builder::new()
            .name("fake-collector".into())
            .spawn({
                let shared = shared.clone();
                move || runtime.block_on(serve::run(listener, addr, shared, stopped))
            })
            .expect("a thread");
        Self { addr, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// The address it listens on; it stays the same through [`Behaviour::Refuse`].
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL, `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Changes how it behaves from the next request on; [`Behaviour::Refuse`] cuts open connections at once.
    ///
    /// Closing and opening the port happens on the collector's own thread: see [`listening`](Self::listening).
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// Waits until the port is open (`true`) or closed (`false`), as the last [`behave`](Self::behave) asked.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn listening(&self, open: bool) {
        let mut listening = self.shared.listening.subscribe();
        patiently("the port to open or close", async { drop(listening.wait_for(|now| *now == open).await) })
            .await;
    }

    /// Everything received so far, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was received on one path so far, oldest first.
    #[must_use]
    pub fn received_at(&self, path: &str) -> Vec<Received> {
        self.received().into_iter().filter(|request| request.path == path).collect()
    }

    /// Waits until at least `n` requests have arrived and returns all of them. Cancel safe.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn wait_for(&self, n: usize) -> Vec<Received> {
        self.wait_until(|all| all.len() >= n).await
    }

    /// Waits until at least `n` requests have arrived on `path` and returns those. Cancel safe.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn wait_for_at(&self, path: &str, n: usize) -> Vec<Received> {
        self.wait_until(|all| all.iter().filter(|request| request.path == path).count() >= n).await;
        self.received_at(path)
    }

    /// Waits until `enough` says so about everything received, and returns that. Cancel safe.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn wait_until(&self, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut count = self.shared.count.subscribe();
        patiently("more requests", async { drop(count.wait_for(|_| enough(&self.received())).await) }).await;
        self.received()
    }
}

impl Drop for FakeCollector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // a panic of the server's thread has already been printed
            drop(thread.join());
        }
    }
}

impl Shared {
    fn receive(&self, request: Received) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(request);
        let n = received.len();
        drop(received);
        self.count.send_replace(n);
    }
}

/// Awaits `future` for at most [`PATIENCE`], on whatever runtime the test has, paused clock or none at all.
async fn patiently(what: &str, future: impl Future<Output = ()>) {
    let (timer, over) = oneshot::channel::<()>();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    // real time and no runtime: a thread that ends with the wait
    let thread = thread::Builder::new().name("fake-patience".into()).spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = timer.send(());
        }
    });
    let late = async {
        if over.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = future => drop((done, thread)),
        () = late => panic!("waited {PATIENCE:?} for {what}"),
    }
}
