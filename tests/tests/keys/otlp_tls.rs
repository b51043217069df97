//! `otlp.tls.*` and the variables that say the same: collectors over TLS, and certificates for them that change.

use std::fs;
use std::time::{Duration, SystemTime};

use prodkit_fakes::{FakeAuthority, FakeCollector, FakePair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;

use crate::otlp::wait;
use crate::rig::{Rig, Setup, within};
use crate::tls::Folder;

const HOUR: Duration = Duration::from_secs(3600);
const EXPIRY: &str = "prodkit_tls_certificate_expiry_timestamp_seconds{certificate=\"otlp\"}";

/// A collector whose certificate is of this authority; with `asks`, clients must show one of it, too.
fn collector(authority: &FakeAuthority, asks: bool) -> FakeCollector {
    let collector = FakeCollector::start();
    collector.tls(&authority.issue(&["127.0.0.1"]), asks.then_some(authority));
    collector
}

/// Sends metrics there all the time; each export has so long for its handshake, too.
fn to(collector: &FakeCollector, protocol: &str) -> Setup {
    let setup = Setup::new().set("otlp.metric_interval", "300ms").set("otlp.protocol", protocol);
    setup.set("otlp.endpoint", &collector.url())
}

fn file(setup: Setup, key: &str, folder: &Folder, name: &str) -> Setup {
    setup.set(key, &folder.path(name).display().to_string())
}

fn variable(setup: Setup, name: &str, folder: &Folder, path: &str) -> Setup {
    setup.env(name, &folder.path(path).display().to_string())
}

fn der(pair: &FakePair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap().to_vec()
}

fn reaches(collector: &FakeCollector) {
    wait(collector, |received| !received.is_empty());
}

/// It says why nothing arrives.
fn is_refused(rig: &mut Rig, reason: &str) {
    let line = rig.line_where(|line| {
        line["msg"].as_str().is_some_and(|text| text.starts_with("telemetry is not delivered"))
    });
    assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
}

/// What a start that fails says.
fn refused(setup: &Setup) -> String {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let output = setup.command(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

pub(crate) fn ca() {
    let (folder, stranger) = (Folder::new(), Folder::new());
    for protocol in ["http/protobuf", "grpc"] {
        let collector = collector(&folder.authority, false);
        let _rig = file(to(&collector, protocol), "otlp.tls.ca", &folder, "ca.crt").serve();
        reaches(&collector);

        let ignored = self::collector(&folder.authority, false);
        let mut rig = file(to(&ignored, protocol), "otlp.tls.ca", &stranger, "ca.crt").serve();
        is_refused(&mut rig, "the collector's certificate is of no authority that is trusted");
        assert_eq!(ignored.received().len(), 0);
    }
    let nowhere = Setup::new().set("otlp.endpoint", "https://127.0.0.1:1").set("otlp.tls.ca", "/nowhere");
    let said = refused(&nowhere);
    assert!(said.contains("otlp.tls.ca: /nowhere: No such file"), "{said}");
}

/// It is followed: the next one is shown from the next export on, one that has expired is refused, and nothing is lost.
pub(crate) fn cert() {
    for protocol in ["http/protobuf", "grpc"] {
        let folder = Folder::new();
        let collector = collector(&folder.authority, true);
        let first = folder.authority.issue(&["first"]);
        folder.put(&first);
        let setup = file(to(&collector, protocol), "otlp.tls.ca", &folder, "ca.crt");
        let setup =
            file(file(setup, "otlp.tls.cert", &folder, "tls.crt"), "otlp.tls.key", &folder, "tls.key");
        let mut rig = setup.serve();
        let shows = |pair: &FakePair| {
            let (from, shown) = (collector.received().len(), der(pair));
            wait(&collector, |received| {
                received[from..].iter().any(|one| one.client.as_deref() == Some(&shown[..]))
            });
        };
        shows(&first);
        let end = rig.metric(EXPIRY).unwrap();

        let now = SystemTime::now();
        let second = folder.authority.issue_for(&["second"], now - HOUR..now + 48 * HOUR);
        folder.put(&second);
        rig.until(EXPIRY, |new| new > end);
        shows(&second);
        within("good again", || rig.check("certificates") == "healthy");

        folder.put(&folder.authority.issue_for(&["late"], now - 2 * HOUR..now - HOUR));
        within("refused", || rig.check("certificates") == "failing");
        rig.line_where(|line| {
            line["msg"] == "new certificate refused, the last good one stays"
                && line["error"]
                    .as_str()
                    .is_some_and(|text| text.starts_with("otlp.tls.cert: ") && text.contains("expired at"))
        });
        shows(&second);
        let stopped = rig.end();
        let told = stopped["telemetry"].as_str().unwrap();
        let metrics = told.split("; ").find(|part| part.starts_with("metrics ")).unwrap();
        assert!(metrics.contains("exported") && !metrics.contains("failed"), "{told}");
    }
}

/// One that is not of the certificate ends the start, and names the setting; so does its absence.
pub(crate) fn key() {
    let folder = Folder::new();
    fs::write(folder.path("other.key"), folder.authority.issue(&["other"]).key).unwrap();
    let setup = Setup::new().set("otlp.endpoint", "https://127.0.0.1:1");
    let setup = file(setup, "otlp.tls.cert", &folder, "tls.crt");
    let said = refused(&file(setup.clone(), "otlp.tls.key", &folder, "other.key"));
    assert!(
        said.contains("otlp.tls.cert: ") && said.contains("the key is not that of the certificate"),
        "{said}"
    );
    let said = refused(&setup);
    assert!(said.contains("tls.crt needs the key beside it"), "{said}");
    // and where it is, it is taken
    let collector = collector(&folder.authority, true);
    let setup = file(
        file(to(&collector, "http/protobuf"), "otlp.tls.ca", &folder, "ca.crt"),
        "otlp.tls.cert",
        &folder,
        "tls.crt",
    );
    let _rig = file(setup, "otlp.tls.key", &folder, "tls.key").serve();
    reaches(&collector);
}

pub(crate) fn certificate() {
    let (folder, stranger) = (Folder::new(), Folder::new());
    let collector = collector(&folder.authority, false);
    let setup =
        variable(to(&collector, "http/protobuf"), "OTEL_EXPORTER_OTLP_CERTIFICATE", &folder, "ca.crt");
    let _rig = setup.serve();
    reaches(&collector);
    let mut rig = file(setup.clone(), "otlp.tls.ca", &stranger, "ca.crt").serve();
    is_refused(&mut rig, "of no authority that is trusted");
    let said = refused(&setup.env("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere"));
    assert!(said.contains("OTEL_EXPORTER_OTLP_CERTIFICATE: /nowhere: No such file"), "{said}");
}

pub(crate) fn client_certificate() {
    let folder = Folder::new();
    let collector = collector(&folder.authority, true);
    let own = folder.authority.issue(&["orders"]);
    folder.put(&own);
    let setup = file(to(&collector, "http/protobuf"), "otlp.tls.ca", &folder, "ca.crt");
    // time for a second attempt, whose failure is the one that is told
    let mut without = setup.clone().set("otlp.metric_interval", "3s").serve();
    is_refused(&mut without, "the collector demands a client certificate");
    let setup = variable(setup, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &folder, "tls.crt");
    let _rig = variable(setup, "OTEL_EXPORTER_OTLP_CLIENT_KEY", &folder, "tls.key").serve();
    let received = wait(&collector, |received| !received.is_empty());
    assert_eq!(received[0].client.as_deref(), Some(&*der(&own)));
}

/// Its certificates are its own, and so is the name that metrics and lines have for them.
pub(crate) fn of_one_signal() {
    let folder = Folder::new();
    let collector = collector(&folder.authority, true);
    let mut setup = to(&collector, "http/protobuf");
    for (option, name) in
        [("CERTIFICATE", "ca.crt"), ("CLIENT_CERTIFICATE", "tls.crt"), ("CLIENT_KEY", "tls.key")]
    {
        setup = variable(setup, &format!("OTEL_EXPORTER_OTLP_METRICS_{option}"), &folder, name);
    }
    let rig = setup.serve();
    reaches(&collector);
    rig.until(&EXPIRY.replace("\"otlp\"", "\"otlp-metrics\""), |end| end > 0.0);
}

/// An endpoint without a scheme is spoken to over TLS where the variable says so.
pub(crate) fn insecure() {
    let folder = Folder::new();
    let collector = collector(&folder.authority, false);
    let bare = file(to(&collector, "grpc"), "otlp.tls.ca", &folder, "ca.crt")
        .set("otlp.endpoint", &collector.addr().to_string());
    let _rig = bare.clone().env("OTEL_EXPORTER_OTLP_INSECURE", "false").serve();
    reaches(&collector);
    let mut plain = bare.env("OTEL_EXPORTER_OTLP_INSECURE", "true").serve();
    is_refused(&mut plain, "");
}
