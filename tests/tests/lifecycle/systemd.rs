//! The notifications of systemd and its watchdog.

use super::{FIXTURE, ready};
use prodkit_e2e::http::get;
use prodkit_e2e::process::{DEADLINE, Service};
use rustix::process::Signal;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A datagram socket in the place of systemd: it shows what is sent, not what systemd would make of it.
struct Systemd {
    heard: Receiver<(Instant, String)>,
    environment: String,
    _folder: TempDir,
}

impl Systemd {
    /// Named by a path, or by an abstract name.
    fn start(is_abstract: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let (socket, environment) = if is_abstract {
            let name = format!("prodkit-{}", path.display()).replace('/', "-");
            let address = UnixAddress::from_abstract_name(&name).unwrap();
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
        } else {
            (UnixDatagram::bind(&path).unwrap(), path.display().to_string())
        };
        let (send, heard) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if send.send((Instant::now(), said)).is_err() {
                    break;
                }
            }
        });
        Self { heard, environment, _folder: folder }
    }

    /// The next that begins so.
    fn hear(&self, start: &str) -> String {
        loop {
            let (_, said) = self.heard.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("never {start}"));
            if said.starts_with(start) {
                return said;
            }
        }
    }
}

#[test]
fn systemd_is_told_of_the_start_of_reloads_and_of_the_end() {
    for is_abstract in [false, true] {
        let systemd = Systemd::start(is_abstract);
        let folder = tempfile::tempdir().unwrap();
        let environment = [("NOTIFY_SOCKET", systemd.environment.as_str())];
        let mut service = Service::start(
            FIXTURE,
            folder.path(),
            &["shutdown.grace=20s", "shutdown.delay=0s"],
            &environment,
        )
        .unwrap();
        ready(&mut service);
        systemd.hear("READY=1");
        systemd.hear("STATUS=ready");
        service.signal(Signal::HUP).unwrap();
        let reloading = systemd.hear("RELOADING=1");
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0, "{reloading}");
        systemd.hear("READY=1");
        service.signal(Signal::TERM).unwrap();
        assert_eq!(systemd.hear("STOPPING=1"), "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000");
        assert_eq!(service.wait().unwrap().code(), Some(0), "{:#?}", service.seen());
    }
}

#[test]
fn a_reload_that_is_turned_off_is_over_at_once() {
    let systemd = Systemd::start(false);
    let folder = tempfile::tempdir().unwrap();
    let environment = [("NOTIFY_SOCKET", systemd.environment.as_str())];
    let mut service = Service::start(FIXTURE, folder.path(), &["config.reload=false"], &environment).unwrap();
    ready(&mut service);
    systemd.hear("READY=1");
    service.signal(Signal::HUP).unwrap();
    systemd.hear("RELOADING=1");
    systemd.hear("READY=1");
}

#[test]
fn the_watchdog_of_systemd_is_fed_by_real_progress() {
    let systemd = Systemd::start(false);
    let folder = tempfile::tempdir().unwrap();
    let environment = [("NOTIFY_SOCKET", systemd.environment.as_str()), ("WATCHDOG_USEC", "100000")];
    let settings = ["runtime.workers=1", "health.stall=500ms"];
    let mut service = Service::start(FIXTURE, folder.path(), &settings, &environment).unwrap();
    let main = ready(&mut service).0.unwrap();
    systemd.hear("WATCHDOG=1");
    systemd.hear("WATCHDOG=1");
    let blocked = std::thread::spawn(move || get(main, "/block").unwrap().status);
    service.line("main runtime stalled").unwrap();
    let stalled = Instant::now();
    service.line("main runtime recovered").unwrap();
    let recovered = Instant::now();
    assert_eq!(blocked.join().unwrap(), 200);
    let mut meanwhile = 0;
    loop {
        let (at, said) = systemd.heard.recv_timeout(DEADLINE).unwrap();
        match said.as_str() {
            "WATCHDOG=1" if at > recovered => break,
            "WATCHDOG=1" if at > stalled => meanwhile += 1,
            _ => {}
        }
    }
    // Nothing but what was on its way.
    assert!(meanwhile <= 2 && recovered - stalled > Duration::from_secs(1), "{meanwhile}");
}

#[test]
fn a_socket_that_nobody_listens_on_is_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    for socket in ["/nowhere/notify", "nonsense"] {
        let environment = [("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "20000")];
        let mut service =
            Service::start(FIXTURE, folder.path(), &["shutdown.delay=0s"], &environment).unwrap();
        ready(&mut service);
        service.signal(Signal::TERM).unwrap();
        assert_eq!(service.wait().unwrap().code(), Some(0));
        let warnings = service
            .seen()
            .iter()
            .filter(|line| line["level"] == "WARN")
            .filter(|line| line.to_string().contains("systemd"));
        assert_eq!(warnings.count(), 1, "{socket}: {:#?}", service.seen());
    }
}
