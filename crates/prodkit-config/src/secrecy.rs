//! What may be a secret: by the name of its key, or by the look of its text.
//!
//! Only used to decide what is *not* printed, so it errs on the side of hiding.

use std::borrow::Cow;
use std::ops::Range;

/// What is printed instead.
pub(crate) const MASK: &str = "***";

const WORDS: [&str; 20] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "key",
    "keys",
    "credential",
    "credentials",
    "dsn",
    "authorization",
    "cookie",
    "headers",
    "pin",
    "otp",
];

const PARTS: [&str; 8] =
    ["password", "passwd", "secret", "token", "credential", "apikey", "privatekey", "connectionstring"];

/// Whether values under a key of this name are never printed.
///
/// A word of the name decides (`api_key`, `apiKey`, `API-KEY`), or a part nobody writes by chance.
pub(crate) fn name_is_secret(name: &str) -> bool {
    if !may_be_secret(name) {
        return false;
    }
    let mut words = Vec::from([String::new()]);
    let mut previous_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && previous_lower) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        previous_lower = c.is_lowercase() || c.is_numeric();
    }
    words.iter().any(|word| WORDS.contains(&word.as_str())) || has_part(&words.concat())
}

/// Whether any word or part can begin in the name. Every key of every file is asked, and nearly none may.
fn may_be_secret(name: &str) -> bool {
    let mut last = 0;
    name.bytes().any(|byte| {
        if !byte.is_ascii_alphanumeric() {
            return !byte.is_ascii();
        }
        // Folds letters, and leaves digits.
        last = last << 8 | u32::from(byte | 0x20);
        begins(last)
    })
}

/// The last letter first: that is mostly enough.
fn begins(last: u32) -> bool {
    let four = |letters: &[u8; 4]| last == u32::from_be_bytes(*letters);
    let three = |letters: &[u8; 3]| last << 8 == u32::from_be_bytes([letters[0], letters[1], letters[2], 0]);
    match last.to_be_bytes()[3] {
        b'd' => four(b"cred") || four(b"head") || three(b"pwd"),
        b'e' => four(b"toke"),
        b'h' => four(b"auth"),
        b'k' => four(b"cook"),
        b'n' => four(b"conn") || three(b"dsn") || three(b"pin"),
        b'p' => three(b"otp"),
        b'r' => four(b"secr"),
        b's' => four(b"pass"),
        b'y' => three(b"key"),
        _ => false,
    }
}

fn has_part(folded: &str) -> bool {
    PARTS.iter().any(|part| folded.contains(part))
}

/// Whether the text itself looks like it carries a secret, whatever its key is called.
pub(crate) fn text_is_secret(text: &str) -> bool {
    is_suspicious(text) && (userinfo(text).is_some() || holds_assignment(text))
}

/// Whether the text needs a closer look: nearly every one has none of these.
fn is_suspicious(text: &str) -> bool {
    memchr::memchr3(b'@', b'=', b'-', text.as_bytes()).is_some()
}

fn holds_assignment(text: &str) -> bool {
    if !text.contains('=') && !text.contains("-----") {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let names = ["password=", "passwd=", "pwd=", "secret=", "token=", "key=", "sig=", "signature="];
    lower.contains("private key-----") || names.iter().any(|name| lower.contains(name))
}

/// The `user:password` of a URL (RFC 3986, section 3.2.1), or of a bare `user:password@host`.
///
/// Greedy to the last `@`, because passwords are often written without the escapes a URL asks for.
pub(crate) fn userinfo(text: &str) -> Option<Range<usize>> {
    let at = text.rfind('@')?;
    let before = text.get(..at)?;
    before.contains(':').then(|| before.find("://").map_or(0, |scheme| scheme + 3)..at)
}

/// The text with a URL's userinfo masked, or masked as a whole.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    if !is_suspicious(text) {
        return Cow::Borrowed(text);
    }
    if holds_assignment(text) {
        return Cow::Borrowed(MASK);
    }
    match userinfo(text) {
        None => Cow::Borrowed(text),
        Some(Range { start, end }) => {
            let head = text.get(..start).unwrap_or_default();
            let tail = text.get(end..).unwrap_or_default();
            Cow::Owned(format!("{head}{MASK}{tail}"))
        }
    }
}

