mod model;

use super::*;
use crate::Timing;
use proptest::prelude::*;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// A process with a critical check `db`, an optional check `cache`, a shared check `queue`, a critical reporter `disk`
/// and an init hold.
struct Process {
    health: Health,
    now: Instant,
    checks: [Option<CheckHandle>; 3],
    disk: Option<Reporter>,
    hold: Option<InitHold>,
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Started,
    Draining,
    Stopped,
    Release,
    /// A result of `db`, `cache` or `queue`.
    Good(usize),
    Bad(usize),
    /// Its handle is dropped.
    Gone(usize),
    DiskOk,
    DiskSlow,
    DiskFull,
    DiskGone,
    Stall,
    Resume,
    Hold,
    Unhold,
    /// Seconds.
    Wait(u64),
}

use Do::*;

impl Process {
    fn new(settings: Settings) -> Self {
        let now = Instant::now();
        let health = Health::new(settings, now);
        let check = |name: &'static str, check| Some(health.check(name, check, now).unwrap());
        let checks = [
            check("db", Check::critical()),
            check("cache", Check::optional().unhealthy_after(1)),
            check("queue", Check::shared().unhealthy_after(1)),
        ];
        let disk = health.reporter("disk", Importance::Critical, now).unwrap();
        let hold = health.hold("warm-up", now);
        Self { health, now, checks, disk: Some(disk), hold: Some(hold) }
    }

    fn apply(&mut self, step: Do) {
        let Self { health, now, checks, disk, hold } = self;
        let took = Duration::from_millis(7);
        match step {
            Started => health.started(*now),
            Draining => health.draining(*now),
            Stopped => health.stopped(*now),
            Release => *hold = None,
            Good(nth) => checks[nth].iter().for_each(|check| check.record(Ok(()), took, *now)),
            Bad(nth) => checks[nth].iter().for_each(|check| check.record(Err("refused".into()), took, *now)),
            Gone(nth) => checks[nth] = None,
            DiskOk => disk.iter().for_each(|disk| disk.ok(*now)),
            DiskSlow => disk.iter().for_each(|disk| disk.degraded("slow", *now)),
            DiskFull => disk.iter().for_each(|disk| disk.failing("full", *now)),
            DiskGone => *disk = None,
            Stall => health.fail_liveness("stall", "no progress for 30s", *now),
            Resume => health.restore_liveness("stall", *now),
            Hold => health.hold_readiness("manual", "maintenance", *now),
            Unhold => health.release_readiness("manual", *now),
            Wait(seconds) => *now += Duration::from_secs(seconds),
        }
    }

    fn apply_all(&mut self, steps: &[Do]) {
        steps.iter().for_each(|step| self.apply(*step));
    }

    fn words(&self) -> [&'static str; 3] {
        let snapshot = self.health.snapshot(self.now);
        [snapshot.startup.status, snapshot.liveness.status, snapshot.readiness.status]
    }
}

/// What the three probes say after these steps.
fn check(steps: &[Do], expect: [&str; 3]) {
    let mut process = Process::new(Settings::default());
    process.apply_all(steps);
    assert_eq!(process.words(), expect, "{steps:?}");
}

/// The start, with everything that is critical in good state.
const UP: [Do; 4] = [Started, Release, Good(0), DiskOk];

fn check_up(steps: &[Do], readiness: &str) {
    check(&[&UP, steps].concat(), ["ok", "alive", readiness]);
}

#[test]
fn the_start_is_over_when_the_owner_says_so_and_nothing_is_held() {
    check(&[], ["initializing", "alive", "not_ready"]);
    check(&[Started], ["initializing", "alive", "not_ready"]);
    check(&[Release], ["initializing", "alive", "not_ready"]);
    check(&[Good(0), DiskOk, Started], ["initializing", "alive", "not_ready"]);
    check(&[Good(0), DiskOk, Started, Release], ["ok", "alive", "ready"]);
    check(&[Good(0), DiskOk, Release, Started], ["ok", "alive", "ready"]);
    // Stopped while starting: it never was up, and does not come up any more.
    check(&[Good(0), DiskOk, Draining, Started, Release], ["initializing", "alive", "not_ready"]);
    check_up(&[Draining], "not_ready");
    check_up(&[Stopped, Draining, Started], "not_ready");
}

