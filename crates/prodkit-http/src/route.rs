//! A route's template.

use std::sync::Arc;

/// The template of a route, such as `/orders/{id}`. Made from a `&'static str` or an `Arc<str>`.
#[derive(Clone, Debug)]
pub struct Route(Text);

#[derive(Clone, Debug)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Route {
    /// The template.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl From<&'static str> for Route {
    fn from(template: &'static str) -> Self {
        Self(Text::Static(template))
    }
}

impl From<Arc<str>> for Route {
    fn from(template: Arc<str>) -> Self {
        Self(Text::Shared(template))
    }
}