/// How far a line is indented. A list's dash counts as indentation: what follows is below it.
pub(crate) fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether any word of an unparsed line looks like the name of a secret.
pub(crate) fn line_names_secret(line: &str) -> bool {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).any(name_is_secret)
}

/// Whether an unparsed line may be shown: one `key: value` or `key = value`, neither suspicious.
///
/// Without a key the line may be the middle of a secret that spans lines.
pub(crate) fn line_is_harmless(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ");
    let Some((key, _)) = line.split_once([':', '=']) else { return false };
    let key = key.trim().trim_matches(['"', '\'', '{', '[', ' ']);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    // Base64 has lines that end in `=`: a key is not that long.
    let key_like = !key.is_empty() && key.len() <= 40 && key.chars().all(plain);
    key_like && !line_names_secret(line) && !text_is_secret(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for secret in [
            "password",
            "db_password",
            "dbPassword",
            "DB-PASSWORD",
            "api_key",
            "apiKey",
            "APIKEY",
            "key",
            "token",
            "vaultToken",
            "client_secret",
            "credentials",
            "dsn",
            "sentry_dsn",
            "private_key",
            "headers",
            "connection_string",
            "passwd",
        ] {
            assert!(name_is_secret(secret), "{secret}");
        }
        for open in
            ["host", "monkey", "keepalive", "keyboard", "passenger", "port", "url", "compass", "tokio", ""]
        {
            assert!(!name_is_secret(open), "{open}");
        }
    }

    #[test]
    fn every_word_and_part_may_begin() {
        for secret in WORDS.iter().chain(&PARTS) {
            for name in
                [secret.to_string(), secret.to_uppercase(), format!("x_{secret}"), format!("a-{secret}.b")]
            {
                assert!(may_be_secret(&name) && name_is_secret(&name), "{name}");
            }
            // A separator anywhere, which parts are read across.
            let apart = format!("{}_{}", &secret[..2], &secret[2..]);
            assert!(may_be_secret(&apart), "{apart}");
            assert_eq!(name_is_secret(&apart), has_part(secret), "{apart}");
        }
        assert!(!may_be_secret("upstream") && !may_be_secret("per_second"));
        assert!(!name_is_secret("schlüssel"));
        assert!(name_is_secret("größe_token") && name_is_secret(&format!("{}_token", "x".repeat(99))));
    }

    #[test]
    fn texts() {
        for (text, shown) in [
            ("http://payment/api", "http://payment/api"),
            ("postgres://orders:hunter2@db:5432/orders", "postgres://***@db:5432/orders"),
            ("postgres://orders:hun/t@er2@db/orders", "postgres://***@db/orders"),
            ("user:hunter2@tcp(db:3306)/orders", "***@tcp(db:3306)/orders"),
            ("host=db password=hunter2", "***"),
            ("https://db/orders?PASSWORD=hunter2", "***"),
            ("-----BEGIN EC PRIVATE KEY-----\nMII", "***"),
            ("ops@example.com", "ops@example.com"),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(text_is_secret(text), text != shown, "{text}");
        }
    }

    #[test]
    fn unparsed_lines() {
        for shown in ["port: 80: 90", "  - host: [a", "\tport: 1", "port = = 1", "\"port\": 80,"] {
            assert!(line_is_harmless(shown), "{shown}");
        }
        for hidden in [
            "password: 'hunter2",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
            "-----BEGIN PRIVATE KEY-----",
            "{\"a\": 1, \"api-key\": \"hunter2\"",
            "url: postgres://a:b@c: d",
            "hunter2",
            "bGludXgtcG9zdGdyZXMtcGFzc3dvcmQtZm9yLXRlc3RpbmctcHVycG9zZXM=",
        ] {
            assert!(!line_is_harmless(hidden), "{hidden}");
        }
    }
}