#[test]
fn readiness_follows_critical_checks_and_the_others_degrade() {
    check(&[Started, Release], ["ok", "alive", "not_ready"]);
    check(&[Started, Release, Good(0)], ["ok", "alive", "not_ready"]);
    check_up(&[], "ready");
    check_up(&[Bad(0), Bad(0)], "ready");
    check_up(&[Bad(0), Bad(0), Bad(0)], "not_ready");
    check_up(&[Bad(0), Bad(0), Bad(0), Good(0)], "ready");
    check_up(&[Wait(29)], "ready");
    check_up(&[Wait(30)], "not_ready");
    check_up(&[Wait(30), Good(0)], "degraded");
    check_up(&[Wait(30), Good(0), Good(1), Good(2)], "ready");
    check_up(&[Bad(1)], "degraded");
    check_up(&[Bad(2)], "degraded");
    check_up(&[Bad(1), Good(1)], "ready");
    check_up(&[DiskSlow], "degraded");
    check_up(&[DiskFull], "not_ready");
    check_up(&[DiskFull, DiskOk], "ready");
    check_up(&[Wait(29), DiskFull, Wait(1_000), DiskOk, Good(0), Good(1), Good(2)], "ready");
}

#[test]
fn what_nobody_reports_on_is_stale_at_once() {
    check_up(&[Gone(0)], "not_ready");
    check_up(&[DiskGone], "not_ready");
    check_up(&[Good(1), Gone(1)], "degraded");
}

#[test]
fn holding_and_stalling() {
    check_up(&[Hold], "not_ready");
    check_up(&[Hold, Hold, Unhold], "ready");
    check_up(&[Unhold], "ready");
    check(&[&UP[..], &[Stall]].concat(), ["ok", "dead", "not_ready"]);
    check_up(&[Stall, Resume], "ready");
    check(&[Stall], ["initializing", "dead", "not_ready"]);
    check(&[&UP[..], &[Draining, Stall]].concat(), ["ok", "dead", "not_ready"]);
    // Each source takes back its own word only.
    let mut process = Process::new(Settings::default());
    process.apply_all(&UP);
    process.health.fail_liveness("manual", "asked to", process.now);
    process.apply(Stall);
    process.apply(Resume);
    assert_eq!(process.words()[1], "dead");
}

#[test]
fn a_shared_check_can_be_made_critical() {
    let mut process = Process::new(Settings { shared_is_critical: true, ..Settings::default() });
    process.apply_all(&UP);
    assert_eq!(process.words()[2], "not_ready", "it has not been heard of yet");
    process.apply(Good(2));
    assert_eq!(process.words()[2], "ready");
}

#[test]
fn a_report_says_why() {
    let mut process = Process::new(Settings::default());
    process.apply_all(&[Good(0), DiskOk, Wait(3)]);
    process.hold.as_ref().unwrap().because("the cache is cold");
    let startup = process.health.startup(process.now);
    assert_eq!(startup.reasons, ["still starting", "waits for warm-up: the cache is cold"]);
    assert_eq!((&*startup.pending[0].name, startup.pending[0].age), ("warm-up", Duration::from_secs(3)));

    process.apply_all(&[
        Started,
        Release,
        Good(1),
        DiskSlow,
        Bad(0),
        Bad(0),
        Bad(0),
        Hold,
        Stall,
        Draining,
        Wait(1),
    ]);
    assert_eq!(process.health.liveness(process.now).reasons, ["stall: no progress for 30s"]);
    let readiness = process.health.readiness_without(&["disk", "nope"], process.now);
    assert_eq!(
        readiness.reasons,
        [
            "not alive: stall: no progress for 30s",
            "draining",
            "held: manual: maintenance",
            "critical check db is failing: refused",
        ]
    );
    assert_eq!(readiness.warnings, ["no check is called \"nope\", so none was left out"]);
    let db = &readiness.checks[0];
    assert_eq!(
        (&*db.name, db.status, db.streak, db.took),
        ("db", crate::Status::Failing, 3, Some(Duration::from_millis(7)))
    );
    assert_eq!((db.age, db.since), (Some(Duration::from_secs(1)), Some(Duration::from_secs(1))));
    assert!(!db.excluded && readiness.checks[3].excluded);
    assert_eq!(process.health.check_report("db", process.now).as_ref(), Some(db));
    assert_eq!(process.health.check_report("nope", process.now), None);
}

