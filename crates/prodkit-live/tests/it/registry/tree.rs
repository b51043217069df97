//! The least of a deserializer that knows where it is.

use prodkit_live::registry;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Value};

pub(crate) struct Tree<'a> {
    value: &'a Value,
    path: String,
    named: bool,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(value: &'a Value) -> Self {
        Self { value, path: String::new(), named: true }
    }

    /// One that never says where it is.
    pub(crate) fn unnamed(value: &'a Value) -> Self {
        Self { named: false, ..Self::new(value) }
    }

    fn at(&self, key: &str, value: &'a Value) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { value, path, named: self.named }
    }
}

impl<'de> Deserializer<'de> for Tree<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(map) => {
                visitor.visit_map(Entries { of: &self, left: map.iter().collect(), value: None })
            }
            Value::Array(list) => {
                visitor.visit_seq(Items { of: &self, left: list.iter().enumerate().collect() })
            }
            leaf => leaf.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == registry::NAME && self.named {
            let path = self.path.clone();
            registry::at(&path, || visitor.visit_newtype_struct(self))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Entries<'a, 'de> {
    of: &'a Tree<'de>,
    left: std::collections::VecDeque<(&'de String, &'de Value)>,
    value: Option<Tree<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.left.pop_front() else { return Ok(None) };
        self.value = Some(self.of.at(key, value));
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.value.take().unwrap())
    }
}

struct Items<'a, 'de> {
    of: &'a Tree<'de>,
    left: std::collections::VecDeque<(usize, &'de Value)>,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((index, value)) = self.left.pop_front() else { return Ok(None) };
        seed.deserialize(self.of.at(&index.to_string(), value)).map(Some)
    }
}
