use prodkit_watch::{Look, Options, Watch};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Far beyond any poll or pause: whoever waits for so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory and a watch without a poll to help it, so that what is seen was told by an event.
pub(crate) struct Rig {
    root: tempfile::TempDir,
    pub(crate) watch: Watch,
    looks: u64,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(events())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self { root: tempfile::tempdir().unwrap(), watch: Watch::new(options), looks: 0 }
    }

    /// A directory, and a watch of one file in it.
    pub(crate) fn on(name: &str, content: &str) -> (Self, PathBuf) {
        Self::new().of(name, content)
    }

    pub(crate) fn of(self, name: &str, content: &str) -> (Self, PathBuf) {
        let mut rig = self;
        let path = rig.file(name, content);
        assert!(rig.watch.set([&path]));
        (rig, path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        // Free of links, as what a look names.
        self.root.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The next look, which is for a change of exactly these paths.
    pub(crate) async fn sees(&mut self, paths: &[&Path]) {
        let look = self.look().await;
        assert!(!look.forced());
        assert_eq!(look.paths(), paths);
    }

    /// There was no look but those awaited, and nothing is left to be looked at.
    pub(crate) async fn sees_nothing_more(&mut self) {
        self.watch.handle().touch();
        let look = self.look().await;
        assert_eq!((look.forced(), look.paths()), (true, &[][..]));
        assert_eq!(self.watch.handle().health().looks, self.looks);
    }

    /// Gives the watch the time for a check or two, in which it finds no reason to look.
    pub(crate) async fn goes_on(&mut self) {
        let look = tokio::time::timeout(Duration::from_millis(15), self.watch.changed()).await;
        assert!(look.is_err(), "{look:?}");
    }

    pub(crate) async fn look(&mut self) -> Look {
        self.looks += 1;
        tokio::time::timeout(PATIENCE, self.watch.changed()).await.expect("a look")
    }
}

/// Events alone: the poll is further away than any test waits.
pub(crate) fn events() -> Options {
    Options::default().poll(PATIENCE * 100)
}

/// As [`events`], and with the longest wait for what may pass, so that a test has time to look at the moments in between.
pub(crate) fn patient() -> Options {
    events().quiet(Duration::from_secs(1))
}

pub(crate) fn polls() -> Options {
    Options::default().poll(Duration::from_millis(20)).quiet(Duration::from_millis(40)).poll_only()
}

/// `path` gets new content as a whole.
pub(crate) fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(&new, path).unwrap();
}
