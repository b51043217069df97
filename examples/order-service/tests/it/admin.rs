use super::support::{GOOD_ORDER, Service, binary};

#[test]
fn all_six_probes_answer_on_both_ports() {
    let (service, _folder) = Service::start();
    for path in ["/health/startup", "/health/live", "/health/ready", "/startupz", "/livez", "/readyz"] {
        for answer in [service.get(path), service.admin(path)] {
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    assert_eq!(service.admin("/health/startup").body, r#"{"status":"ok","type":"startup"}"#);
    assert_eq!(service.admin("/health/live").body, r#"{"status":"alive","type":"liveness"}"#);
    assert_eq!(service.admin("/health/ready").body, r#"{"status":"ready","type":"readiness"}"#);
}

#[test]
fn the_mirror_of_the_probes_can_be_turned_off() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start_in(folder.path(), &["server.probes=false"]);
    assert_eq!(service.get("/health/ready").status, 404);
    assert_eq!(service.admin("/health/ready").status, 200);
}

#[test]
fn metrics_count_requests_orders_and_the_process() {
    let (service, _folder) = Service::start();
    assert_eq!(service.post(GOOD_ORDER).status, 201);
    assert_eq!(service.get("/api/orders/ORD-none").status, 404);
    let text = service.admin("/metrics").body;
    for expected in [
        r#"http_requests_total{endpoint="/api/orders",method="POST",status="201"} 1"#,
        r#"http_requests_total{endpoint="/api/orders/{id}",method="GET",status="404"} 1"#,
        // as the guide has it, without the status
        r#"http_request_duration_seconds_count{endpoint="/api/orders/{id}",method="GET"} 1"#,
        "orders_created_total 1",
        r#"order_amount_dollars_bucket{le="200"} 1"#,
        r#"order_amount_dollars_bucket{le="100"} 0"#,
        "# HELP orders_created_total ",
        "# HELP order_amount_dollars ",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "prodkit_build_info{",
        r#"prodkit_log_lines_total{outcome="dropped"} 0"#,
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_eq!(service.admin("/nowhere").status, 404);
}

#[test]
fn the_health_command_tells_by_its_exit_code() {
    let (mut service, folder) = Service::start();
    let setting = format!("admin.port={}", service.admin.port());
    let health = |probe: &str| {
        let arguments = ["health", probe, "--set", "admin.host=127.0.0.1", "--set", &setting];
        binary(folder.path(), &arguments).output().unwrap()
    };
    for probe in ["startup", "live", "ready"] {
        assert!(health(probe).status.success(), "{probe}");
    }
    service.signal(rustix::process::Signal::TERM);
    assert!(service.wait().success());
    assert!(!health("ready").status.success());
}
