//! Who does the cryptography.

use rustls::Error;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use std::sync::{Arc, LazyLock};

#[cfg(feature = "aws-lc")]
use rustls::crypto::aws_lc_rs as chosen;
#[cfg(all(feature = "ring", not(feature = "aws-lc")))]
use rustls::crypto::ring as chosen;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(chosen::default_provider()));

/// The provider that everything here uses, to be passed on to what takes one: aws-lc-rs with the feature `aws-lc`, else
/// ring. It is not the default of the process, and is not made that.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}

/// By reference, so that the key can be overwritten afterwards.
pub(crate) fn signing_key(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, Error> {
    chosen::sign::any_supported_type(key)
}
