//! The proxies. None of them sends a request twice.

mod envoy;
mod haproxy;
mod nginx;

use std::error::Error;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::fleet::{Address, free_port, until};
use crate::http::get;
use crate::tools::{Foreign, find};

/// A proxy, and what it speaks to the processes behind it. Clients always speak HTTP/1.1 to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Front {
    /// nginx, HTTP/1.1 with kept connections. It has no active checks: the harness rewrites its upstream.
    Nginx,
    /// HAProxy, HTTP/1.1 with kept connections.
    Haproxy,
    /// HAProxy, HTTP/2 with prior knowledge.
    HaproxyHttp2,
    /// HAProxy as a balancer of connections, which knows nothing of requests: what a Service of Kubernetes is.
    HaproxyTcp,
    /// Envoy, HTTP/1.1 with kept connections.
    Envoy,
    /// Envoy, HTTP/2 with prior knowledge.
    EnvoyHttp2,
}

impl Front {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nginx, Self::Haproxy, Self::HaproxyHttp2, Self::HaproxyTcp, Self::Envoy, Self::EnvoyHttp2];

    /// The program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy | Self::HaproxyHttp2 | Self::HaproxyTcp => "haproxy",
            Self::Envoy | Self::EnvoyHttp2 => "envoy",
        }
    }

    /// Whether clients may keep their connections to the proxy. nginx closes them at a reload when it believes them
    /// idle, a request on its way or not: that loss would be its own.
    pub(super) const fn keeps_clients(self) -> bool {
        !matches!(self, Self::Nginx)
    }

    /// Starts it and waits until it passes requests on.
    pub(super) fn start(
        self,
        folder: &Path,
        processes: Vec<Address>,
        lag: Duration,
    ) -> Result<Proxy, Box<dyn Error>> {
        let program = find(self.program()).ok_or_else(|| format!("{} not found", self.program()))?;
        let port = free_port()?;
        let mut proxy = Proxy { front: self, folder: folder.to_owned(), processes, lag, port, process: None };
        proxy.configure(None)?;
        let mut command = Command::new(program);
        match self {
            Self::Nginx => nginx::arguments(&mut command, folder, &proxy.file()),
            Self::Haproxy | Self::HaproxyHttp2 | Self::HaproxyTcp => {
                haproxy::arguments(&mut command, &proxy.file());
            }
            Self::Envoy | Self::EnvoyHttp2 => envoy::arguments(&mut command, &proxy.file()),
        }
        let log = fs::File::create(folder.join("proxy.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        proxy.process = Some(Foreign::spawn(&mut command)?);
        until(&format!("{self} never comes up"), || {
            Ok(get(proxy.address(), "/api/orders?limit=1").is_ok_and(|answer| answer.status == 200))
        })
        .map_err(|error| {
            format!("{error}: {}", fs::read_to_string(folder.join("proxy.log")).unwrap_or_default())
        })?;
        Ok(proxy)
    }
}

impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx, HTTP/1.1",
            Self::Haproxy => "HAProxy, HTTP/1.1",
            Self::HaproxyHttp2 => "HAProxy, HTTP/2",
            Self::HaproxyTcp => "HAProxy, TCP",
            Self::Envoy => "Envoy, HTTP/1.1",
            Self::EnvoyHttp2 => "Envoy, HTTP/2",
        })
    }
}

/// A proxy that runs.
pub(super) struct Proxy {
    front: Front,
    folder: PathBuf,
    processes: Vec<Address>,
    lag: Duration,
    port: u16,
    process: Option<Foreign>,
}

impl Proxy {
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Whether it must be told which process is there.
    pub(super) fn is_told(&self) -> bool {
        self.front == Front::Nginx
    }

    /// From now on it passes requests to all processes but this one.
    pub(super) fn tell(&mut self, without: Option<usize>) -> Result<(), Box<dyn Error>> {
        self.configure(without)?;
        Ok(self.process.as_ref().ok_or("it does not run")?.signal(Signal::HUP)?)
    }

    fn configure(&self, without: Option<usize>) -> std::io::Result<()> {
        let Self { front, folder, port, lag, .. } = self;
        let numbered = self.processes.iter().copied().enumerate();
        let processes: Vec<_> = numbered.filter(|(number, _)| Some(*number) != without).collect();
        let text = match front {
            Front::Nginx => nginx::configuration(folder, *port, &processes),
            Front::Haproxy => haproxy::configuration(*port, &processes, *lag, haproxy::Speaks::Http1),
            Front::HaproxyHttp2 => haproxy::configuration(*port, &processes, *lag, haproxy::Speaks::Http2),
            Front::HaproxyTcp => haproxy::configuration(*port, &processes, *lag, haproxy::Speaks::Tcp),
            Front::Envoy => envoy::configuration(*port, &processes, *lag, false),
            Front::EnvoyHttp2 => envoy::configuration(*port, &processes, *lag, true),
        };
        fs::write(self.file(), text)
    }

    fn file(&self) -> PathBuf {
        self.folder.join(if self.front.program() == "envoy" { "proxy.yaml" } else { "proxy.conf" })
    }
}
