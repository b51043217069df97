//! A service as a process: started on free ports, read line by line, ended by its pid.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Far beyond what anything here takes; only a hang reaches it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The order-service beside another binary of this workspace. It is another package's: where only that one is tested, it may
/// have to be built.
///
/// # Errors
///
/// When it cannot be built.
pub fn order_service(beside: &Path) -> Result<PathBuf, String> {
    let binary = beside.with_file_name("order-service");
    // `cargo test --workspace` has built it. A build of it alone would be one with other features, and take minutes.
    if !binary.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--locked",
            "--offline",
            "-p",
            "order-service",
            "--bin",
            "order-service",
        ]);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
        let built = build.current_dir(root).status().map_err(|error| error.to_string())?;
        if !built.success() || !binary.is_file() {
            return Err("order-service cannot be built".to_owned());
        }
    }
    Ok(binary)
}

/// The binary of the release, where the gate has built one: beside `PRODKIT_STATIC_BINARY`. Whether it is there is not looked
/// at.
#[must_use]
pub fn released(name: &str) -> Option<PathBuf> {
    Some(Path::new(&std::env::var_os("PRODKIT_STATIC_BINARY")?).with_file_name(name))
}

/// A running service, killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

impl Service {
    /// Starts `binary` in `folder` with free loopback ports, these settings, and only these variables.
    ///
    /// # Errors
    ///
    /// When the binary cannot be started.
    pub fn start(
        binary: impl AsRef<OsStr>,
        folder: &Path,
        settings: &[&str],
        env: &[(&str, &str)],
    ) -> io::Result<Self> {
        Self::start_with(binary, folder, &[], settings, env)
    }

    /// As [`start`](Self::start), with other arguments in front.
    ///
    /// # Errors
    ///
    /// When the binary cannot be started.
    pub fn start_with(
        binary: impl AsRef<OsStr>,
        folder: &Path,
        arguments: &[&str],
        settings: &[&str],
        env: &[(&str, &str)],
    ) -> io::Result<Self> {
        let free = [
            "server.host=127.0.0.1",
            "server.port=0",
            "admin.host=127.0.0.1",
            "admin.port=0",
            "log.format=json",
        ];
        let settings = free.iter().chain(settings).flat_map(|setting| ["--set", setting]);
        let mut command = Command::new(binary);
        command.args(arguments).args(settings).env_clear().envs(env.iter().copied()).current_dir(folder);
        Self::spawn(&mut command)
    }

    /// Runs `command`, which is to log JSON, and reads what it logs.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line)
                    .unwrap_or_else(|_| Value::String(format!("not JSON: {line}")));
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines, seen: Vec::new() })
    }

    /// Waits for the next log line with this message; `None` when the process ended or said nothing for a minute.
    pub fn line(&mut self, message: &str) -> Option<Value> {
        let until = Instant::now() + DEADLINE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line.clone());
            if line["msg"] == message {
                return Some(line);
            }
        }
        None
    }

    /// A line read until now, or the next one to come, that `matches`.
    pub fn seen_or_next(&mut self, matches: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(line) = self.seen.iter().find(|line| matches(line)) {
            return Some(line.clone());
        }
        let until = Instant::now() + DEADLINE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line.clone());
            if matches(&line) {
                return Some(line);
            }
        }
        None
    }

    /// Waits until it is ready; its addresses as [`started`](Self::started) tells them.
    pub fn ready(&mut self) -> Option<(Option<SocketAddr>, SocketAddr)> {
        let addresses = self.started()?;
        self.line("ready").map(|_| addresses)
    }

    /// Waits until it has started; the addresses of its main port, if it serves, and of its admin port.
    pub fn started(&mut self) -> Option<(Option<SocketAddr>, SocketAddr)> {
        let line = self.line("started")?;
        let address = |key: &str| line[key].as_str()?.parse().ok();
        Some((address("server"), address("admin")?))
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits for the end and reads every line until then.
    ///
    /// # Errors
    ///
    /// `TimedOut` after a minute.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                // its standard output is closed
                Err(RecvTimeoutError::Disconnected) => return self.child.wait(),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// The lines read until now.
    #[must_use]
    pub fn seen(&self) -> &[Value] {
        &self.seen
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
