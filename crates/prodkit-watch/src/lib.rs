//! Look again: says when files may have changed, by the hash of what they hold and never by an event alone.
//!
//! Events lie. A watch on a file of a Kubernetes volume sees the first update and none after it, one save of an editor
//! is seven events, reading a file is an event of its own, and a network file system sends none at all. Here an event
//! only wakes the check, a slow poll stands behind it, and the truth is the content of the whole set of paths: one
//! [`Look`] for each change of it, none for a mere touch and none for our own reads.
//!
//! ```
//! use prodkit_fakes::FakeVolume;
//! use prodkit_watch::{Options, Watch};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! # let directory = tempfile::tempdir()?;
//! # let volume = FakeVolume::new(directory.path().join("config"));
//! # volume.write(&[("config.yaml", "workers: 4")]);
//! # let read = |path| std::fs::read_to_string(path);
//! let config = volume.path("config.yaml");
//!
//! let mut watch = Watch::new(Options::default());
//! watch.set([&config]); // first watch, then read: what happens in between is seen
//! assert_eq!(read(&config)?, "workers: 4");
//!
//! let hangup = watch.handle(); // asks for a look from anywhere: a signal, an admin route
//!
//! volume.write(&[("config.yaml", "workers: 8")]); // as kubelet does it
//! let look = watch.changed().await;
//! assert_eq!(look.paths(), [config.clone()]);
//! assert_eq!(read(&config)?, "workers: 8");
//!
//! hangup.touch();
//! assert!(watch.changed().await.forced());
//! # Ok(()) }
//! ```
//!
//! # What a path may be
//!
//! A file, a directory, something that does not exist yet, or a symbolic link to any of them through any number of
//! links. A **file** stands for its first 4 MiB and whether there is more; only regular files are opened. A
//! **directory** stands for the names in it that do not begin with a dot: name the files whose content matters too. What
//! is missing or cannot be read is a state like any other, so its return is a change.
//!
//! # The pattern
//!
//! Paths are often known only after reading. [`Watch::set`] says whether it covers a path that the last one did not;
//! what was read from such a path before may be old already, so read again until nothing is new:
//!
//! ```
//! # use prodkit_watch::{Options, Watch};
//! # use std::path::PathBuf;
//! # fn load(_: &PathBuf) -> Vec<PathBuf> { vec!["/etc/app/config.yaml".into(), "/etc/app/conf.d".into()] }
//! # async fn run(root: PathBuf) {
//! let mut watch = Watch::new(Options::default());
//! let mut paths = vec![root.clone()];
//! loop {
//!     while watch.set(&paths) {
//!         paths = load(&root); // every path that was read or looked for
//!     }
//!     watch.changed().await;
//!     paths = load(&root);
//! }
//! # }
//! ```
//!
//! # How long a change takes
//!
//! What arrives whole (a rename, a swapped link, a file closed by its writer) is looked at within milliseconds. A file
//! that is being written waits for its writer to close it or to be quiet for [`Options::quiet`], at most a second; a
//! file that vanished and a difference that no event announced must stay so for as long, since an editor's save makes a
//! file vanish for a moment. Checks take at most a twentieth of a core, whatever the number of events. Where no event
//! comes, the poll finds the change within [`Options::poll`].
//!
//! # What it costs
//!
//! One inotify instance, one thread of `notify`, and one inotify watch per directory that matters. Where there is none
//! to be had, the poll alone goes on, [`Handle::health`] says so, one warning is logged, and every poll tries to come
//! back. Files are read on the thread that polls [`Watch::changed`], one at a time and with a yield after each large
//! one: a file system that hangs, as a lost network share does, hangs that thread.
//!
//! # When not to use it
//!
//! - For large files, deep trees or many thousand paths: all of it is read with every check.
//! - To follow a log: a file that never stops changing is looked at once a second.
//! - To learn what an event was. There are none here, only "look again".

mod backend;
mod bell;
mod eyes;
mod handle;
mod look;
mod mounts;
mod options;
mod route;
mod signs;
mod state;
mod watch;

pub use handle::{Blind, Handle, Health, Mode};
pub use look::Look;
pub use options::Options;
pub use watch::Watch;
