use std::fmt;
use std::sync::Arc;

/// Why a check or a reporter could not be added. Fits "failed to {…}".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Problem,
    name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NotKebabCase,
    Taken,
    TooMany,
}

/// How many checks and reporters one [`Health`](crate::Health) takes.
pub(crate) const MAX_CHECKS: usize = 256;

impl Error {
    pub(crate) fn taken(name: Arc<str>) -> Self {
        Self { kind: Problem::Taken, name }
    }

    pub(crate) fn too_many(name: Arc<str>) -> Self {
        Self { kind: Problem::TooMany, name }
    }

    /// Checks a name: it appears unchanged in paths, log lines and metrics.
    pub(crate) fn check(name: &Arc<str>) -> Result<(), Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits =
            name.len() <= 63 && name.split('-').all(|word| !word.is_empty() && word.bytes().all(allowed));
        if fits { Ok(()) } else { Err(Self { kind: Problem::NotKebabCase, name: name.clone() }) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        match kind {
            Problem::NotKebabCase => write!(
                f,
                "add check {name:?}: a name is at most 63 lower-case letters and digits in words joined by '-', \
                 like \"order-db\"",
            ),
            Problem::Taken => write!(f, "add check {name:?}: another check or reporter has this name"),
            Problem::TooMany => write!(f, "add check {name:?}: there are {MAX_CHECKS} already"),
        }
    }
}

impl std::error::Error for Error {}
