//! The bytes of a secret, and the one way to see them.

use std::fmt;
use std::hint::black_box;
use std::str::Utf8Error;
use std::sync::{Arc, Weak};

use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::reference::SecretRef;

/// What a [`Secret`](crate::Secret) holds at one moment.
///
/// The only ways to its content begin with `expose`, so that a search finds every place. It prints as `***`, cannot be
/// serialized, and its memory is zeroed when the last holder lets go of it.
pub struct SecretValue {
    bytes: Option<Bytes>,
    reference: SecretRef,
}

/// Content that is zeroed in the end. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bytes(Arc<Content>);

/// Content that somebody else may hold.
pub(crate) struct WeakBytes(Weak<Content>);

struct Content {
    bytes: SecretSlice<u8>,
    /// Lives as long as anybody holds the content.
    _guard: Option<Arc<dyn Send + Sync>>,
}

impl SecretValue {
    pub(crate) const fn new(reference: SecretRef, bytes: Option<Bytes>) -> Self {
        Self { bytes, reference }
    }

    /// The content, which may be binary. Empty when [nothing is there](Self::is_missing).
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.bytes.as_ref().map_or(&[], Bytes::expose)
    }

    /// The content as text. Empty when [nothing is there](Self::is_missing).
    ///
    /// # Errors
    ///
    /// When the content is not UTF-8. The error says where, and nothing of the content.
    pub fn expose_text(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self.expose_bytes())
    }

    /// Whether nothing was found: for a secret that is [optional](crate::Secret::optional), or where a service starts
    /// without its secrets because it is told to.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.bytes.is_none()
    }

    /// Whether the content is `other`. Takes as long for a wrong guess as for a right one of the same length; nothing
    /// equals what is [missing](Self::is_missing).
    #[must_use]
    pub fn is(&self, other: &[u8]) -> bool {
        self.bytes.as_ref().is_some_and(|bytes| same(bytes.expose(), other))
    }

    /// Where it comes from.
    #[must_use]
    pub const fn reference(&self) -> &SecretRef {
        &self.reference
    }

    pub(crate) const fn bytes(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_missing() { "(missing)" } else { "***" })
    }
}

impl Bytes {
    /// Copies `bytes`, which the caller zeroes.
    pub(crate) fn copy(bytes: &[u8], guard: Option<Arc<dyn Send + Sync>>) -> Self {
        Self(Arc::new(Content { bytes: SecretSlice::new(bytes.into()), _guard: guard }))
    }

    /// Takes `bytes` and zeroes what it does not keep.
    pub(crate) fn take(mut bytes: Vec<u8>) -> Self {
        // Shrinking would leave the old allocation behind as it is.
        let taken = Self::copy(&bytes, None);
        bytes.zeroize();
        taken
    }

    /// The same content, as long as somebody else holds it.
    pub(crate) fn downgrade(&self) -> WeakBytes {
        WeakBytes(Arc::downgrade(&self.0))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.bytes.expose_secret()
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        same(self.expose(), other.expose())
    }
}

impl WeakBytes {
    pub(crate) fn upgrade(&self) -> Option<Bytes> {
        self.0.upgrade().map(Bytes)
    }
}

/// Without a branch on the content.
fn same(one: &[u8], other: &[u8]) -> bool {
    let different = one.iter().zip(other).fold(0, |different, (one, other)| different | (one ^ other));
    one.len() == other.len() && black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> SecretValue {
        SecretValue::new(SecretRef::literal(text.as_bytes()), Some(Bytes::take(text.into())))
    }

    #[test]
    fn it_prints_as_stars_and_is_seen_only_when_exposed() {
        let value = value("hunter2");
        assert_eq!((format!("{value:?}"), format!("{value:#?}")), ("***".into(), "***".into()));
        assert_eq!((value.expose_text().unwrap(), value.expose_bytes()), ("hunter2", &b"hunter2"[..]));
    }

    #[test]
    fn it_is_what_it_is_and_nothing_else() {
        let value = value("hunter2");
        assert!(value.is(b"hunter2"));
        for other in ["", "hunter", "hunter22", "Hunter2", "hunter3"] {
            assert!(!value.is(other.as_bytes()), "{other}");
        }
        let missing = SecretValue::new(SecretRef::literal(b""), None);
        assert!(!missing.is(b"") && missing.is_missing() && missing.expose_bytes().is_empty());
    }

    #[test]
    fn content_that_is_not_text_says_so_without_showing_it() {
        let value = SecretValue::new(SecretRef::literal(b""), Some(Bytes::take(b"pass\xffword".to_vec())));
        let error = value.expose_text().unwrap_err();
        assert!(!error.to_string().contains("pass") && !format!("{error:?}").contains("pass"));
    }

    #[test]
    fn a_guard_goes_with_the_last_holder() {
        let guard = Arc::new(());
        let bytes = Bytes::copy(b"lease", Some(guard.clone()));
        let held = bytes.clone();
        drop(bytes);
        assert_eq!(Arc::strong_count(&guard), 2);
        drop(held);
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}
