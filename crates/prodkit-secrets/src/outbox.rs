//! A provider's side of the secrets in use.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use crate::document::{Document, Key};
use crate::secrets::Inner;

/// Where a [`Provider`](crate::Provider) puts what is new, and how it goes.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
    scheme: &'static str,
}

/// A new value was not taken; the old one stays in use. `Display` says why, without any secret.
#[derive(Clone, Debug)]
pub struct Refused {
    pub(crate) reason: String,
}

impl Outbox {
    pub(crate) const fn new(inner: Arc<Inner>, scheme: &'static str) -> Self {
        Self { inner, scheme }
    }

    /// Offers new documents, by path, that belong together: everything that follows from them is built and verified, and
    /// then all of it moves at once.
    ///
    /// Contents that are in use already move nothing; their version, expiry and guard are taken. One offer at a time is
    /// looked at. Cancel safe: then nothing was taken.
    ///
    /// # Errors
    ///
    /// When something that follows from it (a pool that cannot log in) refuses, or is not ready in time. Nothing has
    /// changed then. It may be offered again.
    pub async fn offer(&self, documents: Vec<(String, Document)>) -> Result<(), Refused> {
        let batch = documents.into_iter().map(|(path, document)| (self.key(&path), document)).collect();
        self.inner.take(batch).await
    }

    /// What is at `path` goes on to work, until `expires` if that is known.
    pub fn renewed(&self, path: &str, expires: Option<Instant>) {
        self.inner.renewed(&self.key(path), expires);
    }

    /// What is at `path` cannot be kept current, and why. What is in use stays in use. An empty path stands for the
    /// provider itself, such as for its own login.
    pub fn failing(&self, path: &str, reason: &str) {
        self.inner.failing(&self.key(path), reason);
    }

    /// The paths that secrets in use mention, sorted.
    #[must_use]
    pub fn wanted(&self) -> Vec<String> {
        self.inner.wanted(self.scheme)
    }

    /// Waits until [`wanted`](Self::wanted) may have changed. Cancel safe; a change before the first call counts.
    pub async fn changed(&self) {
        self.inner.wanted_changed(self.scheme).await;
    }

    fn key(&self, path: &str) -> Key {
        Key::new(self.scheme, path)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}
