//! A configuration of secrets, a provider that does what it is told, and a deadline that only a hang reaches.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prodkit_secrets::{
    Document, Driver, Driving, Error, Event, Fetching, Found, Outbox, Provider, Secret, Secrets, collect,
};
use prodkit_watch::Options;
use serde_json::Value;
use tokio::time::timeout;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn secrets(variables: &'static [(&'static str, &'static str)]) -> Secrets {
    let variable = move |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    Secrets::new(variable, Options::default())
}

/// Secrets by the keys of a JSON object.
pub(crate) fn read(json: &Value) -> (HashMap<String, Secret>, Vec<Found>) {
    let text = json.to_string();
    let (config, found) = collect(|| serde_json::from_str(&text));
    (config.unwrap(), found)
}

/// Secrets that are resolved and kept.
pub(crate) async fn load(secrets: &Secrets, json: &Value) -> HashMap<String, Secret> {
    let (config, found) = read(json);
    secrets.keep(secrets.resolve(&found).await.unwrap());
    config
}

pub(crate) async fn next(driver: &mut Driver) -> Event {
    timeout(DEADLINE, driver.next()).await.expect("an event in time")
}

pub(crate) fn text(secret: &Secret) -> String {
    secret.get().expose_text().unwrap().to_owned()
}

/// A provider for `vault:` that holds what a test puts in.
#[derive(Clone, Default)]
pub(crate) struct Safe(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    documents: HashMap<String, Document>,
    error: Option<fn() -> Error>,
    outbox: Option<Outbox>,
    fetched: Vec<String>,
    closed: bool,
}

impl Safe {
    pub(crate) fn put(&self, path: &str, document: Document) {
        self.0.lock().unwrap().documents.insert(path.to_owned(), document);
    }

    pub(crate) fn fail(&self, error: Option<fn() -> Error>) {
        self.0.lock().unwrap().error = error;
    }

    pub(crate) fn outbox(&self) -> Outbox {
        self.0.lock().unwrap().outbox.clone().expect("driven")
    }

    pub(crate) fn fetched(&self) -> Vec<String> {
        self.0.lock().unwrap().fetched.clone()
    }

    pub(crate) fn closed(&self) -> bool {
        self.0.lock().unwrap().closed
    }
}

pub(crate) fn named(fields: &[(&str, &str)]) -> Document {
    Document::named(fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())))
}

impl Provider for Safe {
    fn scheme(&self) -> &'static str {
        "vault"
    }

    fn fetch<'a>(&'a self, path: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut inside = self.0.lock().unwrap();
            inside.fetched.push(path.to_owned());
            if let Some(error) = inside.error {
                return Err(error());
            }
            inside.documents.get(path).cloned().ok_or_else(|| Error::missing("no such path"))
        })
    }

    fn drive(self: Arc<Self>, outbox: Outbox) -> Option<Driving> {
        self.0.lock().unwrap().outbox = Some(outbox);
        None
    }

    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async { self.0.lock().unwrap().closed = true })
    }
}
