use std::sync::Arc;
use std::time::Duration;

use prodkit_secrets::{Error, Event};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::kit::{DEADLINE, Safe, load, named, next, read, secrets, text};

#[tokio::test]
async fn an_offer_moves_every_field_at_once_and_a_refused_one_none() {
    let safe = Safe::default();
    safe.put("db/creds/app", named(&[("username", "u1"), ("password", "password-1")]));
    let secrets = secrets(&[]).provider(safe.clone());
    let config = load(
        &secrets,
        &json!({ "user": "vault:db/creds/app#username", "password": "vault:db/creds/app#password" }),
    )
    .await;
    let login = config["user"].live().zip(config["password"].live());
    let pool = login.try_map(|pair| async move {
        let (user, password) = (pair.0.expose_text().unwrap(), pair.1.expose_text().unwrap());
        if password.contains("bad") {
            Err(format!("{user} cannot log in with {password}"))
        } else {
            Ok(user.to_owned())
        }
    });
    let pool = pool.await.unwrap();
    let mut driver = secrets.driver();
    let outbox = safe.outbox();
    assert_eq!(outbox.wanted(), ["db/creds/app"]);

    let offer = |user: &str, password: &str| {
        outbox.offer(vec![("db/creds/app".into(), named(&[("username", user), ("password", password)]))])
    };
    let refused = offer("u2", "password-bad").await.unwrap_err();
    assert!(
        refused.to_string().contains("*** cannot log in") || refused.to_string().contains("u2 cannot log in")
    );
    assert!(!refused.to_string().contains("password-bad"), "{refused}");
    assert_eq!((text(&config["user"]), pool.get().as_str()), ("u1".into(), "u1"));
    assert!(matches!(next(&mut driver).await, Event::Refused { .. }));

    offer("u3", "password-3").await.unwrap();
    assert_eq!((text(&config["password"]), pool.get().as_str()), ("password-3".into(), "u3"));
    assert!(matches!(next(&mut driver).await, Event::Moved { .. } | Event::Recovered { .. }));
    let lost = offer("u4", "").await;
    assert!(lost.is_ok());
    let lost = outbox.offer(vec![("db/creds/app".into(), named(&[("username", "u5")]))]).await.unwrap_err();
    assert!(lost.to_string().contains("no such field"), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_get_ready_in_time_is_refused() {
    let safe = Safe::default();
    safe.put("a", named(&[("b", "first")]));
    let secrets = secrets(&[]).prepare_timeout(Duration::from_secs(3)).provider(safe.clone());
    let config = load(&secrets, &json!({ "a": "vault:a#b" })).await;
    let slow = config["a"].live().try_map(|value| async move {
        if value.is(b"second") {
            std::future::pending::<()>().await;
        }
        Ok::<_, std::io::Error>(())
    });
    let _slow = slow.await.unwrap();
    let _driver = secrets.driver();
    let begun = Instant::now();
    let refused = safe.outbox().offer(vec![("a".into(), named(&[("b", "second")]))]).await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert!(refused.to_string().contains("not ready after 3s"), "{refused}");
    assert_eq!(text(&config["a"]), "first");
}

#[tokio::test]
async fn a_lease_is_given_back_when_the_last_resource_of_it_is_gone() {
    let safe = Safe::default();
    let lease = Arc::new(());
    safe.put("a", named(&[("b", "first")]).guard(Arc::clone(&lease)));
    let secrets = secrets(&[]).provider(safe.clone());
    let config = load(&secrets, &json!({ "a": "vault:a#b" })).await;
    safe.put("a", named(&[]));
    let _driver = secrets.driver();
    let draining = config["a"].load();
    safe.outbox().offer(vec![("a".into(), named(&[("b", "second")]))]).await.unwrap();
    assert_eq!((text(&config["a"]), draining.expose_text().unwrap()), ("second".into(), "first"));
    assert!(Arc::strong_count(&lease) > 1, "somebody still drains");
    drop(draining);
    assert_eq!(Arc::strong_count(&lease), 1);
}

#[tokio::test]
async fn trouble_is_told_once_with_what_is_left_and_ends_with_a_renewal() {
    let safe = Safe::default();
    let expires = Instant::now() + Duration::from_secs(100);
    safe.put("a", named(&[("b", "first-secret")]).version("3").expires(expires));
    let secrets = secrets(&[]).provider(safe.clone());
    let _config = load(&secrets, &json!({ "a": "vault:a#b" })).await;
    let mut driver = secrets.driver();
    let outbox = safe.outbox();
    for _ in 0..3 {
        outbox.failing("a", "Vault said: first-secret is no token");
    }
    let Event::Failing { source, reason, left } = next(&mut driver).await else { panic!("failing") };
    assert_eq!((source.as_str(), reason.as_str()), ("vault:a", "Vault said: *** is no token"));
    assert!(left.is_some_and(|left| left <= Duration::from_secs(100) && left > Duration::from_secs(30)));
    let standing = &secrets.standing()[0];
    assert_eq!(standing.version.as_deref(), Some("3"));
    assert!(standing.trouble.is_some() && standing.expires_in.is_some() && standing.is_found);
    outbox.renewed("a", None);
    assert_eq!(next(&mut driver).await, Event::Recovered { source: "vault:a".into() });
    outbox.failing("", "login refused");
    let Event::Failing { source, .. } = next(&mut driver).await else { panic!("the provider itself") };
    assert_eq!((source.as_str(), outbox.wanted()), ("vault:", vec!["a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_had_is_asked_for_until_it_can() {
    let safe = Safe::default();
    safe.fail(Some(|| Error::unavailable("sealed")));
    let secrets = secrets(&[]).provider(safe.clone());
    let (config, found) = read(&json!({ "a": "vault:a#b" }));
    let (resolved, errors) = secrets.attempt(&found).await;
    assert!(errors.unwrap().is_transient() && config["a"].get().is_missing());
    secrets.keep(resolved);
    let mut driver = secrets.driver();
    let begun = Instant::now();
    let _ = timeout(Duration::from_secs(600), driver.next()).await;
    let asked = safe.fetched().len();
    assert!((8..20).contains(&asked), "{asked} times in {:?}", begun.elapsed());
    safe.put("a", named(&[("b", "at last")]));
    safe.fail(None);
    while !matches!(next(&mut driver).await, Event::Moved { .. }) {}
    assert_eq!(text(&config["a"]), "at last");
}

#[tokio::test]
async fn a_new_configuration_brings_new_secrets_and_lets_go_of_old_ones() {
    let safe = Safe::default();
    let lease = Arc::new(());
    safe.put("old", named(&[("b", "old")]).guard(Arc::clone(&lease)));
    safe.put("new", named(&[("b", "new")]));
    let secrets = secrets(&[]).provider(safe.clone());
    let old = load(&secrets, &json!({ "a": "vault:old#b" })).await;
    safe.put("old", named(&[]));
    let _driver = secrets.driver();
    let outbox = safe.outbox();
    outbox.changed().await;
    let new = load(&secrets, &json!({ "a": "vault:new#b" })).await;
    timeout(DEADLINE, outbox.changed()).await.unwrap();
    assert_eq!(outbox.wanted(), ["new", "old"]);
    drop(old);
    secrets.keep(secrets.resolve(&[]).await.unwrap());
    timeout(DEADLINE, outbox.changed()).await.unwrap();
    assert_eq!((outbox.wanted(), Arc::strong_count(&lease)), (vec!["new".to_owned()], 1));
    assert_eq!(text(&new["a"]), "new");
    secrets.close().await;
    assert!(safe.closed());
}
