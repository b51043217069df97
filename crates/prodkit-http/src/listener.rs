//! The socket that is listened on.

mod unix;

use socket2::{Domain, Protocol, Socket, Type};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use tokio::net::{TcpListener, UnixListener};
use unix::SocketFile;

/// Connections the kernel completes and holds for us until we accept them. It takes no more than
/// `net.core.somaxconn`.
pub(crate) const BACKLOG: i32 = 1024;

/// A bound socket, ready to be served. Clients may connect from now on and wait.
///
/// `Display` shows what it is bound to: `127.0.0.1:8080`, or `unix:/run/orders.sock`.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: Bound,
    address: Option<SocketAddr>,
    /// Every connection begins with a header of the PROXY protocol.
    pub(crate) proxied: bool,
    #[cfg(feature = "__tls")]
    pub(crate) tls: Option<prodkit_tls::Live<prodkit_tls::ServerConfig>>,
}

/// What is bound.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
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
        let fail = |source| BindError { at: At::Tcp(host.into(), port), source };
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
                    return Ok(Self::new(Bound::Tcp(socket), Some(address)));
                }
                Err(error) => failure = error,
            }
        }
        Err(fail(failure))
    }

    /// Binds a Unix socket at `path`, which whoever `mode` lets write to may connect to (`0o660`: owner and group).
    ///
    /// A socket that is there already and that nobody listens on is removed first, as a process that was killed leaves
    /// it; anything else that is there is an error. The file is removed when the listener closes. Clients have no
    /// address: [`peer_addr`](crate::peer_addr) is `None`.
    ///
    /// # Errors
    ///
    /// [`BindError`] names the path, the reason and what can be done.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its I/O driver enabled.
    pub fn bind_unix(path: impl AsRef<Path>, mode: u32) -> Result<Self, BindError> {
        let path = path.as_ref();
        let fail = |source| BindError { at: At::Unix(path.display().to_string().into()), source };
        let (socket, file) = unix::bind(path, mode).map_err(fail)?;
        Ok(Self::new(Bound::Unix(socket, file), None))
    }

    fn new(socket: Bound, address: Option<SocketAddr>) -> Self {
        Self {
            socket,
            address,
            proxied: false,
            #[cfg(feature = "__tls")]
            tls: None,
        }
    }

    /// Speaks TLS and nothing else, each new connection by what `config` is then: see
    /// [`server_config`](prodkit_tls::server_config), which wants [`HTTP`](prodkit_tls::HTTP) for its ALPN.
    ///
    /// HTTP/2 is for those who negotiate it; where nothing is negotiated, the first bytes decide as they do in the clear.
    #[cfg(feature = "__tls")]
    #[must_use]
    pub fn tls(self, config: prodkit_tls::Live<prodkit_tls::ServerConfig>) -> Self {
        Self { tls: Some(config), ..self }
    }

    /// Every connection begins with a header of the PROXY protocol, version 1 or 2, as a balancer of connections sends it;
    /// then with TLS, if there is any. The client it names is whom [`peer_addr`](crate::peer_addr) and everybody else
    /// sees.
    ///
    /// One that begins otherwise, or has not sent its header within [`Limits::first_byte`](crate::Limits::first_byte), is
    /// closed. Where the header names nobody (a health check of the proxy's own, an unknown client), the other end of the
    /// connection remains what it is. A header of version 2 has 4096 bytes at most, and what it says besides addresses is
    /// passed over. Version 1 costs a read for every two bytes.
    ///
    /// Whoever can connect can claim any address: only the proxy may reach this port.
    #[must_use]
    pub fn proxy_protocol(self) -> Self {
        Self { proxied: true, ..self }
    }

    /// The address that was bound, with the port the system chose if 0 was asked for; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.socket, self.address) {
            (Bound::Unix(_, file), _) => write!(f, "unix:{}", file.path.display()),
            (Bound::Tcp(_), Some(address)) => address.fmt(f),
            (Bound::Tcp(_), None) => f.write_str("a TCP socket"),
        }
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
    at: At,
    source: io::Error,
}

#[derive(Debug)]
enum At {
    Tcp(Box<str>, u16),
    Unix(Box<str>),
}

impl BindError {
    /// What kind of failure it was: `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`, …
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, source } = self;
        let (host, port) = match at {
            At::Tcp(host, port) => (host, port),
            At::Unix(path) => return display_unix(path, source, f),
        };
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

fn display_unix(path: &str, source: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "listen on unix:{path}: ")?;
    match source.kind() {
        ErrorKind::AddrInUse => f.write_str("another process listens there; stop it, or choose another path"),
        ErrorKind::AlreadyExists => {
            f.write_str("there is something there that is no socket; remove it, or choose another path")
        }
        ErrorKind::NotFound => f.write_str("the directory does not exist; create it, or choose another path"),
        ErrorKind::PermissionDenied => {
            f.write_str("permission denied; the directory must be writable for this user")
        }
        _ => write!(f, "{source}; check the path"),
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
