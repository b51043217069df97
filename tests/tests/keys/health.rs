//! `health.*`: checks whose results are handed out here, and a runtime that is blocked.

use crate::rig::{Rig, Setup};

/// A check that waits for its first result.
fn asked(key: &str, value: &str) -> Rig {
    let setup = Setup::new().ways("serve, check-handed").set("health.timeout", "1h");
    let mut rig = setup.set("health.period", "10ms").set(key, value).start();
    // It may have asked before it was said that all has started.
    rig.service.seen_or_next(|line| line["msg"] == "checking").unwrap();
    rig
}

fn hand(rig: &Rig, result: &str) {
    assert_eq!(rig.status(&format!("/check/{result}")), 202);
}

/// The state after each of so many equal results.
fn states(rig: &mut Rig, result: &str, count: usize) -> Vec<String> {
    let state = |_| {
        hand(rig, result);
        // When it asks for the next one, the last one has been taken into account.
        rig.line("checking");
        rig.check("handed")
    };
    (0..count).map(state).collect()
}

pub(crate) fn stall() {
    let blocked = |stall| {
        let mut rig = Setup::new().set("health.stall", stall).set("runtime.workers", "1").serve();
        drop(rig.request("/block"));
        rig.line("blocking request");
        rig
    };
    let (long, mut short) = (blocked("1h"), blocked("200ms"));
    short.line("main runtime stalled");
    assert_eq!((short.ask("/health/live").status, long.ask("/health/live").status), (503, 200));
}

pub(crate) fn period() {
    let [mut seldom, mut often] = ["1h", "10ms"].map(|period| asked("health.period", period));
    hand(&seldom, "good");
    seldom.line("ready");
    assert_eq!(states(&mut often, "good", 5).len(), 5);
    assert_eq!(seldom.count("checking"), 1);
}

pub(crate) fn timeout() {
    let [mut long, mut short] = ["1h", "50ms"].map(|timeout| asked("health.timeout", timeout));
    assert_eq!(short.line("check failing")["reason"], "no answer within 50ms");
    assert_eq!(long.check("handed"), "unknown");
    hand(&long, "good");
    long.line("ready");
}

pub(crate) fn unhealthy_after() {
    for (value, expected) in [("1", ["failing", "failing"]), ("2", ["healthy", "failing"])] {
        let mut rig = asked("health.unhealthy_after", value);
        assert_eq!(states(&mut rig, "good", 1), ["healthy"]);
        assert_eq!(states(&mut rig, "bad", 2), expected, "{value}");
    }
}

pub(crate) fn healthy_after() {
    for (value, expected) in [("1", ["healthy", "healthy"]), ("2", ["failing", "healthy"])] {
        let mut rig = asked("health.healthy_after", value);
        assert_eq!(states(&mut rig, "bad", 1), ["failing"]);
        assert_eq!(states(&mut rig, "good", 2), expected, "{value}");
    }
}

pub(crate) fn shared_is_critical() {
    for (value, status, word) in [("false", 200, "degraded"), ("true", 503, "not_ready")] {
        let setup = Setup::new().ways("serve, shared-check-fails").set("health.shared_is_critical", value);
        let mut rig = setup.start();
        rig.service.seen_or_next(|line| line["msg"] == "check failing").unwrap();
        let ready = rig.ask("/health/ready");
        assert_eq!((ready.status, ready.text().contains(word)), (status, true), "{}", ready.text());
    }
}

pub(crate) fn checks() {
    let with = |settings: &[(&str, &str)]| {
        let setup = Setup::new().ways("serve, check-slow");
        settings.iter().fold(setup, |setup, (key, value)| setup.set(&format!("health.checks.{key}"), value))
    };
    let runs = "prodkit_check_streak{check=\"slow\"}";
    let (seldom, often) = (with(&[]).serve(), with(&[("slow.period", "20ms")]).serve());
    often.until(runs, |count| count >= 5.0);
    assert_eq!(seldom.metric(runs), Some(1.0));
    let optional = with(&[("slow.importance", "optional"), ("slow.timeout", "1s")]).serve();
    assert!(optional.ask("/health/ready/slow?verbose").text().contains("\"importance\":\"optional\""));

    let folder = tempfile::tempdir().unwrap();
    let refused = with(&[("slwo.period", "1s")]).command(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(
        said.contains("health.checks.slwo") && said.contains("greeting") && said.contains("slow"),
        "{said}"
    );
}

pub(crate) fn groups() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("groups.yaml");
    let with = |groups: &str| {
        std::fs::write(&file, format!("health: {{groups: {groups}}}")).unwrap();
        Setup::new().ways("serve, check-fails").config(&file)
    };
    let mut rig = with("{bad: [failing, greeting], orders.v1.Orders: [greeting]}").start();
    rig.service.seen_or_next(|line| line["msg"] == "check failing").unwrap();
    rig.until("prodkit_check_good{check=\"greeting\"}", |good| good > 0.0);
    for (name, status) in [("bad", 503), ("orders.v1.Orders", 200), ("greeters", 200), ("other", 404)] {
        assert_eq!(rig.ask(&format!("/health/group/{name}")).status, status, "{name}");
    }
    assert_eq!(rig.status("/health/group/bad"), 404, "names of dependencies are for operators");

    let refused = with("{bad: [failling]}").command(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("health.groups.bad") && said.contains("failling"), "{said}");
}
