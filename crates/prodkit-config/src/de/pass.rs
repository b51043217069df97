//! One pass over the tree: what it may read, what it leaves out, what it finds out.

use super::Path;
use crate::node::Map;
use crate::source::Span;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which part of the top level a type reads.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    All,
    /// The reserved sections.
    Settings(&'a [&'a str]),
    /// Everything else, and the reserved sections the type names.
    App(&'a [&'a str]),
}

/// What stands where a value was wrong or missing, so that the rest can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Left out, as if it had never been written.
    Skip,
    /// A made-up value that fits the type asked for; the number picks another one.
    Joker(usize),
}

pub(crate) type Plan = HashMap<String, Stand>;

/// One pass over the tree for one type.
pub(crate) struct Run<'t, 'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) seen: &'p RefCell<Seen<'t>>,
    pub(crate) view: View<'p>,
}

/// What passes over the tree found out.
#[derive(Default)]
pub(crate) struct Seen<'t> {
    pub(crate) sections: BTreeMap<String, Section<'t>>,
    pub(crate) warnings: BTreeMap<String, String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) secret_spans: Vec<Span>,
}

/// A map that some type read, and the keys types know in it.
pub(crate) struct Section<'t> {
    pub(crate) map: &'t Map,
    pub(crate) fields: BTreeSet<&'static str>,
    /// Some type takes any key; at the top level reserved names and others are separate questions.
    pub(crate) open: bool,
    pub(crate) open_reserved: bool,
}

impl Run<'_, '_> {
    pub(super) fn stand(&self, path: &Path<'_>) -> Option<Stand> {
        if self.plan.is_empty() { None } else { self.plan.get(&path.text()).copied() }
    }

    pub(super) fn admits(&self, path: &Path<'_>, name: &str, fields: Option<&[&str]>) -> bool {
        match (path, self.view) {
            (Path::Root, View::Settings(reserved)) => reserved.contains(&name),
            (Path::Root, View::App(reserved)) => {
                !reserved.contains(&name) || fields.is_some_and(|fields| fields.contains(&name))
            }
            _ => true,
        }
    }
}
