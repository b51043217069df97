//! One configuration, as a value.

use crate::error::Warning;
use crate::node::{Kind, Map, Node, settled};
use crate::path::{push_index, push_key};
use crate::scalar::Form;
use crate::secrecy::{self, MASK};
use crate::source::{Origin, Span};
use crate::veil::Veil;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// All layers merged: one value tree, every part of which knows where it was written.
///
/// Two trees are equal when they say the same, wherever it was written; secrets take part. That is the question a
/// reload asks. [`hash`](Self::hash) is for showing.
#[derive(Clone)]
pub struct Tree {
    pub(crate) root: Node,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) warnings: Vec<Warning>,
    /// What later sources took the place of.
    pub(crate) replaced: Vec<Span>,
}

/// One value of a [`Tree`]: a scalar, or a list or map with nothing in it.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    path: String,
    shown: Cow<'a, str>,
    origin: &'a Origin,
}

/// Prints a [`Tree`], one line per value. Made by [`Tree::show`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Show<'a> {
    tree: &'a Tree,
    hidden: BTreeSet<String>,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root = Node::map(Origin::DEFAULT);
        Self { root, files: Vec::new(), warnings: Vec::new(), replaced: Vec::new() }
    }

    /// Every file and directory that was read or looked for, in order: what a reload has to watch.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// What reading the layers had to say. Also part of what [`load`](Self::load) returns.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The values that are set, secrets masked. Defaults of the types are not among them: serde fills them in later
    /// and no one can see them from here.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf<'_>> {
        self.collect(&Hidden::default()).into_iter()
    }

    /// The values that are set, one per line with their origin: `server.port = 8080    # config.yaml:3:9`.
    ///
    /// Values under a key that looks like a secret, and passwords in URLs, print as `***`. Use [`Show::hiding`] for
    /// what only the types know: load first, and show only what has loaded.
    pub fn show(&self) -> Show<'_> {
        Show { tree: self, hidden: BTreeSet::new() }
    }

    fn collect(&self, hidden: &Hidden) -> Vec<Leaf<'_>> {
        let mut leaves = Vec::new();
        walk(&self.root, &mut String::new(), false, hidden, &mut leaves);
        leaves
    }

    /// What these paths stand for, and what aliases repeat of it.
    fn hidden(&self, paths: &BTreeSet<String>) -> Hidden {
        let (mut nodes, mut spans) = (HashSet::new(), Vec::new());
        if !paths.is_empty() {
            each(&self.root, &mut String::new(), &mut |path, node| {
                if paths.contains(path) {
                    nodes.insert(std::ptr::from_ref(node));
                    node.spans(&mut spans);
                }
            });
        }
        Hidden { nodes, veil: Veil::over(spans) }
    }

    /// A hash of what the tree says, the same on every machine and for every version of this crate with the same major
    /// number: shown to tell at a glance whether two replicas run the same configuration. Print it as `{:016x}`.
    ///
    /// Values that may be secret count only by being there, so that the hash may be shown; it does not depend on
    /// the order of keys, on comments, or on where values come from. To tell whether a reload changes anything, compare
    /// the trees. Use [`Show::hash`] where there are secrets that only the types know of.
    pub fn hash(&self) -> u64 {
        self.show().hash()
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.root.same(&other.root)
    }
}

// No values: which of them are secrets, only the types know.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.leaves().map(|leaf| (leaf.path, leaf.origin))).finish()
    }
}

impl Leaf<'_> {
    /// The dotted path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value as text, `***` where it may be a secret.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Where it was written.
    pub fn origin(&self) -> &Origin {
        self.origin
    }
}

impl fmt::Display for Leaf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, shown, origin } = self;
        write!(f, "{path} = {shown}    # {origin}")
    }
}

impl<'a> Show<'a> {
    /// One after the other.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf<'a>> {
        self.tree.collect(&self.tree.hidden(&self.hidden)).into_iter()
    }

    /// Masks these paths, everything below them, and what aliases of YAML repeat of it: pass
    /// [`Loaded::secrets`](crate::Loaded::secrets).
    pub fn hiding<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.hidden.extend(paths.into_iter().map(Into::into));
        self
    }

    /// As [`Tree::hash`]; what is [hidden](Self::hiding) counts only by being there, too.
    pub fn hash(&self) -> u64 {
        let mut hash = Digest::new();
        digest(&self.tree.root, true, false, &self.tree.hidden(&self.hidden), &mut hash);
        hash.0
    }
}

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leaves().try_for_each(|leaf| writeln!(f, "{leaf}"))
    }
}

