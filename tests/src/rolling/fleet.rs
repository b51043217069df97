//! The processes behind the proxy.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use rustix::process::Signal;

use super::Plan;
use crate::http::get;
use crate::process::{DEADLINE, Service};

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How the binary `ending` ends when it gets SIGTERM. It is a whole server on the crates, but for its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// Not ready, then polite for `shutdown.delay`, then closed.
    Orderly,
    /// Not ready and closed in the same instant, whatever the delay.
    ListenerFirst,
    /// Not ready for `shutdown.delay`, then closed; nobody who holds a connection is told.
    NoConnectionClose,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Orderly => "orderly",
            Self::ListenerFirst => "listener-first",
            Self::NoConnectionClose => "no-connection-close",
        })
    }
}

/// Where a process listens: the same for each that takes the place of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) main: u16,
    pub(super) admin: u16,
}

pub(super) struct Fleet {
    plan: Plan,
    members: Vec<Member>,
}

struct Member {
    address: Address,
    folder: PathBuf,
    service: Service,
}

impl Fleet {
    pub(super) fn start(plan: &Plan, folder: &Path, size: usize) -> Result<Self, Box<dyn Error>> {
        let mut members = Vec::new();
        for number in 0..size {
            let folder = folder.join(format!("process-{number}"));
            fs::create_dir(&folder)?;
            let address = Address { main: free_port()?, admin: free_port()? };
            let service = spawn(plan, address, &folder)?;
            members.push(Member { address, folder, service });
        }
        for member in &mut members {
            ready(&mut member.service)?;
        }
        Ok(Self { plan: plan.clone(), members })
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.members.iter().map(|member| member.address).collect()
    }

    /// Waits until each process has had so many requests from the proxy.
    pub(super) fn warm(&self, requests: u64) -> Result<(), Box<dyn Error>> {
        for (number, member) in self.members.iter().enumerate() {
            let what = format!("process {number} gets no requests");
            until(&what, || Ok(served(member.address.admin)? >= requests))?;
        }
        Ok(())
    }

    pub(super) fn stop(&self, number: usize) -> io::Result<()> {
        self.members[number].service.signal(Signal::TERM)
    }

    /// Waits until a process says that it is not ready, if it is to say so.
    pub(super) fn until_not_ready(&self, number: usize, stopped: bool) -> Result<(), Box<dyn Error>> {
        if !stopped {
            return Ok(());
        }
        let admin = loopback(self.members[number].address.admin);
        until("readiness stays", || {
            Ok(get(admin, "/health/ready").map_or(true, |answer| answer.status == 503))
        })
    }

    /// Waits for the end of a process that was stopped, which is to be a good one.
    pub(super) fn ended(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let service = &mut self.members[number].service;
        let status = service.wait()?;
        let report = service.seen().iter().rfind(|line| line["msg"] == "stopped");
        match report {
            Some(report) if status.code() == Some(0) && report["requests_cut"].as_u64() == Some(0) => Ok(()),
            report => Err(format!("process {number} ended with {status}: {report:?}").into()),
        }
    }

    /// Starts a process in the place of one that has ended.
    pub(super) fn start_again(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let member = &mut self.members[number];
        member.service = spawn(&self.plan, member.address, &member.folder)?;
        ready(&mut member.service)
    }

    /// Ends all of them; where their books are.
    pub(super) fn end(mut self) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        for number in 0..self.members.len() {
            self.stop(number)?;
        }
        for number in 0..self.members.len() {
            self.ended(number)?;
        }
        Ok(self.members.iter().map(|member| member.folder.join("orders.db")).collect())
    }
}

fn spawn(plan: &Plan, address: Address, folder: &Path) -> io::Result<Service> {
    let mut settings = vec![
        format!("server.port={}", address.main),
        format!("admin.port={}", address.admin),
        format!("shutdown.delay={}ms", plan.delay.as_millis()),
    ];
    settings.extend(plan.ending.map(|ending| format!("ending={ending}")));
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    Service::start(&plan.binary, folder, &settings, &[])
}

fn ready(service: &mut Service) -> Result<(), Box<dyn Error>> {
    match service.ready() {
        Some(_) => Ok(()),
        None => Err(format!("a process never became ready: {:#?}", service.seen()).into()),
    }
}

/// The requests for orders that a process has answered, by its own count.
fn served(admin: u16) -> Result<u64, Box<dyn Error>> {
    let metrics = get(loopback(admin), "/metrics")?.text();
    let orders = |line: &&str| line.starts_with("http_requests_total{") && line.contains("\"/api/orders\"");
    Ok(metrics.lines().filter(orders).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(super) fn until(
    not_yet: &str,
    mut is_so: impl FnMut() -> Result<bool, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + DEADLINE;
    while !is_so()? {
        if Instant::now() > until {
            return Err(not_yet.into());
        }
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(())
}

/// A port that is free now and stays so between two processes: below those that the kernel gives to whoever connects.
pub(super) fn free_port() -> io::Result<u16> {
    const FIRST: u16 = 16_000;
    const COUNT: u16 = 16_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // other tests run beside this one
    let start = u16::try_from(std::process::id() * 37 % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Relaxed)) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// A binary of this workspace that cargo has built, beside the one that runs, and, where cargo has written down what it
/// was built from, not older than that. (`cargo test` writes that down elsewhere, and builds what it tests with.)
///
/// # Errors
///
/// Says what to build.
pub fn built(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = own.parent().ok_or("no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = folder.join(name);
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified());
    let stale = || -> io::Result<bool> {
        let built = changed(&binary)?;
        let Ok(sources) = fs::read_to_string(binary.with_extension("d")) else { return Ok(false) };
        let sources = sources.split_once(": ").map_or("", |(_, sources)| sources);
        let newer = |source: &str| changed(Path::new(source)).map_or(true, |at: SystemTime| at > built);
        Ok(sources.split_whitespace().any(newer))
    };
    match stale() {
        Ok(false) => Ok(binary),
        Ok(true) => Err(format!("{name} is older than its sources: cargo build -p {name}")),
        Err(_) => Err(format!("{name} is not built: cargo build -p {name}")),
    }
}
