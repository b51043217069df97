//! HTTP/2, frame by frame (RFC 9113, section 4.1).

use crate::support::{Raw, Server};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

/// The flags of a PING or SETTINGS that answers one.
pub(crate) const ACK: u8 = 1;
/// The flags of HEADERS that are a whole request: END_HEADERS and END_STREAM.
pub(crate) const END: u8 = 5;

/// GET, http, "/": all in HPACK's static table.
pub(crate) const GET: [u8; 3] = [0x82, 0x86, 0x84];

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A literal header that is not indexed.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend(name.as_bytes());
    bytes.push(value.len() as u8);
    bytes.extend(value.as_bytes());
    bytes
}

/// A client of frames, that answers nothing by itself.
pub(crate) struct Frames(pub(crate) Raw);

impl Frames {
    pub(crate) async fn connect(server: &Server) -> Self {
        let mut client = server.connect().await;
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut client = Self(client);
        client.send(SETTINGS, 0, 0, &[]).await;
        client
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.send(frame(kind, flags, stream, payload)).await;
    }

    /// The payload of the next frame of this kind; others are passed over.
    pub(crate) async fn next(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let head = self.0.exactly(9).await;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let payload = self.0.exactly(length as usize).await;
            if head[3] == kind {
                return payload;
            }
        }
    }
}
