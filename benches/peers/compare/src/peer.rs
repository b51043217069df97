//! Who is measured, and what each has to prove.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What a peer does for a request besides answering it, and so what must be seen to have been done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Duties {
    /// What only the line of a request has in it; one line for each request.
    pub(crate) line: Option<&'static str>,
    /// A trace id on every one of these lines.
    pub(crate) traced: bool,
    /// A counter `…http_requests_total`.
    pub(crate) counted: bool,
    /// Spans at the collector, as many as the sampler says.
    pub(crate) sampled: bool,
    /// `x-request-id` on every answer.
    pub(crate) identified: bool,
}

const EVERYTHING: Duties = Duties {
    line: Some("\"msg\":\"request\""),
    traced: true,
    counted: true,
    sampled: true,
    identified: true,
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its name in all tables.
    pub(crate) key: &'static str,
    program: &'static str,
    pub(crate) duties: Duties,
    arguments: Arguments,
    /// Whether callgrind can run it.
    pub(crate) native: bool,
    /// The peer to which it is compared: what it is built on.
    pub(crate) bare: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Arguments {
    /// `PORT METRICS_PORT`
    Ports,
    /// `--set …`
    Prodkit,
}

pub(crate) const ALL: [Peer; 7] = [
    Peer { bare: "bare_hyper", ..Peer::new("bare_hyper", "peer-bare-hyper", NOTHING) },
    Peer::new("bare_axum", "peer-bare-axum", NOTHING),
    Peer {
        arguments: Arguments::Prodkit,
        bare: "bare_hyper",
        ..Peer::new("prodkit_hyper", "peer-prodkit-hyper", EVERYTHING)
    },
    Peer { arguments: Arguments::Prodkit, ..Peer::new("prodkit_axum", "peer-prodkit-axum", EVERYTHING) },
    Peer::new(
        "hand_assembled",
        "peer-hand-assembled",
        Duties { line: Some("\"message\":\"request\""), ..EVERYTHING },
    ),
    // It has no request id, and no trace id for what it does not sample.
    Peer::new("foundations", "peer-foundations", Duties { traced: false, identified: false, ..EVERYTHING }),
    Peer { native: false, ..Peer::new("go_guide", "peer-go-guide", EVERYTHING) },
];

const NOTHING: Duties =
    Duties { line: None, traced: false, counted: false, sampled: false, identified: false };

/// Where a peer that runs is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) main: u16,
    pub(crate) metrics: u16,
}

impl Peer {
    const fn new(key: &'static str, program: &'static str, duties: Duties) -> Self {
        Self { key, program, duties, arguments: Arguments::Ports, native: true, bare: "bare_axum" }
    }

    pub(crate) fn of(key: &str) -> Option<Self> {
        ALL.iter().find(|peer| peer.key == key).copied()
    }

    pub(crate) fn program(&self, folder: &Path) -> PathBuf {
        folder.join(self.program)
    }

    pub(crate) fn arguments(&self, ports: Ports) -> Vec<String> {
        let Ports { main, metrics } = ports;
        match self.arguments {
            Arguments::Ports => vec![main.to_string(), metrics.to_string()],
            Arguments::Prodkit => [
                "server.host=127.0.0.1".to_owned(),
                format!("server.port={main}"),
                "admin.host=127.0.0.1".to_owned(),
                format!("admin.port={metrics}"),
                // one thread for requests, as every peer has it
                "runtime.workers=1".to_owned(),
                "server.max_connections=20000".to_owned(),
                // under an instrument that slows everything fifty times, connections are idle for long
                "server.idle_timeout=1h".to_owned(),
            ]
            .into_iter()
            .flat_map(|setting| ["--set".to_owned(), setting])
            .collect(),
        }
    }
}

/// The specification's variables, which all of them read.
pub(crate) fn environment(sink: SocketAddr, ratio: f64) -> [(&'static str, String); 3] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{sink}")),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()),
        ("OTEL_TRACES_SAMPLER_ARG", ratio.to_string()),
    ]
}
