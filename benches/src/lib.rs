//! Micro benches of prodkit; run them with `cargo bench -p prodkit-benches`.
