//! Over TLS: whom we believe, what we show, and certificates that change.

use super::lines::{keep, lines};
use super::{AMPLE, patient, resource, span};
use prodkit_fakes::{Behaviour, FakeAuthority, FakeCollector, FakePair};
use prodkit_otlp::{Credentials, Finding, Otlp, Protocol, Settings, Tls, examine, start, start_with};
use prodkit_tls::{Identity, Live, Roots, Updater};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3600);

#[cfg(feature = "grpc")]
const PROTOCOLS: [Protocol; 2] = [Protocol::HttpProtobuf, Protocol::Grpc];
#[cfg(not(feature = "grpc"))]
const PROTOCOLS: [Protocol; 1] = [Protocol::HttpProtobuf];

fn server(authority: &FakeAuthority) -> FakePair {
    authority.issue(&["127.0.0.1"])
}

fn identity(pair: &FakePair) -> Identity {
    Identity::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes(), SystemTime::now()).unwrap()
}

fn roots(authority: &FakeAuthority) -> Live<Roots> {
    Live::fixed(Roots::from_pem(authority.certificate().as_bytes()).unwrap())
}

fn der(pair: &FakePair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap().to_vec()
}

fn credentials(authority: &FakeAuthority, own: Option<Live<Identity>>) -> Credentials {
    let mut credentials = Credentials::default();
    (credentials.roots, credentials.identity) = (Some(roots(authority)), own);
    credentials
}

/// Each span is an export of its own.
fn settings(collector: &FakeCollector, protocol: Protocol) -> Settings {
    let mut settings = patient(collector.url());
    settings.protocol = Some(protocol);
    settings.traces.batch.size = 1;
    settings
}

fn started(settings: Settings, credentials: &Credentials) -> Otlp {
    start_with(settings, resource(), None, |_: &Tls| Ok::<_, prodkit_otlp::Error>(credentials.clone()))
        .unwrap()
}

/// Files as an operator has them.
struct Folder(TempDir);

impl Folder {
    fn new(authority: &FakeAuthority, own: &FakePair) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in
            [("ca.crt", &authority.certificate()), ("tls.crt", &own.certificate), ("tls.key", &own.key)]
        {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self, settings: &mut Settings) {
        settings.tls.ca = Some(self.path("ca.crt"));
        settings.tls.cert = Some(self.path("tls.crt"));
        settings.tls.key = Some(self.path("tls.key"));
    }
}

#[tokio::test]
async fn files_are_what_it_takes() {
    for protocol in PROTOCOLS {
        let (authority, clients) = (FakeAuthority::new(), FakeAuthority::new());
        let collector = FakeCollector::start();
        collector.tls(&server(&authority), Some(&clients));
        let own = clients.issue(&["orders"]);
        let folder = Folder::new(&authority, &own);
        let mut settings = settings(&collector, protocol);
        folder.names(&mut settings);
        let otlp = start(settings, resource(), None).unwrap();
        (0..3).for_each(|_| otlp.spans().push(span("x")));
        assert_eq!(otlp.shutdown(AMPLE).await.stats.traces.exported, 3, "{protocol}");
        for request in collector.received() {
            assert_eq!(request.client.as_deref(), Some(&*der(&own)), "{protocol}");
        }
    }
}

/// A new certificate is shown to the collector from the next export on, and none is lost over it, whatever is under way.
#[tokio::test]
async fn a_certificate_that_changes_loses_nothing() {
    for protocol in PROTOCOLS {
        let authority = FakeAuthority::new();
        let collector = FakeCollector::start();
        collector.tls(&server(&authority), Some(&authority));
        let pairs: Vec<_> = (0..5).map(|n| authority.issue(&[&format!("orders-{n}")])).collect();
        let (updater, own): (Updater<Identity>, _) = Live::channel(identity(&pairs[0]));
        let otlp = started(settings(&collector, protocol), &credentials(&authority, Some(own)));
        for (n, pair) in pairs.iter().enumerate() {
            updater.set(identity(pair)).unwrap();
            // the last of these is still under way when the next certificate comes
            collector.behave(Behaviour::Slow(Duration::from_millis(30)));
            for _ in 0..3 {
                otlp.spans().push(span("x"));
            }
            collector.wait_for(3 * (n + 1)).await;
        }
        let traces = otlp.shutdown(AMPLE).await.stats.traces;
        assert_eq!((traces.exported, traces.dropped, traces.failed), (15, 0, 0), "{protocol}");
        let received = collector.received();
        assert_eq!(received.len(), 15, "{protocol}: nothing was sent twice");
        for (n, pair) in pairs.iter().enumerate() {
            let last = received[3 * n + 2].client.as_deref();
            assert_eq!(last, Some(&*der(pair)), "{protocol}, {n}");
        }
    }
}

