//! The address of a client behind nginx and behind HAProxy, in the log line of order-service.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use prodkit_e2e::process::{DEADLINE, Service, order_service};
use prodkit_e2e::tools::{self, Foreign, Outcome, find, trial};
use serde_json::Value;
use tokio::net::TcpSocket;

/// The client's own address, another one than the proxies'.
const CLIENT: &str = "127.0.0.7";
/// What a client says of itself, to be taken for somebody else.
const LIE: &str = "X-Forwarded-For: 198.51.100.1\r\nForwarded: for=198.51.100.1\r\n";

fn main() -> ExitCode {
    tools::run(vec![
        test("nginx", "nginx_adds_to_x_forwarded_for", |program| nginx(program, false)),
        test("nginx", "nginx_speaks_through_a_unix_socket", |program| nginx(program, true)),
        test("haproxy", "haproxy_sets_forwarded", haproxy),
    ])
}

fn test(program: &'static str, name: &str, test: fn(&Path) -> Outcome) -> Trial {
    let there = move || find(program).ok_or_else(|| format!("{program} not found"));
    trial(name, there, move |program: PathBuf| test(&program))
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn nginx(program: &Path, unix: bool) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().display();
    let socket = format!("unix:{path}/main.sock");
    let (mut service, upstream) = if unix {
        orders(folder.path(), &[&format!("server.host={socket}"), "server.trusted_proxies=unix"])?
    } else {
        orders(folder.path(), &["server.trusted_proxies=127.0.0.1"])?
    };
    let port = free_port()?;
    // without root there is nobody to become, and the line would be a warning
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    // a client's own `Forwarded` has to go: nginx would hand it on
    let config = format!(
        "{user} daemon off; pid {path}/nginx.pid; error_log {path}/error.log; events {{ }}
http {{
    access_log off;
    client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{upstream};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Forwarded \"\";
        }}
        location /api/ {{
            proxy_pass http://{upstream};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"
    );
    let file = folder.path().join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(&file);
    let _proxy = Foreign::spawn(command.stdin(Stdio::null()))?;
    let proxy = SocketAddr::from(([127, 0, 0, 1], port));
    is_logged(&mut service, proxy, "/none/through", LIE, Some(CLIENT))?;
    // Handed on and at odds with what nginx has written: nothing is believed.
    let peer = if unix { None } else { Some("127.0.0.1") };
    is_logged(&mut service, proxy, "/api/none", LIE, peer)
}

fn haproxy(program: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let (mut service, upstream) = orders(folder.path(), &["server.trusted_proxies=127.0.0.1"])?;
    let port = free_port()?;
    // `option forwarded` is HAProxy 2.8's
    let config = format!(
        "defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    http-request del-header X-Forwarded-For
    http-request add-header Forwarded for=\\\"%[src]\\\";proto=http
    default_backend orders
backend orders
    server orders {upstream} proto h2
"
    );
    let file = folder.path().join("haproxy.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    let _proxy = Foreign::spawn(command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()))?;
    let proxy = SocketAddr::from(([127, 0, 0, 1], port));
    is_logged(&mut service, proxy, "/none/through", LIE, Some(CLIENT))
}

/// order-service with these settings, ready, and where it serves.
fn orders(folder: &Path, settings: &[&str]) -> Result<(Service, String), Box<dyn Error>> {
    let binary = order_service(Path::new(env!("CARGO_BIN_EXE_fixture")))?;
    let mut service = Service::start(binary, folder, settings, &[])?;
    let started = service.line("started").ok_or("never started")?;
    service.line("ready").ok_or("never ready")?;
    Ok((service, started["server"].as_str().ok_or("does not serve")?.to_owned()))
}

/// That a request of [`CLIENT`] through `proxy` is logged as one of `client`.
fn is_logged(
    service: &mut Service,
    proxy: SocketAddr,
    path: &str,
    headers: &str,
    client: Option<&str>,
) -> Outcome {
    let until = Instant::now() + DEADLINE;
    let mut stream = loop {
        match connect(proxy) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > until => return Err(format!("it never comes up: {error}").into()),
            Err(_) => thread::park_timeout(Duration::from_millis(10)),
        }
    };
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n{headers}\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let line = service.seen_or_next(|line| line["path"] == path).ok_or("no line")?;
    if line.get("client.address").and_then(Value::as_str) == client {
        Ok(())
    } else {
        Err(format!("{line}, not {client:?}").into())
    }
}

fn connect(to: SocketAddr) -> Result<TcpStream, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(CLIENT.parse().map_err(std::io::Error::other)?, 0))?;
        socket.connect(to).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}
