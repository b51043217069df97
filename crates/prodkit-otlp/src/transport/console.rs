//! Standard output instead of a collector.

use super::{Attempt, How, Why, json};
use crate::signal::Kind;
use bytes::Bytes;
use std::io::Write as _;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Transport {
    kind: Kind,
    timeout: Duration,
}

impl Transport {
    pub(crate) fn new(how: &How<'_>) -> Self {
        Self { kind: how.kind, timeout: how.timeout }
    }

    pub(crate) fn prepare(&self, body: &[u8]) -> Bytes {
        let mut line = json::request(self.kind, body);
        line.push(b'\n');
        line.into()
    }

    /// On a thread of its own: standard output may block for ever, and the end of the process does not wait for that.
    pub(crate) async fn send(&self, line: Bytes) -> Attempt {
        let write = tokio::task::spawn_blocking(move || {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&line).and_then(|()| stdout.flush())
        });
        match tokio::time::timeout(self.timeout, write).await {
            Ok(Ok(Ok(()))) => Attempt::Accepted(Bytes::new()),
            Ok(_) => Attempt::Refused(Why::Broken),
            // it may still be written: again would be twice
            Err(_) => Attempt::Refused(Why::Timeout),
        }
    }
}
