//! The socket that is listened on.

use socket2::{Domain, Protocol, Socket, Type};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// Connections the kernel completes and holds for us until we accept them. It takes no more than
/// `net.core.somaxconn`.
pub(crate) const BACKLOG: i32 = 1024;

/// A bound TCP socket, ready to be served. Clients may connect from now on and wait.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds an address or a host name (the first of its addresses that can be bound).
    ///
    /// `"::"` answers IPv6 and IPv4, whatever the system's default is, and falls back to `"0.0.0.0"` where IPv6 is
    /// switched off. Port 0 takes any free port, see [`local_addr`](Self::local_addr). The address may be taken over
    /// from a predecessor at once (`SO_REUSEADDR`); 1024 connections may wait to be accepted.
    ///
    /// # Errors
    ///
    /// [`BindError`] names the address, the reason and what can be done.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its I/O driver enabled.
    pub async fn bind(host: &str, port: u16) -> Result<Self, BindError> {
        let fail = |source| BindError { host: host.into(), port, source };
        // brackets belong to URLs, but people write them here too
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let addresses: Vec<SocketAddr> = match name.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((name, port)).await.map_err(fail)?.collect(),
        };
        let mut failure = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match open(address) {
                Ok(socket) => {
                    let address = socket.local_addr().map_err(fail)?;
                    return Ok(Self { socket, address });
                }
                Err(error) => failure = error,
            }
        }
        Err(fail(failure))
    }

    /// The address that was bound, with the port the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    match bind(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && no_ipv6(&error) => {
            bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        bound => bound,
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// `EAFNOSUPPORT` has no kind of its own: the kernel was started without IPv6. `EADDRNOTAVAIL` for the unspecified
/// address: it was switched off by sysctl.
fn no_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == ErrorKind::AddrNotAvailable
}

/// A listener could not be bound. The text fits "failed to {…}" and says what can be done.
#[derive(Debug)]
pub struct BindError {
    host: Box<str>,
    port: u16,
    source: io::Error,
}

impl BindError {
    /// What kind of failure it was: `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`, …
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, source } = self;
        if host.contains(':') && !host.starts_with('[') {
            write!(f, "listen on [{host}]:{port}")?;
        } else {
            write!(f, "listen on {host}:{port}")?;
        }
        match source.kind() {
            ErrorKind::AddrInUse => {
                f.write_str(": the port is in use; stop the process that has it, or choose another port")
            }
            ErrorKind::PermissionDenied => f.write_str(
                ": permission denied; ports below 1024 need CAP_NET_BIND_SERVICE, choose a higher one",
            ),
            ErrorKind::AddrNotAvailable => {
                f.write_str(": this machine does not have that address; use :: or 0.0.0.0 for every address")
            }
            _ => write!(f, ": {source}; check the host"),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
