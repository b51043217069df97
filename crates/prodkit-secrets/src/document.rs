//! What a provider hands out for one path.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use crate::Error;
use crate::value::Bytes;

/// The most fields of one document.
const FIELDS: usize = 1_024;

/// What is found at one path of a provider: one value, or several by name, that belong together.
///
/// Secrets that take different fields of one document move together, whenever a new one is
/// [offered](crate::Outbox::offer): a user name never meets the password of another lease.
#[derive(Clone)]
#[must_use]
pub struct Document {
    fields: Fields,
    guard: Option<Arc<dyn Send + Sync>>,
    pub(crate) version: Option<String>,
    pub(crate) expires: Option<Instant>,
    pub(crate) warning: Option<String>,
}

#[derive(Clone)]
enum Fields {
    Whole(Bytes),
    Named(BTreeMap<String, Bytes>),
}

/// A path of a provider: what is fetched at once, and moves at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) scheme: Arc<str>,
    pub(crate) path: Arc<str>,
}

impl Document {
    /// One value without a name. What is not kept of `bytes` is zeroed.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self::of(Fields::Whole(Bytes::take(bytes)))
    }

    /// Values by name. What is not kept of them is zeroed.
    pub fn named(fields: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let fields = fields.into_iter().map(|(name, bytes)| (name, Bytes::take(bytes)));
        Self::of(Fields::Named(fields.collect()))
    }

    const fn of(fields: Fields) -> Self {
        Self { fields, guard: None, version: None, expires: None, warning: None }
    }

    /// Which version it is, to be shown.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// When it ceases to work unless it is [renewed](crate::Outbox::renewed). Monotonic: a clock that jumps neither ends
    /// it nor prolongs it.
    pub fn expires(mut self, at: Instant) -> Self {
        self.expires = Some(at);
        self
    }

    /// Something the operator should know, said once.
    pub fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warning = Some(warning.into());
        self
    }

    /// Dropped when nobody holds any value of this document any more: neither a secret, nor a resource that was built
    /// from one and keeps it while it drains. What a provider gives back then (a lease) is in nobody's use.
    pub fn guard(mut self, guard: impl Send + Sync + 'static) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    pub(crate) fn field(&self, field: Option<&str>) -> Result<Bytes, Error> {
        match (&self.fields, field) {
            (Fields::Whole(bytes), None) => Ok(self.guarded(bytes)),
            (Fields::Named(fields), Some(name)) => match fields.get(name) {
                Some(bytes) => Ok(self.guarded(bytes)),
                None => Err(Error::missing("there is no such field")),
            },
            (Fields::Whole(_), Some(_)) => Err(Error::refused("it has no fields")),
            (Fields::Named(_), None) => Err(Error::refused("it has fields, and none is named")),
        }
    }

    fn guarded(&self, bytes: &Bytes) -> Bytes {
        match &self.guard {
            Some(guard) => Bytes::copy(bytes.expose(), Some(Arc::clone(guard))),
            None => bytes.clone(),
        }
    }

    /// What a secret may not exceed, in whatever it came with.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = |bytes: &Bytes| bytes.expose().len() <= crate::LARGEST;
        let fits = match &self.fields {
            Fields::Whole(bytes) => fits(bytes),
            Fields::Named(fields) => fields.len() <= FIELDS && fields.values().all(fits),
        };
        if fits { Ok(()) } else { Err(Error::refused("it has more than 1 MiB, or more than 1024 fields")) }
    }

    /// Calls `f` with every content.
    pub(crate) fn each(&self, mut f: impl FnMut(&[u8])) {
        match &self.fields {
            Fields::Whole(bytes) => f(bytes.expose()),
            Fields::Named(fields) => fields.values().for_each(|bytes| f(bytes.expose())),
        }
    }

    /// Whether both hold the same, whatever their versions and leases.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (&self.fields, &other.fields) {
            (Fields::Whole(one), Fields::Whole(other)) => one.same(other),
            (Fields::Named(one), Fields::Named(other)) => {
                one.len() == other.len()
                    && one.iter().all(|(name, bytes)| other.get(name).is_some_and(|other| bytes.same(other)))
            }
            (Fields::Whole(_), Fields::Named(_)) | (Fields::Named(_), Fields::Whole(_)) => false,
        }
    }
}

// Names and no values.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fields, guard: _, version, expires, warning } = self;
        let names: Vec<_> = match fields {
            Fields::Whole(_) => Vec::new(),
            Fields::Named(fields) => fields.keys().collect(),
        };
        f.debug_struct("Document")
            .field("fields", &names)
            .field("version", version)
            .field("expires", expires)
            .field("warning", warning)
            .finish_non_exhaustive()
    }
}

impl Key {
    pub(crate) fn new(scheme: &str, path: &str) -> Self {
        Self { scheme: scheme.into(), path: path.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.path.escape_debug())
    }
}
