//! What serde asks, answered by the value at hand.

use super::access::Variant;
use super::fault::short;
use super::{De, Fault, Reason, SECRET_NAME, Value, number};
use crate::duration;
use crate::node::Entry;
use prodkit_live::registry;
use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Visitor};

impl<'t> Deserializer<'t> for De<'t, '_> {
    type Error = Fault;

    number::integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128, deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.untyped(visitor)
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_f32<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f32(self.float32()?)
    }

    fn deserialize_f64<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.float("a number")?)
    }

    fn deserialize_char<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let mut chars = self.wanted_text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => visitor.visit_char(c),
            _ => Err(self.expected("one character", None)),
        }
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.wanted_text()?)
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Seq(_) => self.list(None, visitor),
            Value::Scalar(..) | Value::Map(_) => visitor.visit_borrowed_bytes(self.wanted_text()?.as_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_root() {
            let message =
                "`()` is not a configuration type; declare a struct, and one without fields takes no keys";
            return Err(self.says(Reason::Shape, message.into()));
        }
        if self.value.is_null() { visitor.visit_unit() } else { Err(self.expected("nothing (`null`)", None)) }
    }

    fn deserialize_unit_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Map(map) => {
                self.know(map, Some(&[]));
                visitor.visit_unit()
            }
            null if null.is_null() => visitor.visit_unit(),
            _ => Err(self.expected("a map without keys", None)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == SECRET_NAME {
            self.hide();
        }
        if name == registry::NAME || name == SECRET_NAME {
            let path = self.path.text();
            let containers = self.path.containers();
            if !containers.is_empty() {
                self.run.seen.borrow_mut().containers.insert(path.clone(), containers);
            }
            // Located here, where it is known that the value may be secret.
            return registry::at(&path, || visitor.visit_newtype_struct(self))
                .map_err(|fault| self.locate(fault));
        }
        visitor.visit_newtype_struct(self).map_err(|fault| self.locate(fault))
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.list(None, visitor)
    }

    fn deserialize_tuple<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.list(Some(length), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(Some(length), visitor)
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let map = self.section(&visitor)?;
        self.any_map(map, visitor)
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // `std::time::Duration` asks for this; people write `30s`.
        if name == "Duration" && fields == ["secs", "nanos"] && !matches!(self.value, Value::Map(_)) {
            let duration = self.duration()?;
            let parts = [duration.as_secs(), u64::from(duration.subsec_nanos())];
            return visitor.visit_seq(SeqDeserializer::new(parts.into_iter()));
        }
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.variant(variants)?)
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

impl<'t, 'p> De<'t, 'p> {
    /// The variant of an enum that is named here, and what belongs to it.
    fn variant(self, variants: &[&str]) -> Result<Variant<'t, 'p>, Fault> {
        if let Some(name) = self.value.text() {
            return Ok(Variant { de: self, name, content: None });
        }
        let list: Vec<String> = variants.iter().map(|name| format!("`{name}`")).collect();
        let expected = format!("one of {}", list.join(", "));
        match self.value {
            Value::Map(map) if map.len() == 1 => match map.iter().next() {
                Some(entry) => Ok(Variant { de: self, name: &entry.name, content: Some(entry) }),
                None => Err(self.expected(&expected, None)),
            },
            Value::Map(map) if map.len() > 1 => {
                let found =
                    map.iter().take(4).map(|Entry { name, key, .. }| format!("`{}` ({key})", short(name)));
                let found: Vec<String> = found.collect();
                let message = format!("expected {expected}, found several: {}", found.join(", "));
                Err(self.says(Reason::Shape, message))
            }
            Value::Scalar(..) | Value::Seq(_) | Value::Map(_) => Err(self.expected(&expected, None)),
        }
    }

    fn duration(&self) -> Result<std::time::Duration, Fault> {
        let Value::Scalar(text, _) = self.value else { return Err(self.expected(duration::EXPECTED, None)) };
        duration::read(text)
            .map_err(|hint| self.expected(duration::EXPECTED, Some(hint).filter(|hint| !hint.is_empty())))
    }
}
