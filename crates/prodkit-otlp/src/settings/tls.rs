//! Files behind connections over TLS.

use super::{Settings, Signal};
use std::path::PathBuf;

/// Where the certificates for connections over TLS are, PEM (RFC 7468). The files are looked at only where an endpoint
/// begins with `https` or says that it is not to be spoken to in plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tls {
    /// The authorities whose certificates a collector may show. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// A certificate to show to collectors that ask for one, and the chain behind it. Default: none.
    pub cert: Option<PathBuf>,
    /// The private key of that certificate. Default: none.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// Whether no file is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Settings {
    /// The files of one signal: its own, and the common ones where it has none.
    #[must_use]
    pub fn tls_of(&self, signal: &Signal) -> Tls {
        let (own, common) = (&signal.tls, &self.tls);
        let pick =
            |own: &Option<PathBuf>, common: &Option<PathBuf>| own.as_ref().or(common.as_ref()).cloned();
        Tls {
            ca: pick(&own.ca, &common.ca),
            cert: pick(&own.cert, &common.cert),
            key: pick(&own.key, &common.key),
        }
    }

    /// Whether a bare `host:port` of this signal is spoken to over TLS.
    pub(crate) fn is_bare_secure(&self, signal: &Signal) -> bool {
        signal
            .insecure
            .or(self.insecure)
            .map_or_else(|| !self.tls_of(signal).is_empty(), |insecure| !insecure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_a_signal_stands_in_for_the_common_one() {
        let mut settings = Settings::default();
        assert!(!settings.is_bare_secure(&settings.logs), "plain text unless somebody says otherwise");
        (settings.tls.ca, settings.tls.cert) = (Some("ca".into()), Some("cert".into()));
        settings.logs.tls.cert = Some("own".into());
        let of = settings.tls_of(&settings.logs);
        assert_eq!(of, Tls { ca: Some("ca".into()), cert: Some("own".into()), key: None });
        assert_eq!(settings.tls_of(&settings.traces), settings.tls);
        assert!(settings.is_bare_secure(&settings.logs), "who names certificates means TLS");
        settings.insecure = Some(true);
        assert!(!settings.is_bare_secure(&settings.logs));
        settings.logs.insecure = Some(false);
        assert!(settings.is_bare_secure(&settings.logs) && !settings.is_bare_secure(&settings.traces));
    }
}
