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
