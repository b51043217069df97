//! Clients that send at a steady pace, count every request and repeat none.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::Connection;
use crate::load::ORDER;

/// So many failures are told in words.
const TOLD: usize = 5;

/// What became of the requests of one client, or of all.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// The ids of the orders that were answered 201.
    pub(super) orders: Vec<String>,
    pub(super) failures: Vec<String>,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.orders.extend(other.orders);
        self.failures.extend(other.failures);
        self.failures.truncate(TOLD);
    }
}

/// A connection, and since when.
#[derive(Debug)]
struct Kept {
    opened: Instant,
    connection: Connection,
}

#[derive(Debug)]
pub(super) struct Clients {
    to: SocketAddr,
    number: usize,
    every: Duration,
    /// How long a connection is kept for further requests.
    keep: Duration,
    begun: Instant,
    ended: AtomicBool,
}

impl Clients {
    pub(super) fn new(to: SocketAddr, number: usize, every: Duration, keep: Duration) -> Self {
        Self { to, number, every, keep, begun: Instant::now(), ended: AtomicBool::new(false) }
    }

    /// The clients end when this is dropped, and [`run`](Self::run) returns.
    pub(super) fn end_when_dropped(&self) -> impl Drop {
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        End(&self.ended)
    }

    pub(super) fn run(&self) -> Count {
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.number).map(|client| scope.spawn(move || self.client(client))).collect();
            let mut all = Count::default();
            for client in clients {
                match client.join() {
                    Ok(count) => all.add(count),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all
        })
    }

    /// Half of what it sends are orders.
    fn client(&self, first: usize) -> Count {
        let mut count = Count::default();
        let mut kept = None;
        // so that they do not all send at once
        let mut next = Instant::now() + self.every * u32::try_from(first).unwrap_or(0) / 16;
        for turn in first.. {
            thread::park_timeout(next.saturating_duration_since(Instant::now()));
            if self.ended.load(Relaxed) {
                break;
            }
            next = Instant::now().max(next + self.every);
            count.requests += 1;
            match self.exchange(turn % 2 == 0, &mut kept) {
                Ok(order) => count.orders.extend(order),
                Err(failure) => {
                    count.failed += 1;
                    if count.failures.len() < TOLD {
                        count.failures.push(format!("after {:.3?}: {failure}", self.begun.elapsed()));
                    }
                }
            }
        }
        count
    }

    /// One request; the id of the order, if it was one.
    fn exchange(&self, is_order: bool, kept: &mut Option<Kept>) -> Result<Option<String>, String> {
        let reused =
            kept.take().filter(|kept| kept.opened.elapsed() < self.keep && !kept.connection.is_closed());
        let how = if reused.is_some() { "a kept connection" } else { "a new connection" };
        let failed = |what: &str, error: io::Error| format!("{what} on {how}: {error}");
        let open = || Ok(Kept { opened: Instant::now(), connection: Connection::open(self.to)? });
        let mut used = reused.map_or_else(open, Ok).map_err(|error| failed("connect", error))?;
        let last: &[_] = if self.keep.is_zero() { &[("connection", "close")] } else { &[] };
        let answer = if is_order {
            let headers = [&[("content-type", "application/json")], last].concat();
            used.connection.request("POST", "/api/orders", &headers, ORDER.as_bytes())
        } else {
            used.connection.request("GET", "/api/orders?limit=1", last, b"")
        };
        let method = if is_order { "POST" } else { "GET" };
        let answer = answer.map_err(|error| failed(method, error))?;
        if answer.header("connection") != Some("close") {
            *kept = Some(used);
        }
        match (answer.status, is_order) {
            (200, false) => Ok(None),
            (201, true) => {
                let order: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                order["id"]
                    .as_str()
                    .map(|id| Some(id.to_owned()))
                    .ok_or_else(|| "201 without an id".to_owned())
            }
            (status, _) => Err(format!("{method} on {how}: {status} {}", answer.text().trim())),
        }
    }
}
