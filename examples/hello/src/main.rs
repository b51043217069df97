//! The ten-line service.
fn main() {}
