//! Reads what a peer logs and counts the lines of requests, and those of them that carry a trace id.

use std::io::Read;
use std::thread::JoinHandle;

use memchr::memmem::Finder;

/// What was in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) requests: u64,
    pub(crate) traced: u64,
}

/// Reads `log` to its end in a thread. `marker` is what only the line of a request has in it.
pub(crate) fn count(mut log: impl Read + Send + 'static, marker: &'static str) -> JoinHandle<Lines> {
    std::thread::spawn(move || {
        let mut counter = Counter::new(marker);
        let (mut buffer, mut filled) = (vec![0; 256 << 10], 0);
        // The end of the pipe, by any name, is the end of the peer.
        while let Ok(read @ 1..) = log.read(&mut buffer[filled..]) {
            filled += read;
            let whole = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |at| at + 1);
            counter.add(&buffer[..whole]);
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
        }
        counter.lines
    })
}

struct Counter {
    marker: Finder<'static>,
    trace: Finder<'static>,
    lines: Lines,
}

impl Counter {
    fn new(marker: &'static str) -> Self {
        Self { marker: Finder::new(marker), trace: Finder::new("\"trace_id\":\""), lines: Lines::default() }
    }

    fn add(&mut self, text: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            let line = &text[start..end];
            start = end + 1;
            if self.marker.find(line).is_none() {
                continue;
            }
            self.lines.requests += 1;
            let id = self
                .trace
                .find(line)
                .and_then(|at| line[at + self.trace.needle().len()..].first_chunk::<32>());
            let valid = id.is_some_and(|id| {
                id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(|digit| *digit != b'0')
            });
            self.lines.traced += u64::from(valid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_of_requests_and_valid_trace_ids() {
        let log = concat!(
            "{\"msg\":\"request\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n",
            "{\"msg\":\"request\",\"trace_id\":\"00000000000000000000000000000000\"}\n",
            "{\"msg\":\"request\",\"trace_id\":null}\n",
            "{\"msg\":\"started\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n",
            "{\"msg\":\"request\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"} never ended",
        );
        let lines = count(log.as_bytes(), "\"msg\":\"request\"").join().expect("no panic");
        assert_eq!(lines, Lines { requests: 3, traced: 1 });
    }
}
