//! The entries of maps and structs, the elements of lists, the content of enum variants.

use super::joker::Joker;
use super::{De, Fault, Path, Reason, Stand, Value};
use crate::node::{Entry, Map, Node};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

pub(super) struct Entries<'t, 'p> {
    de: De<'t, 'p>,
    left: Remaining<'t>,
    value: Option<(&'t str, Source<'t>)>,
    typed_keys: bool,
}

/// Without a plan there is nothing to sort out in advance.
enum Remaining<'t> {
    Fields(std::slice::Iter<'static, &'static str>, Option<&'t Map>),
    Entries(std::slice::Iter<'t, Entry>),
    Planned(std::vec::IntoIter<(&'t str, Source<'t>)>),
}

#[derive(Clone, Copy)]
enum Source<'t> {
    Entry(&'t Entry),
    Joker(usize),
}

impl<'t, 'p> Entries<'t, 'p> {
    pub(super) fn fields(de: De<'t, 'p>, map: Option<&'t Map>, fields: &'static [&'static str]) -> Self {
        let left = if de.run.is_unplanned(de.path) {
            Remaining::Fields(fields.iter(), map)
        } else {
            let (mut items, mut jokers) = (Vec::new(), Vec::new());
            for name in fields.iter().copied().filter(|name| de.run.admits(de.path, name, Some(fields))) {
                match (de.run.stand(&Path::Key(de.path, name)), map.and_then(|map| map.find(name))) {
                    (None, Some(entry)) => items.push((name, Source::Entry(entry))),
                    (None, None) | (Some(Stand::Skip), _) => {}
                    (Some(Stand::Joker(level)), _) => jokers.push((name, Source::Joker(level))),
                }
            }
            items.append(&mut jokers);
            Remaining::Planned(items.into_iter())
        };
        Self { de, left, value: None, typed_keys: false }
    }

    pub(super) fn all(de: De<'t, 'p>, map: Option<&'t Map>) -> Self {
        let entries = map.map_or(&[][..], Map::entries);
        let left = if de.run.is_unplanned(de.path) {
            Remaining::Entries(entries.iter())
        } else {
            let entries = entries.iter().filter(|entry| de.run.admits(de.path, &entry.name, None));
            let items = entries.filter_map(|entry| match de.run.stand(&Path::Key(de.path, &entry.name)) {
                None => Some((&*entry.name, Source::Entry(entry))),
                Some(Stand::Skip) => None,
                Some(Stand::Joker(level)) => Some((&*entry.name, Source::Joker(level))),
            });
            Remaining::Planned(items.collect::<Vec<_>>().into_iter())
        };
        Self { de, left, value: None, typed_keys: true }
    }

    #[inline(never)]
    fn advance(&mut self) -> Option<(&'t str, Source<'t>)> {
        self.value = self.left.next();
        self.value
    }
}

impl<'t> Iterator for Remaining<'t> {
    type Item = (&'t str, Source<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Fields(names, map) => {
                let map = (*map)?;
                names.find_map(|name| map.find(name).map(|entry| (*name, Source::Entry(entry))))
            }
            Self::Entries(entries) => entries.next().map(|entry| (&*entry.name, Source::Entry(entry))),
            Self::Planned(items) => items.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Fields(..) => (0, None),
            Self::Entries(entries) => entries.size_hint(),
            Self::Planned(items) => items.size_hint(),
        }
    }
}

impl<'t> MapAccess<'t> for Entries<'t, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, source)) = self.advance() else { return Ok(None) };
        match source {
            Source::Entry(entry) if self.typed_keys => {
                // Keys of a map are values of a type of their own: numbers, enums.
                let path = Path::Key(self.de.path, name);
                let mut de = self.de.part(name, &entry.key, &path);
                de.secret = false;
                seed.deserialize(de).map(Some).map_err(|fault| de.locate(fault))
            }
            Source::Entry(_) | Source::Joker(_) => {
                seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
            }
        }
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        match self.value.take() {
            Some((name, Source::Entry(entry))) => {
                let key = if self.typed_keys {
                    Path::Entry(self.de.path, name)
                } else {
                    Path::Key(self.de.path, name)
                };
                let de = self.de.entry(entry, &key);
                seed.deserialize(de).map_err(|fault| de.locate(fault))
            }
            Some((name, Source::Joker(level))) => {
                self.de.stand_in(&Path::Key(self.de.path, name), || seed.deserialize(Joker::new(level)))
            }
            None => Err(self.de.says(Reason::Opinion, "the type asks for a value before its key".into())),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.left.size_hint().1
    }
}

