//! Configuration from files, environment and flags: typed, strict, every value with its source
