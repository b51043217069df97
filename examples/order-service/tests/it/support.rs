//! The binary in a folder of its own, and an HTTP client that never retries.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Far beyond what anything here takes; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const GOOD_ORDER: &str =
    r#"{"user_id":"USR-67890","items":[{"sku":"SKU-1","quantity":2,"unit_price":99.99}]}"#;

/// The binary, with nothing of this machine's environment.
pub(crate) fn binary(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order-service"));
    command.args(arguments).env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    binary(folder.path(), arguments).output().unwrap()
}

/// A running service on free ports, killed when dropped.
pub(crate) struct Service {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    pub(crate) main: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Service {
    pub(crate) fn start() -> (Self, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Self::start_in(folder.path(), &[]), folder)
    }

    /// Starts it in `folder`, where its database is, and waits until it says that it is ready.
    pub(crate) fn start_in(folder: &Path, settings: &[&str]) -> Self {
        Self::start_with(folder, &[], settings)
    }

    /// As [`start_in`](Self::start_in), with other arguments in front.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str], settings: &[&str]) -> Self {
        Self::start_in_env(folder, arguments, settings, &[])
    }

    /// As [`start_with`](Self::start_with), with these variables.
    pub(crate) fn start_in_env(
        folder: &Path,
        arguments: &[&str],
        settings: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--set", "server.host=127.0.0.1", "--set", "server.port=0"]);
        arguments.extend(["--set", "admin.host=127.0.0.1", "--set", "admin.port=0"]);
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        let mut child = binary(folder, &arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a JSON line: {line}"));
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut service = Self { child, lines, seen: Vec::new(), main: nowhere, admin: nowhere };
        let started = service.line("started");
        service.main = started["server"].as_str().unwrap().parse().unwrap();
        service.admin = started["admin"].as_str().unwrap().parse().unwrap();
        service.line("ready");
        service
    }

    /// The next log line with this message.
    pub(crate) fn line(&mut self, message: &str) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line["msg"] == message {
                        return line;
                    }
                }
                Err(error) => panic!("no line {message:?} ({error}); there were {:#?}", self.seen),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; every line until then can be read with [`seen`](Self::seen) afterwards.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        // the channel closes when the process closes its output
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        assert!(Instant::now() < until, "the process does not end; it said {:#?}", self.seen);
        self.child.wait().unwrap()
    }

    /// Every line that was read.
    pub(crate) fn all(&self) -> &[Value] {
        &self.seen
    }

    pub(crate) fn seen(&self, message: &str) -> Vec<&Value> {
        self.seen.iter().filter(|line| line["msg"] == message).collect()
    }

    /// The lines of a level, as far as they have been read.
    pub(crate) fn seen_at(&self, level: &str) -> Vec<&Value> {
        self.seen.iter().filter(|line| line["level"] == level).collect()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        request(self.main, "GET", path, &[], b"")
    }

    pub(crate) fn admin(&self, path: &str) -> Response {
        request(self.admin, "GET", path, &[], b"")
    }

    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Response {
        self.post_with(&[], body)
    }

    pub(crate) fn post_with(&self, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
        post(self.main, headers, body)
    }

    /// How many orders are in the books.
    pub(crate) fn orders(&self) -> usize {
        self.get("/api/orders?limit=1000").json()["orders"].as_array().unwrap().len()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts an order.
pub(crate) fn post(to: SocketAddr, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    request(to, "POST", "/api/orders", &all, body.as_ref())
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The names in a problem's `errors`.
    pub(crate) fn fields(&self) -> Vec<String> {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}

/// One request on a connection of its own.
pub(crate) fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    if !headers.iter().any(|(name, _)| *name == "transfer-encoding") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut raw = head.into_bytes();
    raw.extend_from_slice(body);
    exchange(to, &raw)
}

/// Writes raw bytes and reads one response to the end of the connection.
pub(crate) fn exchange(to: SocketAddr, raw: &[u8]) -> Response {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // A server that refuses early may close before it read everything; what it answered is still there to read.
    let _ = stream.write_all(raw);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { dechunk(body) } else { body.to_owned() };
    Response { status: status.unwrap(), head: head.to_owned(), body }
}

fn dechunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after.get(size + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    body
}
