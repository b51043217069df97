//! Telling systemd how the process is: datagrams of `KEY=value` lines to the socket named by `NOTIFY_SOCKET`.
//!
//! Sources: `sd_notify(3)`, `sd_watchdog_enabled(3)`, `systemd.service(5)` (`Type=notify-reload`).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The way to the service manager. Nothing here waits: what the manager has no room for is an error.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    to: SocketAddr,
}

impl Notify {
    /// To the socket that `NOTIFY_SOCKET` names: a path, or with `@` in front an abstract name.
    ///
    /// # Errors
    ///
    /// When it is neither, or no socket can be made.
    pub fn to(name: &OsStr) -> io::Result<Self> {
        let to = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => {
                let said = "a notify socket is an absolute path, or an abstract name with '@' in front";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, to })
    }

    /// The start is over, or a reload.
    ///
    /// # Errors
    ///
    /// When nobody listens, or has no room; this holds for each method.
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1")
    }

    /// A reload has begun; [`ready`](Self::ready) ends it.
    ///
    /// # Errors
    ///
    /// As [`ready`](Self::ready).
    pub fn reloading(&self) -> io::Result<()> {
        let now = clock_gettime(ClockId::Monotonic);
        // `Type=notify-reload` tells by it that this is the answer to its signal, not to an earlier one.
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"))
    }

    /// The end has begun, and may take `within`, whatever `TimeoutStopSec` says.
    ///
    /// # Errors
    ///
    /// As [`ready`](Self::ready).
    pub fn stopping(&self, within: Duration) -> io::Result<()> {
        self.send(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", within.as_micros()))
    }

    /// The process is alive.
    ///
    /// # Errors
    ///
    /// As [`ready`](Self::ready).
    pub fn watchdog(&self) -> io::Result<()> {
        self.send("WATCHDOG=1")
    }

    /// How it is, in a line for `systemctl status`; what comes after a line's end is left out.
    ///
    /// # Errors
    ///
    /// As [`ready`](Self::ready).
    pub fn status(&self, line: &str) -> io::Result<()> {
        self.send(&format!("STATUS={}", line.lines().next().unwrap_or_default()))
    }

    fn send(&self, state: &str) -> io::Result<()> {
        self.socket.send_to_addr(state.as_bytes(), &self.to).map(drop)
    }
}

/// How often the service manager must hear of the process, from the values of `WATCHDOG_USEC` and `WATCHDOG_PID`; `None`
/// when it need not, or when another process is meant.
#[must_use]
pub fn watchdog(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let micros = usec?.parse().ok().filter(|micros| *micros > 0)?;
    let meant = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    meant.then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrives at a socket by this name when everything is told.
    fn check(name: &OsStr, socket: &UnixDatagram) {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let notify = Notify::to(name).unwrap();
        notify.ready().unwrap();
        notify.reloading().unwrap();
        notify.status("two\nlines").unwrap();
        notify.stopping(Duration::from_millis(1_500)).unwrap();
        notify.watchdog().unwrap();
        let heard = || {
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(heard(), "READY=1");
        let reloading = heard();
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0, "{reloading}");
        assert_eq!(heard(), "STATUS=two");
        assert_eq!(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000");
        assert_eq!(heard(), "WATCHDOG=1");
    }

    #[test]
    fn a_path_and_an_abstract_name_are_reached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        check(path.as_os_str(), &UnixDatagram::bind(&path).unwrap());

        let name = format!("prodkit-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        check(OsStr::new(&format!("@{name}")), &UnixDatagram::bind_addr(&address).unwrap());
    }

    #[test]
    fn nobody_who_listens_is_an_error_and_no_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        assert!(Notify::to(path.as_os_str()).unwrap().ready().is_err(), "not there");
        for name in ["", "relative", "vsock:2:1234"] {
            assert!(Notify::to(OsStr::new(name)).is_err(), "{name:?}");
        }
        let _full = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.as_os_str()).unwrap();
        let refused = (0..100_000).find_map(|_| notify.watchdog().err()).unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_watchdog_is_for_this_process() {
        let me = std::process::id().to_string();
        assert_eq!(watchdog(Some("3000000"), None), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(Some("3000000"), Some(&me)), Some(Duration::from_secs(3)));
        for (usec, pid) in [
            (None, None),
            (Some("0"), None),
            (Some("x"), None),
            (Some("1"), Some("0")),
            (Some("1"), Some("x")),
        ] {
            assert_eq!(watchdog(usec, pid), None, "{usec:?} {pid:?}");
        }
    }
}
