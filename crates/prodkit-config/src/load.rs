//! Tree to typed value: every independent error, or the value and all that was learned on the way.

use crate::de::{De, Fault, Path, Place, Plan, Reason, Run, Section, Seen, Stand, View};
use crate::error::{Error, Errors, Warning};
use crate::hint::suggestion;
use crate::node::{Entry, Kind, Map, Node};
use crate::path::{is_below, parent, push_index, push_key};
use crate::reload::Spot;
use crate::source::{Origin, Span};
use crate::tree::Tree;
use crate::veil::Veil;
use prodkit_live::registry::{self, Found};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// Typed values made from a [`Tree`], with what there is to know about them.
#[non_exhaustive]
pub struct Loaded<S, C> {
    /// The well-known sections; `()` when the whole tree was loaded as one type.
    pub settings: S,
    /// The configuration.
    pub config: C,
    /// What the operator should know: from reading the layers, and where strictness ends.
    pub warnings: Vec<Warning>,
    pub(crate) live: Vec<Spot>,
    /// Paths read through [`SECRET_NAME`](crate::SECRET_NAME), sorted.
    pub secrets: Vec<String>,
}

/// Unknown keys that get a suggestion.
const HINTED: usize = 500;

/// Passes over the tree for one type. Each costs as much as a successful load.
const PASSES: usize = 400;

impl<S, C> Loaded<S, C> {
    /// The paths of the live values inside both, in the order they were read: what a [`Reload`](crate::Reload) moves.
    pub fn live(&self) -> impl Iterator<Item = &str> {
        self.live.iter().map(|spot| &spot.found).filter(|found| !found.is_default()).map(Found::path)
    }
}

impl Tree {
    /// The `reserved` top-level sections as `S`, everything else as `C`, with one strictness over both.
    ///
    /// `C` also gets a reserved section that it declares as a field. A key is unknown when neither type knows it, at
    /// any depth. `()` is refused as `C`: a struct without fields says that there is nothing to configure.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, of both types at once: values of the wrong type, missing and unknown keys, unknown
    /// variants, what the types' own checks say. At most 50 are kept.
    pub fn load<S: DeserializeOwned, C: DeserializeOwned>(
        &self,
        reserved: &[&str],
    ) -> Result<Loaded<S, C>, Errors> {
        self.veiled(reserved, |load| {
            let settings = load.view::<S>(View::Settings(reserved));
            let config = load.view::<C>(View::App(reserved));
            settings.zip(config)
        })
    }

    /// The whole tree as one type, without reserved sections.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_one<C: DeserializeOwned>(&self) -> Result<Loaded<(), C>, Errors> {
        self.veiled(&[], |load| load.view::<C>(View::All).map(|config| ((), config)))
    }

    /// Some secrets only their types know, and an alias may repeat them where another type complains first. What is wrong
    /// is therefore told by a second reading, which knows what the first has learned.
    fn veiled<S, C>(
        &self,
        reserved: &[&str],
        read: impl Fn(&mut Load<'_>) -> Option<(S, C)>,
    ) -> Result<Loaded<S, C>, Errors> {
        let mut veil = Veil::default();
        loop {
            let mut load = Load::new(self, &veil);
            let value = read(&mut load);
            let hidden = match load.finish(value, reserved) {
                Ok(loaded) => return Ok(loaded),
                Err(Failed { faults, hidden }) => {
                    let learned = Veil::over(hidden);
                    if learned.is_within(&veil) {
                        return Err(drawn(faults, &veil, &self.replaced));
                    }
                    learned
                }
            };
            veil = hidden;
        }
    }
}

/// Several types read from one tree.
struct Load<'t> {
    tree: &'t Tree,
    veil: &'t Veil,
    seen: RefCell<Seen>,
    faults: Vec<Place>,
    live: Vec<Found>,
}

impl<'t> Load<'t> {
    fn new(tree: &'t Tree, veil: &'t Veil) -> Self {
        Self { tree, veil, seen: RefCell::default(), faults: Vec::new(), live: Vec::new() }
    }

    /// Passes until one is clean. A mistake is noted once; then something else stands in its place.
    fn view<T: DeserializeOwned>(&mut self, view: View<'_>) -> Option<T> {
        let mut plan = Plan::new();
        let mut clean = true;
        for _ in 0..PASSES {
            let run = Run { plan: &plan, seen: &self.seen, view, veil: self.veil };
            let de = De::root(&self.tree.root, &Path::Root, &run);
            let (result, found) = registry::collect(|| de.read::<T>());
            let fault = match result {
                Ok(value) if clean => {
                    self.live.extend(found);
                    return Some(value);
                }
                Ok(_) => return None,
                Err(fault) => fault,
            };
            clean = false;
            if !self.replan(fault, &mut plan) || self.faults.len() > Errors::KEPT {
                return None;
            }
        }
        None
    }

    /// Notes the fault if it is a new one, and plans around it; `false` when there is no way around.
    fn replan(&mut self, fault: Fault, plan: &mut Plan) -> bool {
        // A stand-in that does not fit has no place: it is the one planned last.
        let Some(at) = fault.into_place() else { return false };
        if let Some(stand) = above(plan, &at.path) {
            return give_way(plan, &stand);
        }
        // A section may dislike what stands in for its parts.
        if at.reason == Reason::Opinion && plan.keys().any(|path| is_below(path, &at.path)) {
            return cover(plan, &at.path);
        }
        let path = at.path.clone();
        self.faults.push(at);
        !path.is_empty() && plan.insert(path, Stand::Skip).is_none()
    }

