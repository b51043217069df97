//! Which Vault, and who we are to it.

use http::{HeaderValue, Uri};
use prodkit_secrets::Secret;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often what has no lease is read again: as often as Vault Agent does (`static_secret_render_interval`).
pub(crate) const REFRESH: Duration = Duration::from_secs(300);
/// Not more often than this.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);
/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Which Vault, and who we are to it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(crate) base: Base,
    pub(crate) auth: Auth,
    pub(crate) namespace: Option<HeaderValue>,
    pub(crate) tls: Option<Tls>,
    pub(crate) refresh: Duration,
}

/// Scheme, host and port, with what a proxy puts in front of `/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base(pub(crate) String);

/// Gives the configuration of the moment.
#[derive(Clone)]
pub(crate) struct Tls(pub(crate) Arc<dyn Fn() -> Option<Arc<rustls::ClientConfig>> + Send + Sync>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// How to log in. What is secret is read anew at every login, so that it may rotate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Auth {
    /// A token that somebody else made, such as the sink of a Vault Agent. It is renewed and never revoked; when it ends,
    /// what the secret holds by then is taken.
    Token(Secret),
    /// AppRole.
    AppRole {
        /// Where the method is mounted, without `auth/`.
        mount: String,
        /// The role's id.
        role_id: String,
        /// The secret that goes with it.
        secret_id: Secret,
    },
    /// Kubernetes: the service account of the pod.
    Kubernetes {
        /// Where the method is mounted, without `auth/`.
        mount: String,
        /// The role to log in to.
        role: String,
        /// The file of the service account token, which kubelet renews: it is read at every login.
        token_file: PathBuf,
    },
    /// A JWT that somebody signs, such as the one of a CI system.
    Jwt {
        /// Where the method is mounted, without `auth/`.
        mount: String,
        /// The role to log in to.
        role: String,
        /// The token.
        jwt: Secret,
    },
}

impl Auth {
    /// AppRole at `auth/approle`.
    #[must_use]
    pub fn app_role(role_id: impl Into<String>, secret_id: Secret) -> Self {
        Self::AppRole { mount: "approle".into(), role_id: role_id.into(), secret_id }
    }

    /// Kubernetes at `auth/kubernetes`, with the service account token where Kubernetes mounts it.
    #[must_use]
    pub fn kubernetes(role: impl Into<String>) -> Self {
        Self::kubernetes_from(role, None)
    }

    /// As [`kubernetes`](Self::kubernetes), with the token in another file, such as one of a projected volume that is meant
    /// for Vault alone; none is where Kubernetes mounts it.
    #[must_use]
    pub fn kubernetes_from(role: impl Into<String>, token_file: Option<PathBuf>) -> Self {
        let token_file = token_file.unwrap_or_else(|| SERVICE_ACCOUNT.into());
        Self::Kubernetes { mount: "kubernetes".into(), role: role.into(), token_file }
    }

    /// JWT at `auth/jwt`.
    #[must_use]
    pub fn jwt(role: impl Into<String>, jwt: Secret) -> Self {
        Self::Jwt { mount: "jwt".into(), role: role.into(), jwt }
    }

    /// With the method mounted elsewhere; without effect on a token.
    #[must_use]
    pub fn at(mut self, elsewhere: impl Into<String>) -> Self {
        match &mut self {
            Self::Token(_) => {}
            Self::AppRole { mount, .. } | Self::Kubernetes { mount, .. } | Self::Jwt { mount, .. } => {
                *mount = elsewhere.into();
            }
        }
        self
    }
}

impl Settings {
    /// The Vault at `address`, such as `https://vault.example.com:8200`.
    ///
    /// # Errors
    ///
    /// When it is not an `http` or `https` URL, or has credentials, a query or a fragment.
    pub fn new(address: &str, auth: Auth) -> Result<Self, Error> {
        Ok(Self { base: Base::parse(address)?, auth, namespace: None, tls: None, refresh: REFRESH })
    }

    /// The namespace (Vault Enterprise, OpenBao) that every path is in; none by default.
    ///
    /// # Errors
    ///
    /// When it cannot be a header.
    pub fn namespace(mut self, namespace: &str) -> Result<Self, Error> {
        let name = namespace.trim_matches('/');
        let value =
            HeaderValue::from_str(name).map_err(|_| Error("a namespace of Vault is plain text".into()))?;
        self.namespace = (!name.is_empty()).then_some(value);
        Ok(self)
    }

    /// Whom to trust, and who we are, where the address is `https`. It is asked at each call, so that rotated roots and
    /// certificates count from the next one on; while it has no answer, Vault counts as away. Its ALPN protocols are of no
    /// effect: this speaks HTTP/1.1.
    pub fn tls(
        mut self,
        config: impl Fn() -> Option<Arc<rustls::ClientConfig>> + Send + Sync + 'static,
    ) -> Self {
        self.tls = Some(Tls(Arc::new(config)));
        self
    }

    /// How often what has no lease is read again: 5 minutes by default, at least one second.
    pub fn refresh(mut self, every: Duration) -> Self {
        self.refresh = every.max(SHORTEST_REFRESH);
        self
    }
}

impl Base {
    fn parse(address: &str) -> Result<Self, Error> {
        let wrong = || Error("the address of Vault is a URL such as https://vault.example.com:8200".into());
        let uri: Uri = address.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().ok_or_else(wrong)?;
        if !known || authority.as_str().contains('@') || uri.query().is_some() || address.contains('#') {
            return Err(wrong());
        }
        Ok(Self(uri.to_string().trim_end_matches('/').to_owned()))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

/// Settings that make no Vault. `Display` says what is expected, and holds no secret.
#[derive(Debug)]
pub struct Error(pub(crate) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_and_are_not() {
        for (text, base) in [
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("https://vault.example.com/", "https://vault.example.com"),
            ("https://proxy.example.com/vault/", "https://proxy.example.com/vault"),
            ("http://[::1]:8200", "http://[::1]:8200"),
        ] {
            assert_eq!(Base::parse(text).unwrap().0, base);
        }
        for text in [
            "",
            "vault",
            "vault:8200",
            "ftp://vault",
            "http://",
            "http://a:hunter2@b",
            "http://a/?b=c",
            "http://a b",
        ] {
            let error = Base::parse(text).unwrap_err().to_string();
            assert!(error.contains("https://") && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
