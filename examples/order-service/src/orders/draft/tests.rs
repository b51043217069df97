use super::*;

/// The wrong fields of a body, or an empty list for a good one.
fn wrong(body: &str) -> Vec<String> {
    wrong_bytes(body.as_bytes())
}

fn wrong_bytes(body: &[u8]) -> Vec<String> {
    match Draft::parse(body) {
        Ok(_) => Vec::new(),
        Err(problem) => {
            let json = serde_json::to_value(&problem).unwrap();
            let errors = json["errors"].as_array().unwrap();
            errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
        }
    }
}

fn item(quantity: &str, price: &str) -> String {
    format!(r#"{{"user_id":"U","items":[{{"sku":"S","quantity":{quantity},"unit_price":{price}}}]}}"#)
}

#[test]
fn a_good_order_adds_up() {
    let body = r#"{"user_id":"USR-67890","items":[{"sku":"SKU-1","quantity":2,"unit_price":99.99}]}"#;
    let draft = Draft::parse(body.as_bytes()).unwrap();
    assert_eq!(draft.amount(), Cents(19_998));
    assert_eq!(draft.user_id, "USR-67890");
}

#[test]
fn quantities() {
    for good in ["1", "1000000", "2.0", "1e3"] {
        assert_eq!(wrong(&item(good, "1")), [""; 0], "{good}");
    }
    for bad in ["0", "-1", "1.5", "1000001", "1e400", "\"2\"", "null", "true", "[]", "{}"] {
        assert_eq!(wrong(&item(bad, "1")), ["items[0].quantity"], "{bad}");
    }
}

#[test]
fn prices() {
    for good in ["0", "0.01", "99.9", "1000000", "1000000.00"] {
        assert_eq!(wrong(&item("1", good)), [""; 0], "{good}");
    }
    for bad in ["-0.01", "-1", "0.001", "1.999", "1e400", "1000000.01", "\"1\"", "null"] {
        assert_eq!(wrong(&item("1", bad)), ["items[0].unit_price"], "{bad}");
    }
}

#[test]
fn the_number_of_items() {
    let order = |count| {
        let items = vec![r#"{"sku":"S","quantity":1,"unit_price":1}"#; count].join(",");
        format!(r#"{{"user_id":"U","items":[{items}]}}"#)
    };
    assert_eq!(wrong(&order(1_000)), [""; 0]);
    assert_eq!(wrong(&order(0)), ["items"]);
    assert_eq!(wrong(&order(1_001)), ["items"]);
}

#[test]
fn keys_are_known_present_and_given_once() {
    assert_eq!(wrong(r#"{"user_id":"U","items":[],"coupon":1}"#), ["coupon"]);
    assert_eq!(wrong(r#"{"user_id":"U","user_id":"V","items":[]}"#), ["user_id"]);
    assert_eq!(wrong(r#"{"items":[]}"#), ["user_id"]);
    assert_eq!(wrong(r#"{"user_id":"U","items":[{"sku":"S","quantity":1}]}"#), ["items[0].unit_price"]);
    assert_eq!(wrong(r#"{"user_id":"U","items":[{"sku":"S","sku":"S"}]}"#), ["items[0].sku"]);
    assert_eq!(wrong(r#"{"user_id":"U","items":[{"colour":"red"}]}"#), ["items[0].colour"]);
}

#[test]
fn types_and_names() {
    assert_eq!(wrong(r#"{"user_id":7,"items":[]}"#), ["user_id"]);
    assert_eq!(wrong(r#"{"user_id":"U","items":{}}"#), ["items"]);
    assert_eq!(wrong("[]"), ["body"]);
    assert_eq!(wrong("null"), ["body"]);
    let long = "x".repeat(65);
    for name in ["", "a\\nb", &long] {
        let body = format!(r#"{{"user_id":"{name}","items":[{{"sku":"S","quantity":1,"unit_price":1}}]}}"#);
        assert_eq!(wrong(&body), ["user_id"], "{name}");
    }
}

#[test]
fn what_is_no_json_says_where() {
    assert_eq!(wrong(""), ["body"]);
    assert_eq!(wrong("{"), ["body"]);
    assert_eq!(wrong_bytes(b"{\"user_id\":\"\xff\",\"items\":[]}"), ["user_id"]);
    let twice = format!("{0} {0}", item("1", "1"));
    assert_eq!(wrong(&twice), ["body"]);
}

#[test]
fn every_wrong_field_is_named_at_once_up_to_a_bound() {
    let items = vec![r#"{"sku":"","quantity":0,"unit_price":-1}"#; 100].join(",");
    let fields = wrong(&format!(r#"{{"user_id":"","items":[{items}]}}"#));
    assert_eq!(fields.len(), MAX_ERRORS);
    assert_eq!(fields[..4], ["user_id", "items[0].quantity", "items[0].unit_price", "items[0].sku"]);
}

#[test]
fn an_answer_never_repeats_what_was_sent() {
    let problem = Draft::parse(br#"{"user_id":["hunter2"],"items":"hunter2"}"#).unwrap_err();
    assert!(!serde_json::to_string(&problem).unwrap().contains("hunter2"));
}

#[test]
fn idempotency_keys() {
    let key = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", value.parse().unwrap());
        }
        IdempotencyKey::from_headers(&headers)
    };
    assert_eq!(key(&[]).unwrap(), None);
    assert_eq!(key(&["k-1"]).unwrap(), Some(IdempotencyKey("k-1".to_owned())));
    assert!(key(&[""]).is_err());
    assert!(key(&["a", "b"]).is_err());
    assert!(key(&["a, b"]).is_err() && key(&["a\tb"]).is_err(), "two headers that became one, and a tab");
    assert!(key(&[&"x".repeat(256)]).is_err());
}

#[test]
fn an_array_of_the_values_is_no_order() {
    let item = r#"{"sku":"S","quantity":1,"unit_price":1}"#;
    assert_eq!(wrong(&format!(r#"["U",[{item}]]"#)), ["body"]);
    assert_eq!(wrong(r#"{"user_id":"U","items":[["S",1,1]]}"#), ["items[0]"]);
    let problem = serde_json::to_string(&Draft::parse(b"[]").unwrap_err()).unwrap();
    assert!(problem.contains("expected an object"), "not a name of ours: {problem}");
}

#[test]
fn names_that_look_empty_or_like_another_are_refused() {
    let user =
        |name: &str| format!(r#"{{"user_id":"{name}","items":[{{"sku":"S","quantity":1,"unit_price":1}}]}}"#);
    for good in ["U", "a b", "Żółw", "用户"] {
        assert_eq!(wrong(&user(good)), [""; 0], "{good}");
    }
    for bad in
        [" ", " U", "U ", r"\u0000", r"a\nb", "\u{200b}", "a\u{202e}b", "\u{feff}U", "a\u{ad}b", "\u{3000}"]
    {
        assert_eq!(wrong(&user(bad)), ["user_id"], "{bad:?}");
    }
}

#[test]
fn an_answer_is_short_however_long_the_name_of_a_field() {
    let long = "k".repeat(100_000);
    for body in [format!(r#"{{"{long}":1}}"#), format!(r#"{{"user_id":"U","items":[{{"{long}":1}}]}}"#)] {
        let answer = serde_json::to_string(&Draft::parse(body.as_bytes()).unwrap_err()).unwrap();
        assert!(answer.len() < 500, "{} bytes", answer.len());
    }
    assert_eq!(wrong(r#"{"a`b, expected":1}"#), ["a`b, expected"]);
    assert_eq!(wrong(r#"{"user_id":"U","items":[{"sku":"S","quantity":0x1,"unit_price":1}]}"#), ["items[0]"]);
}
