//! A PostgreSQL server of its own, on a free loopback port.

use std::error::Error;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::tools::find;

/// The password of the superuser, on a server that nobody else reaches.
const PASSWORD: &str = "superuser";

/// Where its programs are: Debian keeps them out of `PATH`.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

/// A running server. Stopped, with all its sessions, when dropped.
#[derive(Debug)]
pub struct Postgres {
    tools: Tools,
    folder: TempDir,
    port: u16,
}

impl Tools {
    /// Looks for them.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn find() -> Result<Self, String> {
        let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let installed = debian.map(|version| version.path().join("bin"));
        let in_path = find("initdb").and_then(|initdb| initdb.parent().map(Path::to_owned));
        installed
            .chain(in_path)
            .filter(|folder| ["initdb", "pg_ctl", "psql"].iter().all(|tool| folder.join(tool).is_file()))
            .max()
            .map(|folder| Self { folder })
            .ok_or_else(|| "initdb, pg_ctl and psql not found".to_owned())
    }

    /// A program of the server's, as the user `postgres` where we are root: it refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let path = self.folder.join(program);
        if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        }
    }
}

impl Postgres {
    /// Makes a cluster and starts its server, with passwords checked as in production (SCRAM).
    ///
    /// # Errors
    ///
    /// When it does not start, with what it said.
    pub fn start(tools: Tools) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        let mut initdb = tools.command("initdb");
        initdb.arg("-D").arg(&data).args(["-A", "scram-sha-256", "-U", "postgres", "--no-sync"]);
        run(initdb.arg(format!("--pwfile={}", password.display())).current_dir("/"))?;
        // Somebody may take it in between; then the start fails, loudly.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -p {port} -k {} -c fsync=off -c max_connections=100",
            folder.path().display()
        );
        let server = Self { tools, folder, port };
        let mut start = server.tools.command("pg_ctl");
        start.arg("-D").arg(&data).args(["-w", "-t", "60", "-o", &options, "-l"]);
        start.arg(server.folder.path().join("log")).arg("start").current_dir("/");
        // It hands its output on to the server, which would keep a pipe open.
        let started = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !started.success() {
            let log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
            return Err(format!("PostgreSQL does not start: {log}").into());
        }
        Ok(server)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL in a database as the superuser; the rows as text, without heads.
    ///
    /// # Errors
    ///
    /// What the server says against it.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, Box<dyn Error>> {
        let mut psql = Command::new(self.tools.folder.join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database]);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]).env("PGPASSWORD", PASSWORD);
        let output = run(psql.current_dir("/"))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.tools.command("pg_ctl");
        stop.arg("-D").arg(self.folder.path().join("data")).args(["-m", "immediate", "stop"]);
        // There is nobody to tell.
        let _ = stop.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn run(command: &mut Command) -> io::Result<Output> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?}: {said}")))
}
