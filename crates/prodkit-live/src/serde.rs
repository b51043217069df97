//! `Live<T>` reads and writes as its value does.

use crate::{live::Live, registry};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// As the value, from any deserializer: a [fixed](Live::fixed) one, unless the deserializer can reload (see
/// [`registry`]).
impl<'de, T: Deserialize<'de> + Send + Sync + 'static> Deserialize<'de> for Live<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(registry::NAME, LiveVisitor(PhantomData))
    }
}

/// The current value, as a newtype struct around it: transparent in every common format.
impl<T: Serialize> Serialize for Live<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(registry::NAME, &*self.load())
    }
}

struct LiveVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Send + Sync + 'static> Visitor<'de> for LiveVisitor<T> {
    type Value = Live<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that may change")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Live<T>, D::Error> {
        // Taken before the value is built: a `Live` in there has to bring a path of its own.
        let path = registry::take_path();
        let live = Live::new(T::deserialize(deserializer)?);
        if let Some(path) = path {
            registry::add(path, &live);
        }
        Ok(live)
    }

    /// How formats that do not know the names of newtypes present one.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Live<T>, A::Error> {
        let value = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        Ok(Live::new(value))
    }
}
