//! Load that behaves as the clients of a balancer do: it goes on sending until readiness has been seen to fail, and it
//! counts every request that got no good answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http::{Connection, get};

/// An order any order-service takes.
pub const ORDER: &str =
    r#"{"user_id":"USR-67890","items":[{"sku":"SKU-1","quantity":2,"unit_price":99.99}]}"#;

/// How often the balancer asks for readiness, and so how long it may be wrong.
const READINESS_EVERY: Duration = Duration::from_millis(50);

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Count {
    /// Answered as expected.
    pub good: u64,
    /// Refused, cut, or answered with another status.
    pub failed: u64,
    /// Orders that were answered 201; part of `good`.
    pub orders: u64,
}

/// A load that runs until readiness fails. `started` is set once the first requests were answered.
#[derive(Debug, Default)]
pub struct Load {
    ended: AtomicBool,
    good: AtomicU64,
    failed: AtomicU64,
    orders: AtomicU64,
    /// What the first of those that failed got.
    failures: Mutex<Vec<String>>,
}

/// So many failures are told in full.
const TOLD: usize = 5;

impl Load {
    /// What the first failures were, for a message.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, what: String) {
        self.failed.fetch_add(1, Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < TOLD {
            failures.push(what);
        }
    }

    /// Requests answered well until now.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.good.load(Relaxed)
    }

    /// Sends requests from so many clients, half of them orders, until readiness on `admin` fails.
    #[must_use]
    pub fn run(&self, main: SocketAddr, admin: SocketAddr, clients: usize) -> Count {
        thread::scope(|scope| {
            for client in 0..clients {
                scope.spawn(move || self.client(main, client));
            }
            while get(admin, "/health/ready").is_ok_and(|answer| answer.status == 200) {
                thread::park_timeout(READINESS_EVERY);
            }
            self.ended.store(true, Relaxed);
        });
        let read = |count: &AtomicU64| count.load(Relaxed);
        Count { good: read(&self.good), failed: read(&self.failed), orders: read(&self.orders) }
    }

    fn client(&self, main: SocketAddr, first: usize) {
        let mut kept = None;
        for turn in first.. {
            if self.ended.load(Relaxed) {
                return;
            }
            let is_order = turn % 2 == 0;
            let mut exchange = || {
                let mut connection = match kept.take() {
                    Some(connection) => connection,
                    None => Connection::open(main)?,
                };
                let answer = if is_order {
                    let headers = [("content-type", "application/json")];
                    connection.request("POST", "/api/orders", &headers, ORDER.as_bytes())?
                } else {
                    connection.request("GET", "/api/orders?limit=1", &[], b"")?
                };
                if answer.header("connection") != Some("close") {
                    kept = Some(connection);
                }
                std::io::Result::Ok(answer)
            };
            match exchange() {
                Ok(answer) if answer.status == 201 && is_order => {
                    self.good.fetch_add(1, Relaxed);
                    self.orders.fetch_add(1, Relaxed);
                }
                Ok(answer) if answer.status == 200 && !is_order => drop(self.good.fetch_add(1, Relaxed)),
                Ok(answer) => {
                    self.fail(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
                }
                Err(error) => self.fail(error.to_string()),
            }
        }
    }
}
