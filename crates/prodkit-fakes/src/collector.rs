//! An OTLP collector that answers as told and remembers what it was sent.

mod serve;

use crate::server::{Server, patiently};
use crate::{Behaviour, FakeAuthority, FakePair};
use bytes::Bytes;
use http::HeaderMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A collector on a free loopback port, over OTLP/HTTP and OTLP/gRPC on the same one.
///
/// It takes any path and keeps the body as it came: decoding is up to the test, so that this crate depends on no
/// schema. It starts with [`Behaviour::Answer`].
#[derive(Debug)]
pub struct FakeCollector {
    server: Server,
    shared: Arc<Shared>,
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
    /// The certificate that the client has shown, as DER, where one was asked for.
    pub client: Option<Bytes>,
}

#[derive(Debug)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// The number of requests received; the waiting helpers sleep on it.
    count: watch::Sender<usize>,
    is_tls: AtomicBool,
}

impl FakeCollector {
    /// Starts a collector that answers every request with an empty success.
    ///
    /// # Panics
    ///
    /// When the machine has no free port or thread left.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            count: watch::Sender::new(0),
            is_tls: AtomicBool::new(false),
        });
        let server = Server::start("fake-collector", {
            let shared = shared.clone();
            move |request, gate| serve::answer(request, gate, shared.clone())
        });
        Self { server, shared }
    }

    /// Speaks TLS from the next connection on, with this certificate; those that are open stay. With `clients`, a client
    /// must show a certificate of that authority.
    ///
    /// # Panics
    ///
    /// When the pair is not one.
    pub fn tls(&self, own: &FakePair, clients: Option<&FakeAuthority>) {
        self.server.tls(own, clients);
        self.shared.is_tls.store(true, Relaxed);
    }

    /// The address it listens on; it stays the same through [`Behaviour::Refuse`].
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The base URL, `http://127.0.0.1:port`; over TLS `https`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.shared.is_tls.load(Relaxed) { "https" } else { "http" };
        format!("{scheme}://{}", self.addr())
    }

    /// Changes how it behaves from the next request on; [`Behaviour::Refuse`] cuts open connections at once.
    ///
    /// Closing and opening the port happens on the collector's own thread: see [`listening`](Self::listening).
    pub fn behave(&self, behaviour: Behaviour) {
        self.server.behave(behaviour);
    }

    /// Waits until the port is open (`true`) or closed (`false`), as the last [`behave`](Self::behave) asked.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn listening(&self, open: bool) {
        self.server.listening(open).await;
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

impl Shared {
    fn receive(&self, request: Received) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(request);
        let n = received.len();
        drop(received);
        self.count.send_replace(n);
    }
}
