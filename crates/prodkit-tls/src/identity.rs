//! A certificate with its key.

use crate::certificate::Certificate;
use crate::error::{Error, Kind};
use crate::provider;
use humantime::format_rfc3339_seconds;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroize as _;

/// More than any chain that a peer would follow.
const LONGEST_CHAIN: usize = 16;

/// A certificate, the chain behind it, and its private key: they belong together, and are valid at the time they were
/// loaded. Cheap to clone.
///
/// `Debug` and `Display` show the subject, the serial number and the end, and nothing of the key.
#[derive(Clone)]
pub struct Identity {
    pub(crate) key: Arc<CertifiedKey>,
    leaf: Arc<Certificate>,
    not_after: SystemTime,
}

impl Identity {
    /// Reads a chain and a key, both PEM (RFC 7468), to be used from `now` on.
    ///
    /// The first certificate is that of the key; those that lead on to a root follow, at most 15. The key is PKCS#8,
    /// PKCS#1 or SEC1; the first one is taken, and both may be in one file, passed twice.
    ///
    /// # Errors
    ///
    /// When either cannot be read, when the key is another's, is encrypted or cannot sign, and when a certificate of the
    /// chain has expired at `now` or is not valid yet.
    pub fn from_pem(chain: &[u8], key: &[u8], now: SystemTime) -> Result<Self, Error> {
        let chain =
            CertificateDer::pem_slice_iter(chain).take(LONGEST_CHAIN + 1).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(Kind::Chain)?;
        if chain.len() > LONGEST_CHAIN {
            return Err(Kind::TooLong { most: LONGEST_CHAIN }.into());
        }
        let read = |(index, der): (usize, &CertificateDer<'_>)| {
            Certificate::read(der).map_err(|source| Kind::Certificate { index, source })
        };
        let mut certificates = chain.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        for certificate in &certificates {
            check_time(certificate, now)?;
        }
        let not_after = certificates.iter().map(|certificate| certificate.not_after).min();
        let Some(not_after) = not_after else { return Err(Kind::NoCertificate.into()) };
        let leaf = certificates.swap_remove(0);

        let key = CertifiedKey::new(chain, signing_key(key)?);
        match key.keys_match() {
            // a key that does not tell its public half is shown to be wrong by the first handshake only
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(Kind::Mismatch { name: leaf.to_string() }.into()),
        }
        Ok(Self { key: Arc::new(key), leaf: Arc::new(leaf), not_after })
    }

    /// The first common name of the certificate, where it has one, in at most 64 characters.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.leaf.subject.as_deref()
    }

    /// The serial number of the certificate, in hexadecimal.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.leaf.serial
    }

    /// Until when it may be used: the earliest end of the certificates of the chain.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// How long the certificate is valid for in all, from its first moment to its last.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.leaf.not_after.duration_since(self.leaf.not_before).unwrap_or_default()
    }

    /// How long it may be used yet; zero once it has expired.
    #[must_use]
    pub fn expires_in(&self, now: SystemTime) -> Duration {
        self.not_after.duration_since(now).unwrap_or_default()
    }
}

fn check_time(certificate: &Certificate, now: SystemTime) -> Result<(), Kind> {
    let Certificate { not_before, not_after, .. } = *certificate;
    if now < not_before {
        return Err(Kind::NotYetValid { name: certificate.to_string(), not_before });
    }
    if now > not_after {
        return Err(Kind::Expired { name: certificate.to_string(), not_after });
    }
    Ok(())
}

fn signing_key(pem: &[u8]) -> Result<Arc<dyn rustls::sign::SigningKey>, Kind> {
    let mut key = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) if contains(pem, b"ENCRYPTED") => return Err(Kind::EncryptedKey),
        Err(pem::Error::NoItemsFound) => return Err(Kind::NoKey),
        // its text may quote a line of the key
        Err(_) => return Err(Kind::Key),
    };
    let signing = provider::signing_key(&key).map_err(Kind::UnusableKey);
    key.zeroize();
    signing
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, until {}", self.leaf, format_rfc3339_seconds(self.not_after))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject())
            .field("serial", &self.serial())
            .field("not_after", &format_args!("{}", format_rfc3339_seconds(self.not_after)))
            .finish_non_exhaustive()
    }
}
