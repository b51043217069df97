//! `admin.*`: where the admin port is, and who may read what is on it.

use prodkit_e2e::http::Connection;

use crate::rig::{Rig, Setup, with};
use crate::server;

pub(crate) fn host() {
    for host in ["127.0.0.1", "127.0.0.2"] {
        let rig = with("admin.host", host);
        assert_eq!((rig.admin.ip().to_string().as_str(), rig.ask("/health/live").status), (host, 200));
    }
}

pub(crate) fn port() {
    server::taken("admin.port");
}

pub(crate) fn token() {
    let read = |rig: &Rig, token: &str| {
        let header = format!("Bearer {token}");
        let mut connection = Connection::open(rig.admin).unwrap();
        let answer = connection.request("GET", "/admin/config", &[("authorization", &header)], b"");
        answer.unwrap().status
    };
    for (token, other) in [("one", "two"), ("two", "one")] {
        let rig = with("admin.token", token);
        assert_eq!((read(&rig, token), read(&rig, other)), (200, 401));
    }
}

pub(crate) fn public() {
    for (value, status) in [("true", 200), ("false", 403)] {
        let rig = Setup::new().set("admin.host", "0.0.0.0").set("admin.public", value).serve();
        assert_eq!(rig.ask("/admin/config").status, status);
    }
}