#[test]
fn what_changed_is_told_once_and_in_order() {
    let mut process = Process::new(Settings::default());
    process.apply_all(&UP);
    let lines = |process: &Process| -> Vec<_> {
        process.health.advance(process.now).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        lines(&process),
        [
            "lifecycle went from starting to running",
            "critical check db went from unknown to healthy",
            "critical check disk went from unknown to healthy",
            "readiness went from not_ready to ready",
        ]
    );
    assert!(lines(&process).is_empty());
    process.apply(Wait(30));
    assert_eq!(
        lines(&process),
        [
            "critical check db went from healthy to stale: no result for 30s",
            "optional check cache went from unknown to stale: no result for 30s",
            "shared check queue went from unknown to stale: no result for 30s",
            "readiness went from ready to not_ready: critical check db is stale: no result for 30s; \
             optional check cache is stale: no result for 30s; shared check queue is stale: no result for 30s",
        ]
    );
    process.apply_all(&[Good(0), Good(1), Good(2)]);
    lines(&process);
    // What time did is told, also when a result came before anybody looked.
    process.apply_all(&[Good(1), Good(2), Wait(29), Good(1), Good(2), Wait(1), Good(0)]);
    assert_eq!(
        lines(&process),
        [
            "critical check db went from healthy to stale: no result for 30s",
            "critical check db went from stale to healthy",
        ]
    );
    process.apply_all(&[Stall, Resume, Draining]);
    assert_eq!(
        lines(&process),
        [
            "not alive: stall: no progress for 30s",
            "readiness went from ready to not_ready: not alive: stall: no progress for 30s",
            "alive again",
            "readiness went from not_ready to ready",
            "lifecycle went from running to draining",
            "readiness went from ready to not_ready: draining",
        ]
    );
    // At the end everything goes, and that is no news.
    process.apply_all(&[Gone(0), Gone(1), DiskGone]);
    assert!(lines(&process).is_empty());
}

#[test]
fn events_nobody_takes_are_bounded() {
    let process = Process::new(Settings::default());
    for _ in 0..10_000 {
        process.health.fail_liveness("a", "x", process.now);
        process.health.restore_liveness("a", process.now);
    }
    let events = process.health.advance(process.now);
    assert_eq!(events.len(), 257);
    assert_eq!(events[0], Event::Lost(20_000 - 256));
    assert!(process.health.advance(process.now).is_empty());
}

