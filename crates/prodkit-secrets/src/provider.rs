//! Where secrets come from, beyond the environment.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use crate::document::Document;
use crate::error::Error;
use crate::outbox::Outbox;

/// What [`Provider::fetch`] returns.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Document, Error>> + Send + 'a>>;

/// Work of a provider that goes on; see [`Provider::drive`].
pub type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where secrets come from: the files of this machine, Vault, or what you have.
///
/// A provider finds [documents](Document) by path and keeps them current by itself:
///
/// 1. [`fetch`](Self::fetch) is called once for each path that a configuration mentions, and again while it fails.
/// 2. [`drive`](Self::drive) is called once. What it returns runs until the end: it renews what is leased, says how that
///    goes ([`Outbox::renewed`], [`Outbox::failing`]), and [offers](Outbox::offer) what is new. An offer is taken only when
///    everything that follows from it has been built and verified; if it is refused, the old value stays in use, so the
///    provider keeps its lease alive, gives the new one back and tries again later.
/// 3. A lease that nobody uses any more is known by its document's [guard](Document::guard): it is dropped when the last
///    resource built from that document is gone, however long that took to drain.
/// 4. [`close`](Self::close) is called at the end, after everything that used a secret has stopped.
///
/// Every call to the outside needs a time limit of the provider's own. Errors name places and never hold a secret.
pub trait Provider: Send + Sync + 'static {
    /// The word in front of the colon of a reference: `vault`.
    fn scheme(&self) -> &'static str;

    /// What is at `path` now: what stands between the scheme and the last `#` of a reference.
    ///
    /// Called concurrently, at most once at a time for each path. Cancel safe: what was leased meanwhile is the provider's to
    /// give back.
    fn fetch<'a>(&'a self, path: &'a str) -> Fetching<'a>;

    /// The work that keeps what was fetched current; none when nothing ever changes.
    fn drive(self: Arc<Self>, outbox: Outbox) -> Option<Driving> {
        drop(outbox);
        None
    }

    /// Gives back everything that is leased. Cut short when the time for it is over.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}
