//! A field of a configuration that is a secret.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use prodkit_live::{Guard, Live, WeakUpdater, registry};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use crate::reference::SecretRef;
use crate::value::{Bytes, SecretValue};

/// The newtype a deserializer is asked for, so that one that knows the name prints nothing below it.
pub(crate) const NAME: &str = "$prodkit_secrets::Secret";

/// A secret, as a field of a configuration: it is written as [where it is](SecretRef), holds what is found there, and
/// moves when that changes.
///
/// ```
/// use prodkit_secrets::Secret;
///
/// #[derive(serde::Deserialize)]
/// struct Database {
///     url: String,
///     password: Secret, // password: file:/var/secrets/db-password
/// }
/// ```
///
/// It prints as `***` and cannot be serialized. Cloning is cheap, and every clone shows the same value. What is built from
/// it follows it by [`live`](Self::live):
///
/// ```
/// # use prodkit_secrets::Secret;
/// # struct Pool; impl Pool { async fn connect(_: &str) -> Result<Pool, std::io::Error> { Ok(Pool) } }
/// # async fn f(password: Secret) -> Result<(), Box<dyn std::error::Error>> {
/// let pool = password.live().try_map(|password| async move {
///     let text = password.expose_text()?;
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Pool::connect(text).await?)
/// });
/// let pool = pool.await.map_err(|error| error.to_string())?;
/// # drop(pool); Ok(()) }
/// ```
///
/// # From which deserializer
///
/// One that [collects](collect), as the one of prodkit-config does when the facade loads a configuration, gives a secret
/// that is resolved later and moves. With any other, what is written is the secret itself, for good: a reference is an
/// error there, since nobody would look it up.
#[derive(Clone)]
pub struct Secret {
    live: Live<SecretValue>,
}

/// A secret that a deserialization has made. It does not keep it alive.
#[derive(Clone, Debug)]
pub struct Found {
    pub(crate) path: Option<Arc<str>>,
    pub(crate) updater: WeakUpdater<SecretValue>,
}

thread_local! {
    static FOUND: RefCell<Option<Vec<Found>>> = const { RefCell::new(None) };
}

/// Runs `f`, and lists every secret that was meanwhile made on this thread, by a deserializer or by
/// [`Secret::at`]. They are missing until they are [resolved](crate::Secrets::resolve).
///
/// May be nested: what the inner one lists, the outer one does not.
pub fn collect<R>(f: impl FnOnce() -> R) -> (R, Vec<Found>) {
    /// Puts the outer list back, after a panic too.
    struct Restore(Option<Vec<Found>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FOUND.set(self.0.take());
        }
    }
    let restore = Restore(FOUND.replace(Some(Vec::new())));
    let result = f();
    let found = FOUND.take().unwrap_or_default();
    drop(restore);
    (result, found)
}

impl Secret {
    /// The secret itself, for good: for tests, and for code that is handed one.
    #[must_use]
    pub fn fixed(content: impl AsRef<[u8]>) -> Self {
        let reference = SecretRef::literal(content.as_ref());
        let bytes = Bytes::copy(content.as_ref(), None);
        Self { live: Live::fixed(SecretValue::new(reference, Some(bytes))) }
    }

    /// Nothing, until a configuration says where something is: for the default of a field.
    #[must_use]
    pub fn missing() -> Self {
        Self::made(SecretRef::nowhere())
    }

    /// What is found at this place, as if the configuration said so: for the default of a field.
    ///
    /// Made while a configuration is loaded, as serde makes defaults, it is resolved with everything else. Made at any other
    /// time it stays [missing](SecretValue::is_missing).
    #[must_use]
    pub fn at(place: &str) -> Self {
        Self::made(SecretRef::parse(place))
    }

    /// As [`at`](Self::at); found nowhere it is no error, and stays [missing](SecretValue::is_missing).
    ///
    /// ```
    /// # use prodkit_secrets::Secret;
    /// #[derive(serde::Deserialize)]
    /// struct Database {
    ///     #[serde(default = "db_password")]
    ///     password: Secret,
    /// }
    ///
    /// /// As images of databases have it: `DB_PASSWORD`, or a file named by `DB_PASSWORD_FILE`.
    /// fn db_password() -> Secret {
    ///     Secret::optional("env:DB_PASSWORD")
    /// }
    /// ```
    #[must_use]
    pub fn optional(place: &str) -> Self {
        Self::made(SecretRef::parse(place).optional())
    }

    fn made(reference: SecretRef) -> Self {
        let (updater, live) = Live::channel(SecretValue::new(reference, None));
        registry::add_default(&live);
        note(None, updater.downgrade());
        Self { live }
    }

    /// The current value, for a moment.
    pub fn get(&self) -> Guard<'_, SecretValue> {
        self.live.get()
    }

    /// The current value, for as long as it is needed: it does not change under its holder, and what it was leased with is
    /// not given back before.
    #[must_use]
    pub fn load(&self) -> Arc<SecretValue> {
        self.live.load()
    }

    /// The value as it moves: to derive from (`map`, `zip`, `try_map`), and to wait for.
    #[must_use]
    pub fn live(&self) -> &Live<SecretValue> {
        &self.live
    }

    /// Where it comes from.
    #[must_use]
    pub fn reference(&self) -> SecretRef {
        self.live.get().reference().clone()
    }
}

impl Found {
    /// Its path in the configuration, where the deserializer knew it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Where it comes from; `None` when it is gone.
    #[must_use]
    pub fn reference(&self) -> Option<SecretRef> {
        Some(self.updater.upgrade()?.live().get().reference().clone())
    }
}

fn note(path: Option<Arc<str>>, updater: WeakUpdater<SecretValue>) {
    FOUND.with_borrow_mut(|found| {
        if let Some(found) = found {
            found.push(Found { path, updater });
        }
    });
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, SecretVisitor)
    }
}

struct SecretVisitor;

impl SecretVisitor {
    fn made<E: serde::de::Error>(path: Option<Arc<str>>, reference: SecretRef) -> Result<Secret, E> {
        if FOUND.with_borrow(Option::is_none) {
            return match reference.places() {
                [crate::reference::Place::Written(bytes)] => {
                    let bytes = Some(bytes.clone());
                    Ok(Secret { live: Live::fixed(SecretValue::new(reference, bytes)) })
                }
                _ => Err(E::custom("nobody looks secrets up here: expected the secret itself")),
            };
        }
        let (updater, live) = Live::channel(SecretValue::new(reference, None));
        if let Some(path) = &path {
            registry::add(Arc::clone(path), &live);
        }
        note(path, updater.downgrade());
        Ok(Secret { live })
    }
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret, or where it is")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret, D::Error> {
        let path = registry::take_path();
        let reference = SecretRef::deserialize(deserializer)?;
        Self::made(path, reference)
    }

    /// How formats that do not know the names of newtypes present one.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Secret, A::Error> {
        let reference = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        Self::made(None, reference)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        concat!(module_path!(), "::Secret").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "array"],
            "items": { "type": "string" },
            "minItems": 1,
            "examples": ["file:/var/secrets/password", "env:PASSWORD", "vault:secret/data/orders#password"],
        })
    }
}
