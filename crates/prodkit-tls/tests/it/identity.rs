//! What becomes an identity, and what does not.

use prodkit_fakes::{FakeAuthority, FakePair};
use prodkit_tls::{Error, Identity, Roots};
use std::error::Error as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: Duration = Duration::from_secs(86_400);

fn load(pair: &FakePair, now: SystemTime) -> Result<Identity, Error> {
    Identity::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes(), now)
}

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

#[test]
fn it_says_who_it_is_and_until_when_and_nothing_of_the_key() {
    let pair = FakeAuthority::new().issue_for(&["orders"], noon() - DAY..noon() + 10 * DAY);
    let identity = load(&pair, noon()).unwrap();
    assert_eq!((identity.subject(), identity.serial()), (Some("orders"), "01"));
    assert_eq!(identity.not_after(), noon() + 10 * DAY);
    assert_eq!(identity.lifetime(), 11 * DAY);
    assert_eq!(identity.expires_in(noon() + 9 * DAY), DAY);
    assert_eq!(identity.expires_in(noon() + 11 * DAY), Duration::ZERO);
    assert_eq!(identity.to_string(), "orders, serial 01, until 2027-01-25T08:00:00Z");
    let debug = "Identity { subject: Some(\"orders\"), serial: \"01\", not_after: 2027-01-25T08:00:00Z, .. }";
    assert_eq!(format!("{identity:?}"), debug);
}

#[test]
fn it_must_be_valid_now() {
    let pair = FakeAuthority::new().issue_for(&["orders"], noon()..noon() + DAY);
    for good in [noon(), noon() + DAY] {
        load(&pair, good).unwrap();
    }
    let early = load(&pair, noon() - Duration::from_secs(1)).unwrap_err();
    assert!(early.is_too_early());
    let text =
        "load the identity: the certificate (orders, serial 01) is not valid before 2027-01-15T08:00:00Z";
    assert_eq!(early.to_string(), text);
    let late = load(&pair, noon() + DAY + Duration::from_secs(1)).unwrap_err();
    assert!(!late.is_too_early());
    let text = "load the identity: the certificate (orders, serial 01) expired at 2027-01-16T08:00:00Z";
    assert_eq!(late.to_string(), text);
}

#[test]
fn a_chain_ends_with_its_first_certificate_to_end() {
    let authority = FakeAuthority::new();
    let leaf = authority.issue_for(&["orders"], noon() - DAY..noon() + 10 * DAY);
    let middle = authority.issue_for(&["middle"], noon() - DAY..noon() + DAY);
    let chain = leaf.certificate.clone() + &middle.certificate;
    let load = |now| Identity::from_pem(chain.as_bytes(), leaf.key.as_bytes(), now);
    assert_eq!(load(noon()).unwrap().not_after(), noon() + DAY);
    assert!(load(noon() + 2 * DAY).unwrap_err().to_string().contains("(middle, serial 02) expired"));
}

#[test]
fn what_is_wrong_is_named() {
    let authority = FakeAuthority::new();
    let (pair, other) = (authority.issue(&["orders"]), authority.issue(&["other"]));
    let bad_base64 = pair.key.replace("\nM", "\n!");
    let encrypted = pair.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let not_a_certificate = pair.key.replace("PRIVATE KEY", "CERTIFICATE");
    let not_a_key = pair.certificate.replace("CERTIFICATE", "PRIVATE KEY");
    let cut = &pair.key[..pair.key.len() / 2];
    let many = pair.certificate.repeat(17);
    for (chain, key, expected) in [
        (&*pair.certificate, &*other.key, "the key is not that of the certificate (orders, serial 01)"),
        (&pair.certificate, "", "there is no private key in it"),
        (&pair.certificate, &bad_base64, "it is not PEM"),
        (&pair.certificate, &encrypted, "the key is encrypted; decrypt it where it is delivered"),
        (&pair.certificate, &not_a_key, "the key is of no kind that can sign here (RSA, ECDSA, Ed25519)"),
        (&pair.certificate, cut, "it is not PEM"),
        ("", &pair.key, "there is no certificate in it"),
        (&not_a_certificate, &pair.key, "certificate 1 of the chain is not one"),
        (&many, &pair.key, "the chain has more than 16 certificates"),
    ] {
        let error = Identity::from_pem(chain.as_bytes(), key.as_bytes(), SystemTime::now()).unwrap_err();
        assert_eq!(error.to_string(), format!("load the identity: {expected}"));
        // the secret lies in the lines between the first and the last
        let shown = format!("{error} {error:?} {:?}", error.source().map(ToString::to_string));
        for line in pair.key.lines().filter(|line| !line.starts_with('-')) {
            assert!(!shown.contains(&line[..20]), "{shown}");
        }
    }
}

#[test]
fn a_bundle_of_roots_is_read_whole_or_not_at_all() {
    let (one, two) = (FakeAuthority::new(), FakeAuthority::new());
    let bundle = one.certificate() + "# a comment\n" + &two.certificate();
    assert_eq!(Roots::from_pem(bundle.as_bytes()).unwrap().count(), 2);
    let bad = bundle + &one.issue(&["x"]).key.replace("PRIVATE KEY", "CERTIFICATE");
    let error = Roots::from_pem(bad.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "load the roots: certificate 3 cannot be a root");
    let error = Roots::from_pem(b"").unwrap_err();
    assert_eq!(error.to_string(), "load the roots: there is no certificate in it");
}
