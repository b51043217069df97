//! For deserializers that can reload: which cells a deserialization has made, and where.
//!
//! `Live<T>` deserializes by asking for a newtype struct called [`NAME`]. An ordinary deserializer ignores the name and
//! gets a fixed value. One that can reload answers through [`at`], which registers the new cell under a path; what was
//! made inside [`collect`] comes out as a list of [`Found`]. To reload, it deserializes the new text the same way, lets
//! each old cell [take the value of the new cell](Found::stage) of the same path, and commits all of that as one
//! [`Change`].
//!
//! A `Live` whose key is absent is made by its type's `Default` or by the section's, behind the deserializer's back. Those
//! are listed too, under the [`section`] in which they were made, and say [`is_default`](Found::is_default): a key
//! that appears later can then be given to the one that [fits](Found::fits).
//!
//! Two rules for whoever does that:
//!
//! - **Keep every `Found` that is alive, not just the first of a path.** A `Live` inside a `Live` is made anew by every
//!   reload, and the handles that were cloned from the previous one must keep moving. So a path has many cells; move
//!   all of them, add the new ones to the list after the commit, drop those that are no longer
//!   [alive](Found::is_alive).
//! - **Keep the newly deserialized value until everything is staged:** a `Found` does not keep its cell alive.
//!
//! ```
//! use prodkit_live::{Change, Live, registry};
//! use serde::{Deserialize, Deserializer, de::{IntoDeserializer, Visitor, value::{Error, U32Deserializer}}};
//!
//! /// A deserializer with one number, which is found at one path.
//! struct Limit(u32);
//!
//! impl<'de> Deserializer<'de> for Limit {
//!     type Error = Error;
//!
//!     fn deserialize_newtype_struct<V>(self, name: &'static str, visitor: V) -> Result<V::Value, Error>
//!     where V: Visitor<'de> {
//!         let inner: U32Deserializer<Error> = self.0.into_deserializer();
//!         if name == registry::NAME {
//!             registry::at("server.limit", || visitor.visit_newtype_struct(inner))
//!         } else {
//!             visitor.visit_newtype_struct(inner)
//!         }
//!     }
//! #
//! #   fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> { visitor.visit_u32(self.0) }
//! #
//! #   serde::forward_to_deserialize_any! {
//! #       bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
//! #       unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
//! #   }
//!     // and the rest, as ever
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (limit, mut cells) = registry::collect(|| Live::<u32>::deserialize(Limit(1)));
//! let limit = limit?;
//!
//! // The file has changed: deserialize it again, and move every cell of each path that differs.
//! let (newer, found) = registry::collect(|| Live::<u32>::deserialize(Limit(2)));
//! let newer = newer?;
//! let mut change = Change::default();
//! for new in &found {
//!     for old in cells.iter().filter(|old| old.path() == new.path()) {
//!         change = change.join(old.stage(new)?);
//!     }
//! }
//! change.prepare().await?.commit();
//! cells.extend(found);
//! drop(newer);
//! cells.retain(|cell| cell.is_alive());
//!
//! assert_eq!(*limit.get(), 2);
//! assert_eq!(cells.len(), 1);
//! # Ok(()) }
//! ```

use crate::{cell::Node, change::Change, live::Live, rejected::Rejected};
use std::{
    cell::RefCell,
    fmt, mem,
    sync::{Arc, Weak},
    thread::LocalKey,
};

/// The name of the newtype struct that `Live<T>` asks a deserializer for.
pub const NAME: &str = "$prodkit::Live";

/// A cell that a deserialization has made, and where. It does not keep the cell alive.
#[derive(Clone)]
pub struct Found {
    path: Arc<str>,
    is_default: bool,
    cell: Weak<dyn Node>,
}

