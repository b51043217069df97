use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Address;

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Speaks {
    Http1,
    Http2,
    /// Nothing: it passes bytes on.
    Tcp,
}

pub(super) fn arguments(command: &mut Command, file: &Path) {
    command.arg("-db").arg("-f").arg(file);
}

/// Two failed checks in a row take a process out, so they come twice in the time of the lag. `http-reuse always`: any kept
/// connection is taken for any request, which is what loses most when one closes.
pub(super) fn configuration(
    port: u16,
    processes: &[(usize, Address)],
    lag: Duration,
    speaks: Speaks,
) -> String {
    let inter = lag.as_millis() / 2;
    let proto = if speaks == Speaks::Http2 { " proto h2" } else { "" };
    let servers: String = processes
        .iter()
        .map(|(number, address)| {
            format!(
                "    server process-{number} 127.0.0.1:{}{proto} check port {} check-proto h1 inter {inter}ms fall 2 rise 1\n",
                address.main, address.admin
            )
        })
        .collect();
    let mode = if speaks == Speaks::Tcp { "tcp" } else { "http" };
    let reuse = if speaks == Speaks::Tcp { "" } else { "    http-reuse always\n" };
    format!(
        "global
    maxconn 1000
defaults
    mode {mode}
    retries 0
    no option redispatch
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout check 5s
frontend front
    bind 127.0.0.1:{port}
    default_backend orders
backend orders
    balance roundrobin
{reuse}    option httpchk
    http-check send meth GET uri /health/ready ver HTTP/1.1 hdr host orders
{servers}"
    )
}
