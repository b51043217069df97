//! What stands behind `vault:`.

use std::future::ready;

use prodkit_secrets::{Error, Fetching, Provider};

#[cfg(not(feature = "__vault"))]
pub(crate) use absent::Trust;
#[cfg(not(feature = "__vault"))]
pub(super) use absent::behind;
#[cfg(feature = "__vault")]
pub(crate) use present::Trust;
#[cfg(feature = "__vault")]
pub(super) use present::behind;

/// Nobody who could be asked, and why.
struct Nobody(&'static str);

impl Provider for Nobody {
    fn scheme(&self) -> &'static str {
        "vault"
    }

    fn fetch<'a>(&'a self, _: &'a str) -> Fetching<'a> {
        Box::pin(ready(Err(Error::refused(self.0))))
    }
}

#[cfg(not(feature = "__vault"))]
mod absent {
    use prodkit_config::Tree;
    use prodkit_secrets::{Found, Secrets};

    use super::super::SecretErrors;
    use super::Nobody;
    use crate::certificates::Certificates;
    use crate::environment::Environment;
    use crate::error::StartError;
    use crate::settings::Vault;

    const ADDRESS: &str = "secrets.vault.address";
    const WITHOUT: &str = "this binary is built without prodkit's feature `vault`";

    /// There is none in this binary.
    #[derive(Default)]
    pub(crate) struct Trust;

    impl Trust {
        #[cfg_attr(not(feature = "__tls"), expect(dead_code, reason = "nothing is followed"))]
        pub(crate) fn establish(&self, _: &Vault, _: &mut Certificates) -> Result<(), StartError> {
            Ok(())
        }
    }

    /// A file or a flag asks for it on purpose; a variable may be there for every pod of a namespace.
    pub(in super::super) fn behind(
        secrets: Secrets,
        _: &Vault,
        _: &Environment,
        _: &[Found],
        tree: &Tree,
    ) -> Result<(Secrets, Trust), SecretErrors> {
        let asked = tree.leaves().any(|leaf| {
            let origin = leaf.origin();
            leaf.path() == ADDRESS && (origin.path().is_some() || origin.set_index().is_some())
        });
        if asked {
            return Err(SecretErrors::of(&format!("{ADDRESS}: {WITHOUT}")));
        }
        Ok((secrets.provider(Nobody(WITHOUT)), Trust))
    }
}

#[cfg(feature = "__vault")]
mod present {
    use std::sync::{Arc, OnceLock};

    use prodkit_config::Tree;
    use prodkit_secrets::{Found, Secret, Secrets};
    use prodkit_tls::{ClientConfig, Live, Roots, client_config};
    use prodkit_vault::Auth;

    use super::super::SecretErrors;
    use super::Nobody;
    use crate::certificates::Certificates;
    use crate::environment::Environment;
    use crate::error::{StartError, chain};
    use crate::settings::{Vault, VaultAuth};

    const SECTION: &str = "secrets.vault.";
    /// What Go's `strconv.ParseBool`, by which Vault reads its variables, takes for "no".
    const NO: &[&str] = &["0", "f", "F", "false", "False", "FALSE"];

    /// Whom the provider trusts: nobody until the files have been read.
    #[derive(Clone, Default)]
    pub(crate) struct Trust(Arc<OnceLock<Live<ClientConfig>>>);

    impl Trust {
        /// Reads the certificates, where the address is https, and follows their files.
        pub(crate) fn establish(
            &self,
            vault: &Vault,
            certificates: &mut Certificates,
        ) -> Result<(), StartError> {
            if !vault.is_https() {
                return Ok(());
            }
            let wrong = |error| StartError::setting("secrets.vault.ca", error);
            let (roots, identity) = match vault.files() {
                files if files.is_empty() => (None, None),
                files => {
                    let given = certificates.add(files)?;
                    (given.roots, given.identity)
                }
            };
            let roots = match roots {
                Some(roots) => roots,
                None => Live::fixed(Roots::system().map_err(wrong)?),
            };
            // Set once: there is one start.
            let _ = self.0.set(client_config(&roots, identity.as_ref(), &[]).map_err(wrong)?);
            Ok(())
        }
    }

