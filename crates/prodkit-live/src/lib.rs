//! `Live<T>`: a value that changes under its readers, all or nothing.
//!
//! What is fixed for the life of a process is a plain `T`. What may change while it runs (a log level, a certificate, a
//! password, a section of the configuration) is a [`Live<T>`], and what follows from it moves with it:
//!
//! ```
//! use prodkit_live::Live;
//!
//! # #[derive(Debug)] struct Pool { login: String }
//! # impl Pool {
//! #     async fn connect(login: &str) -> Result<Pool, String> {
//! #         if login.ends_with("wrong") { Err("permission denied".into()) } else { Ok(Pool { login: login.into() }) }
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (user_updater, user) = Live::channel("orders".to_owned());
//! let (password_updater, password) = Live::channel("hunter2".to_owned());
//!
//! // Computed once per change, not once per read.
//! let login = user.zip(&password).map(|pair| format!("{}:{}", pair.0, pair.1));
//! // Built and verified before anyone sees it.
//! let pool = login.try_map(|login| async move { Pool::connect(&login).await }).await?;
//! assert_eq!(pool.get().login, "orders:hunter2");
//!
//! // A new value is prepared first: everything derived from it has its say, and readers see nothing of it.
//! let prepared = password_updater.prepare("hunter3".to_owned()).await?;
//! assert_eq!(pool.get().login, "orders:hunter2");
//! // Then it is committed: at once, together, and without fail.
//! prepared.commit();
//! assert_eq!(pool.get().login, "orders:hunter3");
//!
//! // One that does not work leaves everything as it was.
//! let rejected = password_updater.prepare("wrong".to_owned()).await.unwrap_err();
//! assert!(rejected.to_string().contains("Pool"));
//! assert_eq!(*password.get(), "hunter3");
//!
//! // What changes together is prepared together.
//! let change = user_updater.stage("orders2".to_owned()).join(password_updater.stage("hunter4".to_owned()));
//! change.prepare().await?.commit();
//! assert_eq!(pool.get().login, "orders2:hunter4");
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **A reader never waits** and takes no lock. [`Live::get`] costs what `ArcSwap::load` costs; [`Reader::get`] costs a
//!   load and a compare while nothing changes.
//! - **Nobody sees a refused value**, or one that something derived from it has not agreed to.
//! - **One `Live` moves atomically**, and a [`zip`](Live::zip) is one. Between two separate `Live`s there is an instant,
//!   inside [`Prepared::commit`], in which one has moved and the other has not: values that have to agree share one
//!   `Live<Section>`, or are zipped.
//! - **The user's code runs in `prepare`**, not in `commit`: there it may take its time, fail or panic. (One exception
//!   is told at [`Prepared::commit`].)
//! - **Old values are let go at the commit**, after the last swap, and dropped there unless a reader still holds one;
//!   then that reader drops it. What must not be dropped on a request's thread should hand itself elsewhere in `Drop`.
//! - **Nothing is spawned**, and no runtime is needed: the futures here run on any executor.
//!
//! # When not to use it
//!
//! For a value that many threads modify, use an atomic or a mutex: here there is one writer at a time, and each change
//! costs allocations and a process-wide lock. For a queue of events use a channel: changes coalesce. For something
//! that never changes, use the plain value, so that its type says so.
//!
//! # Features
//!
//! - `serde`: `Deserialize` and `Serialize`, transparent; and `registry`, for deserializers that can reload.
//! - `schema`: `schemars::JsonSchema`, transparent.

mod cell;
mod change;
mod changes;
mod derive;
mod graph;
mod live;
mod reader;
#[cfg(feature = "serde")]
pub mod registry;
mod rejected;
#[cfg(feature = "schema")]
mod schema;
#[cfg(feature = "serde")]
mod serde;
mod slot;
mod sync;
mod updater;
mod version;

pub use change::{Change, Prepared};
pub use changes::Changes;
pub use live::{Guard, Live};
pub use reader::Reader;
pub use rejected::Rejected;
pub use updater::{Updater, WeakUpdater};
