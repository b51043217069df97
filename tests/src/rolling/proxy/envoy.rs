use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Address;

/// Two of them on one machine would share memory for a hot restart.
pub(super) fn arguments(command: &mut Command, file: &Path) {
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "-c"]).arg(file);
}

/// The first failed check takes a process out: Envoy takes a 503 for an answer. So they come once in the time of the lag.
/// It would hold the news back for up to a second after other news, and the lag with it, but for `update_merge_window`.
pub(super) fn configuration(port: u16, processes: &[(usize, Address)], lag: Duration, http2: bool) -> String {
    let endpoints: String = processes
        .iter()
        .map(|(_, Address { main, admin })| {
            format!(
                "        - endpoint:
            address: {{ socket_address: {{ address: 127.0.0.1, port_value: {main} }} }}
            health_check_config: {{ port_value: {admin} }}
"
            )
        })
        .collect();
    let options = if http2 { "http2_protocol_options: {}" } else { "http_protocol_options: {}" };
    let seconds = lag.as_secs_f64();
    format!(
        "static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - name: orders
              domains: [\"*\"]
              routes:
              - match: {{ prefix: / }}
                route: {{ cluster: orders, timeout: 60s }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: orders
    type: STATIC
    connect_timeout: 10s
    lb_policy: ROUND_ROBIN
    common_lb_config: {{ healthy_panic_threshold: {{ value: 0 }}, update_merge_window: 0s }}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          {options}
    health_checks:
    - timeout: 5s
      interval: {seconds}s
      no_traffic_interval: {seconds}s
      unhealthy_threshold: 2
      healthy_threshold: 1
      http_health_check: {{ path: /health/ready }}
    load_assignment:
      cluster_name: orders
      endpoints:
      - lb_endpoints:
{endpoints}"
    )
}
