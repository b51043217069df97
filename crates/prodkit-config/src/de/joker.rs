//! A value for any type, so that one mistake does not hide the next.
//!
//! Whatever it fills ends in the bin: a pass with a joker is only run to hear what else is wrong.

use super::{Fault, Stand};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// Texts that types commonly parse themselves from.
const TEXTS: [&str; 13] = [
    "",
    "0",
    "a",
    "1s",
    "localhost",
    "http://localhost/",
    "127.0.0.1",
    "127.0.0.1:80",
    "1970-01-01T00:00:00Z",
    "/",
    "00000000-0000-0000-0000-000000000000",
    "1970-01-01",
    "1MiB",
];

/// Types may contain themselves.
const DEEPEST: usize = 16;

#[derive(Clone, Copy)]
pub(super) struct Joker {
    level: usize,
    depth: usize,
}

impl Joker {
    pub(super) fn new(level: usize) -> Self {
        Self { level, depth: 0 }
    }

    fn below(self) -> Result<Self, Fault> {
        if self.depth == DEEPEST {
            return Err(Fault::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn odd(self) -> bool {
        self.level % 2 == 1
    }
}

impl Stand {
    /// The next thing to try, until there is none.
    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::Skip => Some(Self::Joker(0)),
            Self::Joker(level) => (level + 1 < TEXTS.len()).then_some(Self::Joker(level + 1)),
        }
    }
}

impl From<Stand> for Joker {
    fn from(stand: Stand) -> Self {
        match stand {
            Stand::Skip => Self::new(0),
            Stand::Joker(level) => Self::new(level),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $zero:literal $one:literal),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            // One first: zero is what types refuse.
            visitor.$visit(if self.odd() { $zero } else { $one })
        }
    )*};
}

impl<'de> Deserializer<'de> for Joker {
    type Error = Fault;

    numbers! {
        deserialize_i8 visit_i8 0 1, deserialize_i16 visit_i16 0 1, deserialize_i32 visit_i32 0 1,
        deserialize_i64 visit_i64 0 1, deserialize_i128 visit_i128 0 1, deserialize_u8 visit_u8 0 1,
        deserialize_u16 visit_u16 0 1, deserialize_u32 visit_u32 0 1, deserialize_u64 visit_u64 0 1,
        deserialize_u128 visit_u128 0 1, deserialize_f32 visit_f32 0.0 1.0, deserialize_f64 visit_f64 0.0 1.0,
        deserialize_bool visit_bool true false, deserialize_char visit_char '0' 'a'
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.level {
            0 => visitor.visit_unit(),
            1 => visitor.visit_u64(1),
            2 => visitor.visit_map(Empty),
            3 => visitor.visit_seq(Empty),
            4 => visitor.visit_bool(false),
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(TEXTS.get(self.level).copied().unwrap_or_default())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_bytes(TEXTS.get(self.level).copied().unwrap_or_default().as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self.below()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.odd() { self.deserialize_tuple(1, visitor) } else { visitor.visit_seq(Empty) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Several { joker: self.below()?, left: length })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Empty)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // Without fields every other time: a field may go by several names, and must not be set twice.
        let fields: &[&str] = if self.odd() { &[] } else { fields };
        visitor.visit_map(Fields { joker: self.below()?, fields })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let pick = self.level.checked_rem(variants.len()).and_then(|pick| variants.get(pick));
        let name = pick.ok_or_else(|| Fault::custom("no variants"))?;
        visitor.visit_enum(Variant { joker: self.below()?, name })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

struct Empty;

impl<'de> SeqAccess<'de> for Empty {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<Option<S::Value>, Fault> {
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Empty {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<Option<S::Value>, Fault> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<S::Value, Fault> {
        Err(Fault::custom("no entry"))
    }
}

struct Several {
    joker: Joker,
    left: usize,
}

impl<'de> SeqAccess<'de> for Several {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.joker).map(Some)
    }
}

struct Fields<'a> {
    joker: Joker,
    fields: &'a [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some((name, rest)) = self.fields.split_first() else { return Ok(None) };
        self.fields = rest;
        let name: StrDeserializer<'_, Fault> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.joker)
    }
}

struct Variant {
    joker: Joker,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = Joker;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Joker), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.joker))
    }
}

impl<'de> VariantAccess<'de> for Joker {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_struct("", fields, visitor)
    }
}
