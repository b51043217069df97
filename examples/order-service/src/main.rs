//! Orders over HTTP.
fn main() {}
