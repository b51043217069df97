//! The work that goes on as long as the process: providers, and secrets that could not be had yet.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{Inner, Secrets};
use crate::document::Key;
use crate::outbox::Outbox;
use crate::provider::Driving;

/// The first and the longest pause before what could not be had is asked for again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Keeps secrets current for as long as [`next`](Self::next) is awaited; made by [`Secrets::driver`].
#[must_use = "secrets move only while the driver is awaited"]
pub struct Driver {
    events: Option<mpsc::UnboundedReceiver<Event>>,
    work: FuturesUnordered<Driving>,
}

/// What has happened to secrets. Names, and never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// New values are in use.
    Moved {
        /// The paths of the secrets that moved, in the configuration; where a path is not known, how it is written.
        secrets: Vec<String>,
    },
    /// New values were not taken, and the old ones stay in use.
    Refused {
        /// Where they were.
        sources: Vec<String>,
        /// Why.
        reason: String,
    },
    /// A source cannot be kept current; what is in use stays in use.
    Failing {
        /// The source.
        source: String,
        /// Why.
        reason: String,
        /// How long what is in use goes on to work, where it ends.
        left: Option<Duration>,
    },
    /// A source is well again.
    Recovered {
        /// The source.
        source: String,
    },
}

impl Secrets {
    /// The work of all providers, once; a second driver has nothing to do.
    pub fn driver(&self) -> Driver {
        let inner = &self.inner;
        let events = inner.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut work = FuturesUnordered::<Driving>::new();
        if events.is_some() {
            for provider in &inner.providers {
                let outbox = Outbox::new(Arc::clone(inner), provider.scheme());
                work.extend(Arc::clone(provider).drive(outbox));
            }
            let (mending, following) = (Arc::clone(inner), Arc::clone(inner));
            work.push(Box::pin(async move { mending.mend().await }));
            work.push(Box::pin(async move { following.follow().await }));
        }
        Driver { events, work }
    }
}

impl Driver {
    /// Works until there is something to tell. Cancel safe: between calls nothing moves, and nothing is lost.
    pub async fn next(&mut self) -> Event {
        let Self { events, work } = self;
        let Some(events) = events else { return std::future::pending().await };
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => return event,
                // A provider that is done has nothing that changes.
                Some(()) = work.next() => {}
                else => std::future::pending().await,
            }
        }
    }
}

impl Inner {
    /// After each configuration that was taken.
    async fn follow(&self) {
        let Some(news) = self.news.first() else { return };
        loop {
            news.notified().await;
            self.catch_up().await;
        }
    }

    /// Asks again for what could not be had. Files come by themselves.
    async fn mend(&self) {
        let mut pause = RETRY.0;
        loop {
            sleep(pause).await;
            let mut well = true;
            for key in self.unresolved() {
                match self.fetch(&key).await {
                    Ok(document) => well &= self.take(vec![(key, document)]).await.is_ok(),
                    Err(error) => {
                        self.failing(&key, &error.chain());
                        well = false;
                    }
                }
            }
            pause = if well { RETRY.0 } else { (pause * 2).min(RETRY.1) };
        }
    }

    fn unresolved(&self) -> Vec<Key> {
        let state = self.state();
        let lacking =
            state.documents.iter().filter(|(key, entry)| &*key.scheme != "file" && entry.document.is_err());
        lacking.map(|(key, _)| key.clone()).collect()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("work", &self.work.len()).finish_non_exhaustive()
    }
}
