//! One pass over the tree: what it may read, what it leaves out, what it finds out.

use super::Path;
use crate::node::{Map, Node};
use crate::source::Span;
use crate::veil::Veil;
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
pub(crate) struct Run<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) seen: &'p RefCell<Seen>,
    pub(crate) view: View<'p>,
    pub(crate) veil: &'p Veil,
}

/// What passes over the tree found out.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sections: HashMap<*const Map, Section>,
    pub(crate) warnings: BTreeMap<String, String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) secret_spans: Vec<Span>,
    /// The lists and maps above each `Live` that is inside of some.
    pub(crate) containers: HashMap<String, Vec<String>>,
}

/// What types know of a map that some of them read.
#[derive(Default)]
pub(crate) struct Section {
    fields: &'static [&'static str],
    /// Of further types.
    more: Vec<&'static [&'static str]>,
    /// Some type takes any key; at the top level reserved names and others are separate questions.
    pub(crate) open: bool,
    pub(crate) open_reserved: bool,
}

impl Section {
    pub(crate) fn learn(&mut self, fields: &'static [&'static str]) {
        if self.fields.is_empty() {
            self.fields = fields;
        } else if self.fields != fields && !self.more.contains(&fields) {
            self.more.push(fields);
        }
    }

    /// All of them, in order.
    pub(crate) fn fields(&self) -> Vec<&'static str> {
        let mut all = BTreeSet::new();
        for fields in self.more.iter().chain([&self.fields]) {
            all.extend(fields.iter().copied());
        }
        all.into_iter().collect()
    }

    /// Whether no type knows the key.
    pub(crate) fn is_unknown(&self, name: &str, reserved: bool) -> bool {
        let open = if reserved { self.open_reserved } else { self.open };
        !open && !self.fields.contains(&name) && !self.more.iter().any(|fields| fields.contains(&name))
    }
}

impl Run<'_> {
    /// Whether the value may be a secret, as far as anything but its own type knows.
    pub(super) fn hides(&self, node: &Node) -> bool {
        node.is_masked(self.veil)
    }

    /// Whether everything written here is to be read.
    pub(super) fn is_unplanned(&self, path: &Path<'_>) -> bool {
        self.plan.is_empty() && (matches!(self.view, View::All) || !matches!(path, Path::Root))
    }

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