#[test]
fn names_are_checked() {
    let now = Instant::now();
    let health = Health::new(Settings::default(), now);
    let db = health.check("db", Check::critical(), now).unwrap();
    for (name, text) in [("db", "has this name"), ("Db", "order-db"), ("a/b", "order-db"), ("", "order-db")] {
        let error = health.reporter(name, Importance::Optional, now).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    // Who was restarted takes its own place again, and the handle of before does not disturb it.
    drop(db);
    let again = health.check("db", Check::critical(), now).unwrap();
    again.record(Ok(()), Duration::ZERO, now);
    assert!(health.check_report("db", now).unwrap().status.is_good());
    again.remove();
    assert_eq!(health.check_report("db", now), None);

    let _many: Vec<_> =
        (0..2_048).map(|nth| health.check(format!("c{nth}"), Check::default(), now).unwrap()).collect();
    assert!(health.check("one-more", Check::default(), now).unwrap_err().to_string().contains("2048"));
}

#[test]
fn settings_have_the_last_word_on_a_check_and_a_name_nobody_has_is_told() {
    let now = Instant::now();
    let mut settings = Settings::default();
    let said = crate::CheckSettings {
        importance: Some(Importance::Optional),
        period: Some(Duration::from_secs(60)),
        unhealthy_after: Some(1),
        ..Default::default()
    };
    settings.checks = ["db", "disk", "cach"].map(|name| (name.to_owned(), said.clone())).into();
    let health = Health::new(settings, now);
    let db =
        Check::critical().every(Duration::from_secs(5)).timeout(Duration::from_secs(1)).unhealthy_after(9);
    let db = health.check("db", db, now).unwrap();
    let disk = health.reporter("disk", Importance::Critical, now).unwrap();
    let cache = health.check("cache", Check::critical(), now).unwrap();
    let timing = db.timing();
    assert_eq!((timing.period, timing.timeout), (Duration::from_secs(60), Duration::from_secs(1)));
    assert_eq!(timing.unhealthy_after, 1);
    assert_eq!(cache.timing(), Timing::default());
    health.started(now);
    disk.failing("full", now);
    cache.record(Ok(()), Duration::ZERO, now);
    assert_eq!(health.verdict(Probe::Readiness, now), Verdict::Degraded, "neither is critical any more");
    assert_eq!(health.unknown_settings(), ["cach"]);
}

#[test]
fn a_group_is_ready_by_its_own_checks_alone() {
    let mut process = Process::new(Settings::default());
    let (health, now) = (process.health.clone(), process.now);
    health.group("storage", ["db", "disk"], now).unwrap();
    health.group("orders.v1.Orders", ["cache"], now).unwrap();
    let told = |process: &Process, name| health.group_report(name, process.now).map(|report| report.status);
    assert_eq!(told(&process, "storage"), Some("not_ready"));
    process.apply_all(&UP);
    assert_eq!((told(&process, "storage"), told(&process, "nope")), (Some("ready"), None));
    process.apply_all(&[Bad(1), DiskFull]);
    assert_eq!(told(&process, "storage"), Some("not_ready"));
    assert_eq!(told(&process, "orders.v1.Orders"), Some("degraded"));
    let report = health.group_report("storage", process.now).unwrap();
    assert_eq!(report.reasons, ["critical check disk is failing: full"]);
    assert_eq!(report.checks.iter().map(|check| &*check.name).collect::<Vec<_>>(), ["db", "disk"]);
    // What is removed is left out of readiness; a group that counted on it cannot say yes any more.
    process.apply(DiskOk);
    process.checks[1].take().unwrap().remove();
    assert_eq!(process.words()[2], "ready");
    assert_eq!(
        health.group_report("orders.v1.Orders", process.now).unwrap().reasons,
        ["check cache is gone"]
    );
    process.apply(Draining);
    assert_eq!(told(&process, "storage"), Some("not_ready"));

    let long = "a".repeat(256);
    for (name, member, text) in [
        ("storage", "db", "another group"),
        ("liveness", "db", "none of liveness"),
        ("a/b", "db", "letters, digits"),
        ("", "db", "letters, digits"),
        (long.as_str(), "db", "255"),
        ("other", "dbb", "no check or reporter is called \"dbb\""),
    ] {
        let error = health.group(name, [member], now).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn the_runner_is_told_when_to_run() {
    let now = Instant::now();
    let mut settings = Settings::default();
    settings.timing.timeout = Duration::from_secs(1);
    let health = Health::new(settings, now);
    assert_eq!(health.next_stale(now), None);
    let check = Check::critical().every(Duration::from_secs(60)).stale_after(2);
    let check = health.check("db", check, now).unwrap();
    assert_eq!((check.name(), check.timing().timeout), ("db", Duration::from_secs(1)));
    assert_eq!(check.next_run(now, 7), now);
    check.record(Ok(()), Duration::ZERO, now + Duration::from_secs(5));
    assert_eq!(check.next_run(now + Duration::from_secs(5), 0), now + Duration::from_secs(5 + 54));
    assert_eq!(health.next_stale(now), Some(now + Duration::from_secs(5 + 120)));
    assert_eq!(
        health.next_stale(now + Duration::from_secs(500)),
        None,
        "what is stale does not become so again"
    );
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_change_wakes_who_waits_for_it() {
    let mut process = Process::new(Settings::default());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let health = process.health.clone();
    {
        let mut changed = pin!(health.changed());
        assert!(changed.as_mut().poll(&mut cx).is_pending());
        assert!(changed.as_mut().poll(&mut cx).is_pending());
        process.apply(Started);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "nothing followed from it");
        process.apply(Release);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(changed.as_mut().poll(&mut cx).is_ready());
    }
    assert!(pin!(health.changed()).poll(&mut cx).is_ready(), "until it is taken");
    health.advance(process.now);
    assert!(pin!(health.changed()).poll(&mut cx).is_pending());
}

fn steps() -> impl Strategy<Value = Vec<Do>> {
    let step = prop_oneof![
        2 => Just(Started),
        1 => Just(Draining),
        1 => Just(Stopped),
        2 => Just(Release),
        12 => (0..3_usize).prop_map(Good),
        8 => (0..3_usize).prop_map(Bad),
        1 => (0..3_usize).prop_map(Gone),
        4 => Just(DiskOk),
        2 => Just(DiskSlow),
        2 => Just(DiskFull),
        1 => Just(DiskGone),
        2 => Just(Stall),
        3 => Just(Resume),
        2 => Just(Hold),
        3 => Just(Unhold),
        6 => (0..40_u64).prop_map(Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn no_sequence_of_events_breaks_a_promise(steps in steps(), take in any::<bool>()) {
        let mut process = Process::new(Settings::default());
        let (mut life, mut was_up, mut stalled, mut held) = (Lifecycle::Starting, false, false, false);
        let mut heard = [None::<Instant>; 3];
        let mut told_readiness = Verdict::Fail;
        for step in steps {
            process.apply(step);
            match step {
                Stall => stalled = true,
                Resume => stalled = false,
                Hold => held = true,
                Unhold => held = false,
                Good(nth) | Bad(nth) if process.checks[nth].is_some() => heard[nth] = Some(process.now),
                _ => {}
            }
            let snapshot = process.health.snapshot(process.now);

            prop_assert!(snapshot.lifecycle >= life, "the order never reverses");
            life = snapshot.lifecycle;
            was_up |= life == Lifecycle::Running;
            prop_assert_eq!(snapshot.startup.is_ok(), was_up);
            prop_assert_eq!(snapshot.liveness.is_ok(), !stalled, "no check moves liveness, and no state of life");
            prop_assert_eq!(snapshot.readiness.verdict == Verdict::Pass, snapshot.readiness.reasons.is_empty());

            let checks = &snapshot.readiness.checks;
            for nth in 0..3 {
                let since = heard[nth].map(|moment| process.now - moment);
                let known = since.is_some_and(|since| since < Duration::from_secs(30));
                prop_assert!(known && process.checks[nth].is_some() || !checks[nth].status.is_good());
            }
            prop_assert!(process.disk.is_some() || !checks[3].status.is_good());
            let critical = checks[0].status.is_good() && checks[3].status.is_good();
            let expect = life == Lifecycle::Running && !stalled && !held && critical;
            prop_assert_eq!(snapshot.readiness.is_ok(), expect);
            prop_assert_eq!(process.health.verdict(Probe::Readiness, process.now), snapshot.readiness.verdict);

            if take {
                for event in process.health.advance(process.now) {
                    if let Event::Readiness { from, to, .. } = event {
                        prop_assert_eq!(from, told_readiness);
                        told_readiness = to;
                    }
                }
                prop_assert_eq!(told_readiness, snapshot.readiness.verdict, "the events tell the same story");
            }
        }
    }
}
