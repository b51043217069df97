//! What the kubelet does with the probes of a manifest, as `kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes`
//! and its prober (`pkg/kubelet/prober`) have it: a connection of its own for each, the timeout around all of it, thresholds in a
//! row, nothing but the startup probe until that has passed, and the decision to restart.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The part of a Deployment that the kubelet of its pods reads.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Deployment {
    spec: DeploymentSpec,
}

#[derive(Debug, Deserialize)]
struct DeploymentSpec {
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    termination_grace_period_seconds: Option<u64>,
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    ports: Vec<Port>,
    startup_probe: Option<Probe>,
    liveness_probe: Option<Probe>,
    readiness_probe: Option<Probe>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    name: Option<String>,
    container_port: u16,
}

/// One probe, with the defaults of Kubernetes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    http_get: HttpGet,
    #[serde(default)]
    initial_delay_seconds: u32,
    #[serde(default = "ten")]
    period_seconds: u32,
    #[serde(default = "one")]
    timeout_seconds: u32,
    #[serde(default = "one")]
    success_threshold: u32,
    #[serde(default = "three")]
    failure_threshold: u32,
}

#[derive(Clone, Debug, Deserialize)]
struct HttpGet {
    path: String,
    port: PortRef,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum PortRef {
    Number(u16),
    Name(String),
}

const fn one() -> u32 {
    1
}

const fn three() -> u32 {
    3
}

const fn ten() -> u32 {
    10
}

impl Deployment {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it is no Deployment with one container.
    pub fn read(yaml: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let deployment: Self = serde_saphyr::from_str(yaml)?;
        match deployment.spec.template.spec.containers.len() {
            1 => Ok(deployment),
            count => Err(format!("{count} containers").into()),
        }
    }

    /// How long the kubelet waits between SIGTERM and SIGKILL.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.spec.template.spec.termination_grace_period_seconds.unwrap_or(30))
    }

    fn container(&self) -> &Container {
        &self.spec.template.spec.containers[0]
    }
}

/// How many results in a row it takes, and what they have come to.
#[derive(Clone, Debug)]
struct Tally {
    good: bool,
    row: u32,
    last: Option<bool>,
    success_threshold: u32,
    failure_threshold: u32,
}

impl Tally {
    const fn new(probe: &Probe, good: bool) -> Self {
        let Probe { success_threshold, failure_threshold, .. } = *probe;
        Self { good, row: 0, last: None, success_threshold, failure_threshold }
    }

    /// Takes a result; whether the probe counts as good now.
    fn take(&mut self, result: bool) -> bool {
        self.row = if self.last == Some(result) { self.row + 1 } else { 1 };
        self.last = Some(result);
        let threshold = if result { self.success_threshold } else { self.failure_threshold };
        if self.row >= threshold {
            self.good = result;
        }
        self.good
    }

    /// Whether it failed as often in a row as it may.
    fn is_over(&self) -> bool {
        self.last == Some(false) && self.row >= self.failure_threshold
    }
}

/// What the kubelet holds of a container.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Judgement {
    /// The startup probe has passed.
    pub started: bool,
    /// The readiness probe says so: the pod is an endpoint.
    pub ready: bool,
    /// The container is to be restarted, because of this probe.
    pub restart: Option<&'static str>,
    /// How often each probe was asked.
    pub asked: BTreeMap<&'static str, u32>,
}

