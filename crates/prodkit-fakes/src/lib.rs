//! Servers that speak the real protocol on a free loopback port, for tests
