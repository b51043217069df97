//! Production behaviour for any Rust service: prodkit::run(app)