thread_local! {
    /// What the innermost `collect` has found so far.
    static FOUND: RefCell<Option<Vec<Found>>> = const { RefCell::new(None) };
    /// Where the next `Live` is being built.
    static PATH: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
    /// The section that is being read.
    static SECTION: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Runs `f`, and lists every `Live` that was meanwhile deserialized at a path on this thread, in the order in which
/// they were finished: one inside another comes before that.
///
/// The list also has those that are gone again, say because the deserialization failed later. May be nested: what the
/// inner one lists, the outer one does not.
pub fn collect<R>(f: impl FnOnce() -> R) -> (R, Vec<Found>) {
    let _path = Replaced::new(&PATH, None);
    let _section = Replaced::new(&SECTION, None);
    let _found = Replaced::new(&FOUND, Some(Vec::new()));
    let result = f();
    (result, FOUND.take().unwrap_or_default())
}

/// Runs `f`, in which the next `Live` to be deserialized on this thread is the one at `path`.
///
/// To be called by a deserializer around `visit_newtype_struct`, when it is asked for [`NAME`]. The path is opaque
/// here. It holds for one `Live`: one further inside, which comes from a deserializer that knows nothing of paths, is
/// not mistaken for it.
pub fn at<R>(path: &str, f: impl FnOnce() -> R) -> R {
    let _path = Replaced::path(&PATH, path);
    f()
}

/// Runs `f`, which reads the fields of the struct at `path`: a `Live` that is not deserialized meanwhile but made, as
/// serde makes the fields that are absent, is listed as a default of this section.
///
/// To be called by a deserializer around `visit_map` when it is asked for a struct.
pub fn section<R>(path: &str, f: impl FnOnce() -> R) -> R {
    let _section = Replaced::path(&SECTION, path);
    f()
}

/// The path given to the `Live` that is being deserialized, for it alone: nobody is given it twice.
///
/// For a type that is a `Live` in another guise, such as a secret, and that a deserializer answers through [`at`], too.
/// Such a type takes the path before it reads its value, and then [adds](add) its `Live`.
pub fn take_path() -> Option<Arc<str>> {
    PATH.take()
}

/// Lists `live` as found at `path`, by whoever collects on this thread.
pub fn add<T: Send + Sync + 'static>(path: Arc<str>, live: &Live<T>) {
    note(path, false, live);
}

/// Lists a `Live` that was made rather than read, where a section is being read. [`Live::fixed`] does so by itself.
pub fn add_default<T: Send + Sync + 'static>(live: &Live<T>) {
    if let Some(section) = SECTION.with_borrow(Option::clone) {
        note(section, true, live);
    }
}

fn note<T: Send + Sync + 'static>(path: Arc<str>, is_default: bool, live: &Live<T>) {
    let node: Arc<dyn Node> = live.cell.clone();
    let cell = Arc::downgrade(&node);
    FOUND.with_borrow_mut(|found| {
        if let Some(found) = found {
            found.push(Found { path, is_default, cell });
        }
    });
}

impl Found {
    /// Where it was found: what the deserializer passed to [`at`], or for a default to [`section`].
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it was made while a section was read, and not read itself.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// Whether both are alive and of one type, so that either could take the value of the other.
    pub fn fits(&self, other: &Self) -> bool {
        let types = self.cell.upgrade().zip(other.cell.upgrade());
        types.is_some_and(|(cell, other)| cell.value_type() == other.value_type())
    }

    /// Whether any handle of the cell is left, or anything derived from it.
    pub fn is_alive(&self) -> bool {
        self.cell.strong_count() > 0
    }

    /// A change that gives this cell the current value of `newer`. It does nothing if this cell is gone.
    ///
    /// Join the changes of all cells and prepare them as one, as in the [example](self). Preparing them one by one
    /// would verify a derived value against a mix of old and new, and two that concern the same derived value would wait
    /// for each other's commit.
    ///
    /// # Errors
    ///
    /// If `newer` is gone, or if the two are not of the same type.
    pub fn stage(&self, newer: &Self) -> Result<Change, Rejected> {
        let Some(current) = self.cell.upgrade() else { return Ok(Change::default()) };
        let newer = newer.cell.upgrade().ok_or_else(|| Rejected::gone(&self.path))?;
        current.adopt(newer).map_err(|(current, newer)| Rejected::mismatch(&self.path, current, newer))
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, is_default, cell: _ } = self;
        f.debug_struct("Found")
            .field("path", path)
            .field("is_default", is_default)
            .field("is_alive", &self.is_alive())
            .finish()
    }
}

/// A thread-local value that is put back on the way out, by a panic too.
struct Replaced<T: Default + 'static> {
    place: &'static LocalKey<RefCell<T>>,
    outer: T,
}

impl<T: Default + 'static> Replaced<T> {
    fn new(place: &'static LocalKey<RefCell<T>>, inner: T) -> Self {
        Self { place, outer: place.replace(inner) }
    }
}

impl Replaced<Option<Arc<str>>> {
    /// Not a part of what it is called for: that is every struct of a configuration.
    #[inline(never)]
    fn path(place: &'static LocalKey<RefCell<Option<Arc<str>>>>, inner: &str) -> Self {
        Self::new(place, Some(inner.into()))
    }
}

impl<T: Default + 'static> Drop for Replaced<T> {
    fn drop(&mut self) {
        self.place.set(mem::take(&mut self.outer));
    }
}
