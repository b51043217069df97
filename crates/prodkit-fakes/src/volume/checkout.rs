use super::must;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that git-sync keeps up to date: a link to the work tree of one commit, replaced as a whole.
///
/// Unlike in a [`FakeVolume`](super::FakeVolume), the link is the directory itself and the files in it are plain.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// let checkout = prodkit_fakes::FakeCheckout::new(directory.path().join("git"), "current");
/// checkout.write(&[("config/app.yaml", "a: 1")]);
/// checkout.write(&[("config/app.yaml", "a: 2")]);
/// assert_eq!(std::fs::read(checkout.path("config/app.yaml"))?, b"a: 2");
/// assert_eq!(std::fs::read_dir(directory.path().join("git/.worktrees"))?.count(), 1);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct FakeCheckout {
    root: PathBuf,
    link: PathBuf,
    commits: AtomicU32,
}

impl FakeCheckout {
    /// A checkout under `root`, to be read through the link `root/link`. There is none before the first
    /// [`write`](Self::write).
    ///
    /// # Panics
    ///
    /// When `root` cannot be made. So do the other methods when the file system refuses.
    pub fn new(root: impl Into<PathBuf>, link: &str) -> Self {
        let root = root.into();
        must(&root, fs::create_dir_all(root.join(".worktrees")));
        let link = root.join(link);
        Self { root, link, commits: AtomicU32::new(0) }
    }

    /// Where a file of it is, as its reader names it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.link.join(name)
    }

    /// Checks these files out as the next commit, switches the link to it and removes the work tree of before.
    pub fn write<N: AsRef<str>, C: AsRef<[u8]>>(&self, files: &[(N, C)]) {
        let commit = format!("{:040x}", self.commits.fetch_add(1, Ordering::Relaxed));
        let target = Path::new(".worktrees").join(commit);
        let tree = self.root.join(&target);
        must(&tree, fs::create_dir_all(&tree));
        for (name, content) in files {
            let path = tree.join(name.as_ref());
            if let Some(parent) = path.parent() {
                must(parent, fs::create_dir_all(parent));
            }
            must(&path, fs::write(&path, content));
        }
        let old = fs::read_link(&self.link).ok();
        let new_link = self.root.join("tmp-link");
        must(&new_link, symlink(target, &new_link));
        must(&self.link, fs::rename(&new_link, &self.link));
        if let Some(old) = old {
            let old = self.root.join(old);
            must(&old, fs::remove_dir_all(&old));
        }
    }
}
