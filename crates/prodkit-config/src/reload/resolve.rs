use crate::tree::Tree;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// Finds what a configuration names and does not hold, such as secrets. Given to
/// [`Reload::resolving`](crate::Reload::resolving).
pub trait Resolve: Send {
    /// Calls `load`, once and on this thread, and notes what is named meanwhile. What was noted before, and not taken, is of
    /// no more use.
    fn note(&mut self, tree: &Tree, load: &mut dyn FnMut());

    /// Finds what was noted last; when it returns, the typed values have it. Cancel safe.
    ///
    /// # Errors
    ///
    /// When something is not to be had. Then the configuration is not taken, and tried again later. The text holds no value
    /// that may be secret.
    fn resolve(&mut self) -> Resolving<'_>;

    /// The configuration that was noted last was taken.
    fn taken(&mut self);
}

/// What [`Resolve::resolve`] returns.
type Resolving<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>>;
