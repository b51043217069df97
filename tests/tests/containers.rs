//! The container truth: the static release binary alone in an image, under podman, with limits, a read-only root and no
//! privileges, judged by a prober that reads the Deployment as the kubelet does.
//!
//! Takes podman, runc, conmon and netavark, root, and `PRODKIT_STATIC_BINARY`, the order-service to put into the image. What
//! is missing is a visible `ignored`; with `PRODKIT_REQUIRE_SERVERS=1`, as the gate sets it, it is a failure.

use std::env;
use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::kubelet::{Deployment, Kubelet};
use prodkit_e2e::load::ORDER;
use prodkit_e2e::process::DEADLINE;
use prodkit_e2e::tools;
use serde_json::Value;
use tempfile::TempDir;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/order-service/deploy");
const IMAGE: &str = "localhost/order-service:latest";
/// The manifest's periods pass so many times as fast; its timeouts do not.
const SPEED: u32 = 10;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Set up by the first test that needs it.
static PODMAN: OnceLock<std::result::Result<Podman, String>> = OnceLock::new();

fn main() -> ExitCode {
    let exit = tools::run(vec![
        with_podman("it_serves_is_healthy_and_stops_in_order", it_serves_is_healthy_and_stops_in_order),
        with_podman("workers_follow_the_cpu_limit", workers_follow_the_cpu_limit),
        with_podman("the_kubelet_judges_it_by_its_deployment", the_kubelet_judges_it_by_its_deployment),
        with_podman("its_last_words_reach_the_kubelet", its_last_words_reach_the_kubelet),
        with_podman("a_pod_of_the_deployment_starts", a_pod_of_the_deployment_starts),
    ]);
    // A static is not dropped.
    if let Some(Ok(podman)) = PODMAN.get() {
        podman.clean_up();
    }
    exit
}

/// A test that needs the image.
fn with_podman(name: &str, test: fn(&Podman) -> Result) -> Trial {
    let podman = || PODMAN.get_or_init(|| Podman::set_up().map_err(|error| error.to_string())).as_ref();
    tools::trial(name, move || podman().map_err(String::clone), test)
}

/// podman with a store of its own, which holds the one image.
struct Podman {
    folder: TempDir,
}

impl Podman {
    fn set_up() -> Result<Self> {
        let binary = env::var_os("PRODKIT_STATIC_BINARY").ok_or("PRODKIT_STATIC_BINARY is not set")?;
        if Command::new("podman").arg("--version").output().is_err() {
            return Err("podman not found".into());
        }
        let podman = Self { folder: tempfile::tempdir()? };
        fs::write(podman.folder.path().join("containers.conf"), configuration()?)?;
        let context = podman.folder.path().join("image");
        fs::create_dir(&context)?;
        fs::copy(Path::new(DEPLOY).join("Dockerfile"), context.join("Dockerfile"))?;
        fs::copy(&binary, context.join("order-service"))
            .map_err(|error| format!("{}: {error}", Path::new(&binary).display()))?;
        // Docker's format, because OCI's has no HEALTHCHECK.
        let build = ["build", "--isolation=chroot", "--format=docker", "--pull=never", "--tag", IMAGE];
        podman.does(podman.command(&build).arg(&context))?;
        Ok(podman)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", folder.join("containers.conf"));
        command.arg("--root").arg(folder.join("root")).arg("--runroot").arg(folder.join("run"));
        command.args(["--storage-driver", "vfs"]).args(arguments);
        command
    }

    /// Runs it to a good end; what it printed.
    fn does(&self, command: &mut Command) -> Result<String> {
        let Output { status, stdout, stderr } = command.output()?;
        if status.success() {
            return Ok(String::from_utf8(stdout)?.trim().to_owned());
        }
        Err(format!("{command:?}: {status}: {}", String::from_utf8_lossy(&stderr)).into())
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        self.does(&mut self.command(arguments))
    }

    /// Only what stands in this store.
    fn clean_up(&self) {
        let _ = self.command(&["rm", "--all", "--force", "--time=0"]).output();
        let _ = fs::remove_dir_all(self.folder.path());
    }

    /// Starts a container as a pod's would be, with more of podman's options and arguments for the binary.
    fn start(&self, options: &[&str], arguments: &[&str]) -> Result<Container<'_>> {
        let ports = [free_port()?, free_port()?];
        let [main, admin] = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let settings = [
            format!("APP__SERVER__PORT={}", main.port()),
            format!("APP__ADMIN__PORT={}", admin.port()),
            "APP__SERVER__HOST=127.0.0.1".to_owned(),
            "APP__ADMIN__HOST=127.0.0.1".to_owned(),
        ];
        let mut command = self.command(&["run", "--detach", "--network=host", "--read-only"]);
        command.args(["--cap-drop=all", "--security-opt=no-new-privileges", "--memory=256m"]);
        // As an emptyDir with fsGroup: on the node, and writable for that group.
        command.args(["--mount=type=tmpfs,destination=/var/lib/order-service,tmpfs-mode=1777"]);
        for setting in &settings {
            command.args(["--env", setting]);
        }
        let id = self.does(command.args(options).arg(IMAGE).args(arguments))?;
        Ok(Container { podman: self, id, main, admin })
    }
}

