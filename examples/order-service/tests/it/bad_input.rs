use super::support::{Service, exchange, request};

fn item(quantity: &str, price: &str) -> String {
    format!(r#"{{"user_id":"U","items":[{{"sku":"S","quantity":{quantity},"unit_price":{price}}}]}}"#)
}

fn items(count: usize) -> String {
    let items = vec![r#"{"sku":"S","quantity":1,"unit_price":1}"#; count].join(",");
    format!(r#"{{"user_id":"U","items":[{items}]}}"#)
}

/// Each is answered with a status and the field at fault, and the books stay empty.
#[test]
fn bad_input_is_named_and_nothing_is_stored() {
    let (service, _folder) = Service::start();
    let quantity = "items[0].quantity";
    let price = "items[0].unit_price";
    let cases: &[(String, u16, &str)] = &[
        (items(0), 422, "items"),
        (items(1_001), 422, "items"),
        (item("0", "1"), 422, quantity),
        (item("-1", "1"), 422, quantity),
        (item("1.5", "1"), 422, quantity),
        (item("1000001", "1"), 422, quantity),
        (item("1", "-0.01"), 422, price),
        (item("1", "0.001"), 422, price),
        (item("1", "1e400"), 422, price),
        (r#"{"user_id":"U","items":[],"coupon":"X"}"#.to_owned(), 422, "coupon"),
        (r#"{"user_id":"U","user_id":"V","items":[]}"#.to_owned(), 422, "user_id"),
        (r#"{"user_id":"U","items":[{"sku":"S","sku":"T"}]}"#.to_owned(), 422, "items[0].sku"),
        ("{".to_owned(), 400, "body"),
        (String::new(), 400, "body"),
    ];
    for (body, status, field) in cases {
        let answer = service.post(body);
        assert_eq!((answer.status, answer.fields()), (*status, vec![(*field).to_owned()]), "{body:.80}");
    }

    let not_utf8 = service.post(b"{\"user_id\":\"\xff\xfe\",\"items\":[]}");
    assert_eq!((not_utf8.status, not_utf8.fields()), (400, vec!["user_id".to_owned()]));

    for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let headers = [("content-type", media_type)];
        let answer = request(service.main, "POST", "/api/orders", &headers, items(1).as_bytes());
        assert_eq!((answer.status, answer.fields()), (415, vec!["Content-Type".to_owned()]));
    }
    assert_eq!(request(service.main, "POST", "/api/orders", &[], items(1).as_bytes()).status, 415);

    assert_eq!(service.orders(), 0, "nothing of all this is in the books");
    assert_eq!(service.post(items(1_000)).status, 201);
}

#[test]
fn a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start_in(folder.path(), &["server.max_body_size=4KiB"]);
    let huge = items(1_000);
    let announced = service.post(&huge);
    assert_eq!(announced.status, 413, "{announced:?}");

    let mut raw =
        b"POST /api/orders HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\n\
                    transfer-encoding: chunked\r\n\r\n"
            .to_vec();
    raw.extend(format!("{:x}\r\n{huge}\r\n0\r\n\r\n", huge.len()).bytes());
    let chunked = exchange(service.main, &raw);
    assert_eq!((chunked.status, chunked.fields()), (413, vec!["body".to_owned()]), "{chunked:?}");
    assert_eq!(service.orders(), 0);
}

#[test]
fn a_body_that_comes_too_slowly_is_a_408() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start_in(folder.path(), &["server.read_timeout=200ms"]);
    let slow = exchange(
        service.main,
        b"POST /api/orders HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{",
    );
    assert_eq!((slow.status, slow.fields()), (408, vec!["body".to_owned()]), "{slow:?}");
}
