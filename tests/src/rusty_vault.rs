//! A RustyVault of its own, on a free loopback port: a real server that speaks a part of Vault's API (KV 1, AppRole, seal).

use std::error::Error;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Connection, Response};
use crate::process::DEADLINE;
use crate::tools::Foreign;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct RustyVault {
    program: PathBuf,
    folder: TempDir,
    address: SocketAddr,
    /// The certificate's authority, where it speaks TLS.
    authority: Option<PathBuf>,
    server: Option<Foreign>,
    key: String,
    root: String,
}

impl RustyVault {
    /// Starts one: initialized, unsealed, with KV 1 at `secret/` and AppRole at `approle/`.
    ///
    /// # Errors
    ///
    /// When it does not start or refuses one of that, with what it said.
    pub fn start(program: PathBuf) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Somebody may take it in between; then the start fails, loudly.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (key, root) = (String::new(), String::new());
        let mut vault = Self { program, folder, address, authority: None, server: None, key, root };
        vault.run()?;
        let made = vault.ask("PUT", "sys/init", &json!({"secret_shares": 1, "secret_threshold": 1}))?;
        let text =
            |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| format!("no keys in {made}"));
        (vault.key, vault.root) = (text(&made["keys"][0])?, text(&made["root_token"])?);
        vault.unseal()?;
        vault.ask("POST", "sys/auth/approle", &json!({"type": "approle"}))?;
        Ok(vault)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        match self.authority {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// Asks it as root, over plain HTTP; the body of its answer.
    ///
    /// # Errors
    ///
    /// When it does not answer, or with an error.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self.ask_as(&self.root, method, path, body)?;
        if answer.status >= 300 {
            return Err(format!("{method} {path}: {} {}", answer.status, answer.text()).into());
        }
        Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// Asks it with this token, whatever it answers.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: &Value) -> Result<Response> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("x-vault-token", token), ("content-type", "application/json")];
        let path = format!("/v1/{path}");
        Ok(Connection::open(self.address)?.request(method, &path, &headers, body.as_bytes())?)
    }

    /// A role that may log in; its id and the secret that goes with it. Its tokens last this long.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn role(&self, name: &str, ttl: Duration) -> Result<(String, String)> {
        let role = format!("auth/approle/role/{name}");
        let seconds = ttl.as_secs();
        self.ask("POST", &role, &json!({"token_ttl": seconds, "token_max_ttl": seconds}))?;
        let id = self.ask("GET", &format!("{role}/role-id"), &Value::Null)?;
        let secret = self.ask("POST", &format!("{role}/secret-id"), &json!({}))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("no id");
        Ok((text(&id["data"]["role_id"])?, text(&secret["data"]["secret_id"])?))
    }

    /// Seals it.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn seal(&self) -> Result<()> {
        self.ask("PUT", "sys/seal", &Value::Null).map(drop)
    }

    /// Unseals it, with its own command, which knows TLS.
    ///
    /// # Errors
    ///
    /// What the command says.
    pub fn unseal(&self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["operator", "unseal"]).arg(format!("--address={}", self.url()));
        if let Some(authority) = &self.authority {
            command.env("VAULT_CACERT", authority);
        }
        let run = command.arg(&self.key).env("VAULT_TOKEN", &self.root).stdin(Stdio::null()).output()?;
        if run.status.success() {
            return Ok(());
        }
        Err(format!("unseal: {}", String::from_utf8_lossy(&[run.stdout, run.stderr].concat())).into())
    }

    /// Stops it as a kernel out of memory would.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            // It may be gone already, and there is nobody to tell.
            let _ = server.signal(Signal::KILL);
        }
    }

    /// Starts it again where it was, with what it kept; sealed.
    ///
    /// # Errors
    ///
    /// When it does not listen.
    pub fn run(&mut self) -> Result<()> {
        let path = |name: &str| self.folder.path().join(name);
        let tls = match &self.authority {
            None => "tls_disable = \"true\"".to_owned(),
            Some(_) => format!(
                "tls_disable = \"false\"\n  tls_disable_client_certs = \"true\"\n  tls_cert_file = {:?}\n  tls_key_file = {:?}",
                path("tls.crt"),
                path("tls.key")
            ),
        };
        let config = format!(
            "storage \"file\" {{\n  path = {:?}\n}}\nlistener \"tcp\" {{\n  address = \"{}\"\n  {tls}\n}}\n\
             api_addr = \"{}\"\nlog_level = \"info\"\nwork_dir = {:?}\n",
            path("data"),
            self.address,
            self.url(),
            path("work"),
        );
        fs::create_dir_all(path("data"))?;
        fs::write(path("server.hcl"), config)?;
        let log = File::create(path("log"))?;
        let mut command = Command::new(&self.program);
        command.args(["server", "--config"]).arg(path("server.hcl")).stdin(Stdio::null());
        self.server = Some(Foreign::spawn(command.stdout(log.try_clone()?).stderr(log))?);
        let until = Instant::now() + DEADLINE;
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > until {
                return Err(format!("it does not listen: {}", fs::read_to_string(path("log"))?).into());
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Goes on behind TLS, unsealed, with this certificate for `localhost`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run) and [`unseal`](Self::unseal).
    pub fn secure(&mut self, authority: &Path, certificate: &str, key: &str) -> Result<()> {
        self.kill();
        fs::write(self.folder.path().join("tls.crt"), certificate)?;
        fs::write(self.folder.path().join("tls.key"), key)?;
        self.authority = Some(authority.to_owned());
        self.run()?;
        self.unseal()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(self.server.as_ref().ok_or("it does not run")?.signal(signal)?)
    }
}
