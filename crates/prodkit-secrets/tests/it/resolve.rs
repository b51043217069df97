use std::fs;

use prodkit_secrets::{Document, Error, ErrorKind, Secret, Secrets, collect};
use serde_json::json;

use super::kit::{Safe, load, named, read, secrets, text};

#[tokio::test]
async fn every_source_is_resolved_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "filed\r\n").unwrap();
    let safe = Safe::default();
    safe.put("secret/a", named(&[("one", "1"), ("two", "2")]));
    let secrets = secrets(&[("X", "set")]).provider(safe.clone());
    let config = load(
        &secrets,
        &json!({
            "variable": "env:X",
            "file": format!("file:{}", path.display()),
            "one": "vault:secret/a#one",
            "two": "vault:/secret/a#two",
            "written": "hunter2",
            "list": ["vault:secret/none#x", "env:X"],
        }),
    )
    .await;
    for (name, expected) in [
        ("variable", "set"),
        ("file", "filed"),
        ("one", "1"),
        ("two", "2"),
        ("written", "hunter2"),
        ("list", "set"),
    ] {
        assert_eq!(text(&config[name]), expected, "{name}");
    }
    let mut fetched = safe.fetched();
    fetched.sort();
    assert_eq!(fetched, ["secret/a", "secret/none"], "each path once, whatever the number of its fields");
}

#[tokio::test]
async fn all_failures_come_at_once_by_name_and_never_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        format!("file:{}", path.display())
    };
    let safe = Safe::default();
    safe.put("a", named(&[("b", "hunter2")]));
    safe.put("whole", Document::whole(b"hunter2".to_vec()));
    let secrets =
        secrets(&[("BOTH", "hunter2"), ("BOTH_FILE", "/proc/self/cmdline"), ("F_FILE", "/none/hunter")])
            .provider(safe);
    let (_config, found) = read(&json!({
        "a": "env:NOT_SET",
        "b": "file:/does/not/exist",
        "c": file("large", &vec![b'x'; (1 << 20) + 1]),
        "d": file("empty", b"\n"),
        "e": format!("file:{}", folder.path().display()),
        "f": "env:F",
        "g": "vault:a#none",
        "h": "vault:whole#b",
        "i": "vault:none#b",
        "j": "env:BOTH",
        "k": "env:hunter2 ",
        "l": ["env:NOT_SET", "vault:none#b"],
        "good": "env:BOTH_FILE",
    }));
    let errors = secrets.resolve(&found).await.unwrap_err();
    let said = errors.to_string();
    let expected = [
        "env:BOTH: BOTH and BOTH_FILE are both set, and differ",
        "env:F: F_FILE is /none/hunter, and there is no such file",
        "env:NOT_SET: the variable is not set, and neither is NOT_SET_FILE",
        "env:: `env:` takes the name of a variable",
        "file:/does/not/exist: there is no such file",
        "large: the file is larger than 1 MiB",
        "empty: the file is empty",
        "it is no regular file",
        "vault:a#none: there is no such field",
        "vault:whole#b: it has no fields",
        "vault:none#b: no such path",
        "env:NOT_SET, then vault:none#b: env:NOT_SET: the variable is not set",
    ];
    for expected in expected {
        assert!(said.contains(expected), "{expected}\nis not in\n{said}");
    }
    assert_eq!(said.lines().count(), 12, "{said}");
    assert!(!said.contains("hunter2") && !format!("{errors:?}").contains("hunter2"), "{said}");
    assert!(!errors.is_transient());
    let wrong = Secrets::check(&found).unwrap_err().to_string();
    assert_eq!(wrong.lines().count(), 1, "without looking: {wrong}");
}

