//! The configuration file as one JSON Schema, draft 2020-12: prodkit's sections and the app's, as strict as the loader.

mod close;
mod defaults;
mod merge;

use std::any::{TypeId, type_name};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::context::NoConfig;
use crate::settings::Settings;

/// The properties of a schema, and much else in one: names to values, in order.
pub(crate) type Object = Map<String, Value>;

/// How the app's configuration is described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Described {
    id: TypeId,
    name: &'static str,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Described {
    pub(crate) fn new<C: JsonSchema + 'static>() -> Self {
        let schema = SchemaGenerator::subschema_for::<C>;
        Self { id: TypeId::of::<C>(), name: type_name::<C>(), schema }
    }

    /// What there is to say of an app that takes a `C`; `Ok(None)` where nobody has described it.
    ///
    /// # Errors
    ///
    /// When another type was described.
    pub(crate) fn of_app<C: 'static>(described: Option<Self>) -> Result<Option<Self>, String> {
        match described {
            Some(Self { id, name, .. }) if id != TypeId::of::<C>() => {
                Err(format!("Host::schema describes {name}, and the app takes {}", type_name::<C>()))
            }
            None if TypeId::of::<C>() == TypeId::of::<NoConfig>() => Ok(Some(Self::new::<NoConfig>())),
            described => Ok(described),
        }
    }
}

/// The schema of the whole file. Without a description of the app's part, any other section is allowed.
pub(crate) fn file(service: &str, app: Option<Described>) -> Value {
    // Each use of a type is told its own defaults; only what contains itself is referred to.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut generator = settings.into_generator();
    let mut file = object(generator.subschema_for::<Settings>());
    if let Some(app) = app {
        merge::into(&mut file, object((app.schema)(&mut generator)));
    }
    let mut root = Object::new();
    root.insert("$schema".to_owned(), schemars::consts::meta_schemas::DRAFT2020_12.into());
    root.insert("title".to_owned(), format!("The configuration of {service}").into());
    if app.is_none() {
        root.insert("$comment".to_owned(), UNDESCRIBED.into());
        root.insert("type".to_owned(), "object".into());
        root.insert("additionalProperties".to_owned(), true.into());
    }
    file.remove("description");
    file.remove("default");
    for (key, value) in file {
        root.entry(key).or_insert(value);
    }
    let (mut root, mut definitions) = (root.into(), generator.take_definitions(true));
    std::iter::once(&mut root).chain(definitions.values_mut()).for_each(defaults::settle);
    close::settle(&mut root, &mut definitions);
    // Where a file may be empty, its schema still speaks of what is in it.
    root["type"] = "object".into();
    if !definitions.is_empty() {
        root["$defs"] = definitions.into();
    }
    root
}

/// What stands in place of an app's part that nobody has described.
pub(crate) const UNDESCRIBED: &str =
    "The sections of the app itself are not described here: its author has not called Host::schema.";

/// A schema that is `true` or `false` says nothing that could be merged.
fn object(schema: Schema) -> Object {
    match schema.to_value() {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// The schemas directly below: of properties, items, alternatives.
pub(crate) fn children(schema: &mut Object) -> impl Iterator<Item = (Step, &mut Value)> {
    schema.iter_mut().flat_map(|(keyword, value)| {
        let below: Box<dyn Iterator<Item = (Step, &mut Value)>> = match (keyword.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(named)) => {
                Box::new(named.values_mut().map(|child| (Step::Down, child)))
            }
            ("prefixItems", Value::Array(items)) => {
                Box::new(items.iter_mut().map(|child| (Step::Down, child)))
            }
            ("items" | "additionalProperties" | "unevaluatedProperties" | "contains", child) => {
                Box::new(std::iter::once((Step::Down, child)))
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(same)) => {
                Box::new(same.iter_mut().map(|child| (Step::Same, child)))
            }
            _ => Box::new(std::iter::empty()),
        };
        below
    })
}

/// Whether a schema below another speaks of a part of the value, or of the value itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Down,
    Same,
}

#[cfg(test)]
pub(crate) mod tests;
