//! A hyper server for any tower service, and the one observability layer

mod bell;
mod body;
mod connection;
mod current;
mod drain;
mod limits;
mod listener;
mod observe;
mod roster;
mod route;
mod server;
mod service;

pub use body::{Body, ReadTimeout};
pub use current::{peer_addr, set_route};
pub use drain::{Drain, Drained};
pub use limits::Limits;
pub use listener::{BindError, Listener};
pub use observe::{
    Decision, Exchange, Observe, Observed, ObservedBody, ObservedFuture, Observer, Outcome, Parent,
};
pub use roster::Traffic;
pub use route::Route;
pub use server::{Driver, serve};
pub use service::Service;

/// An error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
