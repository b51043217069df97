//! A fixed number of requests over connections that stay open, each answer looked at; and wrk.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long one answer may take, under an instrument that slows everything fifty times.
const PATIENCE: Duration = Duration::from_secs(20);

/// What answers were like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) all: u64,
    /// Those with an `x-request-id` that is not empty.
    pub(crate) with_id: u64,
    /// The bytes of the last one.
    pub(crate) size: u64,
}

impl Answers {
    pub(crate) fn and(self, other: Self) -> Self {
        Self { all: self.all + other.all, with_id: self.with_id + other.with_id, ..self }
    }
}

/// Connections that stay open from the first request to the last.
pub(crate) struct Load {
    connections: Vec<BufReader<TcpStream>>,
    /// Sent in turn.
    requests: Vec<String>,
    next: usize,
    pub(crate) answers: Answers,
}

impl Load {
    pub(crate) fn open(port: u16, connections: usize) -> io::Result<Self> {
        Self::of_paths(port, connections, &[PATH.to_owned()])
    }

    /// One that goes round these paths, each of which is answered as the order [`ID`].
    pub(crate) fn of_paths(port: u16, connections: usize, paths: &[String]) -> io::Result<Self> {
        // as wrk sends it, so that both instruments see one request
        let request = |path: &String| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        Ok(Self {
            connections: (0..connections).map(|_| connect(port)).collect::<io::Result<_>>()?,
            requests: paths.iter().map(request).collect(),
            next: 0,
            answers: Answers::default(),
        })
    }

    /// Opens one more connection, and makes a request over it.
    pub(crate) fn one_more(&mut self, port: u16) -> io::Result<()> {
        let mut connection = connect(port)?;
        connection.get_mut().write_all(self.requests[self.next].as_bytes())?;
        self.next = (self.next + 1) % self.requests.len();
        take(&mut connection, &mut self.answers)?;
        self.connections.push(connection);
        Ok(())
    }

    /// Sends `requests` orders, one on each connection at a time; every answer must be the right one.
    pub(crate) fn run(&mut self, requests: usize) -> io::Result<()> {
        let mut left = requests;
        while left > 0 {
            let turn = left.min(self.connections.len());
            for connection in &mut self.connections[..turn] {
                connection.get_mut().write_all(self.requests[self.next].as_bytes())?;
                self.next = (self.next + 1) % self.requests.len();
            }
            for connection in &mut self.connections[..turn] {
                take(connection, &mut self.answers)?;
            }
            left -= turn;
        }
        Ok(())
    }
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::with_capacity(1024, stream))
}

const PATH: &str = "/api/orders/4711";
const ID: u64 = 4711;

fn take(connection: &mut BufReader<TcpStream>, answers: &mut Answers) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (mut line, mut length, mut has_id, mut size) = (String::new(), None, false, 0);
    loop {
        let first = line.is_empty();
        line.clear();
        size += connection.read_line(&mut line)? as u64;
        let text = line.trim_end();
        if first && !text.starts_with("HTTP/1.1 200") {
            return Err(wrong(&format!("answered {text:?}")));
        }
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse().map_err(|_| wrong("a length that is no number"))?);
        } else if name.eq_ignore_ascii_case("x-request-id") {
            has_id = !value.trim().is_empty();
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => size += append(connection, length, &mut body)?,
        // chunked: what has no length ends with an empty chunk
        None => loop {
            line.clear();
            size += connection.read_line(&mut line)? as u64;
            let length = usize::from_str_radix(line.trim_end(), 16).map_err(|_| wrong("no chunk"))?;
            size += append(connection, length, &mut body)?;
            line.clear();
            size += connection.read_line(&mut line)? as u64;
            if length == 0 {
                break;
            }
        },
    }
    if body != peer_answer::order(ID).as_bytes() {
        return Err(wrong(&format!("answered {:?}", String::from_utf8_lossy(&body))));
    }
    answers.all += 1;
    answers.with_id += u64::from(has_id);
    answers.size = size;
    Ok(())
}

fn append(from: &mut impl Read, length: usize, to: &mut Vec<u8>) -> io::Result<u64> {
    let start = to.len();
    to.resize(start + length, 0);
    from.read_exact(&mut to[start..])?;
    Ok(length as u64)
}

/// What wrk counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrk {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Connections wrk keeps open.
pub(crate) const CONNECTIONS: u64 = 48;

/// One run of wrk, which has the processors `cpus` to itself and to the programs that take logs and spans.
pub(crate) fn wrk(port: u16, seconds: u64, cpus: &str, scratch: &Path) -> io::Result<Wrk> {
    const SCRIPT: &str = include_str!("wrk.lua");
    let script = scratch.join("wrk.lua");
    std::fs::write(&script, SCRIPT)?;
    let output = Command::new("taskset")
        .args(["-c", cpus, "wrk", "-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}{PATH}"))
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Option<Vec<f64>> = text
        .lines()
        .find_map(|line| line.strip_prefix("summary "))
        .map(|line| line.split_whitespace().filter_map(|number| number.parse().ok()).collect());
    match numbers.as_deref() {
        Some(&[requests, micros, bytes, errors, p50_us, p99_us]) => Ok(Wrk {
            requests: requests as u64,
            seconds: micros / 1e6,
            bytes: bytes as u64,
            errors: errors as u64,
            p50_us,
            p99_us,
        }),
        _ => Err(io::Error::other(format!("wrk failed: {text}"))),
    }
}
