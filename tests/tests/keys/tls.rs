//! `server.tls.*`: a certificate in files, and clients that trust its authority.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::common::v1::any_value;
use prodkit_fakes::{FakeAuthority, FakeCollector, FakePair};
use prodkit_tls::{Identity, Live, Roots, client_config};
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

use crate::rig::{Rig, Setup, within};
use crate::server::server_span;

const HOUR: Duration = Duration::from_secs(3600);

/// A folder with a pair, and with what trusts it.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) authority: FakeAuthority,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap(), authority: FakeAuthority::new() };
        folder.put(&folder.authority.issue(&["localhost"]));
        fs::write(folder.path("ca.crt"), folder.authority.certificate()).unwrap();
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Each file at once, as an editor or a sidecar does it.
    pub(crate) fn put(&self, pair: &FakePair) {
        for (name, text) in [("tls.key", &pair.key), ("tls.crt", &pair.certificate)] {
            fs::write(self.path("new"), text).unwrap();
            fs::rename(self.path("new"), self.path(name)).unwrap();
        }
    }

    fn setup(&self) -> Setup {
        let setting = |setup: Setup, key, name| setup.set(key, &self.path(name).display().to_string());
        setting(setting(Setup::new(), "server.tls.cert", "tls.crt"), "server.tls.key", "tls.key")
    }

    /// The serial number of the certificate shown, or why there was none; with a word of HTTP each way.
    fn ask(&self, main: SocketAddr, own: Option<&FakePair>) -> std::io::Result<Vec<u8>> {
        use std::io::{Read as _, Write as _};
        let roots = Live::fixed(Roots::from_pem(self.authority.certificate().as_bytes()).unwrap());
        let own = own.map(|pair| {
            let (chain, key) = (pair.certificate.as_bytes(), pair.key.as_bytes());
            Live::fixed(Identity::from_pem(chain, key, SystemTime::now()).unwrap())
        });
        let config: Arc<_> = client_config(&roots, own.as_ref(), &[]).unwrap().load();
        let session = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let stream = TcpStream::connect(main)?;
        stream.set_read_timeout(Some(prodkit_e2e::process::DEADLINE))?;
        let mut stream = StreamOwned::new(session, stream);
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
    }
}

/// Over HTTP/1 the client does not say the scheme.
pub(crate) fn a_span_of_a_secured_port_says_so() {
    let (folder, collector) = (Folder::new(), FakeCollector::start());
    let setup = folder.setup().set("otlp.endpoint", &collector.url()).set("otlp.compression", "none");
    let mut rig = setup.set("otlp.sampling_ratio", "1").serve();
    folder.ask(rig.main, None).unwrap();
    rig.end();
    let span = server_span(&collector);
    assert_eq!(span["url.scheme"], any_value::Value::StringValue("https".into()), "{span:#?}");
}

fn expiry(rig: &Rig) -> Option<f64> {
    rig.metric("prodkit_tls_certificate_expiry_timestamp_seconds{certificate=\"server\"}")
}

/// It is followed: the next one is for new connections, and one that does not fit or has expired is refused.
pub(crate) fn cert() {
    let folder = Folder::new();
    let mut rig = folder.setup().serve();
    let first = folder.ask(rig.main, None).unwrap();
    let end = expiry(&rig).unwrap();

    let now = SystemTime::now();
    folder.put(&folder.authority.issue_for(&["localhost"], now - HOUR..now + 48 * HOUR));
    // between the two files they do not fit together, which may be seen and is refused then
    within("the second", || folder.ask(rig.main, None).unwrap() != first);
    rig.until("prodkit_tls_certificate_expiry_timestamp_seconds{certificate=\"server\"}", |new| new > end);
    within("good again", || rig.check("certificates") == "healthy");
    let second = folder.ask(rig.main, None).unwrap();

    folder.put(&folder.authority.issue_for(&["localhost"], now - 2 * HOUR..now - HOUR));
    within("refused", || rig.check("certificates") == "failing");
    let refused = rig.line_where(|line| {
        line["msg"] == "new certificate refused, the last good one stays" && text(line).contains("expired at")
    });
    assert!(text(&refused).starts_with("server.tls.cert: "), "{refused}");
    assert_eq!(folder.ask(rig.main, None).unwrap(), second);
    assert_eq!(rig.ask("/health/ready").status, 200, "it degrades, no more");

    let soon = folder.authority.issue_for(&["localhost"], now - 48 * HOUR..now + HOUR);
    folder.put(&soon);
    within("about to expire", || rig.check("certificates") == "degraded");
}

fn text(line: &Value) -> &str {
    line["error"].as_str().unwrap_or_default()
}

/// One that is not of the certificate ends the start, and names the setting; so does its absence.
pub(crate) fn key() {
    let folder = Folder::new();
    folder.setup().serve();
    fs::write(folder.path("tls.key"), folder.authority.issue(&["other"]).key).unwrap();
    for (setup, expected) in [
        (folder.setup(), "server.tls.cert: "),
        (folder.setup(), "the key is not that of the certificate (localhost, serial 01)"),
        (folder.setup().unset("server.tls.key"), "server.tls.cert: it needs the key beside it"),
        (folder.setup().unset("server.tls.cert"), "server.tls.key: it needs the certificate beside it"),
        (folder.setup().set("server.tls.key", "/nowhere"), "server.tls.key: /nowhere: No such file"),
    ] {
        let (mut service, _folder) = setup.spawn();
        assert_eq!(service.wait().unwrap().code(), Some(78), "{:#?}", service.seen());
        assert!(
            service.seen().iter().any(|line| text(line).contains(expected)),
            "{expected}: {:#?}",
            service.seen()
        );
    }
}

pub(crate) fn client_ca() {
    let folder = Folder::new();
    let client = folder.authority.issue(&["client"]);
    folder.ask(folder.setup().serve().main, None).unwrap();
    let setup = folder.setup().set("server.tls.client_ca", &folder.path("ca.crt").display().to_string());
    let rig = setup.serve();
    folder.ask(rig.main, Some(&client)).unwrap();
    folder.ask(rig.main, None).unwrap_err();
    folder.ask(rig.main, Some(&FakeAuthority::new().issue(&["client"]))).unwrap_err();
    rig.until("prodkit_tls_handshakes_total{outcome=\"failed\"}", |failed| failed == 2.0);
}

pub(crate) fn handshake_timeout() {
    let folder = Folder::new();
    for (value, cut) in [("200ms", true), ("1h", false)] {
        let rig = folder.setup().set("server.tls.handshake_timeout", value).serve();
        let silent = rig.client("\x16\x03\x01");
        if cut {
            assert!(!silent.answer().starts_with(b"HTTP"));
        } else {
            // somebody who came later was served meanwhile
            folder.ask(rig.main, None).unwrap();
            assert_eq!(rig.metric("prodkit_tls_handshakes_total{outcome=\"timed_out\"}"), Some(0.0));
        }
    }
}