#[derive(Debug, Default)]
struct Shared {
    judgement: Mutex<(Judgement, bool)>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (Judgement, bool)> {
        self.judgement.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Probes a container until it is dropped.
#[derive(Debug)]
pub struct Kubelet {
    shared: Arc<Shared>,
}

impl Kubelet {
    /// Probes by this manifest; `reach` says where a port of the container is reached. Delays and periods pass `speed` times
    /// as fast as written, timeouts as written.
    ///
    /// # Errors
    ///
    /// When a probe names a port that the container does not have.
    pub fn watch(
        deployment: &Deployment,
        reach: impl Fn(u16) -> SocketAddr,
        speed: u32,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let container = deployment.container();
        let shared = Arc::<Shared>::default();
        let address = |probe: &Probe| -> Result<SocketAddr, String> {
            let port = match &probe.http_get.port {
                PortRef::Number(port) => Some(*port),
                PortRef::Name(name) => {
                    let named = |port: &&Port| port.name.as_deref() == Some(name);
                    container.ports.iter().find(named).map(|port| port.container_port)
                }
            };
            Ok(reach(port.ok_or_else(|| format!("no port {:?}", probe.http_get.port))?))
        };
        if container.startup_probe.is_none() {
            shared.lock().0.started = true;
        }
        for (name, probe) in [
            ("startup", &container.startup_probe),
            ("liveness", &container.liveness_probe),
            ("readiness", &container.readiness_probe),
        ] {
            let Some(probe) = probe.clone() else { continue };
            let address = address(&probe)?;
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(name, &probe, address, speed, &shared));
        }
        Ok(Self { shared })
    }

    /// Waits until the judgement is such; what it is then, or after `within` what it is instead.
    ///
    /// # Errors
    ///
    /// The judgement that it stayed at.
    pub fn until(&self, within: Duration, is: impl Fn(&Judgement) -> bool) -> Result<Judgement, Judgement> {
        let until = Instant::now() + within;
        let mut held = self.shared.lock();
        loop {
            if is(&held.0) {
                return Ok(held.0.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(held.0.clone());
            }
            held = self.shared.changed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What it holds now.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        self.shared.lock().0.clone()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.lock().1 = true;
        self.shared.changed.notify_all();
    }
}

/// One probe, from the start of the container on.
fn work(name: &'static str, probe: &Probe, address: SocketAddr, speed: u32, shared: &Shared) {
    let begun = Instant::now();
    let delay = Duration::from_secs(probe.initial_delay_seconds.into()) / speed;
    let period = Duration::from_secs(probe.period_seconds.into()) / speed;
    // Until it is known better a container is alive and not ready.
    let mut tally = Tally::new(probe, name == "liveness");
    loop {
        {
            let mut held = shared.lock();
            let due = Instant::now() + period;
            // Also woken by what others found out.
            while !held.1 && Instant::now() < due {
                let left = due.saturating_duration_since(Instant::now());
                held = shared.changed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            if held.1 || held.0.restart.is_some() {
                return;
            }
            let gated = if name == "startup" { held.0.started } else { !held.0.started };
            if gated || begun.elapsed() < delay {
                continue;
            }
            *held.0.asked.entry(name).or_default() += 1;
        }
        let timeout = Duration::from_secs(probe.timeout_seconds.into());
        let result =
            ask(address, &probe.http_get.path, timeout).is_ok_and(|status| (200..400).contains(&status));
        let good = tally.take(result);
        let mut held = shared.lock();
        match name {
            "startup" => held.0.started = good,
            "readiness" => held.0.ready = good,
            _ => {}
        }
        if name != "readiness" && tally.is_over() {
            held.0.restart = Some(name);
        }
        shared.changed.notify_all();
    }
}

/// One probe on a connection of its own; the timeout is around all of it.
fn ask(address: SocketAddr, path: &str, timeout: Duration) -> io::Result<u16> {
    let until = Instant::now() + timeout;
    let left = || Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: kube-probe/1.37\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.set_write_timeout(left())?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1_024];
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < 10 << 10 {
        stream.set_read_timeout(Some(left().ok_or(io::ErrorKind::TimedOut)?))?;
        match stream.read(&mut buffer)? {
            0 => break,
            read => answer.extend_from_slice(&buffer[..read]),
        }
    }
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_count_in_a_row() {
        let probe = Probe {
            http_get: HttpGet { path: "/".to_owned(), port: PortRef::Number(1) },
            initial_delay_seconds: 0,
            period_seconds: 1,
            timeout_seconds: 1,
            success_threshold: 2,
            failure_threshold: 3,
        };
        let mut tally = Tally::new(&probe, false);
        let results = [true, true, false, false, true, false, false, false, true, true];
        let held = results.map(|result| tally.take(result));
        assert_eq!(held, [false, true, true, true, true, true, true, false, false, true]);
        assert!(!tally.is_over());
    }
}