pub(super) struct Items<'t, 'p> {
    de: De<'t, 'p>,
    left: Left<'t>,
    next: usize,
    /// Of a fixed length: elements cannot be left out.
    fixed: bool,
}

enum Left<'t> {
    Nodes(&'t [Node]),
    Texts(std::vec::IntoIter<&'t str>),
}

impl<'t, 'p> Items<'t, 'p> {
    pub(super) fn nodes(de: De<'t, 'p>, items: &'t [Node], fixed: bool) -> Self {
        Self { de, left: Left::Nodes(items), next: 0, fixed }
    }

    /// `a, b, c` from the environment or a flag.
    pub(super) fn texts(de: De<'t, 'p>, text: &'t str, fixed: bool) -> Self {
        let parts: Vec<&str> =
            if text.trim().is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() };
        Self { de, left: Left::Texts(parts.into_iter()), next: 0, fixed }
    }

    pub(super) fn len(&self) -> usize {
        match &self.left {
            Left::Nodes(items) => items.len(),
            Left::Texts(parts) => parts.len(),
        }
    }
}

impl<'t> SeqAccess<'t> for Items<'t, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        loop {
            let path = Path::Index(self.de.path, self.next);
            let de = match &mut self.left {
                Left::Nodes(items) => match items.split_first() {
                    None => return Ok(None),
                    Some((item, rest)) => {
                        *items = rest;
                        self.de.item(item, &path)
                    }
                },
                Left::Texts(parts) => match parts.next() {
                    None => return Ok(None),
                    Some(part) => self.de.part(part, self.de.origin, &path),
                },
            };
            self.next += 1;
            return match self.de.run.stand(&path) {
                None => seed.deserialize(de).map(Some).map_err(|fault| de.locate(fault)),
                Some(Stand::Skip) if !self.fixed => continue,
                Some(stand) => self.de.stand_in(&path, || seed.deserialize(Joker::from(stand))).map(Some),
            };
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len())
    }
}

/// `memory`, or `s3: {…}`.
pub(super) struct Variant<'t, 'p> {
    pub(super) de: De<'t, 'p>,
    pub(super) name: &'t str,
    pub(super) content: Option<&'t Entry>,
}

impl<'t, 'p> EnumAccess<'t> for Variant<'t, 'p> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let mut de = self.de;
        if let Some(entry) = self.content {
            (de.value, de.origin) = (Value::Scalar(self.name, crate::scalar::Form::Bare), &entry.key);
        }
        let variant =
            seed.deserialize(BorrowedStrDeserializer::new(self.name)).map_err(|fault| de.locate(fault))?;
        Ok((variant, self))
    }
}

impl<'t> Variant<'t, '_> {
    fn content(&self) -> Result<&'t Entry, Fault> {
        self.content.ok_or_else(|| {
            let message = format!("the variant `{0}` needs a value; write it as a key, `{0}: …`", self.name);
            self.de.says(Reason::Shape, message)
        })
    }
}

impl<'t> VariantAccess<'t> for Variant<'t, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content.map(|entry| (entry, Value::of(&entry.node))) {
            None => Ok(()),
            Some((_, value)) if value.is_null() => Ok(()),
            Some((entry, value)) => match value {
                Value::Map(map) if map.len() == 0 => Ok(()),
                _ => {
                    let path = Path::Key(self.de.path, self.name);
                    Err(self.de.entry(entry, &path).expected("nothing: this variant has no value", None))
                }
            },
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Fault> {
        let entry = self.content()?;
        let path = Path::Key(self.de.path, self.name);
        match self.de.run.stand(&path) {
            None => {
                let de = self.de.entry(entry, &path);
                seed.deserialize(de).map_err(|fault| de.locate(fault))
            }
            Some(stand) => self.de.stand_in(&path, || seed.deserialize(Joker::from(stand))),
        }
    }

    fn tuple_variant<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        let entry = self.content()?;
        let path = Path::Key(self.de.path, self.name);
        let de = self.de.entry(entry, &path);
        match self.de.run.stand(&path) {
            None => de.deserialize_tuple(length, visitor).map_err(|fault| de.locate(fault)),
            Some(stand) => self.de.stand_in(&path, || Joker::from(stand).deserialize_tuple(length, visitor)),
        }
    }

    fn struct_variant<V: Visitor<'t>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entry = self.content()?;
        let path = Path::Key(self.de.path, self.name);
        let de = self.de.entry(entry, &path);
        match self.de.run.stand(&path) {
            None => de.fields(fields, visitor).map_err(|fault| de.locate(fault)),
            Some(stand) => {
                self.de.stand_in(&path, || Joker::from(stand).deserialize_struct("", fields, visitor))
            }
        }
    }
}
