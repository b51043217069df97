//! Startup, liveness and readiness as one state machine
