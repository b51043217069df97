//! Configurations that follow.

use crate::error::{Error, Kind};
use crate::{ClientConfig, Identity, Roots, ServerConfig, provider};
use prodkit_live::Live;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The protocols of HTTP by their ALPN names (RFC 7301): HTTP/2 before HTTP/1.1.
pub const HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The configuration of a server that shows `identity`.
///
/// With `clients`, a client must show a certificate of one of these roots. `alpn` names the protocols spoken, the preferred
/// one first; empty offers none.
///
/// Take the configuration anew for each handshake ([`Live::load`]).
///
/// # Errors
///
/// When the provider knows none of the versions of TLS.
pub fn server_config(
    identity: &Live<Identity>,
    clients: Option<&Live<Roots>>,
    alpn: &[&[u8]],
) -> Result<Live<ServerConfig>, Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Kind::Configure)?;
    let alpn = owned(alpn);
    let finish = move |mut config: ServerConfig| {
        config.alpn_protocols.clone_from(&alpn);
        config
    };
    Ok(match clients {
        None => identity.map(move |identity| {
            let resolver = Arc::new(Shown(identity.clone()));
            finish(builder.clone().with_no_client_auth().with_cert_resolver(resolver))
        }),
        Some(clients) => identity.zip(clients).map(move |(identity, clients)| {
            let resolver = Arc::new(Shown(Identity::clone(identity)));
            let verified = builder.clone().with_client_cert_verifier(clients.clients.clone());
            finish(verified.with_cert_resolver(resolver))
        }),
    })
}

/// The configuration of a client that believes `roots`, and shows `identity` where it is asked for one.
///
/// `alpn` names the protocols offered, the preferred one first; empty offers none.
///
/// Take the configuration anew for each connection ([`Live::load`]).
///
/// # Errors
///
/// When the provider knows none of the versions of TLS.
pub fn client_config(
    roots: &Live<Roots>,
    identity: Option<&Live<Identity>>,
    alpn: &[&[u8]],
) -> Result<Live<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Kind::Configure)?;
    let alpn = owned(alpn);
    let finish = move |mut config: ClientConfig| {
        config.alpn_protocols.clone_from(&alpn);
        config
    };
    Ok(match identity {
        None => roots.map(move |roots| {
            finish(builder.clone().with_root_certificates(roots.store.clone()).with_no_client_auth())
        }),
        Some(identity) => roots.zip(identity).map(move |(roots, identity)| {
            let resolver = Arc::new(Shown(Identity::clone(identity)));
            let trusting = builder.clone().with_root_certificates(roots.store.clone());
            finish(trusting.with_client_cert_resolver(resolver))
        }),
    })
}

fn owned(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.to_vec()).collect()
}

/// One identity for everyone who asks.
#[derive(Debug)]
struct Shown(Identity);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.key.clone())
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _roots: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