#[tokio::test]
async fn the_largest_file_and_one_that_is_no_text_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let place = json!({ "key": format!("file:{}", path.display()) });
    for content in [vec![b'x'; 1 << 20], vec![0, 255, 13, 10], b"\n\n".to_vec()] {
        fs::write(&path, [&content[..], b"\n"].concat()).unwrap();
        let config = load(&secrets(&[]), &place).await;
        assert_eq!(config["key"].get().expose_bytes(), content);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_everybody_can_read_gives_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "hunter2").unwrap();
    for (mode, warned) in [(0o644, 1), (0o640, 0), (0o400, 0), (0o604, 1)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (_config, found) = read(&json!({ "password": format!("file:{}", path.display()) }));
        let resolved = secrets(&[]).resolve(&found).await.unwrap();
        assert_eq!(resolved.warnings().len(), warned, "{mode:o}");
        assert!(resolved.warnings().iter().all(|warning| warning.contains(path.to_str().unwrap())));
    }
}

/// Opening it would wait for a writer that never comes.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (_config, found) = read(&json!({ "password": format!("file:{}", path.display()) }));
    let errors = secrets(&[]).resolve(&found).await.unwrap_err();
    assert!(errors.to_string().contains("it is no regular file"), "{errors}");
}

#[tokio::test]
async fn what_cannot_be_had_is_told_apart_by_what_can_be_done() {
    let safe = Safe::default();
    safe.fail(Some(|| Error::unavailable("sealed")));
    let (_config, found) = read(&json!({ "a": "vault:a#b" }));
    let errors = secrets(&[]).provider(safe).resolve(&found).await.unwrap_err();
    assert!(errors.is_transient());
    let failure = errors.iter().next().unwrap();
    assert_eq!(failure.error().kind(), ErrorKind::Unavailable);
    let errors = secrets(&[]).resolve(&found).await.unwrap_err();
    assert!(errors.to_string().contains("nothing here provides `vault:`") && !errors.is_transient());
}

#[tokio::test]
async fn what_is_optional_may_be_missing_and_what_nobody_collects_is_fixed() {
    let ((optional, absent, nothing), found) =
        collect(|| (Secret::optional("env:X"), Secret::optional("env:Y"), Secret::missing()));
    let secrets = secrets(&[("X", "set")]);
    secrets.keep(secrets.resolve(&found).await.unwrap());
    assert_eq!((text(&optional), text(&absent)), ("set".to_owned(), String::new()));
    assert!(nothing.get().is_missing() && nothing.reference().to_string() == "nowhere");
    assert!(absent.get().is_missing() && !optional.get().is_missing());

    let fixed: Secret = serde_json::from_str("\"hunter2\"").unwrap();
    assert_eq!(text(&fixed), "hunter2");
    let error = serde_json::from_str::<Secret>("\"env:X\"").unwrap_err().to_string();
    assert!(error.contains("nobody looks secrets up here"), "{error}");
}

#[tokio::test]
async fn a_glance_asks_nobody_else() {
    let safe = Safe::default();
    safe.put("a", named(&[("b", "vaulted")]));
    let secrets = secrets(&[("X", "set")]).provider(safe.clone());
    let (config, found) = read(&json!({ "x": "env:X", "a": "vault:a#b" }));
    let (_, errors) = secrets.glance(&found);
    assert_eq!(errors.unwrap().to_string(), "vault:a#b: not asked yet");
    assert_eq!((text(&config["x"]), config["a"].get().is_missing()), ("set".to_owned(), true));
    assert!(safe.fetched().is_empty());
    secrets.keep(secrets.resolve(&found).await.unwrap());
    assert_eq!(text(&config["a"]), "vaulted");
}

#[tokio::test]
async fn ten_thousand_secrets_are_resolved_within_a_second() {
    let safe = Safe::default();
    let mut json = serde_json::Map::new();
    for number in 0..10_000 {
        safe.put(&format!("secret/{number}"), named(&[("value", "x")]));
        json.insert(format!("key{number}"), format!("vault:secret/{number}#value").into());
    }
    let secrets = secrets(&[]).provider(safe);
    let (_config, found) = read(&json.into());
    let begun = std::time::Instant::now();
    secrets.keep(secrets.resolve(&found).await.unwrap());
    // an upper bound for a machine under load and a build that is not optimized: the promise is a second
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
