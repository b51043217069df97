//! Files in a directory that goes away, and errors without its name.

use prodkit_config::{Errors, Layers, Loaded, Tree};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) struct Dir(TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let dir = Self::new();
        for (name, content) in files {
            dir.write(name, content);
        }
        dir
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The text of errors, with paths as they are inside the directory.
    pub(crate) fn text(&self, errors: &Errors) -> String {
        let prefix = format!("{}/", self.root().display());
        errors.to_string().replace(&prefix, "")
    }
}

pub(crate) fn read(name: &str, content: impl AsRef<[u8]>) -> Result<Tree, String> {
    let dir = Dir::new();
    Layers::new().file(dir.write(name, content)).read().map_err(|errors| dir.text(&errors))
}

pub(crate) fn yaml(content: &str) -> Tree {
    read("config.yaml", content).unwrap()
}

pub(crate) fn load<C: DeserializeOwned>(content: &str) -> Result<C, String> {
    load_from("config.yaml", content)
}

pub(crate) fn load_from<C: DeserializeOwned>(name: &str, content: &str) -> Result<C, String> {
    let dir = Dir::new();
    let tree = Layers::new().file(dir.write(name, content)).read().map_err(|errors| dir.text(&errors))?;
    tree.load_one::<C>().map(|loaded| loaded.config).map_err(|errors| dir.text(&errors))
}

pub(crate) fn set<C: DeserializeOwned>(sets: &[&str]) -> Result<Loaded<(), C>, Errors> {
    sets.iter().fold(Layers::new(), |layers, set| layers.set(*set)).read()?.load_one()
}

/// The lines of a text, without the indentation of the test.
pub(crate) fn dedent(text: &str) -> String {
    let lines: Vec<&str> = text.trim_matches('\n').lines().collect();
    let indent =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indent.min().unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or("")).collect();
    lines.join("\n").trim_end().to_owned()
}
