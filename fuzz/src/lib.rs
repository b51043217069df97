//! Hostile texts for the loaders of `prodkit-config` and the parsers of `prodkit-trace` and `prodkit-http`, and what has to
//! hold for each of them.
//!
//! The targets are in `targets/`, one binary each; what several of them check is here. Only the public API is used, so
//! texts travel through a file, as a service's do.

mod checks;
mod document;
mod secrets;
mod types;

pub use checks::{inside, list_of, place_of, tidy};
pub use document::{document, failure, said};
pub use types::{Map, Rich};

use prodkit_config::{Errors, Layers, Tree};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Writes a file for this process alone, under `TMPDIR`, where whoever runs a target cleans up.
pub fn file(name: &str, text: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("prodkit-fuzz-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the files to read");
        path
    });
    let path = directory.join(name);
    fs::write(&path, text).expect("a file to read");
    path
}

/// One file, read.
pub fn read(name: &str, text: &str) -> Result<Tree, Errors> {
    Layers::new().file(file(name, text)).read()
}

/// A tree as one type, warnings and all else dropped.
pub fn typed<T: DeserializeOwned>(tree: &Tree) -> Result<T, Errors> {
    tree.load_one::<T>().map(|loaded| loaded.config)
}

/// A tree without a type. `None` when a number does not fit 64 bits.
pub fn value(tree: &Tree) -> Option<Value> {
    typed(tree).ok()
}
