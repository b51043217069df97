use std::fmt;

/// Why a group could not be started: the name of a step is not a name, or is taken. Fits "failed to {…}".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Problem,
    name: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NotKebabCase,
    Taken,
}

impl Error {
    pub(crate) fn taken(name: &'static str) -> Self {
        Self { kind: Problem::Taken, name }
    }

    /// Checks a name: it appears unchanged in log lines, in metrics and on the admin page.
    pub(crate) fn check(name: &'static str) -> Result<(), Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits =
            name.len() <= 63 && name.split('-').all(|word| !word.is_empty() && word.bytes().all(allowed));
        if fits { Ok(()) } else { Err(Self { kind: Problem::NotKebabCase, name }) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        match kind {
            Problem::NotKebabCase => write!(
                f,
                "start {name:?}: a name is at most 63 lower-case letters and digits in words joined by '-', like \"outbox-relay\"",
            ),
            Problem::Taken => write!(f, "start {name:?}: two tasks, or two hooks, have this name"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case() {
        for good in ["a", "outbox-relay", "h2-ping", "3"] {
            assert_eq!(Error::check(good), Ok(()), "{good}");
        }
        let long = "a".repeat(64).leak();
        for bad in
            ["", "-", "-a", "a-", "a--b", "Outbox", "outbox_relay", "outbox relay", "a/b", "été", "a\n", long]
        {
            let error = Error::check(bad).unwrap_err();
            assert!(error.to_string().contains("outbox-relay"), "{error}");
        }
    }
}
