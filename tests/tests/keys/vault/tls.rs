//! `secrets.vault.{ca,cert,key}`: a Vault behind TLS, and files that are followed.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prodkit_fakes::{FakeAuthority, FakePair, FakeVault};
use prodkit_tls::{Identity, Live, Roots, Updater, server_config};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{asking, length, vault, write};
use crate::rig::{Rig, Setup, within};
use crate::secrets::refused;

/// TLS in front of a Vault; it remembers what its clients showed.
struct Front {
    address: SocketAddr,
    shown: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
    identity: Updater<Identity>,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    /// Asks its clients for a certificate of `clients`, where there is one.
    fn of(vault: &FakeVault, own: &FakePair, clients: Option<&FakeAuthority>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (identity, live) = Live::channel(identity(own));
        let clients = clients.map(|authority| Live::fixed(roots(authority)));
        let config = server_config(&live, clients.as_ref(), &[]).unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (shown, behind) = (Arc::new(Mutex::new(Vec::new())), vault.addr());
        let seen = Arc::clone(&shown);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (TlsAcceptor::from(config.load()), Arc::clone(&seen));
                #[expect(clippy::disallowed_methods, reason = "it stands for another process")]
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let certificates = stream.get_ref().1.peer_certificates();
                    let first = certificates.and_then(|chain| Some(chain.first()?.to_vec()));
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(first);
                    let Ok(mut onward) = TcpStream::connect(behind).await else { return };
                    // It ends with either side.
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
                });
            }
        });
        Self { address, shown, identity, _runtime: runtime }
    }

    fn setup(&self) -> Setup {
        asking()
            .set("secrets.vault.address", &format!("https://localhost:{}", self.address.port()))
            .set("secrets.vault.token", FakeVault::ROOT)
            .set("secrets.vault.refresh", "1s")
            .set("secrets.start_timeout", "1s")
    }

    /// How many clients have believed it.
    fn handshakes(&self) -> usize {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many different certificates clients have shown, none among them.
    fn shown(&self) -> usize {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.iter().collect::<std::collections::BTreeSet<_>>().len()
    }
}

fn identity(pair: &FakePair) -> Identity {
    Identity::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes(), SystemTime::now()).unwrap()
}

fn roots(authority: &FakeAuthority) -> Roots {
    Roots::from_pem(authority.certificate().as_bytes()).unwrap()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.0.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }
}

fn moves_to(rig: &mut Rig, vault: &FakeVault, length_now: usize) {
    write(vault, length_now);
    within("the next one", || length(rig) == length_now.to_string());
}

/// Whom to trust: followed, so that an authority may be replaced under a running service.
pub(crate) fn ca() {
    let (vault, folder) = (vault(3), Folder::new());
    let (one, two) = (FakeAuthority::new(), FakeAuthority::new());
    folder.put("ca.crt", one.certificate());
    let front = Front::of(&vault, &one.issue(&["localhost"]), None);
    let said = refused(&front.setup());
    assert!(said.contains("invalid peer certificate") || said.contains("secrets.vault.ca"), "{said}");
    let said = refused(&front.setup().set("secrets.vault.ca", "/nowhere"));
    assert!(said.contains("secrets.vault.ca: /nowhere: "), "{said}");

    let mut rig = front.setup().set("secrets.vault.ca", &folder.path("ca.crt")).serve();
    assert_eq!(length(&rig), "3");
    front.identity.set(identity(&two.issue(&["localhost"]))).unwrap();
    let before = front.handshakes();
    folder.put("ca.crt", two.certificate());
    rig.line_where(|line| line["msg"] == "certificate reloaded" && line["certificate"] == "vault");
    within("a connection to the second", || front.handshakes() > before);
    moves_to(&mut rig, &vault, 4);
    // what is no authority is refused, and the one before stays
    folder.put("ca.crt", "nothing");
    rig.line("new certificate refused, the last good one stays");
    moves_to(&mut rig, &vault, 5);
    assert_eq!(rig.check("certificates"), "failing");
}

