//! Secrets that are written out where others may read them.

use std::collections::HashMap;
use std::path::Path;

use prodkit_config::{Origin, Tree};
use prodkit_secrets::Found;

use super::{EARLY, SecretErrors};

/// A warning that names them, or the refusal where they are not allowed.
///
/// A variable is no worse than `env:`. A file that not everybody can read, such as one that an agent has rendered, is as good
/// as `file:`, and gives no warning.
pub(super) fn look(found: &[Found], tree: &Tree, allowed: bool) -> Result<Option<String>, SecretErrors> {
    let written =
        found.iter().filter(|found| found.reference().is_some_and(|reference| reference.is_literal()));
    let written: Vec<&str> = written.filter_map(Found::path).filter(|path| may_be_secret(path)).collect();
    if written.is_empty() {
        return Ok(None);
    }
    let origins: HashMap<String, Origin> =
        tree.leaves().map(|leaf| (whole(leaf.path()).to_owned(), leaf.origin().clone())).collect();
    let mut named: Vec<String> = Vec::new();
    for path in written {
        let Some(origin) = origins.get(path) else { continue };
        let exposed = match origin.path() {
            Some(file) => !allowed || is_open(file),
            None => origin.set_index().is_some(),
        };
        if exposed {
            named.push(format!("{path} ({origin})"));
        }
    }
    match (named.is_empty(), allowed) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(format!(
            "secrets are written out where others may read them: {}; write where they are instead, as in `file:/var/secrets/name`",
            named.join(", ")
        ))),
        (false, false) => Err(SecretErrors(
            named
                .into_iter()
                .map(|name| {
                    format!("{name}: the secret is written out, and secrets.allow_literals is false; write where it is, as in `file:/var/secrets/name`")
                })
                .collect(),
        )),
    }
}

/// Who logs in is a `Secret` where it comes with the password and changes with it, and no secret where it is written out.
/// Headers carry all sorts of things.
fn may_be_secret(path: &str) -> bool {
    if matches!(path.rsplit('.').next(), Some("user" | "username")) {
        return false;
    }
    let Some(header) = path.strip_prefix(EARLY) else { return true };
    let header = header.to_ascii_lowercase();
    ["auth", "key", "token", "secret", "password", "cookie"].iter().any(|part| header.contains(part))
}

/// The path of the secret that an element of its list belongs to.
fn whole(leaf: &str) -> &str {
    match leaf.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((path, index)) if index.bytes().all(|byte| byte.is_ascii_digit()) => path,
        _ => leaf,
    }
}

#[cfg(unix)]
fn is_open(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // What cannot be looked at is not known to be closed.
    std::fs::metadata(file).map_or(true, |metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    true
}