/// The connection that stands does not outlive the trust it was made with.
#[tokio::test]
async fn roots_that_change_hold_for_the_next_export() {
    for protocol in PROTOCOLS {
        let (first, second) = (FakeAuthority::new(), FakeAuthority::new());
        let collector = FakeCollector::start();
        collector.tls(&server(&first), None);
        let (updater, live) = Live::channel(Roots::from_pem(first.certificate().as_bytes()).unwrap());
        let mut credentials = Credentials::default();
        credentials.roots = Some(live);
        let mut settings = settings(&collector, protocol);
        settings.retry.enabled = false;
        let otlp = started(settings, &credentials);
        otlp.spans().push(span("x"));
        collector.wait_for(1).await;
        updater.set(Roots::from_pem(second.certificate().as_bytes()).unwrap()).unwrap();
        otlp.spans().push(span("x"));
        let traces = otlp.shutdown(AMPLE).await.stats.traces;
        assert_eq!((traces.exported, traces.failed), (1, 1), "{protocol}");
    }
}

/// The collector and our credentials for each way not to agree, and what is said of it.
fn disagreements() -> Vec<(&'static str, FakeCollector, Credentials)> {
    let (ours, theirs) = (FakeAuthority::new(), FakeAuthority::new());
    let now = SystemTime::now();
    let of = |pair: &FakePair, clients: Option<&FakeAuthority>| {
        let collector = FakeCollector::start();
        collector.tls(pair, clients);
        collector
    };
    let stranger = Live::fixed(identity(&theirs.issue(&["orders"])));
    vec![
        (
            "the collector's certificate is of no authority that is trusted",
            of(&server(&theirs), None),
            credentials(&ours, None),
        ),
        (
            "the collector's certificate has expired",
            of(&ours.issue_for(&["127.0.0.1"], now - 2 * HOUR..now - HOUR), None),
            credentials(&ours, None),
        ),
        (
            "the collector's certificate is not valid yet",
            of(&ours.issue_for(&["127.0.0.1"], now + HOUR..now + 2 * HOUR), None),
            credentials(&ours, None),
        ),
        (
            "the collector's certificate is for another name",
            of(&ours.issue(&["collector.example"]), None),
            credentials(&ours, None),
        ),
        (
            "the collector demands a client certificate",
            of(&server(&ours), Some(&ours)),
            credentials(&ours, None),
        ),
        (
            "the collector refuses the client certificate",
            of(&server(&ours), Some(&ours)),
            credentials(&ours, Some(stranger)),
        ),
    ]
}

#[tokio::test]
async fn without_agreement_nothing_is_sent_and_the_end_does_not_wait() {
    keep();
    for protocol in PROTOCOLS {
        for (why, collector, credentials) in disagreements() {
            let mut settings = settings(&collector, protocol);
            settings.traces.batch.size = 512;
            // another test may have had this port before
            let before = lines(&collector).len();
            let otlp = started(settings, &credentials);
            (0..10).for_each(|_| otlp.spans().push(span("x")));
            let began = Instant::now();
            let report = otlp.shutdown(Duration::from_millis(800)).await;
            assert!(began.elapsed() < Duration::from_secs(4), "{why} {protocol}: {:?}", began.elapsed());
            let traces = report.stats.traces;
            assert_eq!((traces.exported, traces.failed), (0, 10), "{why} {protocol}");
            assert_eq!(collector.received().len(), 0, "{why} {protocol}");
            let lines = &lines(&collector)[before..];
            // over HTTP/2 what is said after the handshake may come too late for us to hear
            let late = protocol == Protocol::Grpc && why.contains("client certificate");
            let said =
                |lines: &[String]| lines[0].contains(why) || late && lines[0].contains("connection broken");
            assert!(lines.len() == 1 && said(lines), "{why} {protocol}: {lines:#?}");
        }
    }
}