pub(crate) fn ca_variable() {
    let (vault, folder) = (vault(3), Folder::new());
    let authority = FakeAuthority::new();
    folder.put("ca.crt", authority.certificate());
    folder.put("other.crt", FakeAuthority::new().certificate());
    let front = Front::of(&vault, &authority.issue(&["localhost"]), None);
    let setup = front.setup().env("VAULT_CACERT", &folder.path("ca.crt"));
    assert_eq!(length(&setup.serve()), "3");
    let said = refused(&setup.set("secrets.vault.ca", &folder.path("other.crt")));
    assert!(said.contains("invalid peer certificate"), "{said}");
}

/// A Vault that asks its clients who they are.
struct Mutual {
    vault: FakeVault,
    folder: Folder,
    authority: FakeAuthority,
    front: Front,
}

impl Mutual {
    fn new() -> Self {
        let (vault, folder, authority) = (vault(3), Folder::new(), FakeAuthority::new());
        folder.put("ca.crt", authority.certificate());
        let front = Front::of(&vault, &authority.issue(&["localhost"]), Some(&authority));
        let mutual = Self { vault, folder, authority, front };
        mutual.put(&mutual.authority.issue(&["orders"]));
        mutual
    }

    fn put(&self, pair: &FakePair) {
        self.folder.put("tls.key", &pair.key);
        self.folder.put("tls.crt", &pair.certificate);
    }

    fn setup(&self) -> Setup {
        self.front.setup().set("secrets.vault.ca", &self.folder.path("ca.crt"))
    }

    fn whole(&self) -> Setup {
        let setup = self.setup().set("secrets.vault.cert", &self.folder.path("tls.crt"));
        setup.set("secrets.vault.key", &self.folder.path("tls.key"))
    }
}

/// It is shown, and followed: the next connection has the new one.
pub(crate) fn cert() {
    let mutual = Mutual::new();
    let said = refused(&mutual.setup());
    assert!(said.contains("secret (vault:"), "{said}");
    let mut rig = mutual.whole().serve();
    assert_eq!(length(&rig), "3");
    assert_eq!(mutual.front.shown(), 1);
    assert!(rig.metric("prodkit_tls_certificate_expiry_timestamp_seconds{certificate=\"vault\"}").is_some());
    mutual.put(&mutual.authority.issue(&["orders"]));
    within("the second", || mutual.front.shown() == 2);
    moves_to(&mut rig, &mutual.vault, 4);
    // one that has ended is refused, and the second stays
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
    mutual.put(&mutual.authority.issue_for(&["orders"], now - 2 * hour..now - hour));
    rig.line_where(|line| {
        line["msg"] == "new certificate refused, the last good one stays"
            && line["error"].as_str().is_some_and(|error| error.contains("expired at"))
    });
    moves_to(&mut rig, &mutual.vault, 5);
    assert_eq!(mutual.front.shown(), 2);
}

/// One that is not of the certificate is refused: at the start that is the end of it, later the old pair stays.
pub(crate) fn key() {
    let mutual = Mutual::new();
    let path = mutual.folder.path("tls.crt");
    let said = refused(&mutual.setup().set("secrets.vault.cert", &path));
    assert!(said.contains("secrets.vault.cert: it needs the key beside it"), "{said}");
    let mut rig = mutual.whole().serve();
    mutual.folder.put("tls.key", &mutual.authority.issue(&["orders"]).key);
    let line = rig.line("new certificate refused, the last good one stays");
    assert!(line["error"].as_str().unwrap().contains("the key is not that of the certificate"), "{line}");
    moves_to(&mut rig, &mutual.vault, 4);
    assert_eq!(mutual.front.shown(), 1);
    assert_eq!(rig.check("certificates"), "failing");
    let said = refused(&mutual.whole());
    assert!(said.contains("the key is not that of the certificate"), "{said}");
}

pub(crate) fn pair_variables() {
    let mutual = Mutual::new();
    let setup = mutual.setup().env("VAULT_CLIENT_CERT", &mutual.folder.path("tls.crt"));
    let setup = setup.env("VAULT_CLIENT_KEY", &mutual.folder.path("tls.key"));
    assert_eq!(length(&setup.serve()), "3");
    refused(&setup.clone().set("secrets.vault.cert", "/nowhere"));
    refused(&setup.set("secrets.vault.key", "/nowhere"));
}
