//! Servers that speak the real protocol on a free loopback port, and volumes that change as the real ones do, for tests.
//!
//! A fake server is a real server on `127.0.0.1:0`, not a mock of a client: what a test proves against it holds for the
//! socket, the parser and the timeout code as well. Each fake owns one thread and one runtime, so it works from a
//! synchronous test, from any runtime flavour and while the runtime under test is blocked. Dropping it ends it.
//!
//! ```
//! use prodkit_fakes::{Behaviour, FakeCollector};
//! use std::io::{Read, Write};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let collector = FakeCollector::start();
//! collector.behave(Behaviour::status(503).header("retry-after", "1"));
//!
//! let mut client = std::net::TcpStream::connect(collector.addr())?;
//! client.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//!
//! assert!(answer.starts_with("HTTP/1.1 503"));
//! let received = collector.wait_for(1).await;
//! assert_eq!((received[0].path.as_str(), &received[0].body[..]), ("/v1/traces", &b"hi"[..]));
//! # Ok(()) }
//! ```
//!
//! [`FakeVault`] is a Vault whose clock the test moves, so that a year of leases passes in a second.
//!
//! # Volumes
//!
//! [`FakeVolume`] updates files as kubelet updates a ConfigMap, and [`FakeCheckout`] as git-sync does: by the same calls
//! in the same order on a real file system.
//!
//! # Certificates
//!
//! [`FakeAuthority`] issues certificates for any name and any time.
//!
//! # When not to use it
//!
//! Outside tests. A fake keeps every request it has seen, trusts its caller and panics when it cannot start.

mod authority;
mod behaviour;
mod calendar;
mod collector;
mod server;
mod vault;
mod volume;

pub use authority::{FakeAuthority, FakePair};
pub use behaviour::Behaviour;
pub use collector::{FakeCollector, Received};
pub use vault::{Condition, FakeVault, Terms};
pub use volume::{FakeCheckout, FakeVolume, LinkOrder, VolumeStep};
