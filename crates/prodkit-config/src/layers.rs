//! The sources, in order, read into one tree.

mod files;
mod text;

use crate::error::{Error, Errors};
use crate::tree::Tree;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The sources of a configuration, later wins: files in the order given, then the environment, then `--set`.
///
/// A plain description: nothing is read before [`read`](Self::read), and the process environment is never touched.
/// Keep it and read again to reload.
///
/// # Files
///
/// YAML, TOML or JSON by extension. A directory stands for its files in the order of their names, names starting with
/// `.` left out (Kubernetes keeps `..data` there); other files in it are a [`Warning`](crate::Warning), directories in
/// it are passed over. Maps merge key by key; lists and values are replaced.
///
/// # Environment
///
/// `APP__DATABASE__HOST` sets `database.host`: the prefix is matched as written, the rest is split at `__` and
/// **lower-cased**. A key with a capital or a dash cannot be reached this way; use `--set`. The value is text and is
/// parsed by the type of the field: `true`, `8080`, `30s`, and for a list of scalars `a,b,c`.
///
/// # Flags
///
/// `--set server.port=18080`: the key is split at `.` and used as written, the value is everything behind the first
/// `=`, read like a variable. A list is set whole; its elements have no path here.
#[derive(Clone, Default)]
#[must_use = "layers do nothing until they are read"]
pub struct Layers {
    files: Vec<FileLayer>,
    prefix: Option<String>,
    vars: Vec<(OsString, OsString)>,
    aliases: Vec<Alias>,
    sets: Vec<String>,
}

#[derive(Clone)]
struct FileLayer {
    path: PathBuf,
    optional: bool,
}

#[derive(Clone)]
struct Alias {
    variable: String,
    path: String,
    value: OsString,
}

impl Layers {
    /// No sources at all: every value is the default of its type.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file, or a directory of files, on top of those given before. It must exist.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(FileLayer { path: path.into(), optional: false });
        self
    }

    /// Like [`file`](Self::file), but nothing when the path does not exist: for a path nobody asked for by name.
    pub fn optional_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(FileLayer { path: path.into(), optional: true });
        self
    }

    /// The environment, and the prefix of the variables that set any key. Called again, it replaces the first.
    ///
    /// Pass `std::env::vars_os()` or what a test needs. Variables without the prefix are ignored, whatever they hold.
    pub fn env<K, V>(mut self, prefix: impl Into<String>, vars: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        self.prefix = Some(prefix.into());
        self.vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// A well-known variable, the path it sets, and what it holds: `LOG_LEVEL`, `log.level`, `debug`.
    ///
    /// A variable with the prefix wins over an alias, and a later alias over an earlier one. An empty one counts as
    /// unset, as the OpenTelemetry specification asks.
    pub fn alias(
        mut self,
        variable: impl Into<String>,
        path: impl Into<String>,
        value: impl Into<OsString>,
    ) -> Self {
        self.aliases.push(Alias { variable: variable.into(), path: path.into(), value: value.into() });
        self
    }

    /// One `--set`, as `path=value`, on top of everything before.
    pub fn set(mut self, assignment: impl Into<String>) -> Self {
        self.sets.push(assignment.into());
        self
    }

    /// Reads every source. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// All of them at once: files that are missing, unreadable, of an unknown extension, not regular, over 4 MiB, not
    /// UTF-8, not well-formed, with duplicate keys, over 100,000 values or nested over 64 levels; variables and flags
    /// that have no path, contradict each other, or reach into a list.
    pub fn read(&self) -> Result<Tree, Errors> {
        self.attempt().1
    }

    /// Reads every source, and says which files that took, however it ended.
    pub(crate) fn attempt(&self) -> (Vec<PathBuf>, Result<Tree, Errors>) {
        let Self { files, prefix, vars, aliases, sets } = self;
        let mut errors: Vec<Error> = Vec::new();
        let mut tree = Tree::new();
        files::read(files, &mut tree, &mut errors);
        text::aliases(aliases, &mut tree, &mut errors);
        text::env(prefix.as_deref(), vars, &mut tree, &mut errors);
        text::sets(sets, &mut tree, &mut errors);
        match Errors::new(errors) {
            None => (tree.files.clone(), Ok(tree)),
            Some(errors) => (tree.files, Err(errors)),
        }
    }
}

// Variables and flags may hold secrets.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<_> = self.files.iter().map(|layer| &layer.path).collect();
        let aliases: Vec<_> = self.aliases.iter().map(|alias| (&alias.variable, &alias.path)).collect();
        f.debug_struct("Layers")
            .field("files", &files)
            .field("prefix", &self.prefix)
            .field("aliases", &aliases)
            .field("sets", &self.sets.len())
            .finish_non_exhaustive()
    }
}
