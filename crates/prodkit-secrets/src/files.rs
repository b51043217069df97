//! Secrets in files: volumes of Kubernetes, Docker secrets, what an agent renders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::future::{pending, ready};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prodkit_watch::{Options, Watch};
use secrecy::zeroize::Zeroizing;
use tokio::time::{Instant, sleep_until};

use crate::document::Document;
use crate::error::Error;
use crate::outbox::Outbox;
use crate::provider::{Driving, Fetching, Provider};

/// The first and the longest pause before a file that something refused is offered again: a password file often arrives
/// a moment before the database knows the password.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// One file, one secret; a file that changes is offered again.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) watch: Options,
}

impl Provider for Files {
    fn scheme(&self) -> &'static str {
        "file"
    }

    fn fetch<'a>(&'a self, path: &'a str) -> Fetching<'a> {
        Box::pin(ready(read(Path::new(path))))
    }

    fn drive(self: Arc<Self>, outbox: Outbox) -> Option<Driving> {
        Some(Box::pin(async move {
            // A watch costs a thread.
            while outbox.wanted().is_empty() {
                outbox.changed().await;
            }
            Follow::new(self.watch, outbox).run().await;
        }))
    }
}

/// Follows the files that are wanted.
struct Follow {
    outbox: Outbox,
    watch: Watch,
    /// Absolute, as the watch tells them, and as they are written.
    paths: HashMap<PathBuf, Vec<String>>,
    /// To be read and offered.
    stale: BTreeSet<PathBuf>,
    /// Refused, to be offered again when the pause is over, or when one of them changes.
    refused: BTreeSet<PathBuf>,
    retry: Option<(Instant, Duration)>,
}

impl Follow {
    fn new(options: Options, outbox: Outbox) -> Self {
        let watch = Watch::new(options);
        Self {
            outbox,
            watch,
            paths: HashMap::new(),
            stale: BTreeSet::new(),
            refused: BTreeSet::new(),
            retry: None,
        }
    }

    async fn run(mut self) {
        loop {
            self.follow();
            self.offer().await;
            let Self { outbox, watch, retry, .. } = &mut self;
            let again = async {
                match retry {
                    Some((at, _)) => sleep_until(*at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                look = watch.changed() => {
                    self.stale.extend(look.paths().iter().cloned());
                    self.retry = None;
                    self.stale.append(&mut self.refused);
                }
                () = outbox.changed() => {}
                () = again => self.stale.append(&mut self.refused),
            }
        }
    }

    /// Watches what is wanted now. What is new may have changed since it was fetched.
    fn follow(&mut self) {
        let mut paths: HashMap<PathBuf, Vec<String>> = HashMap::new();
        for path in self.outbox.wanted() {
            // Only an empty path has no absolute form, and none is wanted.
            let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone().into());
            paths.entry(absolute).or_default().push(path);
        }
        if self.watch.set(paths.keys()) {
            self.stale.extend(paths.keys().filter(|path| !self.paths.contains_key(*path)).cloned());
        }
        self.stale.retain(|path| paths.contains_key(path));
        self.refused.retain(|path| paths.contains_key(path));
        self.paths = paths;
    }

    /// Offers what is stale, the files of one directory at once: those of a volume change together, and so a new user
    /// name never meets the old password.
    async fn offer(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        let mut directories: BTreeMap<Option<PathBuf>, Vec<PathBuf>> = BTreeMap::new();
        for path in std::mem::take(&mut self.stale) {
            directories.entry(path.parent().map(Path::to_owned)).or_default().push(path);
        }
        for paths in directories.into_values() {
            let mut documents = Vec::new();
            for path in &paths {
                let names = self.paths.get(path).map_or(&[][..], Vec::as_slice);
                match read(path) {
                    Ok(document) => {
                        documents.extend(names.iter().map(|name| (name.clone(), document.clone())));
                    }
                    // Its return is a change, and comes by itself.
                    Err(error) => names.iter().for_each(|name| self.outbox.failing(name, &error.chain())),
                }
            }
            if self.outbox.offer(documents).await.is_err() {
                self.refused.extend(paths);
            }
        }
        self.retry = (!self.refused.is_empty()).then(|| {
            let pause = self.retry.map_or(RETRY.0, |(_, pause)| (pause * 2).min(RETRY.1));
            (Instant::now() + pause, pause)
        });
    }
}

/// The content of a file, without one newline at its end.
fn read(path: &Path) -> Result<Document, Error> {
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Error::missing("there is no such file"),
        _ => Error::refused("the file cannot be read").because(error),
    };
    // Before it is opened: opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::refused("it is no regular file"));
    }
    let limit = crate::LARGEST as u64 + 2;
    // As large as it will get: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(crate::LARGEST.min(fit(metadata.len())) + 3));
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    let content = trimmed(&bytes);
    if content.is_empty() {
        return Err(Error::refused("the file is empty"));
    }
    if content.len() > crate::LARGEST {
        return Err(Error::refused("the file is larger than 1 MiB"));
    }
    let document = Document::whole(content.to_vec());
    Ok(match open_to_all(&metadata) {
        true => document.warning("every user of this machine can read it; take `o+r` from it, in Kubernetes with `defaultMode: 0440` or less"),
        false => document,
    })
}

fn fit(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    match bytes {
        [content @ .., b'\r', b'\n'] | [content @ .., b'\n'] => content,
        content => content,
    }
}

#[cfg(unix)]
fn open_to_all(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn open_to_all(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_is_trimmed_and_no_more() {
        for (given, kept) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a\r", "a\r"),
            (" a \t\n", " a \t"),
            ("\n", ""),
        ] {
            assert_eq!(trimmed(given.as_bytes()), kept.as_bytes(), "{given:?}");
        }
    }
}
