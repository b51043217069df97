//! What two trees say differently, apart from what is live.

use crate::node::{Kind, Map, Node};
use crate::path::{parent, push_index, push_key};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// What a difference is measured against: everything at or below these paths moves by itself.
pub(super) struct Lives<'a> {
    pub(super) paths: HashSet<&'a str>,
    /// Lists and maps with live values inside. They are compared as a whole: an element that came or went may have
    /// shifted all others.
    pub(super) containers: HashSet<&'a str>,
    /// Everything with something live below it.
    above: HashSet<&'a str>,
}

/// What stands at a path in two trees.
#[derive(Clone, Copy)]
pub(super) enum Difference<'a> {
    /// They differ.
    Fixed,
    /// A live value may differ. To compare what may be most of the tree is left to who wants to know.
    Live(Option<&'a Node>, Option<&'a Node>),
}

type Found<'f> = dyn FnMut(&str, Difference<'_>) -> ControlFlow<()> + 'f;

impl Difference<'_> {
    pub(super) fn is_one(self) -> bool {
        match self {
            Self::Fixed => true,
            Self::Live(Some(one), Some(other)) => !one.same(other),
            Self::Live(one, other) => one.is_some() != other.is_some(),
        }
    }
}

impl<'a> Lives<'a> {
    pub(super) fn new(paths: HashSet<&'a str>, containers: HashSet<&'a str>) -> Self {
        let parents = paths.iter().flat_map(|path| std::iter::successors(parent(path), |path| parent(path)));
        let above = parents.collect();
        Self { paths, containers, above }
    }

    /// Whether the list or map at `path` has the same elements in both, whatever their live values.
    pub(super) fn same_shape(&self, path: &str, one: Option<&Node>, other: Option<&Node>) -> bool {
        match (one.map(|node| &node.kind), other.map(|node| &node.kind)) {
            (Some(Kind::Seq(one)), Some(Kind::Seq(other))) => {
                one.len() == other.len() && !self.differ_inside(path, one, other)
            }
            (Some(Kind::Map(one)), Some(Kind::Map(other))) => same_keys(one, other),
            _ => match (one, other) {
                (Some(one), Some(other)) => one.same(other),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            },
        }
    }

    /// Whether the values at `path` differ, live values strictly below it aside.
    pub(super) fn differ(&self, path: &str, one: Option<&Node>, other: Option<&Node>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return one.is_some() != other.is_some() };
        let mut stop = |_: &str, difference: Difference<'_>| match difference {
            Difference::Live(..) => ControlFlow::Continue(()),
            Difference::Fixed => ControlFlow::Break(()),
        };
        self.inside(one, other, &mut path.to_owned(), &mut stop).is_break()
    }

    /// An element with another fixed value is another element: what is live in it must not go from one to the other.
    fn differ_inside(&self, path: &str, one: &[Node], other: &[Node]) -> bool {
        let mut path = path.to_owned();
        let length = path.len();
        one.iter().zip(other).enumerate().any(|(i, (one, other))| {
            push_index(&mut path, i);
            let live = self.paths.contains(path.as_str());
            let differ = !live && self.differ(&path, Some(one), Some(other));
            path.truncate(length);
            differ
        })
    }

    /// Every difference between two trees, and every live value; nothing below a live one.
    pub(super) fn differences(&self, one: &Node, other: &Node, found: &mut Found<'_>) -> ControlFlow<()> {
        self.below(Some(one), Some(other), &mut String::new(), found)
    }

    fn below(
        &self,
        one: Option<&Node>,
        other: Option<&Node>,
        path: &mut String,
        found: &mut Found<'_>,
    ) -> ControlFlow<()> {
        if self.paths.contains(path.as_str()) {
            return found(path, Difference::Live(one, other));
        }
        let alike = || one.zip(other).is_some_and(|(one, other)| one.same(other));
        if !self.above.contains(path.as_str()) && alike() {
            return ControlFlow::Continue(());
        }
        match (one, other) {
            (Some(one), Some(other)) => self.inside(one, other, path, found),
            (Some(node), None) | (None, Some(node)) => self.alone(node, path, found),
            (None, None) => ControlFlow::Continue(()),
        }
    }

    fn inside(&self, one: &Node, other: &Node, path: &mut String, found: &mut Found<'_>) -> ControlFlow<()> {
        let length = path.len();
        let whole = self.containers.contains(path.as_str());
        match (&one.kind, &other.kind) {
            (Kind::Seq(one), Kind::Seq(other)) if one.len() == other.len() => {
                for (i, (one, other)) in one.iter().zip(other).enumerate() {
                    push_index(path, i);
                    self.below(Some(one), Some(other), path, found)?;
                    path.truncate(length);
                }
                ControlFlow::Continue(())
            }
            (Kind::Map(one), Kind::Map(other)) if !whole || same_keys(one, other) => {
                let gone = one.iter().map(|entry| (&entry.name, Some(&entry.node), other.find(&entry.name)));
                let new = other.iter().filter(|entry| one.find(&entry.name).is_none());
                let new = new.map(|entry| (&entry.name, None, Some(entry)));
                for (name, one, other) in gone.chain(new) {
                    push_key(path, name);
                    self.below(one, other.map(|entry| &entry.node), path, found)?;
                    path.truncate(length);
                }
                ControlFlow::Continue(())
            }
            _ if one.same(other) => ControlFlow::Continue(()),
            _ => found(path, Difference::Fixed),
        }
    }

    /// A value that only one of the two has: named as a whole, unless some of it is live.
    fn alone(&self, node: &Node, path: &mut String, found: &mut Found<'_>) -> ControlFlow<()> {
        let Kind::Map(map) = &node.kind else { return found(path, Difference::Fixed) };
        if !self.above.contains(path.as_str()) {
            return found(path, Difference::Fixed);
        }
        let length = path.len();
        for entry in map.iter() {
            push_key(path, &entry.name);
            self.below(Some(&entry.node), None, path, found)?;
            path.truncate(length);
        }
        ControlFlow::Continue(())
    }
}

fn same_keys(one: &Map, other: &Map) -> bool {
    one.len() == other.len() && one.iter().all(|entry| other.find(&entry.name).is_some())
}
