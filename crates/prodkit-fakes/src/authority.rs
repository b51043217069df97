//! A certificate authority that issues whatever a test asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SerialNumber};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);

/// A certificate authority with a key of its own: each one is a stranger to all others.
///
/// ```
/// use prodkit_fakes::FakeAuthority;
///
/// let authority = FakeAuthority::new();
/// let server = authority.issue(&["localhost", "127.0.0.1"]);
/// assert!(server.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
/// assert!(server.key.starts_with("-----BEGIN PRIVATE KEY-----"));
/// ```
#[derive(Debug)]
pub struct FakeAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    issued: AtomicU64,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FakePair {
    /// The certificate, alone.
    pub certificate: String,
    /// Its private key, PKCS#8.
    pub key: String,
}

#[expect(clippy::expect_used, reason = "a test without its certificates cannot go on")]
#[expect(clippy::new_without_default, reason = "each one is different")]
impl FakeAuthority {
    /// A new authority, with an ECDSA key on P-256.
    ///
    /// # Panics
    ///
    /// When there is no randomness to be had.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "fake authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate of its own");
        Self { issuer, issued: AtomicU64::new(1) }
    }

    /// Its own certificate, as PEM: what those who trust it are given.
    #[must_use]
    pub fn certificate(&self) -> String {
        pem("CERTIFICATE", self.issuer.der())
    }

    /// A certificate for these names (DNS names and IP addresses), valid since an hour ago for a day.
    ///
    /// Serial numbers count from 1, and the common name is the first of the names.
    ///
    /// # Panics
    ///
    /// When a name is not one.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> FakePair {
        let now = SystemTime::now();
        self.issue_for(names, now - HOUR..now + 24 * HOUR)
    }

    /// The same, valid for as long as the test says.
    ///
    /// # Panics
    ///
    /// When a name is not one.
    #[must_use]
    pub fn issue_for(&self, names: &[&str], valid: Range<SystemTime>) -> FakePair {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
        params.serial_number = Some(SerialNumber::from(self.issued.fetch_add(1, Relaxed)));
        params.not_before = valid.start.into();
        params.not_after = valid.end.into();
        let certificate = params.signed_by(&key, &self.issuer).expect("a signature");
        FakePair {
            certificate: pem("CERTIFICATE", certificate.der()),
            key: pem("PRIVATE KEY", key.serialized_der()),
        }
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        let _ = writeln!(pem, "{}", String::from_utf8_lossy(line));
    }
    pem + &format!("-----END {label}-----\n")
}
