//! The certificates towards collectors, from the files that settings and variables name.

use std::path::PathBuf;

use prodkit_otlp::{Credentials, Settings, Tls};

use crate::certificates::{Certificates, Files};
use crate::environment::Environment;
use crate::error::StartError;

/// Who has files, as metrics and log lines call them, with the variables of its own for `ca`, `cert` and `key`.
const USERS: [(&str, [&str; 3]); 4] = [
    (
        "otlp",
        [
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        ],
    ),
    (
        "otlp-traces",
        [
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
        ],
    ),
    (
        "otlp-metrics",
        [
            "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY",
        ],
    ),
    (
        "otlp-logs",
        [
            "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
        ],
    ),
];

/// The settings for `ca`, `cert` and `key`.
const SETTINGS: [&str; 3] = ["otlp.tls.ca", "otlp.tls.cert", "otlp.tls.key"];

/// Follows each set of files once, however many signals share it.
pub(super) struct Trust<'a> {
    certificates: &'a mut Certificates,
    environment: &'a Environment,
    /// The files of each of [`USERS`].
    users: [Tls; 4],
    followed: Vec<(Tls, Credentials)>,
}

impl<'a> Trust<'a> {
    pub(super) fn new(
        settings: &Settings,
        environment: &'a Environment,
        certificates: &'a mut Certificates,
    ) -> Self {
        let users = [
            settings.tls.clone(),
            settings.tls_of(&settings.traces),
            settings.tls_of(&settings.metrics),
            settings.tls_of(&settings.logs),
        ];
        Self { certificates, environment, users, followed: Vec::new() }
    }

    pub(super) fn credentials(&mut self, tls: &Tls) -> Result<Credentials, StartError> {
        if let Some((_, known)) = self.followed.iter().find(|(known, _)| known == tls) {
            return Ok(known.clone());
        }
        let mut credentials = Credentials::default();
        if !tls.is_empty() {
            let user = self.users.iter().position(|user| user == tls).unwrap_or_default();
            let given = self.certificates.add(self.files(user, tls))?;
            (credentials.roots, credentials.identity) = (given.roots, given.identity);
        }
        self.followed.push((tls.clone(), credentials.clone()));
        Ok(credentials)
    }

    /// Each file with what named it.
    fn files(&self, user: usize, tls: &Tls) -> Files {
        let (name, own) = USERS[user];
        let common = USERS[0].1;
        let named = |index: usize, path: &Option<PathBuf>| {
            let variable = |name: &&str| self.environment.get(name).is_some();
            let setting = match () {
                () if user > 0 && variable(&own[index]) => own[index],
                () if variable(&common[index]) && !self.environment.outranks(SETTINGS[index]) => {
                    common[index]
                }
                () => SETTINGS[index],
            };
            path.clone().map(|path| (setting, path))
        };
        Files { name, roots: named(0, &tls.ca), cert: named(1, &tls.cert), key: named(2, &tls.key) }
    }
}
