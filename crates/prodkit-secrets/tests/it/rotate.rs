use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use prodkit_fakes::FakeVolume;
use prodkit_secrets::{Event, Secret};
use serde_json::{Value, json};

use super::kit::{load, next, secrets, text};

fn moved(secrets: &[&str]) -> Event {
    Event::Moved { secrets: secrets.iter().map(|name| (*name).to_owned()).collect() }
}

fn files(volume: &FakeVolume, names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| ((*name).to_owned(), Value::from(format!("file:{}", volume.path(name).display()))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn volume(folder: &tempfile::TempDir) -> FakeVolume {
    FakeVolume::new(folder.path().join("secrets"))
}

#[tokio::test]
async fn a_swapped_volume_moves_all_its_secrets_at_one_instant() {
    let folder = tempfile::tempdir().unwrap();
    let volume = volume(&folder);
    volume.write(&[("user", "app-0"), ("password", "secret-0")]);
    let secrets = secrets(&[]);
    let config = load(&secrets, &files(&volume, &["user", "password"])).await;
    let login = config["user"].live().zip(config["password"].live());
    let seen = Arc::new(AtomicUsize::new(0));
    let pair = login.map({
        let seen = Arc::clone(&seen);
        move |pair| {
            let (user, password) = (pair.0.expose_text().unwrap(), pair.1.expose_text().unwrap());
            assert_eq!(user.strip_prefix("app-"), password.strip_prefix("secret-"), "one without the other");
            seen.fetch_add(1, Relaxed);
        }
    });
    let mut driver = secrets.driver();
    for round in 1..=3 {
        volume.write(&[("user", &format!("app-{round}")), ("password", &format!("secret-{round}"))]);
        let Event::Moved { secrets } = next(&mut driver).await else { panic!("moved") };
        assert_eq!(secrets.len(), 2);
        assert_eq!(text(&config["password"]), format!("secret-{round}"));
    }
    assert_eq!(seen.load(Relaxed), 4, "once for each");
    drop(pair);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_without_being_told_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "first-secret").unwrap();
    let secrets = secrets(&[]);
    let config = load(&secrets, &json!({ "password": format!("file:{}", path.display()) })).await;
    let open = Arc::new(AtomicUsize::new(0));
    let pool = config["password"].live().try_map({
        let open = Arc::clone(&open);
        move |password| {
            let open = Arc::clone(&open);
            async move {
                let text = password.expose_text().unwrap().to_owned();
                // the server learns of it late
                if text == "second-secret" && open.fetch_add(1, Relaxed) == 0 {
                    return Err(format!("login with {text} failed"));
                }
                Ok(text)
            }
        }
    });
    let pool = pool.await.unwrap();
    let mut driver = secrets.driver();
    fs::write(&path, "second-secret").unwrap();
    let Event::Refused { sources, reason } = next(&mut driver).await else { panic!("refused") };
    assert_eq!(sources, [format!("file:{}", path.display())]);
    assert!(reason.contains("login with *** failed") && !reason.contains("second-secret"), "{reason}");
    assert_eq!((text(&config["password"]), pool.get().as_str()), ("first-secret".into(), "first-secret"));
    assert_eq!(secrets.standing()[0].trouble.as_deref(), Some(reason.as_str()));

    assert!(matches!(next(&mut driver).await, Event::Recovered { .. }));
    let Event::Moved { .. } = next(&mut driver).await else { panic!("moved") };
    assert_eq!((text(&config["password"]), pool.get().as_str()), ("second-secret".into(), "second-secret"));
    let standing = &secrets.standing()[0];
    assert_eq!((standing.moves, &standing.trouble), (1, &None));
}

#[tokio::test]
async fn what_vanishes_stays_in_use_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "first").unwrap();
    let secrets = secrets(&[("FALLBACK", "fallback")]);
    let place = format!("file:{}", path.display());
    let config = load(&secrets, &json!({ "a": place, "b": [place, "env:FALLBACK"] })).await;
    let mut driver = secrets.driver();
    fs::remove_file(&path).unwrap();
    let Event::Failing { source, reason, left } = next(&mut driver).await else { panic!("failing") };
    assert_eq!((source, reason.as_str(), left), (place, "there is no such file", None));
    assert_eq!((text(&config["a"]), text(&config["b"])), ("first".into(), "first".into()));
    fs::write(&path, "first\n").unwrap();
    assert!(matches!(next(&mut driver).await, Event::Recovered { .. }), "the same again");
    fs::write(&path, "second\n").unwrap();
    assert!(matches!(next(&mut driver).await, Event::Moved { .. }));
    assert_eq!((text(&config["a"]), text(&config["b"])), ("second".into(), "second".into()));
}

#[tokio::test]
async fn the_file_beside_a_variable_moves_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "first").unwrap();
    let named = path.clone();
    let variable = move |name: &str| (name == "DB_PASSWORD_FILE").then(|| named.clone().into_os_string());
    let secrets = prodkit_secrets::Secrets::new(variable, prodkit_watch::Options::default());
    let config = load(&secrets, &json!({ "password": "env:DB_PASSWORD" })).await;
    let mut driver = secrets.driver();
    fs::write(&path, "second").unwrap();
    assert_eq!(next(&mut driver).await, moved(&["env:DB_PASSWORD"]));
    assert_eq!(text(&config["password"]), "second");
}

#[tokio::test]
async fn what_changed_between_resolving_and_driving_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "first").unwrap();
    let secrets = secrets(&[]);
    let config = load(&secrets, &json!({ "password": format!("file:{}", path.display()) })).await;
    fs::write(&path, "second").unwrap();
    let mut driver = secrets.driver();
    assert!(matches!(next(&mut driver).await, Event::Moved { .. }));
    assert_eq!(text(&config["password"]), "second");
}

/// What is derived holds the value, not the secret: it must not freeze.
#[tokio::test]
async fn what_is_derived_moves_after_the_secret_itself_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "first").unwrap();
    let secrets = secrets(&[]);
    let mut config = load(&secrets, &json!({ "password": format!("file:{}", path.display()) })).await;
    let secret: Secret = config.remove("password").unwrap();
    let length = secret.live().map(|value| value.expose_bytes().len());
    drop(secret);
    let mut driver = secrets.driver();
    fs::write(&path, "longer than that").unwrap();
    assert!(matches!(next(&mut driver).await, Event::Moved { .. }));
    assert_eq!(*length.get(), 16);
}

#[tokio::test]
async fn a_touch_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "first").unwrap();
    let secrets = secrets(&[]);
    let config = load(&secrets, &json!({ "password": format!("file:{}", path.display()) })).await;
    let mut driver = secrets.driver();
    fs::write(&path, "first\n").unwrap(); // another text, the same secret
    fs::write(folder.path().join("new"), "second").unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    assert!(matches!(next(&mut driver).await, Event::Moved { .. }));
    assert_eq!(
        (config["password"].live().generation(), secrets.standing()[0].moves),
        (2, 1),
        "given, then moved"
    );
}
