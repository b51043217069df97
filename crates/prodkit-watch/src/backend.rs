//! Where events come from.

use crate::bell::{Bell, Line};
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// A source of events for directories, not for what is below them. It may fail and it may die; it must not panic.
pub(crate) trait Backend: Send {
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

pub(crate) type Open = fn(&Arc<Bell>) -> Result<Box<dyn Backend>, String>;

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
