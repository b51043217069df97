use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::support::{GOOD_ORDER, Service, request};

#[test]
fn a_signal_ends_it_in_order_with_one_report() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut service, _folder) = Service::start();
        service.signal(signal);
        assert_eq!(service.wait().code(), Some(0));
        assert_eq!(service.seen("stopped").len(), 1, "one report line");
    }
}

#[test]
fn while_it_waits_for_the_balancer_it_serves_and_says_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start_in(folder.path(), &["shutdown.delay=2s"]);
    let mut kept = TcpStream::connect(service.main).unwrap();
    kept.write_all(b"GET /api/orders HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let mut answer = [0; 1024];
    let length = kept.read(&mut answer).unwrap();
    assert!(!String::from_utf8_lossy(&answer[..length]).to_lowercase().contains("connection: close"));

    service.signal(Signal::TERM);
    service.line("not ready");
    for port in [service.main, service.admin] {
        let ready = request(port, "GET", "/health/ready", &[], b"");
        assert_eq!((ready.status, ready.json()["status"].as_str().unwrap()), (503, "not_ready"));
        assert_eq!(request(port, "GET", "/health/live", &[], b"").status, 200);
    }
    assert_eq!(service.post(GOOD_ORDER).status, 201, "new connections are still served");
    kept.write_all(b"GET /api/orders HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    assert!(rest.to_lowercase().contains("connection: close"), "kept connections are told to go: {rest}");

    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start_in(folder.path(), &["shutdown.delay=20s"]);
    service.signal(Signal::TERM);
    service.line("stopping");
    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(2));
}