/// What podman needs to know of a machine without systemd, whose hard limits cannot be raised.
fn configuration() -> Result<String> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).ok_or("no limits")?;
    let files = files.split_whitespace().nth(1).filter(|hard| *hard != "unlimited").unwrap_or("20000");
    Ok(format!(
        "[containers]\ndefault_ulimits = [\"nofile={files}:{files}\", \"nproc=4096:4096\"]\n\
         [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
         [network]\nnetwork_backend = \"netavark\"\n"
    ))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A container, removed when dropped.
struct Container<'p> {
    podman: &'p Podman,
    id: String,
    main: SocketAddr,
    admin: SocketAddr,
}

impl Container<'_> {
    fn lines(&self) -> Result<Vec<Value>> {
        let log = self.podman.run(&["logs", &self.id])?;
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The first line with this message, once it is there.
    fn line(&self, message: &str) -> Result<Value> {
        let until = Instant::now() + DEADLINE;
        loop {
            let lines = self.lines()?;
            if let Some(line) = lines.iter().find(|line| line["msg"] == message) {
                return Ok(line.clone());
            }
            if Instant::now() > until || self.state("Running")? != "true" {
                return Err(
                    format!("no line {message:?} in {}", self.podman.run(&["logs", &self.id])?).into()
                );
            }
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn state(&self, field: &str) -> Result<String> {
        self.podman.run(&["inspect", "--format", &format!("{{{{.State.{field}}}}}"), &self.id])
    }

    /// Waits for its end; the exit code.
    fn wait(&self) -> Result<i32> {
        Ok(self.podman.run(&["wait", &self.id])?.parse()?)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.podman.command(&["rm", "--force", "--time=0", &self.id]).output();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that both may be made on the spot")]
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: T, expected: T) -> Result {
    if is == expected { Ok(()) } else { Err(format!("{what}: {is:?}, not {expected:?}").into()) }
}

fn it_serves_is_healthy_and_stops_in_order(podman: &Podman) -> Result {
    let container = podman.start(&["--cpus=0.5"], &[])?;
    container.line("ready")?;
    let starting = container.line("starting")?;
    expect("the memory limit", starting["memory_limit_bytes"].as_u64(), Some(256 << 20))?;

    let pid = container.state("Pid")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    expect("its own pid", of("NSpid:").last().cloned(), Some("1".to_owned()))?;
    expect("its user", of("Uid:"), vec!["65534".to_owned(); 4])?;
    expect("its capabilities", of("CapEff:"), vec!["0000000000000000".to_owned()])?;

    let mut client = Connection::open(container.main)?;
    let json = [("content-type", "application/json")];
    let created = client.request("POST", "/api/orders", &json, ORDER.as_bytes())?;
    expect("an order", created.status, 201)?;
    // No systemd here starts the timer of the HEALTHCHECK, so it is run by hand.
    podman.run(&["healthcheck", "run", &container.id])?;

    podman.run(&["stop", "--time=30", &container.id])?;
    expect("the exit code", container.state("ExitCode")?, "0".to_owned())?;
    let stopped = container.lines()?.into_iter().rfind(|line| line["msg"] == "stopped").ok_or("no report")?;
    expect("the cause", stopped["cause"].as_str(), Some("SIGTERM"))?;
    expect(
        "the HEALTHCHECK of what is gone",
        podman.run(&["healthcheck", "run", &container.id]).is_err(),
        true,
    )
}

fn workers_follow_the_cpu_limit(podman: &Podman) -> Result {
    let cores = thread::available_parallelism()?.get() as u64;
    for (options, workers) in [(&["--cpus=0.5"][..], 1), (&["--cpus=1.5"], 2), (&[], cores)] {
        let container = podman.start(options, &[])?;
        expect(&format!("{options:?}"), container.line("starting")?["workers"].as_u64(), Some(workers))?;
        container.line("ready")?;
        let metrics = get(container.admin, "/metrics")?.text();
        let told = format!("prodkit_runtime_workers {workers}\n");
        expect(&format!("{options:?}: {told}"), metrics.contains(&told), true)?;
    }
    Ok(())
}

fn the_kubelet_judges_it_by_its_deployment(podman: &Podman) -> Result {
    let deployment = Deployment::read(&fs::read_to_string(Path::new(DEPLOY).join("deployment.yaml"))?)?;
    let container = podman.start(&["--cpus=0.5", "--env=KUBERNETES_SERVICE_HOST=10.0.0.1"], &[])?;
    let reach = |port| if port == 8080 { container.main } else { container.admin };
    let kubelet = Kubelet::watch(&deployment, reach, SPEED)?;
    let judged = |what: &str, is: &dyn Fn(&prodkit_e2e::kubelet::Judgement) -> bool| -> Result {
        let judgement = kubelet.until(DEADLINE, is);
        judgement.map(drop).map_err(|held| format!("{what}: {held:?}").into())
    };
    judged("never an endpoint", &|held| held.started && held.ready)?;
    judged("liveness is not asked", &|held| held.asked.get("liveness") >= Some(&2))?;

    // A process that stands still is taken out first, and then restarted.
    podman.run(&["kill", "--signal=STOP", &container.id])?;
    judged("still an endpoint", &|held| !held.ready)?;
    judged("not restarted", &|held| held.restart == Some("liveness"))?;
    podman.run(&["kill", "--signal=CONT", &container.id])?;

    // Draining takes it out, and gives no reason to restart it.
    let kubelet = Kubelet::watch(&deployment, reach, SPEED)?;
    let ready = kubelet.until(DEADLINE, |held| held.ready);
    ready.map_err(|held| format!("not an endpoint again: {held:?}"))?;
    podman.run(&["kill", "--signal=TERM", &container.id])?;
    let drained =
        kubelet.until(DEADLINE, |held| !held.ready).map_err(|held| format!("never drained: {held:?}"))?;
    expect("a reason to restart it", drained.restart, None)?;
    expect("what it serves while it drains", get(container.main, "/api/features")?.status, 200)?;
    expect("the exit code", container.wait()?, 0)?;
    let took = container.lines()?.into_iter().rfind(|line| line["msg"] == "stopped").ok_or("no report")?;
    let took = Duration::from_millis(took["took_ms"].as_u64().ok_or("no time")?);
    expect("within the grace period", took < deployment.grace(), true)
}

fn its_last_words_reach_the_kubelet(podman: &Podman) -> Result {
    let words = podman.folder.path().join("termination-log");
    let mount = format!("--volume={}:/dev/termination-log", words.display());
    let end = |options: &[&str], arguments: &[&str], signal: bool| -> Result<(i32, String)> {
        fs::write(&words, "")?;
        fs::set_permissions(&words, fs::Permissions::from_mode(0o666))?;
        let options = [&["--env=KUBERNETES_SERVICE_HOST=10.0.0.1"], options].concat();
        let container = podman.start(&options, arguments)?;
        if signal {
            container.line("ready")?;
            podman.run(&["kill", "--signal=TERM", &container.id])?;
        }
        Ok((container.wait()?, fs::read_to_string(&words)?))
    };
    let no_delay = ["--set", "shutdown.delay=0s"];
    let (code, said) = end(&[&mount], &no_delay, true)?;
    expect(&said, (code, said.starts_with("exit 0 (SIGTERM) after ")), (0, true))?;
    let (code, said) = end(&[&mount], &["--set", "nothing.at.all=1"], false)?;
    expect(&said, (code, said.starts_with("exit 78: ") && said.contains("nothing")), (78, true))?;
    // Nobody has made the file, the root is read-only: it ends as well.
    expect("without the file", end(&[], &no_delay, true)?, (0, String::new()))
}

fn a_pod_of_the_deployment_starts(podman: &Podman) -> Result {
    // podman turns an httpGet probe into curl inside of the container, where there is none: it starts the pod, and no more.
    // It also publishes the ports a manifest names, which a pod without a network cannot: so the copy names none.
    let written = fs::read_to_string(Path::new(DEPLOY).join("deployment.yaml"))?;
    let without: String = written
        .lines()
        .filter(|line| line.trim() != "ports:" && !line.contains("containerPort:"))
        .map(|line| line.replace("port: admin", "port: 9090") + "\n")
        .collect();
    let manifest = podman.folder.path().join("deployment.yaml");
    fs::write(&manifest, without)?;
    let play = || podman.command(&["play", "kube", "--network=none"]);
    podman.does(play().arg(&manifest))?;
    // as podman calls it: by its pod and by its own name
    let id = "order-service-pod-0-order-service".to_owned();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let container = Container { podman, id, main: nowhere, admin: nowhere };
    let started = container.line("ready");
    podman.does(podman.command(&["play", "kube", "--down"]).arg(&manifest))?;
    started.map(drop)
}
