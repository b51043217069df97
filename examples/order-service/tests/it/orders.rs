use super::support::{GOOD_ORDER, Service, request};

#[test]
fn an_order_is_taken_kept_and_listed() {
    let (service, _folder) = Service::start();
    let created = service.post(GOOD_ORDER);
    assert_eq!(created.status, 201, "{created:?}");
    let order = created.json();
    let id = order["id"].as_str().unwrap();
    assert!(id.starts_with("ORD-"));
    assert_eq!(order["status"], "paid");
    assert!(created.body.contains(r#""amount":199.98"#), "{created:?}");
    assert_eq!(created.header("location"), Some(format!("/api/orders/{id}").as_str()));

    assert_eq!(service.get(&format!("/api/orders/{id}")).json(), order);
    let second = service.post(GOOD_ORDER).json();
    let listed = service.get("/api/orders?limit=1").json();
    assert_eq!(listed["orders"].as_array().unwrap(), &[second], "the newest first");
    assert_eq!(service.orders(), 2);
}

#[test]
fn what_is_not_there_says_so() {
    let (service, _folder) = Service::start();
    let missing = service.get("/api/orders/ORD-none");
    assert_eq!((missing.status, missing.fields()), (404, vec!["id".to_owned()]));
    let not_text = service.get("/api/orders/%ff");
    assert_eq!((not_text.status, not_text.fields()), (404, vec!["id".to_owned()]));
    assert_eq!(service.get("/nowhere").status, 404);

    let wrong_method = request(service.main, "DELETE", "/api/orders", &[], b"");
    assert_eq!(wrong_method.status, 405);
    assert!(wrong_method.header("allow").unwrap().contains("POST"));
    assert_eq!(wrong_method.fields(), [""; 0]);

    for limit in ["0", "-1", "1001", "x", ""] {
        let refused = service.get(&format!("/api/orders?limit={limit}"));
        assert_eq!((refused.status, refused.fields()), (400, vec!["limit".to_owned()]), "{limit}");
    }
}

#[test]
fn every_line_of_a_request_carries_its_trace() {
    let (mut service, _folder) = Service::start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer =
        service.post_with(&[("traceparent", &format!("00-{trace}-00f067aa0ba902b7-00"))], GOOD_ORDER);
    assert_eq!(answer.status, 201);
    assert_eq!(service.line("order paid")["trace_id"], trace);
    let access = service.line("request");
    assert_eq!(access["trace_id"], trace);
    assert_eq!(access["route"], "/api/orders");
    assert_eq!(access["status"], 201);
}