/// What is not shown, although neither its key nor its text looks like a secret.
#[derive(Default)]
struct Hidden {
    nodes: HashSet<*const Node>,
    veil: Veil,
}

impl Hidden {
    fn has(&self, node: &Node) -> bool {
        self.nodes.contains(&std::ptr::from_ref(node)) || node.is_masked(&self.veil)
    }
}

fn each<'a>(node: &'a Node, path: &mut String, tell: &mut impl FnMut(&str, &'a Node)) {
    tell(path, node);
    let length = path.len();
    match &node.kind {
        Kind::Scalar { .. } => {}
        Kind::Seq(items) => {
            for (i, item) in items.iter().enumerate() {
                push_index(path, i);
                each(item, path, tell);
                path.truncate(length);
            }
        }
        Kind::Map(map) => {
            for entry in map.iter() {
                push_key(path, &entry.name);
                each(&entry.node, path, tell);
                path.truncate(length);
            }
        }
    }
}

fn walk<'a>(node: &'a Node, path: &mut String, secret: bool, hidden: &Hidden, leaves: &mut Vec<Leaf<'a>>) {
    let (root, length) = (path.is_empty(), path.len());
    let secret = secret || hidden.has(node);
    let mut leaf =
        |path: &str, shown| leaves.push(Leaf { path: path.to_owned(), shown, origin: &node.origin });
    match &node.kind {
        Kind::Scalar { .. } if secret => leaf(path, Cow::Borrowed(MASK)),
        Kind::Scalar { text, form } => {
            let shown = match secrecy::masked(text) {
                Cow::Borrowed(text) => Node::show(text, *form),
                Cow::Owned(text) => Cow::Owned(Node::show(&text, *form).into_owned()),
            };
            leaf(path, shown);
        }
        Kind::Seq(items) if items.is_empty() => leaf(path, Cow::Borrowed("[]")),
        Kind::Map(map) if map.len() == 0 && !root => leaf(path, Cow::Borrowed("{}")),
        Kind::Seq(items) => {
            for (i, item) in items.iter().enumerate() {
                push_index(path, i);
                walk(item, path, secret, hidden, leaves);
                path.truncate(length);
            }
        }
        Kind::Map(map) => {
            for entry in map.iter() {
                push_key(path, &entry.name);
                walk(&entry.node, path, secret || entry.is_secret(root), hidden, leaves);
                path.truncate(length);
            }
        }
    }
}

fn digest(node: &Node, root: bool, secret: bool, hidden: &Hidden, hash: &mut Digest) {
    let secret = secret || hidden.has(node);
    match &node.kind {
        Kind::Scalar { .. } if secret => hash.write(b'*', MASK),
        Kind::Scalar { text, form } => {
            let tag = match settled(text, *form) {
                Form::Null => return hash.write(b'0', ""),
                Form::Bool => b'b',
                Form::Int => b'i',
                Form::Float => b'f',
                Form::Text | Form::Plain | Form::Bare => b't',
            };
            hash.write(tag, &secrecy::masked(text));
        }
        Kind::Seq(items) => {
            hash.write(b'[', "");
            items.iter().for_each(|item| digest(item, false, secret, hidden, hash));
            hash.write(b']', "");
        }
        Kind::Map(map) => {
            hash.write(b'{', "");
            for entry in sorted(map) {
                hash.write(b'k', &entry.name);
                digest(&entry.node, false, secret || entry.is_secret(root), hidden, hash);
            }
            hash.write(b'}', "");
        }
    }
}

fn sorted(map: &Map) -> Vec<&crate::node::Entry> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The standard library promises no hash that stays the same between releases, and FNV goes byte by byte. This takes
/// words of eight: multiplied, which carries every bit upwards, and folded, which brings them down again. Nobody gains by
/// finding two trees of one hash.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Tag and length first, so that no two trees run together.
    fn write(&mut self, tag: u8, text: &str) {
        self.word((text.len() as u64) << 8 | u64::from(tag));
        for bytes in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn word(&mut self, word: u64) {
        let product = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}
