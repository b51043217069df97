use crate::Probe;
use std::fmt;
use std::sync::Arc;

/// Why a check, a reporter or a group could not be added. Fits "failed to {…}".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Problem,
    name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    GroupName,
    GroupTaken,
    NotKebabCase,
    NotThere,
    Taken,
    TooMany,
    TooManyGroups,
}

/// How many checks and reporters one [`Health`](crate::Health) takes.
pub(crate) const MAX_CHECKS: usize = 2_048;
/// How many groups.
pub(crate) const MAX_GROUPS: usize = 256;

impl Error {
    pub(crate) fn group_taken(name: Arc<str>) -> Self {
        Self { kind: Problem::GroupTaken, name }
    }

    pub(crate) fn not_there(name: Arc<str>) -> Self {
        Self { kind: Problem::NotThere, name }
    }

    pub(crate) fn too_many_groups(name: Arc<str>) -> Self {
        Self { kind: Problem::TooManyGroups, name }
    }

    /// Checks the name of a group: it may be that of a gRPC service, but not one of the probes.
    pub(crate) fn check_group(name: &Arc<str>) -> Result<(), Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let taken =
            [Probe::Liveness, Probe::Readiness, Probe::Startup].iter().any(|probe| probe.name() == &**name);
        let fits = (1..=255).contains(&name.len()) && name.bytes().all(allowed) && !taken;
        if fits { Ok(()) } else { Err(Self { kind: Problem::GroupName, name: name.clone() }) }
    }

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
            Problem::GroupName => write!(
                f,
                "add group {name:?}: a name is at most 255 letters, digits, '.', '-' and '_', and none of liveness, readiness \
                 and startup",
            ),
            Problem::GroupTaken => write!(f, "add group {name:?}: another group has this name"),
            Problem::NotThere => write!(f, "add a group: no check or reporter is called {name:?}"),
            Problem::TooManyGroups => write!(f, "add group {name:?}: there are {MAX_GROUPS} already"),
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
