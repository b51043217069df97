//! `shutdown.*`: who is gone, and who is still there when the other is gone.

use prodkit_fakes::{Behaviour, FakeCollector};

use crate::rig::{Rig, Setup};

/// Ends the one that takes long, and then the other: the exit code of that, when the first one is still there.
fn overtaken(late: &Setup, soon: &Setup) -> (Rig, Option<i32>) {
    let late = late.serve();
    late.terminate();
    let mut soon = soon.serve();
    soon.terminate();
    let code = soon.service.wait().unwrap().code();
    assert_eq!(late.ask("/health/live").status, 200);
    (late, code)
}

pub(crate) fn grace() {
    let [late, soon] =
        ["1h", "300ms"].map(|grace| Setup::new().ways("serve, task-hangs").set("shutdown.grace", grace));
    assert_eq!(overtaken(&late, &soon).1, Some(3));
}

pub(crate) fn delay() {
    let [late, soon] =
        ["30m", "0s"].map(|delay| Setup::new().set("shutdown.grace", "1h").set("shutdown.delay", delay));
    let (late, code) = overtaken(&late, &soon);
    assert_eq!((code, late.ask("/health/ready").status, late.status("/")), (Some(0), 503, 200));
}

pub(crate) fn flush() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Hang);
    let [late, soon] = ["1h", "100ms"].map(|flush| {
        let setup = Setup::new().set("otlp.endpoint", &collector.url()).set("otlp.timeout", "1h");
        setup.set("shutdown.grace", "2h").set("shutdown.flush", flush)
    });
    assert_eq!(overtaken(&late, &soon).1, Some(0));
}

pub(crate) fn termination_message_path() {
    let folder = tempfile::tempdir().unwrap();
    let [there, other] = ["there", "other"].map(|name| folder.path().join(name));
    for path in [&there, &other] {
        std::fs::write(path, "").unwrap();
    }
    for path in [&there, &other] {
        let mut rig = Setup::new().set("shutdown.termination_message_path", path.to_str().unwrap()).serve();
        rig.end();
        let words = std::fs::read_to_string(path).unwrap();
        assert!(words.starts_with("exit 0 (SIGTERM) after "), "{words}");
    }
}
