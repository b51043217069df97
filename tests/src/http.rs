//! An HTTP/1.1 client that never retries: what is lost is seen to be lost.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer, whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, which must announce its length.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection that is kept between requests.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: BufReader<S>,
    host: String,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody accepts within 30 s.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host: to.to_string() })
    }

    /// Whether the other side has closed it, or sent what nobody asked for: not to be used for another request.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let stream = self.stream.get_ref();
        let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        let idle = looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).is_err() || !idle || !self.stream.buffer().is_empty()
    }
}

impl Connection<UnixStream> {
    /// Connects to a Unix socket.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub fn open_unix(to: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(to)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream), host: "localhost".to_owned() })
    }
}

impl<S: io::Read + io::Write> Connection<S> {
    /// Sends a request and reads its answer.
    ///
    /// # Errors
    ///
    /// When the connection ends early, stalls for 30 s, or the answer is not HTTP/1.1 with a `content-length`.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let host = &self.host;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut raw = head.into_bytes();
        raw.extend_from_slice(body);
        self.stream.get_mut().write_all(&raw)?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Response> {
        let status =
            self.line()?.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        // RFC 9110, section 15.3.5: such an answer has no content, and says no length
        if status == 204 {
            return Ok(response);
        }
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        response.body.resize(length.ok_or_else(malformed)?, 0);
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.by_ref().take(64 << 10).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a response this client understands")
}

/// One `GET` on a connection of its own.
///
/// # Errors
///
/// As [`Connection::open`] and [`Connection::request`].
pub fn get(to: SocketAddr, path: &str) -> io::Result<Response> {
    Connection::open(to)?.request("GET", path, &[("connection", "close")], b"")
}
