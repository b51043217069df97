//! `secrets.*`: whether secrets have to be there, and the Vault that some of them are in.

use std::path::PathBuf;
use std::time::Duration;

use prodkit_secrets::Secret;
use serde::Deserialize;

use super::checked;

/// Where secrets may be, and what happens without them.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Secrets {
    /// Whether a secret that cannot be had ends the start; if not, the service starts without it and is degraded until it
    /// comes. Default: true.
    pub(crate) required: bool,
    /// Whether a secret may be written out in a file or flag. Then there is a warning, but for a file that not everybody can
    /// read. Default: true.
    pub(crate) allow_literals: bool,
    /// How long the start waits for a Vault that does not answer. Default: 30s, which is what the startup probe of a pod has
    /// by default.
    pub(crate) start_timeout: Duration,
    /// The Vault or OpenBao in which `vault:path#field` is looked up. Needs the feature `vault`.
    pub(crate) vault: Vault,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            required: true,
            allow_literals: true,
            start_timeout: Duration::from_secs(30),
            vault: Vault::default(),
        }
    }
}

/// Which Vault, and who the service is to it.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Vault {
    /// Its URL. Also `VAULT_ADDR`. Default: none, and `vault:` is looked up nowhere.
    #[cfg_attr(feature = "schema", schemars(example = &"https://vault.vault.svc:8200"))]
    pub(crate) address: Option<String>,
    /// The namespace that every path is in. Also `VAULT_NAMESPACE`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"team"))]
    pub(crate) namespace: Option<String>,
    /// How the service logs in: token, kubernetes, approle or jwt. Default: token.
    pub(crate) auth: VaultAuth,
    /// Where the auth method is mounted, without `auth/`. Default: the name of the method.
    #[cfg_attr(feature = "schema", schemars(example = &"kubernetes-eu"))]
    pub(crate) mount: Option<String>,
    /// The role to log in to, with kubernetes and jwt. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"orders"))]
    pub(crate) role: Option<String>,
    /// The token, with auth token; such as the file an agent writes it to, which is followed. It is renewed and never revoked.
    /// Also `VAULT_TOKEN`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"file:/vault/secrets/token"))]
    #[cfg_attr(feature = "schema", serde(skip_serializing))]
    pub(crate) token: Option<Secret>,
    /// The file of the service account's token, with kubernetes; read at each login. Default: where Kubernetes mounts it,
    /// /var/run/secrets/kubernetes.io/serviceaccount/token.
    #[cfg_attr(feature = "schema", schemars(example = &"/var/run/secrets/vault/token"))]
    pub(crate) service_account_file: Option<PathBuf>,
    /// The id of the role, with approle. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"5f8a2c1e-0c9d-4c5f-9f4e-1d0c5a7b6e21"))]
    pub(crate) role_id: Option<String>,
    /// The secret that goes with it, with approle; read at each login. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"file:/var/secrets/secret-id"))]
    #[cfg_attr(feature = "schema", serde(skip_serializing))]
    pub(crate) secret_id: Option<Secret>,
    /// What somebody signed, with jwt; read at each login. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"file:/var/run/secrets/vault/jwt"))]
    #[cfg_attr(feature = "schema", serde(skip_serializing))]
    pub(crate) jwt: Option<Secret>,
    /// Whom to trust, where the address is https: a file of certificates, which is followed. Also `VAULT_CACERT`.
    /// Default: what the system trusts.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/vault/ca.crt"))]
    pub(crate) ca: Option<PathBuf>,
    /// The certificate that the service shows to Vault, with its chain: a file, which is followed. Needs the key. Also
    /// `VAULT_CLIENT_CERT`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/vault/tls.crt"))]
    pub(crate) cert: Option<PathBuf>,
    /// Its key: a file, which is followed. Also `VAULT_CLIENT_KEY`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/vault/tls.key"))]
    pub(crate) key: Option<PathBuf>,
    /// How often what has no lease, such as KV, is read again; at least 1s. Default: 5m.
    #[serde(deserialize_with = "checked::second")]
    pub(crate) refresh: Duration,
}

impl Default for Vault {
    fn default() -> Self {
        Self {
            address: None,
            namespace: None,
            auth: VaultAuth::default(),
            mount: None,
            role: None,
            token: None,
            service_account_file: None,
            role_id: None,
            secret_id: None,
            jwt: None,
            ca: None,
            cert: None,
            key: None,
            refresh: Duration::from_secs(300),
        }
    }
}

#[cfg(feature = "__vault")]
impl Vault {
    /// Whether what is said goes over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.address.as_deref().is_some_and(|address| {
            address.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
        })
    }

    pub(crate) fn files(&self) -> crate::certificates::Files {
        let file = |setting, path: &Option<PathBuf>| path.clone().map(|path| (setting, path));
        crate::certificates::Files {
            name: "vault",
            cert: file("secrets.vault.cert", &self.cert),
            key: file("secrets.vault.key", &self.key),
            roots: file("secrets.vault.ca", &self.ca),
        }
    }
}

/// How the service logs in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum VaultAuth {
    #[default]
    Token,
    Kubernetes,
    AppRole,
    Jwt,
}
