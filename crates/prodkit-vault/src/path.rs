//! What stands behind `vault:` in a reference.

use prodkit_secrets::Error;
use std::fmt;

/// The longest path, in bytes.
const LONGEST: usize = 1_024;

/// A path of Vault's API, as `vault read` takes it, and a version of KV 2 if one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    path: String,
    version: Option<u64>,
}

impl Path {
    /// `secret/data/app`, `database/creds/app`, `secret/data/app?version=3`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        if text.len() > LONGEST {
            return Err(Error::refused("a path of Vault has at most 1024 bytes here"));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !"\\#%{}<>\"^`|".contains(c);
        if path
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == ".." || !part.chars().all(is_plain))
        {
            return Err(Error::refused("it is not a path of Vault, such as secret/data/orders/postgres"));
        }
        if path.starts_with("v1/") {
            return Err(Error::refused("a path of Vault is written without v1/"));
        }
        let version = match query {
            None => None,
            Some(query) => {
                let number = query.strip_prefix("version=").and_then(|number| number.parse().ok());
                Some(number.filter(|number| *number > 0).ok_or_else(|| {
                    Error::refused("the only thing that may follow a `?` is a version of KV 2, `?version=3`")
                })?)
            }
        };
        Ok(Self { path: path.to_owned(), version })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.path
    }

    pub(crate) fn version(&self) -> Option<u64> {
        self.version
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match self.version {
            Some(version) => write!(f, "?version={version}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_and_are_not() {
        for text in
            ["secret/data/a", "kv/a-b_c.d", "database/creds/app", "secret/data/a?version=3", "a/b:c@d"]
        {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        let long = "a/".repeat(600) + "b";
        for text in [
            "",
            "a//b",
            "../sys/seal",
            "a/../b",
            "a/./b",
            "a b",
            "a%2fb",
            "a\nb",
            "a#b",
            "v1/secret/data/a",
            &long,
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        for text in
            ["a?version=0", "a?version=x", "a?b=c", "a?", "a?version=1&b=c", "a?version=99999999999999999999"]
        {
            assert!(Path::parse(text).unwrap_err().to_string().contains("?version=3"), "{text}");
        }
    }
}
