use crate::error::Errors;
use prodkit_live::Rejected;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a new configuration was not taken. The old one stays, whole.
///
/// `Display` says all of it, the reason of whoever refused included, and holds no value that may be a secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// It cannot be read, or does not fit the types.
    Invalid(Errors),
    /// Something that it names was not to be had, and why.
    Unresolved(Box<dyn Error + Send + Sync>),
    /// Something that follows from it could not be made, and said why.
    Refused(Rejected),
    /// Something that follows from it was not made in time.
    TimedOut(Duration),
    /// A type's own code panicked while it was read; the panic hook has the message.
    Panicked,
}

impl ReloadError {
    /// Whether the same text may be taken later: what refused it depends on more than the text.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unresolved(_) | Self::Refused(_) | Self::TimedOut(_) => true,
            Self::Invalid(_) | Self::Panicked => false,
        }
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(errors) => errors.fmt(f),
            Self::Unresolved(error) => error.fmt(f),
            Self::Refused(rejected) => {
                rejected.fmt(f)?;
                let mut source = rejected.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::TimedOut(after) => write!(f, "what follows from it was not ready after {after:?}"),
            Self::Panicked => f.write_str("a configuration type panicked while it was read"),
        }
    }
}

impl Error for ReloadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Invalid(errors) => Some(errors),
            Self::Unresolved(error) => Some(&**error),
            Self::Refused(rejected) => Some(rejected),
            Self::TimedOut(_) | Self::Panicked => None,
        }
    }
}
