//! Where events come from.

use crate::bell::{Bell, Line};
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// A source of events for directories, not for what is below them. It may fail and it may die; it must not panic.
pub(crate) trait Backend: Send + Sync {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused>;

    /// Of a directory that is not watched, nothing.
    fn unwatch(&mut self, directory: &Path);

    /// Lets go of what nobody listens to any more.
    fn abandon(self: Box<Self>);
}

/// Why a directory is not watched.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It went away in the meantime.
    Missing,
    /// There is no backend any more.
    Dead,
    Because(String),
}

/// Starts one that delivers to this bell.
pub(crate) type Open = Box<dyn Fn(&Arc<Bell>) -> Result<Box<dyn Backend>, String> + Send + Sync>;

/// A watcher of notify 8 has a thread, and panics in every call and when dropped once that has ended.
struct Native(Option<RecommendedWatcher>);

/// The events of the operating system.
pub(crate) fn native(bell: &Arc<Bell>) -> Result<Box<dyn Backend>, String> {
    let line = bell.line();
    let watcher = notify::recommended_watcher(move |event| deliver(&line, event));
    Ok(Box::new(Native(Some(watcher.map_err(|error| error.to_string())?))))
}

fn deliver(line: &Line, event: notify::Result<notify::Event>) {
    match event {
        Ok(event) => line.event(&event),
        Err(error) => line.error(&error),
    }
}

impl Native {
    fn call<T>(&mut self, call: impl FnOnce(&mut RecommendedWatcher) -> T) -> Option<T> {
        let watcher = self.0.as_mut()?;
        catch_unwind(AssertUnwindSafe(|| call(watcher))).ok()
    }
}

impl Backend for Native {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
        let result = self.call(|watcher| watcher.watch(directory, RecursiveMode::NonRecursive));
        let Some(result) = result else { return Err(Refused::Dead) };
        result.map_err(|error| match error.kind {
            ErrorKind::PathNotFound => Refused::Missing,
            ErrorKind::Io(ref source) if source.kind() == std::io::ErrorKind::NotFound => Refused::Missing,
            ErrorKind::MaxFilesWatch => {
                Refused::Because("no inotify watch left (fs.inotify.max_user_watches)".into())
            }
            _ => Refused::Because(error.to_string()),
        })
    }

    fn unwatch(&mut self, directory: &Path) {
        // It fails for a directory that is gone, whose watch is gone as well.
        let _ = self.call(|watcher| watcher.unwatch(directory));
    }

    fn abandon(mut self: Box<Self>) {
        std::mem::forget(self.0.take());
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let watcher = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(watcher)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_watcher_whose_thread_has_ended_is_dead_and_panics_no_one() {
        let directory = tempfile::tempdir().unwrap();
        for abandon in [false, true] {
            let (alive, ended) = mpsc::channel::<()>();
            let watcher = notify::recommended_watcher(move |_| {
                let _alive = &alive;
                // without the noise of a panic hook
                std::panic::resume_unwind(Box::new("the end of the thread"));
            });
            let mut native = Box::new(Native(Some(watcher.unwrap())));
            native.watch(directory.path()).unwrap();
            std::fs::write(directory.path().join("an event"), "").unwrap();
            assert_eq!(
                ended.recv_timeout(Duration::from_secs(30)),
                Err(mpsc::RecvTimeoutError::Disconnected)
            );
            // the handler goes before the other end of the channel: one call may still be taken, and fail
            let mut result = native.watch(directory.path());
            while !matches!(result, Err(Refused::Dead)) {
                result = native.watch(directory.path());
            }
            native.unwatch(directory.path());
            if abandon {
                native.abandon();
            }
        }
    }
}
