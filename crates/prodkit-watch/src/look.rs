use std::path::PathBuf;

/// Something may have changed: look again. Made by [`Watch::changed`](crate::Watch::changed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Look {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) forced: bool,
}

impl Look {
    /// The paths whose content differs from what it was at the last look, made absolute, in the order they were set.
    /// Empty only for a look that was [`forced`](Self::forced).
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Whether somebody asked for it with [`Handle::touch`](crate::Handle::touch).
    #[must_use]
    pub fn forced(&self) -> bool {
        self.forced
    }
}
