//! What every test needs.

use prodkit_fakes::FakeVault;
use prodkit_secrets::{Errors, Event, Secret, Secrets, collect};
use prodkit_vault::{Auth, Settings, Vault};
use serde_json::json;
use std::time::Duration;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// With root's token.
pub(crate) fn root(vault: &FakeVault) -> Settings {
    with(vault, Auth::Token(Secret::fixed(FakeVault::ROOT)))
}

pub(crate) fn with(vault: &FakeVault, auth: Auth) -> Settings {
    Settings::new(&vault.url(), auth).unwrap()
}

pub(crate) fn secrets(settings: Settings) -> Secrets {
    Secrets::new(|_| None, Default::default()).provider(Vault::new(settings).unwrap())
}

/// Secrets by these references, resolved and kept.
pub(crate) async fn resolve(secrets: &Secrets, references: &[&str]) -> Result<Vec<Secret>, Errors> {
    let (made, found) = collect(|| serde_json::from_value::<Vec<Secret>>(json!(references)).unwrap());
    secrets.keep(secrets.resolve(&found).await?);
    Ok(made)
}

pub(crate) fn text(secret: &Secret) -> String {
    secret.load().expose_text().unwrap().to_owned()
}

/// Why the only secret could not be had.
pub(crate) async fn refusal(secrets: &Secrets, reference: &str) -> String {
    resolve(secrets, &[reference]).await.expect_err("it was had").to_string()
}

/// Drives until `enough` says so of an event.
pub(crate) async fn until(driver: &mut prodkit_secrets::Driver, enough: impl Fn(&Event) -> bool) -> Event {
    let waiting = async {
        loop {
            let event = driver.next().await;
            if enough(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("an event within 30 s")
}
