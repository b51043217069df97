//! Spelled-out metrics to their series: the fast way in, which allocates nothing once a spelling is known.

use crate::series::Series;
use hashbrown::{DefaultHashBuilder, HashTable};
use metrics::Key;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

/// Enough that two cores rarely meet on one lock.
const SHARDS: usize = 16;

/// One hash table in sharded locks, which are held for a lookup and nothing else.
#[derive(Debug)]
struct Table<E>([RwLock<HashTable<E>>; SHARDS]);

impl<E: Entry> Table<E> {
    fn new() -> Self {
        Self(std::array::from_fn(|_| RwLock::new(HashTable::new())))
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<E>> {
        // Bits that the table itself uses neither as position nor as tag.
        let shard = (hash >> 48) as usize % SHARDS;
        &self.0[shard]
    }

    #[inline]
    fn find<R>(&self, hash: u64, same: impl FnMut(&E) -> bool, read: impl FnOnce(&Series) -> R) -> Option<R> {
        let shard = self.shard(hash).read().unwrap_or_else(PoisonError::into_inner);
        shard.find(hash, same).map(|entry| read(entry.series()))
    }

    fn insert(&self, entry: E, same: impl FnMut(&E) -> bool) {
        let mut shard = self.shard(entry.hash()).write().unwrap_or_else(PoisonError::into_inner);
        if shard.find(entry.hash(), same).is_none() && entry.series().spell() {
            shard.insert_unique(entry.hash(), entry, E::hash);
        }
    }

    fn forget(&self, gone: &impl Fn(&Series) -> bool) {
        for shard in &self.0 {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|entry| !gone(entry.series()));
        }
    }
}

trait Entry {
    fn hash(&self) -> u64;
    fn series(&self) -> &Series;
}

/// A key of the `metrics` facade, which brings its hash along.
#[derive(Debug)]
struct Keyed {
    key: Key,
    series: Arc<Series>,
}

impl Keyed {
    /// The facade's own equality sorts the labels first; nearly always they come in the order they came in before,
    /// and a macro with literals brings the very same ones.
    #[inline]
    fn is(&self, key: &Key) -> bool {
        let (mine, labels) = (self.key.labels().as_slice(), key.labels().as_slice());
        self.key.get_hash() == key.get_hash()
            && (std::ptr::eq(self.key.name(), key.name()) || self.key.name() == key.name())
            && (std::ptr::eq(mine, labels) || mine == labels || self.key == *key)
    }
}

impl Entry for Keyed {
    fn hash(&self) -> u64 {
        self.key.get_hash()
    }

    fn series(&self) -> &Series {
        &self.series
    }
}

/// A name and labels in the order they were given.
#[derive(Debug)]
struct Spelled {
    hash: u64,
    name: Box<str>,
    labels: Box<[(Box<str>, Box<str>)]>,
    series: Arc<Series>,
}

impl Spelled {
    #[inline]
    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        &*self.name == name
            && self.labels.len() == labels.len()
            && self.labels.iter().zip(labels).all(|(mine, label)| &*mine.0 == label.0 && &*mine.1 == label.1)
    }
}

impl Entry for Spelled {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn series(&self) -> &Series {
        &self.series
    }
}

#[derive(Debug)]
pub(crate) struct Index {
    keyed: Table<Keyed>,
    spelled: Table<Spelled>,
    hasher: DefaultHashBuilder,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { keyed: Table::new(), spelled: Table::new(), hasher: DefaultHashBuilder::default() }
    }

    #[inline]
    pub(crate) fn find_key<R>(&self, key: &Key, read: impl FnOnce(&Series) -> R) -> Option<R> {
        self.keyed.find(key.get_hash(), |entry| entry.is(key), read)
    }

    #[inline]
    pub(crate) fn find<R>(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        read: impl FnOnce(&Series) -> R,
    ) -> Option<R> {
        self.spelled.find(self.hash(name, labels), |entry| entry.is(name, labels), read)
    }

    pub(crate) fn insert_key(&self, key: &Key, series: Arc<Series>) {
        self.keyed.insert(Keyed { key: key.to_retained(), series }, |entry| entry.is(key));
    }

    pub(crate) fn insert(&self, name: &str, labels: &[(&str, &str)], series: Arc<Series>) {
        let owned = labels.iter().map(|label| (label.0.into(), label.1.into())).collect();
        let hash = self.hash(name, labels);
        let entry = Spelled { hash, name: name.into(), labels: owned, series };
        self.spelled.insert(entry, |entry| entry.is(name, labels));
    }

    /// Drops every spelling of the series that are `gone`.
    pub(crate) fn forget(&self, gone: impl Fn(&Series) -> bool) {
        self.keyed.forget(&gone);
        self.spelled.forget(&gone);
    }

    #[inline]
    fn hash(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        name.hash(&mut hasher);
        for (name, value) in labels {
            name.hash(&mut hasher);
            value.hash(&mut hasher);
        }
        hasher.finish()
    }
}
