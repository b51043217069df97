use std::collections::BTreeSet;
use std::thread;

use super::support::{GOOD_ORDER, Service, post};

const OTHER_ORDER: &str =
    r#"{"user_id":"USR-67890","items":[{"sku":"SKU-1","quantity":3,"unit_price":99.99}]}"#;

#[test]
fn fifty_at_once_with_one_key_are_one_order_even_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let key = [("idempotency-key", "K-1")];
    let answer = {
        let service = Service::start_in(folder.path(), &[]);
        let main = service.main;
        let answers: BTreeSet<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..50)
                .map(|_| {
                    scope.spawn(|| {
                        let answer = post(main, &key, GOOD_ORDER);
                        (answer.status, answer.body)
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert_eq!(answers.len(), 1, "equal answers: {answers:#?}");
        assert_eq!(service.orders(), 1);

        let other = service.post_with(&key, OTHER_ORDER);
        assert_eq!((other.status, other.fields()), (422, vec!["Idempotency-Key".to_owned()]));
        answers.into_iter().next().unwrap()
        // dropped here: SIGKILL
    };
    assert_eq!(answer.0, 201);

    let service = Service::start_in(folder.path(), &[]);
    let again = service.post_with(&key, GOOD_ORDER);
    assert_eq!((again.status, again.body), answer, "the same answer after SIGKILL and restart");
    assert_eq!(service.post_with(&key, OTHER_ORDER).status, 422);
    assert_eq!(service.orders(), 1);
}

#[test]
fn a_key_that_cannot_be_kept_is_refused() {
    let (service, _folder) = Service::start();
    for key in ["", &"x".repeat(256)] {
        let answer = service.post_with(&[("idempotency-key", key)], GOOD_ORDER);
        assert_eq!(
            (answer.status, answer.fields()),
            (400, vec!["Idempotency-Key".to_owned()]),
            "{}",
            key.len()
        );
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(service.post_with(&twice, GOOD_ORDER).status, 400);
    assert_eq!(service.orders(), 0);
}
