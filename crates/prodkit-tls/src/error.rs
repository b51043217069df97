//! Why an identity or roots were refused.

use humantime::format_rfc3339_seconds;
use rustls_pki_types::pem;
use std::fmt;
use std::time::SystemTime;

/// Why an [`Identity`](crate::Identity), [`Roots`](crate::Roots) or a configuration could not be made.
///
/// The text is lowercase, fits "failed to {…}", names the certificate at fault by its subject and serial number, and
/// never holds any of a key. It does not know where the bytes came from: add the path.
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
pub(crate) enum Kind {
    Certificate { index: usize, source: der::Error },
    Chain(pem::Error),
    Configure(rustls::Error),
    EncryptedKey,
    Expired { name: String, not_after: SystemTime },
    Key,
    Mismatch { name: String },
    NoCertificate,
    NoKey,
    NoRoots,
    NotYetValid { name: String, not_before: SystemTime },
    Root { index: usize, source: rustls::Error },
    Roots(pem::Error),
    System(Option<rustls_native_certs::Error>),
    TooLong { most: usize },
    UnusableKey(rustls::Error),
    Verifier(rustls::server::VerifierBuilderError),
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl Error {
    /// Whether time alone will put it right: the certificate is valid from a moment to come.
    #[must_use]
    pub fn is_too_early(&self) -> bool {
        matches!(*self.0, Kind::NotYetValid { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self.0 {
            Kind::Configure(_) => "configure TLS: ",
            Kind::NoRoots | Kind::Root { .. } | Kind::Roots(_) | Kind::System(_) | Kind::Verifier(_) => {
                "load the roots: "
            }
            _ => "load the identity: ",
        })?;
        match &*self.0 {
            Kind::Certificate { index, .. } => write!(f, "certificate {} of the chain is not one", index + 1),
            Kind::Chain(_) | Kind::Key | Kind::Roots(_) => f.write_str("it is not PEM"),
            Kind::Configure(_) => f.write_str("the provider has no suite for TLS 1.2 or 1.3"),
            Kind::EncryptedKey => f.write_str("the key is encrypted; decrypt it where it is delivered"),
            Kind::Expired { name, not_after } => {
                write!(f, "the certificate ({name}) expired at {}", format_rfc3339_seconds(*not_after))
            }
            Kind::Mismatch { name } => write!(f, "the key is not that of the certificate ({name})"),
            Kind::NoCertificate => f.write_str("there is no certificate in it"),
            Kind::NoKey => f.write_str("there is no private key in it"),
            Kind::NoRoots => f.write_str("there is no certificate in it"),
            Kind::NotYetValid { name, not_before } => {
                let from = format_rfc3339_seconds(*not_before);
                write!(f, "the certificate ({name}) is not valid before {from}")
            }
            Kind::Root { index, .. } => write!(f, "certificate {} cannot be a root", index + 1),
            Kind::System(_) => f.write_str("this system has none; name a file of them"),
            Kind::TooLong { most } => write!(f, "the chain has more than {most} certificates"),
            Kind::UnusableKey(_) => {
                f.write_str("the key is of no kind that can sign here (RSA, ECDSA, Ed25519)")
            }
            Kind::Verifier(_) => f.write_str("clients cannot be verified by them"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Certificate { source, .. } => Some(source),
            Kind::Chain(source) | Kind::Roots(source) => Some(source),
            Kind::Configure(source) | Kind::Root { source, .. } | Kind::UnusableKey(source) => Some(source),
            Kind::System(source) => source.as_ref().map(|source| source as _),
            Kind::Verifier(source) => Some(source),
            Kind::EncryptedKey
            | Kind::Expired { .. }
            | Kind::Key
            | Kind::Mismatch { .. }
            | Kind::NoCertificate
            | Kind::NoKey
            | Kind::NoRoots
            | Kind::NotYetValid { .. }
            | Kind::TooLong { .. } => None,
        }
    }
}