    fn finish<S, C>(self, value: Option<(S, C)>, reserved: &[&str]) -> Result<Loaded<S, C>, Failed> {
        let Self { tree, veil: _, seen, mut faults, live } = self;
        let mut seen = seen.into_inner();
        let mut hidden = std::mem::take(&mut seen.secret_spans);
        Unknown { sections: &seen.sections, reserved, faults: &mut faults, hidden: &mut hidden }
            .below(&tree.root, &mut String::new());
        if value.is_none() && faults.is_empty() {
            let message = "the type refuses the configuration without saying why".to_owned();
            let (path, reason) = (String::new(), Reason::Shape);
            faults.push(Place { path, origin: Origin::DEFAULT, message, reason });
        }
        let (settings, config) = match value {
            Some(value) if faults.is_empty() => value,
            _ => return Err(Failed { faults, hidden }),
        };
        let typed = seen.warnings.into_iter().map(|(path, message)| Warning { path, message });
        let warnings = tree.warnings.iter().cloned().chain(typed).collect();
        let spot = |found: Found| {
            let containers = seen.containers.get(found.path()).filter(|_| !found.is_default());
            Spot { containers: containers.cloned().unwrap_or_default(), found }
        };
        let live = live.into_iter().map(spot).collect();
        Ok(Loaded { settings, config, warnings, live, secrets: seen.secrets.into_iter().collect() })
    }
}

// Not the values: a type may print its secrets.
impl<S, C> fmt::Debug for Loaded<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings: _, config: _, warnings, live, secrets } = self;
        f.debug_struct("Loaded")
            .field("warnings", warnings)
            .field("live", &live.len())
            .field("secrets", secrets)
            .finish_non_exhaustive()
    }
}

/// What is wrong, and where values are that may be secrets.
struct Failed {
    faults: Vec<Place>,
    hidden: Vec<Span>,
}

/// The errors, with the lines they are about. What a later source `replaced` was read by nobody who could say that it is
/// no secret.
fn drawn(faults: Vec<Place>, veil: &Veil, replaced: &[Span]) -> Errors {
    // The top level has no line of its own.
    let top = |fault: &Place| fault.reason == Reason::Missing && parent(&fault.path) == Some("");
    let lineless: HashSet<String> =
        faults.iter().filter(|fault| top(fault)).map(|fault| fault.path.clone()).collect();
    let errors =
        faults.into_iter().map(|Place { path, origin, message, .. }| Error::new(path, origin, message));
    let mut errors = Errors::new(errors.collect()).unwrap_or_default();
    let hidden: Vec<&Span> = veil.spans().iter().chain(replaced).collect();
    errors.draw(|error| {
        let span = error.origin().span().filter(|_| !lineless.contains(error.path()));
        span.map(|span| span.excerpt(&hidden))
    });
    errors
}

/// Notes the keys no type knows.
struct Unknown<'a> {
    sections: &'a HashMap<*const Map, Section>,
    reserved: &'a [&'a str],
    faults: &'a mut Vec<Place>,
    hidden: &'a mut Vec<Span>,
}

impl Unknown<'_> {
    fn below(&mut self, node: &Node, path: &mut String) {
        let length = path.len();
        match &node.kind {
            Kind::Scalar { .. } => {}
            Kind::Seq(items) => {
                for (i, item) in items.iter().enumerate().filter(|(_, item)| item.is_container()) {
                    push_index(path, i);
                    self.below(item, path);
                    path.truncate(length);
                }
            }
            Kind::Map(map) => {
                self.keys(map, path);
                for entry in map.iter().filter(|entry| entry.node.is_container()) {
                    push_key(path, &entry.name);
                    self.below(&entry.node, path);
                    path.truncate(length);
                }
            }
        }
    }

    fn keys(&mut self, map: &Map, path: &str) {
        let Some(section) = self.sections.get(&std::ptr::from_ref(map)) else { return };
        let reserved = |name: &str| path.is_empty() && self.reserved.contains(&name);
        for Entry { name, key, node, .. } in
            map.iter().filter(|entry| section.is_unknown(&entry.name, reserved(&entry.name)))
        {
            let mut path = path.to_owned();
            push_key(&mut path, name);
            let shown: String = name.chars().take(64).collect();
            // Nobody reads the hundredth suggestion, and hostile files would have us make as many as they have keys.
            let hint =
                if self.faults.len() < HINTED { suggestion(name, &section.fields()) } else { String::new() };
            let message = format!("unknown key `{}`{hint}", shown.escape_debug());
            self.faults.push(Place { path, origin: key.clone(), message, reason: Reason::Shape });
            // It may be a secret under a misspelt name.
            node.spans(self.hidden);
        }
    }
}

/// The nearest path with a stand-in, the path itself first.
fn above(plan: &Plan, path: &str) -> Option<String> {
    let mut path = Some(path);
    while let Some(at) = path {
        if plan.contains_key(at) {
            return Some(at.to_owned());
        }
        path = parent(at);
    }
    None
}

/// Tries the next stand-in at the path, or gives up on it and stands in for the section around it.
fn give_way(plan: &mut Plan, path: &str) -> bool {
    match plan.get(path).copied().and_then(Stand::next) {
        Some(next) => {
            plan.insert(path.to_owned(), next);
            true
        }
        None => parent(path).is_some_and(|above| cover(plan, above)),
    }
}

fn cover(plan: &mut Plan, path: &str) -> bool {
    if path.is_empty() {
        return false;
    }
    plan.retain(|other, _| !is_below(other, path));
    match plan.get(path).copied() {
        None => plan.insert(path.to_owned(), Stand::Skip).is_none(),
        Some(_) => give_way(plan, path),
    }
}
