//! Vault behind TLS with an authority of its own.

use crate::support::{refusal, resolve, text};
use prodkit_fakes::{FakeAuthority, FakePair, FakeVault};
use prodkit_secrets::{Secret, Secrets};
use prodkit_vault::{Auth, Settings, Vault};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS on a port of its own, in front of the fake, until the runtime ends.
async fn in_front_of(vault: &FakeVault, pair: FakePair) -> SocketAddr {
    let chain =
        CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let acceptor =
        TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, behind) = (listener.local_addr().unwrap(), vault.addr());
    #[expect(clippy::disallowed_methods, reason = "it stands for another process")]
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut onward = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    addr
}

fn trusting(authority: &FakeAuthority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

#[tokio::test]
async fn a_private_authority_is_trusted_once_it_is_named() {
    let vault = FakeVault::start();
    vault.write("secret/data/app", json!({"data": {"password": "hunter2"}}));
    let (ours, other) = (FakeAuthority::new(), FakeAuthority::new());
    let addr = in_front_of(&vault, ours.issue(&["localhost"])).await;
    let address = format!("https://localhost:{}", addr.port());
    let auth = || Auth::Token(Secret::fixed(FakeVault::ROOT));

    let nobody = Vault::new(Settings::new(&address, auth()).unwrap()).unwrap_err().to_string();
    assert!(nobody.contains("nothing says whom to trust"), "{nobody}");

    // it follows roots that are rotated
    let current = Arc::new(Mutex::new(trusting(&other)));
    let roots = current.clone();
    let settings = Settings::new(&address, auth()).unwrap().tls(move || Some(roots.lock().unwrap().clone()));
    let secrets = Secrets::new(|_| None, Default::default()).provider(Vault::new(settings).unwrap());
    let refused = refusal(&secrets, "vault:secret/data/app#password").await;
    assert!(refused.contains("no connection: invalid peer certificate"), "{refused}");

    *current.lock().unwrap() = trusting(&ours);
    let made = loop {
        match resolve(&secrets, &["vault:secret/data/app#password"]).await {
            Ok(made) => break made,
            Err(errors) => assert!(errors.is_transient(), "{errors}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(text(&made[0]), "hunter2");

    let by_address = Settings::new(&format!("https://{addr}"), auth()).unwrap();
    let by_address = by_address.tls(move || Some(current.lock().unwrap().clone()));
    let secrets = Secrets::new(|_| None, Default::default()).provider(Vault::new(by_address).unwrap());
    let refused = refusal(&secrets, "vault:secret/data/app#password").await;
    assert!(refused.contains("certificate not valid for name"), "{refused}");
}
