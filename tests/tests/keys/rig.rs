//! The fixture with some settings, and what can be seen of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, Response, get};
use prodkit_e2e::process::{DEADLINE, Service};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// What the fixture is started with.
#[derive(Clone)]
pub(crate) struct Setup {
    ways: String,
    files: Vec<PathBuf>,
    flags: Vec<(String, String)>,
    env: Vec<(String, String)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let free = [
            ("server.host", "127.0.0.1"),
            ("server.port", "0"),
            ("admin.host", "127.0.0.1"),
            ("admin.port", "0"),
            ("log.format", "json"),
            ("shutdown.delay", "0s"),
        ];
        let flags = free.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { ways: "serve".to_owned(), files: Vec::new(), flags, env: Vec::new() }
    }

    /// What the app does, see the fixture.
    pub(crate) fn ways(mut self, ways: &str) -> Self {
        ways.clone_into(&mut self.ways);
        self
    }

    pub(crate) fn config(mut self, file: &Path) -> Self {
        self.files.push(file.to_owned());
        self
    }

    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Takes back what every test sets.
    pub(crate) fn unset(mut self, key: &str) -> Self {
        self.flags.retain(|(set, _)| set != key);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command that runs it in `folder`, where its file is.
    pub(crate) fn command(&self, folder: &TempDir) -> Command {
        fs::write(folder.path().join("ways.yaml"), format!("ways: [{}]\n", self.ways)).unwrap();
        let mut command = Command::new(FIXTURE);
        command.current_dir(folder).env_clear().args(["--config", "ways.yaml"]);
        for file in &self.files {
            command.arg("--config").arg(file);
        }
        for (key, value) in &self.flags {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A process of which nothing is known yet.
    pub(crate) fn spawn(&self) -> (Service, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Service::spawn(&mut self.command(&folder)).unwrap(), folder)
    }

    /// A service that has started; whether it gets ready depends on its checks.
    pub(crate) fn start(&self) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        Rig::start(&mut self.command(&folder), folder)
    }

    /// A service that is ready.
    pub(crate) fn serve(&self) -> Rig {
        let mut rig = self.start();
        rig.line("ready");
        rig
    }
}

/// A service that is ready, with one setting.
pub(crate) fn with(key: &str, value: &str) -> Rig {
    Setup::new().set(key, value).serve()
}

/// A running fixture.
pub(crate) struct Rig {
    pub(crate) service: Service,
    pub(crate) main: SocketAddr,
    pub(crate) admin: SocketAddr,
    _folder: TempDir,
}

impl Rig {
    pub(crate) fn start(command: &mut Command, folder: TempDir) -> Self {
        let mut service = Service::spawn(command).unwrap();
        match service.started() {
            Some((Some(main), admin)) => Self { service, main, admin, _folder: folder },
            _ => panic!("not started: {:#?}", service.seen()),
        }
    }

    /// The next line with this message.
    pub(crate) fn line(&mut self, message: &str) -> Value {
        self.service.line(message).unwrap_or_else(|| panic!("no {message:?} in {:#?}", self.service.seen()))
    }

    /// The next line like this, among those seen too.
    pub(crate) fn line_where(&mut self, matches: impl Fn(&Value) -> bool) -> Value {
        let found = self.service.seen_or_next(matches);
        found.unwrap_or_else(|| panic!("no such line in {:#?}", self.service.seen()))
    }

    /// How many lines with this message were logged until now.
    pub(crate) fn count(&mut self, message: &str) -> usize {
        // What it has logged before this one is read now.
        self.get("/say/0");
        self.line("said");
        self.service.seen().iter().filter(|line| line["msg"] == message).count()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        get(self.main, path).unwrap()
    }

    pub(crate) fn status(&self, path: &str) -> u16 {
        self.get(path).status
    }

    /// What the admin port answers.
    pub(crate) fn ask(&self, path: &str) -> Response {
        get(self.admin, path).unwrap()
    }

    /// The value of a series, as `/metrics` has it.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        metric(self.admin, series)
    }

    /// What is to happen and is seen nowhere but in the metrics.
    pub(crate) fn until(&self, series: &str, is: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.metric(series).is_some_and(&is) {
            assert!(Instant::now() < deadline, "{series}: {}", self.ask("/metrics").text());
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// A request on its way.
    pub(crate) fn request(&self, path: &'static str) -> JoinHandle<std::io::Result<Response>> {
        let main = self.main;
        thread::spawn(move || get(main, path))
    }

    /// A request whose caller has its trace sampled.
    pub(crate) fn sampled(&self) {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut connection = Connection::open(self.main).unwrap();
        assert_eq!(connection.request("GET", "/", &[("traceparent", parent)], b"").unwrap().status, 200);
    }

    /// A client of the main port that has said this much.
    pub(crate) fn client(&self, bytes: impl AsRef<[u8]>) -> Client {
        let stream = TcpStream::connect(self.main).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut client = Client(stream);
        client.send(bytes);
        client
    }

    /// The state of a check.
    pub(crate) fn check(&self, name: &str) -> String {
        let report: Value = serde_json::from_slice(&self.ask(&format!("/health/ready/{name}")).body).unwrap();
        report["status"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn terminate(&self) {
        self.service.signal(Signal::TERM).unwrap();
    }

    /// Ends it in order; its last line.
    pub(crate) fn end(&mut self) -> Value {
        self.terminate();
        assert_eq!(self.service.wait().unwrap().code(), Some(0), "{:#?}", self.service.seen());
        self.service.seen().iter().rfind(|line| line["msg"] == "stopped").unwrap().clone()
    }
}

/// Waits for what can only be asked for.
pub(crate) fn within(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// The value of a series, as `/metrics` of this admin port has it.
pub(crate) fn metric(admin: SocketAddr, series: &str) -> Option<f64> {
    let text = get(admin, "/metrics").unwrap().text();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// A connection that knows nothing of HTTP.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// All that is answered until the connection ends, however it ends.
    pub(crate) fn answer(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        match self.0.read_to_end(&mut answer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("it does not end"),
            // Whether it ends or is cut does not matter here.
            _ => answer,
        }
    }

    /// The statuses of all answers until the connection ends. Bodies here do not look like answers.
    pub(crate) fn statuses(self) -> Vec<u16> {
        let answer = String::from_utf8(self.answer()).unwrap();
        answer.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
    }
}
