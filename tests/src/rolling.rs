//! A rolling restart behind a proxy nobody here wrote, under load from a client that counts each request and repeats
//! none.
//!
//! [`Plan`] says what is restarted behind which proxy, and how late that proxy learns of it; [`Plan::run`] does it and
//! returns the [`Tally`].

mod books;
mod cases;
mod clients;
mod fleet;
mod proxy;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clients::{Clients, Count};
use fleet::Fleet;

pub use cases::{Case, What, cases};
pub use fleet::{Ending, built};
pub use proxy::Front;

/// Processes behind the proxy.
const FLEET: usize = 3;
/// Requests the proxy must have sent to a process before the next one is restarted, and before the first.
const WARM: u64 = 10;

/// What is restarted, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The proxy, and what it speaks to the processes.
    pub front: Front,
    /// What the three processes run.
    pub binary: PathBuf,
    /// How these end, where `binary` is the one that can end in several ways.
    pub ending: Option<Ending>,
    /// Rolling restarts; each one replaces all three processes, one after the other.
    pub rounds: u32,
    /// Without, the proxy is told what it would be told of a restart, but there is none.
    pub restarts: bool,
    /// How late the proxy learns that a process is not ready, at most.
    pub lag: Duration,
    /// How long a process that is not ready serves on: `shutdown.delay`.
    pub delay: Duration,
    /// Clients, and how often each one sends a request. `ZERO` is as soon as it was answered.
    pub clients: usize,
    /// See `clients`.
    pub every: Duration,
}

impl Plan {
    /// One rolling restart in the sizes of the gate: a lag of 400 ms, a delay of 1 s, 200 requests a second.
    #[must_use]
    pub fn new(front: Front, binary: PathBuf) -> Self {
        Self {
            front,
            binary,
            ending: None,
            rounds: 1,
            restarts: true,
            lag: Duration::from_millis(400),
            delay: Duration::from_secs(1),
            clients: 16,
            every: Duration::from_millis(80),
        }
    }

    /// How long clients keep a connection: some of them always through a whole restart, and none for ever, so that a
    /// process that has just started gets some, even behind a balancer of connections.
    fn keep(&self) -> Duration {
        if self.front.keeps_clients() { Duration::from_secs(3).max(self.delay * 3) } else { Duration::ZERO }
    }

    /// Starts three processes and the proxy, restarts them under load, and looks into the books.
    ///
    /// # Errors
    ///
    /// When something else went wrong than a request: a process that does not start or does not end with exit code 0, a
    /// proxy that never comes up, books that cannot be read. Lost requests are in the [`Tally`].
    pub fn run(&self) -> Result<Tally, Box<dyn Error>> {
        let begun = Instant::now();
        let folder = tempfile::tempdir()?;
        let mut fleet = Fleet::start(self, folder.path(), FLEET)?;
        let mut proxy = self.front.start(folder.path(), fleet.addresses(), self.lag)?;
        let clients = Clients::new(proxy.address(), self.clients, self.every, self.keep());
        let mut restarts = 0;
        let count = thread::scope(|scope| {
            let running = scope.spawn(|| clients.run());
            let mut roll = || -> Result<(), Box<dyn Error>> {
                let _end = clients.end_when_dropped();
                fleet.warm(WARM)?;
                for number in (0..self.rounds).flat_map(|_| 0..FLEET) {
                    if self.restarts {
                        fleet.stop(number)?;
                    }
                    // A proxy that looks for itself needs no telling; one that does not is told late.
                    if proxy.is_told() {
                        fleet.until_not_ready(number, self.restarts)?;
                        thread::park_timeout(self.lag);
                        proxy.tell(Some(number))?;
                    }
                    if self.restarts {
                        fleet.ended(number)?;
                        fleet.start_again(number)?;
                        restarts += 1;
                    }
                    if proxy.is_told() {
                        proxy.tell(None)?;
                    }
                    fleet.warm(WARM)?;
                }
                Ok(())
            };
            roll()?;
            running.join().map_err(|_| Box::<dyn Error>::from("the clients panicked"))
        })?;
        let books = fleet.end()?;
        let booked = if self.ending.is_some() { None } else { Some(books::ids(&books)?) };
        Ok(Tally::new(count, booked, restarts, begun.elapsed()))
    }
}

/// What became of the requests.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tally {
    /// Processes that were restarted.
    pub restarts: u32,
    /// Requests that were sent.
    pub requests: u64,
    /// Requests that were refused, cut, or answered with another status than expected.
    pub failed: u64,
    /// Orders that were answered 201.
    pub orders: usize,
    /// Orders in the books of all processes; `None` where the processes keep none.
    pub booked: Option<usize>,
    /// Orders that were answered 201 and are not in the books exactly once, and those in the books that nobody was told of.
    pub wrong: usize,
    /// The first of what failed.
    pub failures: Vec<String>,
    /// All of it, from the first process started to the last one ended.
    pub took: Duration,
}

impl Tally {
    fn new(count: Count, booked: Option<Vec<String>>, restarts: u32, took: Duration) -> Self {
        let Count { requests, failed, mut orders, failures } = count;
        orders.sort_unstable();
        let wrong = booked.as_ref().map_or(0, |booked| difference(&orders, booked));
        Self {
            restarts,
            requests,
            failed,
            orders: orders.len(),
            booked: booked.map(|booked| booked.len()),
            wrong,
            failures,
            took,
        }
    }

    /// Whether no request failed, and each order that was answered 201 is in the books exactly once, and no other.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        self.failed == 0 && self.wrong == 0 && self.requests > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { restarts, requests, failed, orders, booked, wrong, .. } = self;
        write!(f, "{restarts} restarts, {requests} requests, {failed} failed, {orders} orders answered 201")?;
        match booked {
            Some(booked) => write!(f, ", {booked} in the books, {wrong} wrong"),
            None => Ok(()),
        }
    }
}

/// How many stand in one sorted list and not in the other, each as often as it does.
fn difference(left: &[String], right: &[String]) -> usize {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut different = 0;
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return different,
            (Some(one), Some(other)) if one == other => {
                left.next();
                right.next();
            }
            (Some(one), other) if other.is_none_or(|other| one < other) => {
                left.next();
                different += 1;
            }
            _ => {
                right.next();
                different += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_are_missing_twice_there_or_unknown_are_wrong() {
        let list = |ids: &str| ids.chars().map(String::from).collect::<Vec<_>>();
        for (answered, booked, wrong) in [
            ("abc", "abc", 0),
            ("abc", "ac", 1),
            ("abc", "abbc", 1),
            ("", "a", 1),
            ("b", "ac", 3),
            ("aa", "a", 1),
        ] {
            assert_eq!(difference(&list(answered), &list(booked)), wrong, "{answered} {booked}");
        }
    }
}
