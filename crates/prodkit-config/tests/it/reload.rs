//! A configuration that changes on disk under its readers.

mod commit;
mod latency;
mod matrix;
mod moving;
mod readers;
mod sources;

use crate::kit::Dir;
use prodkit_config::{Commit, Layers, Loaded, Outcome, Reload, ReloadError, WatchOptions};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A file, what was loaded from it, and what keeps that up to date.
struct Rig<C> {
    dir: Dir,
    config: C,
    reload: Reload<NoSettings, C>,
}

#[derive(Deserialize)]
struct NoSettings {}

impl<C: DeserializeOwned> Rig<C> {
    fn new(text: &str) -> Self {
        let dir = Dir::new();
        put(&dir, text);
        let layers = Layers::new().file(dir.path("config.yaml"));
        let (loaded, reload) = Reload::start(layers, &[], WatchOptions::default()).unwrap();
        let Loaded { config, .. } = loaded;
        Self { dir, config, reload }
    }

    async fn outcome(&mut self, text: &str) -> Outcome {
        put(&self.dir, text);
        self.reload.next().await
    }

    async fn commit(&mut self, text: &str) -> Commit {
        match self.outcome(text).await {
            Outcome::Committed(commit) => commit,
            other => panic!("{other:?}"),
        }
    }

    async fn refused(&mut self, text: &str) -> ReloadError {
        match self.outcome(text).await {
            Outcome::Refused(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Paths that move, and paths that wait for a restart, as text.
    async fn step(&mut self, text: &str) -> String {
        let Commit { moved, pending, .. } = self.commit(text).await;
        format!("{} | {}", moved.join(" "), pending.join(" "))
    }
}

/// As editors and volumes do it: whole, or not at all.
fn put(dir: &Dir, text: &str) {
    let new = dir.write("new", text);
    std::fs::rename(new, dir.path("config.yaml")).unwrap();
}
