//! Configuration from files, environment and flags: typed, strict, every value with its source.

mod bytes;
mod de;
pub mod duration;
mod error;
mod hint;
mod layers;
mod load;
mod node;
mod parse;
mod scalar;
mod secrecy;
mod source;
mod tree;

pub use bytes::{Bytes, ParseBytesError};
pub use de::SECRET_NAME;
pub use error::{Error, Errors, Warning};
pub use layers::Layers;
pub use load::Loaded;
pub use source::Origin;
pub use tree::{Leaf, Show, Tree};
