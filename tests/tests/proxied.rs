//! Behind HAProxy as a balancer of connections: a client's address in the header of the PROXY protocol, whichever version
//! and whatever else is in it, in the clear and before TLS; and HAProxy's own checks.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::get;
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_e2e::tools::{self, Foreign, Outcome, with};
use prodkit_fakes::FakeAuthority;
use prodkit_tls::{Live, Roots, client_config};
use rustls::{ClientConnection, StreamOwned};
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const REQUEST: &str = "GET /peer HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
/// Everything that HAProxy can say besides addresses.
const EVERYTHING: &str =
    "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id";

fn main() -> ExitCode {
    tools::run(vec![
        with("haproxy", "version_1_names_the_client", |haproxy| names_the_client(&haproxy, "send-proxy")),
        with("haproxy", "version_2_names_the_client", |haproxy| names_the_client(&haproxy, "send-proxy-v2")),
        with("haproxy", "version_2_with_everything_else", |haproxy| names_the_client(&haproxy, EVERYTHING)),
        with("haproxy", "version_1_comes_before_tls", |haproxy| comes_before_tls(&haproxy, "send-proxy")),
        with("haproxy", "version_2_comes_before_tls", |haproxy| comes_before_tls(&haproxy, EVERYTHING)),
    ])
}

/// A service that wants headers, and HAProxy in front of it, which checks it by the same port.
struct Behind {
    front: SocketAddr,
    admin: SocketAddr,
    _haproxy: Foreign,
    _service: Service,
}

impl Behind {
    fn start(
        haproxy: &Path,
        folder: &TempDir,
        header: &str,
        settings: &[&str],
    ) -> Result<Self, Box<dyn Error>> {
        let settings = [&["server.proxy_protocol=required"], settings].concat();
        let mut service = Service::start(FIXTURE, folder.path(), &settings, &[])?;
        let (main, admin) = service.ready().ok_or("never ready")?;
        let main = main.ok_or("does not serve")?;
        let front = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, configuration(front, main, header))?;
        let mut command = Command::new(haproxy);
        command
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let haproxy = Foreign::spawn(&mut command)?;
        let until = Instant::now() + DEADLINE;
        while TcpStream::connect(front).is_err() {
            if Instant::now() > until {
                return Err("HAProxy never comes up".into());
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Ok(Self { front, admin, _haproxy: haproxy, _service: service })
    }

    fn headers(&self, outcome: &str) -> Result<f64, Box<dyn Error>> {
        let series = format!("prodkit_proxy_headers_total{{outcome=\"{outcome}\"}} ");
        let text = get(self.admin, "/metrics")?.text();
        Ok(text.lines().find_map(|line| line.strip_prefix(&series)).ok_or("no such series")?.parse()?)
    }

    /// Its own checks, which it sends as long as it runs, are taken for its own.
    fn is_checked(&self) -> Outcome {
        let until = Instant::now() + DEADLINE;
        while self.headers("proxy")? < 2.0 {
            if Instant::now() > until {
                return Err("no check came".into());
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn configuration(front: SocketAddr, main: SocketAddr, header: &str) -> String {
    format!(
        "defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout check 5s
frontend front
    bind {front}
    unique-id-format %[uuid]
    default_backend service
backend service
    server one {main} {header} check check-send-proxy inter 100ms
"
    )
}

/// Sends the request and expects one's own address.
fn ask(mut stream: impl Read + Write, own: SocketAddr) -> Outcome {
    stream.write_all(REQUEST.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") && answer.ends_with(&own.to_string()) {
        return Ok(());
    }
    Err(format!("{own}: {answer}").into())
}

fn connect(to: SocketAddr) -> std::io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let own = stream.local_addr()?;
    Ok((stream, own))
}

fn names_the_client(haproxy: &Path, header: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let behind = Behind::start(haproxy, &folder, header, &[])?;
    for _ in 0..10 {
        let (stream, own) = connect(behind.front)?;
        ask(stream, own)?;
    }
    if header != "send-proxy" {
        behind.is_checked()?;
    }
    match behind.headers("invalid")? {
        0.0 => Ok(()),
        invalid => Err(format!("{invalid} invalid headers").into()),
    }
}

fn comes_before_tls(haproxy: &Path, header: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let authority = FakeAuthority::new();
    let pair = authority.issue(&["localhost"]);
    let file = |name: &str, text: &str| -> std::io::Result<PathBuf> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let cert = format!("server.tls.cert={}", file("tls.crt", &pair.certificate)?.display());
    let key = format!("server.tls.key={}", file("tls.key", &pair.key)?.display());
    let behind = Behind::start(haproxy, &folder, header, &[&cert, &key])?;
    let roots = Live::fixed(Roots::from_pem(authority.certificate().as_bytes())?);
    let config = client_config(&roots, None, &[])?;
    for _ in 0..10 {
        let (stream, own) = connect(behind.front)?;
        let session = ClientConnection::new(Arc::clone(&config.load()), "localhost".try_into()?)?;
        ask(StreamOwned::new(session, stream), own)?;
    }
    Ok(())
}
