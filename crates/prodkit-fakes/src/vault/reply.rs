//! Requests and answers as Vault frames them.

use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Without `/v1/`.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) token: String,
    pub(super) namespace: String,
    pub(super) body: Value,
}

impl Call {
    pub(super) fn new(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            query: String::new(),
            token: String::new(),
            namespace: String::new(),
            body: Value::Null,
        }
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET && self.query("list") != Some("true")
    }

    pub(super) fn is_list(&self) -> bool {
        self.method.as_str() == "LIST" || self.query("list") == Some("true")
    }

    /// Vault takes either for a write.
    pub(super) fn is_write(&self) -> bool {
        self.method == Method::POST || self.method == Method::PUT
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// A duration: seconds as a number or text, or a number with a unit, such as `1h`.
    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        let value = &self.body[name];
        if let Some(seconds) = value.as_u64() {
            return Some(Duration::from_secs(seconds));
        }
        let text = value.as_str()?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        Some(Duration::from_secs(digits.parse::<u64>().ok()? * unit))
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    pub(super) location: Option<String>,
}

impl Reply {
    pub(super) fn plain(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), location: None }
    }

    /// 204.
    pub(super) fn empty() -> Self {
        Self { status: 204, body: None, location: None }
    }

    pub(super) fn redirect(location: String) -> Self {
        Self { status: 307, body: None, location: Some(location) }
    }

    /// The envelope around `data`.
    pub(super) fn data(data: Value) -> Self {
        Self::leased(data, "", 0, false)
    }

    pub(super) fn leased(data: Value, lease_id: &str, seconds: u64, renewable: bool) -> Self {
        let mut reply = Self::plain(
            200,
            json!({
                "request_id": "", "lease_id": lease_id, "renewable": renewable, "lease_duration": seconds,
                "wrap_info": null, "warnings": null, "auth": null, "mount_type": "",
            }),
        );
        reply.set("data", data);
        reply
    }

    pub(super) fn auth(auth: Value) -> Self {
        let mut reply = Self::data(Value::Null);
        reply.set("auth", auth);
        reply
    }

    /// With another status and warnings.
    pub(super) fn warned(mut self, status: u16, warnings: &[&str]) -> Self {
        self.status = status;
        self.set("warnings", json!(warnings));
        self
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        if let Some(body) = &mut self.body {
            body[key] = value;
        }
    }

    pub(super) fn errors(status: u16, errors: &[&str]) -> Self {
        Self::plain(status, json!({ "errors": errors }))
    }

    /// What Vault says of a path nothing is mounted at.
    pub(super) fn no_route(path: &str) -> Self {
        Self::errors(404, &[&format!("no handler for route \"{path}\". route entry not found.")])
    }

    pub(super) fn denied() -> Self {
        Self::errors(403, &["permission denied"])
    }

    pub(super) fn not_supported() -> Self {
        Self::errors(405, &["1 error occurred:\n\t* unsupported operation\n\n"])
    }
}
