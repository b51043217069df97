//! Whose certificates are believed.

use crate::error::{Error, Kind};
use crate::provider;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::fmt;
use std::sync::Arc;

/// The authorities whose certificates are believed; at least one. Cheap to clone.
#[derive(Clone)]
pub struct Roots {
    pub(crate) store: Arc<RootCertStore>,
    pub(crate) clients: Arc<dyn ClientCertVerifier>,
}

impl Roots {
    /// Reads a bundle of certificates, PEM (RFC 7468).
    ///
    /// # Errors
    ///
    /// When it cannot be read, when one of its certificates cannot be a root, and when there is none.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(bundle).enumerate() {
            let certificate = certificate.map_err(Kind::Roots)?;
            store.add(certificate).map_err(|source| Kind::Root { index, source })?;
        }
        if store.is_empty() {
            return Err(Kind::NoRoots.into());
        }
        Self::new(store)
    }

    /// Those of the operating system, or of the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. What of them cannot be
    /// a root is passed over. Reads files, on the spot.
    ///
    /// # Errors
    ///
    /// When there are none, as in an image made from scratch.
    pub fn system() -> Result<Self, Error> {
        let mut found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err(Kind::System(found.errors.pop()).into());
        }
        Self::new(store)
    }

    fn new(store: RootCertStore) -> Result<Self, Error> {
        let store = Arc::new(store);
        let clients = WebPkiClientVerifier::builder_with_provider(store.clone(), provider::provider());
        Ok(Self { clients: clients.build().map_err(Kind::Verifier)?, store })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.store.len()
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("count", &self.count()).finish_non_exhaustive()
    }
}
