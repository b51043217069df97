//! Standard output instead of a collector.

use super::{Attempt, How, Why, json};
use crate::signal::Kind;
use bytes::Bytes;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

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

    /// Through tokio's own blocking thread: standard output may block for ever, and the end of the process does not wait
    /// for that.
    pub(crate) async fn send(&self, line: Bytes) -> Attempt {
        let mut stdout = tokio::io::stdout();
        let write = async {
            stdout.write_all(&line).await?;
            stdout.flush().await
        };
        match tokio::time::timeout(self.timeout, write).await {
            Ok(Ok(())) => Attempt::Accepted(Bytes::new()),
            Ok(Err(_)) => Attempt::Refused(Why::Broken),
            // it may still be written: again would be twice
            Err(_) => Attempt::Refused(Why::Timeout),
        }
    }
}