    /// The Vault that the settings name, or somebody who says that they name none.
    pub(in super::super) fn behind(
        secrets: Secrets,
        vault: &Vault,
        environment: &Environment,
        found: &[Found],
        _: &Tree,
    ) -> Result<(Secrets, Trust), SecretErrors> {
        let trust = Trust::default();
        let Some(address) = &vault.address else {
            let nobody = Nobody("secrets.vault.address is not set, and neither is VAULT_ADDR");
            return Ok((secrets.provider(nobody), trust));
        };
        let mut wrong = circles(found);
        if vault.is_https()
            && let Err(error) = Certificates::check(&vault.files())
        {
            wrong.push(chain(&error));
        }
        if environment.get("VAULT_SKIP_VERIFY").is_some_and(|value| !NO.contains(&value)) {
            wrong.push(
                "VAULT_SKIP_VERIFY is set, and certificates are verified always: unset it, and name a private authority in \
                 secrets.vault.ca (VAULT_CACERT)"
                    .to_owned(),
            );
        }
        let Some(auth) = auth(vault, &mut wrong) else {
            return match wrong.is_empty() {
                true => {
                    let nobody = Nobody("secrets.vault.token is not set, and neither is VAULT_TOKEN");
                    Ok((secrets.provider(nobody), trust))
                }
                false => Err(SecretErrors(wrong)),
            };
        };
        let followed = trust.clone();
        let settings = prodkit_vault::Settings::new(address, auth)
            .map(|settings| settings.refresh(vault.refresh).tls(move || Some(followed.0.get()?.load())));
        let provider = match settings {
            Err(error) => Err(format!("{SECTION}address: {error}")),
            Ok(settings) => settings
                .namespace(vault.namespace.as_deref().unwrap_or_default())
                .and_then(prodkit_vault::Vault::new)
                .map_err(|error| format!("{SECTION}namespace: {error}")),
        };
        match provider {
            Ok(provider) if wrong.is_empty() => Ok((secrets.provider(provider), trust)),
            Ok(_) => Err(SecretErrors(wrong)),
            Err(error) => {
                wrong.push(error);
                Err(SecretErrors(wrong))
            }
        }
    }

    /// Who logs in with what only Vault knows never does.
    fn circles(found: &[Found]) -> Vec<String> {
        let inside = found.iter().filter(|found| {
            found.path().is_some_and(|path| path.starts_with(SECTION))
                && found.reference().is_some_and(|reference| reference.asks("vault"))
        });
        let named = inside.filter_map(Found::path);
        named
            .map(|path| format!("{path}: what opens Vault cannot be in Vault; take a file or a variable"))
            .collect()
    }

    /// How to log in, with every setting that is missing or of no use; a token may be missing where nothing is looked up.
    fn auth(vault: &Vault, wrong: &mut Vec<String>) -> Option<Auth> {
        let Vault { mount, role, token, service_account_file, role_id, secret_id, jwt, .. } = vault;
        let set = [
            ("mount", mount.is_some()),
            ("role", role.is_some()),
            ("service_account_file", service_account_file.is_some()),
            ("role_id", role_id.is_some()),
            ("secret_id", secret_id.is_some()),
            ("jwt", jwt.is_some()),
        ];
        let (name, takes, needs): (_, &[&str], &[&str]) = match vault.auth {
            VaultAuth::Token => ("token", &[], &[]),
            VaultAuth::Kubernetes => ("kubernetes", &["mount", "role", "service_account_file"], &["role"]),
            VaultAuth::AppRole => ("approle", &["mount", "role_id", "secret_id"], &["role_id", "secret_id"]),
            VaultAuth::Jwt => ("jwt", &["mount", "role", "jwt"], &["role", "jwt"]),
        };
        for (key, is_set) in set {
            if is_set && !takes.contains(&key) {
                wrong.push(format!("{SECTION}{key}: of no use with {SECTION}auth: {name}"));
            } else if !is_set && needs.contains(&key) {
                wrong.push(format!("{SECTION}{key}: {SECTION}auth: {name} needs it"));
            }
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let secret = |secret: &Option<Secret>| secret.clone().unwrap_or_else(Secret::missing);
        let auth = match vault.auth {
            VaultAuth::Token => Auth::Token(token.clone()?),
            VaultAuth::Kubernetes => Auth::kubernetes_from(text(role), service_account_file.clone()),
            VaultAuth::AppRole => Auth::app_role(text(role_id), secret(secret_id)),
            VaultAuth::Jwt => Auth::jwt(text(role), secret(jwt)),
        };
        Some(match mount {
            Some(mount) => auth.at(mount.trim_matches('/')),
            None => auth,
        })
    }
}
