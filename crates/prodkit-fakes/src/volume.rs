//! A ConfigMap, Secret or projected volume, updated as kubelet does it.

mod checkout;
mod stamp;

pub use checkout::FakeCheckout;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// The link that is swapped, and the name it has before.
const DATA: &str = "..data";
const NEW_DATA: &str = "..data_tmp";

/// A volume as a container sees it: every name is a link to `..data/name`, `..data` is a link to a directory of a
/// moment, and an update replaces that link.
///
/// The sequence is that of `pkg/volume/util/atomic_writer.go` in Kubernetes. Names with slashes, such as
/// `podinfo/labels`, give the layout of a projected volume: `podinfo` is a link to `..data/podinfo`.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use prodkit_fakes::FakeVolume;
///
/// let volume = FakeVolume::new(directory.path().join("config"));
/// assert!(volume.write(&[("config.yaml", "a: 1"), ("podinfo/labels", "app=\"x\"")]));
/// assert!(!volume.write(&[("config.yaml", "a: 1"), ("podinfo/labels", "app=\"x\"")]), "nothing new, no swap");
///
/// assert_eq!(std::fs::read_to_string(volume.path("podinfo/labels"))?, "app=\"x\"");
/// assert!(std::fs::read_link(volume.path("config.yaml"))?.ends_with("..data/config.yaml"));
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct FakeVolume {
    directory: PathBuf,
    order: LinkOrder,
}

/// When the links of new names are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOrder {
    /// After the swap, as kubelet does it since Kubernetes 1.30: the data of a new name is there before its link.
    #[default]
    AfterSwap,
    /// Before the swap, as kubelet did it until then: the link of a new name leads nowhere for a moment.
    BeforeSwap,
}

/// A moment of an update, told to [`FakeVolume::write_in_steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeStep {
    /// The new directory is there and complete, and nothing leads to it.
    Written,
    /// The links of new names are made.
    Linked,
    /// `..data` leads to the new directory.
    Swapped,
    /// The links of names that are no more are removed.
    Unlinked,
    /// The directory of before is removed.
    Removed,
}

impl FakeVolume {
    /// An empty volume at `directory`, which is made where it is missing.
    ///
    /// # Panics
    ///
    /// When the directory cannot be made. So do the other methods when the file system refuses.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        must(&directory, fs::create_dir_all(&directory));
        Self { directory, order: LinkOrder::default() }
    }

    /// Changes when the links of new names are made.
    #[must_use]
    pub fn link_order(mut self, order: LinkOrder) -> Self {
        self.order = order;
        self
    }

    /// Where the volume is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a file of it is, as its reader names it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes these the files of the volume, all at once. `false`: they are already, and nothing was done.
    ///
    /// # Panics
    ///
    /// When a name is not relative, holds `..` or begins with two dots.
    pub fn write<N: AsRef<str>, C: AsRef<[u8]>>(&self, files: &[(N, C)]) -> bool {
        self.write_in_steps(files, |_| {})
    }

    /// As [`write`](Self::write), and tells of each moment in which a reader may find the volume.
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    pub fn write_in_steps<N: AsRef<str>, C: AsRef<[u8]>>(
        &self,
        files: &[(N, C)],
        mut step: impl FnMut(VolumeStep),
    ) -> bool {
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_ref(), content.as_ref())).collect();
        files.iter().for_each(|(name, _)| assert_valid(name));
        let data = self.path(DATA);
        let old = fs::read_link(&data).ok().map(|target| self.directory.join(target));
        let gone = old.as_deref().map(|old| gone(old, &files)).unwrap_or_default();
        let same = |(name, content): &(&str, &[u8])| {
            old.as_ref().is_some_and(|old| fs::read(old.join(name)).is_ok_and(|before| before == *content))
        };
        if old.is_some() && gone.is_empty() && files.iter().all(same) {
            return false;
        }

        let (moment, new) = self.moment();
        for (name, content) in &files {
            let path = new.join(name);
            if let Some(parent) = path.parent() {
                must(parent, fs::create_dir_all(parent));
            }
            must(&path, fs::write(&path, content));
        }
        step(VolumeStep::Written);
        if self.order == LinkOrder::BeforeSwap {
            self.link(&files);
            step(VolumeStep::Linked);
        }
        let new_data = self.path(NEW_DATA);
        must(&new_data, symlink(moment, &new_data));
        must(&data, fs::rename(&new_data, &data));
        step(VolumeStep::Swapped);
        if self.order == LinkOrder::AfterSwap {
            self.link(&files);
            step(VolumeStep::Linked);
        }
        for name in gone {
            let link = self.path(&name);
            must(&link, fs::remove_file(&link));
        }
        step(VolumeStep::Unlinked);
        if let Some(old) = old {
            must(&old, fs::remove_dir_all(&old));
        }
        step(VolumeStep::Removed);
        true
    }

    /// Mounts one file at `at` as a `subPath` does: it is the file of this moment, and no update ever reaches it.
    ///
    /// A bind mount takes privileges, so this is a second name of the same file. It behaves alike, except that the mount
    /// table does not show it.
    ///
    /// # Panics
    ///
    /// When there is no such file, or something is at `at`.
    pub fn sub_path(&self, name: &str, at: impl AsRef<Path>) {
        let file = self.path(name);
        let real = must(&file, fs::canonicalize(&file));
        must(at.as_ref(), fs::hard_link(real, &at));
    }

    /// A new directory, named after the time as kubelet names it.
    fn moment(&self) -> (String, PathBuf) {
        loop {
            let name = stamp::now();
            let path = self.path(&name);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => {
                    must(&path, result);
                    return (name, path);
                }
            }
        }
    }

    fn link(&self, files: &[(&str, &[u8])]) {
        for top in files.iter().map(|(name, _)| top(name)) {
            let link = self.path(top);
            if fs::symlink_metadata(&link).is_err() {
                must(&link, symlink(Path::new(DATA).join(top), &link));
            }
        }
    }
}

/// The names at the top of `old` that `files` has no more.
fn gone(old: &Path, files: &[(&str, &[u8])]) -> BTreeSet<String> {
    let kept: BTreeSet<_> = files.iter().map(|(name, _)| top(name)).collect();
    let entries = must(old, fs::read_dir(old));
    let names = entries.map(|entry| must(old, entry).file_name().to_string_lossy().into_owned());
    names.filter(|name| !kept.contains(name.as_str())).collect()
}

fn top(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn assert_valid(name: &str) {
    let normal = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    assert!(normal && !name.is_empty() && !name.starts_with(".."), "not a name for a volume: {name:?}");
}

#[track_caller]
#[expect(clippy::panic, reason = "a test without its files cannot go on")]
fn must<T>(path: &Path, result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