/// What a doctor says of it, asked with files.
fn asked(collector: &FakeCollector, protocol: Protocol, change: impl FnOnce(&mut Settings)) -> Finding {
    let mut settings = Settings::to(collector.url());
    settings.timeout = AMPLE;
    settings.protocol = Some(protocol);
    settings.metrics.enabled = false;
    change(&mut settings);
    examine(settings, &resource()).unwrap().swap_remove(0)
}

#[test]
fn a_doctor_says_what_keeps_them_from_agreeing() {
    let (authority, other) = (FakeAuthority::new(), FakeAuthority::new());
    let folder = Folder::new(&authority, &authority.issue(&["orders"]));
    for protocol in PROTOCOLS {
        let collector = FakeCollector::start();
        collector.tls(&server(&authority), Some(&authority));
        let good = asked(&collector, protocol, |settings| folder.names(settings));
        assert!(good.is_good, "{good}");
        assert!(
            good.to_string().contains("\n  tls: TLSv1.3 in ")
                && good.to_string().contains("is trusted\n  send: accepted in"),
            "{good}"
        );
        let nothing_shown =
            asked(&collector, protocol, |settings| settings.tls.ca = Some(folder.path("ca.crt")));
        let said = nothing_shown.to_string();
        assert!(
            !nothing_shown.is_good && said.contains("demands a client certificate; see otlp.tls"),
            "{said}"
        );
        collector.tls(&server(&other), None);
        let stranger = asked(&collector, protocol, |settings| folder.names(settings)).to_string();
        assert!(stranger.contains("tls: failed in "), "{stranger}");
        assert!(stranger.contains("of no authority that is trusted; see otlp.tls"), "{stranger}");
        assert!(!stranger.contains("send:"), "{stranger}");
    }
    // we speak TLS, and they do not
    let plain = FakeCollector::start();
    let said = asked(&plain, Protocol::HttpProtobuf, |settings| {
        settings.endpoint = Some(plain.url().replace("http:", "https:"));
        folder.names(settings);
    });
    assert!(!said.is_good && said.to_string().contains("tls: failed in "), "{said}");
}

#[test]
fn what_is_wrong_with_a_file_ends_the_start_and_names_it() {
    let authority = FakeAuthority::new();
    let folder = Folder::new(&authority, &authority.issue(&["orders"]));
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::to("https://127.0.0.1:1");
        folder.names(&mut settings);
        change(&mut settings);
        let error = start(settings, resource(), None).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    };
    fs::write(folder.path("other.key"), authority.issue(&["other"]).key).unwrap();
    let now = SystemTime::now();
    let old = authority.issue_for(&["orders"], now - 2 * HOUR..now - HOUR);
    fs::write(folder.path("old.crt"), &old.certificate).unwrap();
    fs::write(folder.path("old.key"), &old.key).unwrap();
    let path = |name: &str| Some(folder.path(name));
    for (change, expected) in [
        (
            (&|s: &mut Settings| s.tls.ca = path("nothing.crt")) as &dyn Fn(&mut Settings),
            "nothing.crt: No such file",
        ),
        (&|s| s.tls.ca = path("tls.key"), "tls.key: load the roots: there is no certificate in it"),
        (&|s| s.tls.ca = path(""), "it is not a file"),
        (&|s| s.tls.key = None, "tls.crt needs the key beside it"),
        (&|s| s.tls.cert = None, "tls.key needs the certificate beside it"),
        (&|s| s.tls.key = path("other.key"), "the key is not that of the certificate"),
        (&|s| (s.tls.cert, s.tls.key) = (path("old.crt"), path("old.key")), "expired at"),
    ] {
        let said = refused(change);
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
    // nobody looks at them where nothing is encrypted
    let mut plain = Settings::to("http://127.0.0.1:1");
    plain.tls.ca = path("nothing.crt");
    drop(start(plain, resource(), None).unwrap());
}
