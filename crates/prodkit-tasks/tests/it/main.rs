//! What a group promises, on paused time unless threads are the point.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use prodkit_shutdown::{Cause, Hold, Holds, Signal, Stop};
use prodkit_tasks::{Backoff, Ended, Exit, Kind, Running, State, TaskGroup};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const CAUSE: Cause = Cause::Signal(Signal::Terminate);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn stop(running: Running, within: Duration) -> Vec<String> {
    running.stop(&CAUSE, Instant::now() + within).await.iter().map(ToString::to_string).collect()
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn task(&self, name: &'static str, lasts: Duration) -> impl FnOnce(Stop) -> BoxFuture + Clone + use<> {
        let diary = self.clone();
        move |stop: Stop| {
            diary.note(format!("{name} starts"));
            Box::pin(async move {
                stop.stopped().await;
                diary.note(format!("{name} told: {}", stop.cause().unwrap()));
                sleep(lasts).await;
                diary.note(format!("{name} done"));
            })
        }
    }

    fn hook(&self, name: &'static str) -> impl FnOnce() -> std::future::Ready<()> + use<> {
        let diary = self.clone();
        move || {
            diary.note(format!("{name} runs"));
            std::future::ready(())
        }
    }
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[tokio::test(start_paused = true)]
async fn starts_in_order_and_stops_tasks_and_hooks_in_one_reverse_order() {
    let diary = Diary::default();
    let running = TaskGroup::new()
        .on_shutdown("pool", diary.hook("pool"))
        .task("writer", diary.task("writer", ms(300)))
        .on_shutdown("announce", diary.hook("announce"))
        .supervise("reader", Backoff::default(), diary.task("reader", ms(20)))
        .start()
        .unwrap();
    sleep(ms(1)).await;
    let report = stop(running, ms(20_000)).await;
    assert_eq!(
        diary.lines(),
        [
            "writer starts",
            "reader starts",
            "reader told: SIGTERM",
            "reader done",
            "announce runs",
            "writer told: SIGTERM",
            "writer done",
            "pool runs"
        ]
    );
    assert_eq!(
        report,
        [
            "reader completed (20.0ms)",
            "announce completed (0.0ns)",
            "writer completed (300.0ms)",
            "pool completed (0.0ns)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_end_nothing_else() {
    let diary = Diary::default();
    let running = TaskGroup::new()
        .on_shutdown("last", diary.hook("last"))
        .on_shutdown("bad-hook", async || Err("still in use"))
        .on_shutdown("worse-hook", async || -> () { panic!("hook {}", 7) })
        .task("bad-task", async |stop: Stop| {
            stop.stopped().await;
            Err(std::io::Error::other("no space left"))
        })
        .task("not-even-started", |_| -> std::future::Ready<()> { panic!("in the closure") })
        .start()
        .unwrap();
    sleep(ms(1)).await;
    let report = running.stop(&CAUSE, Instant::now() + ms(1000)).await;
    let ends: Vec<_> = report.iter().map(|Ended { name, exit, .. }| format!("{name} {exit}")).collect();
    assert_eq!(
        ends,
        [
            "not-even-started panicked: in the closure",
            "bad-task failed: no space left",
            "worse-hook panicked: hook 7",
            "bad-hook failed: still in use",
            "last completed"
        ]
    );
    assert_eq!(report[4].kind, Kind::Hook);
    assert_eq!(diary.lines(), ["last runs"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stop_is_abandoned_by_name_and_leaves_time_to_the_rest() {
    let diary = Diary::default();
    let holds = Holds::new();
    let hold = holds.hold();
    let begun = Instant::now();
    let running = TaskGroup::new()
        .on_shutdown("stuck-hook", pending::<()>)
        .task("slow", diary.task("slow", ms(900)))
        .task("stuck", async move |_| {
            let _hold: Hold = hold;
            pending::<()>().await;
        })
        .start()
        .unwrap();
    let report = stop(running, ms(10_000)).await;
    assert_eq!(report, ["stuck abandoned (8.0s)", "slow completed (900.0ms)", "stuck-hook abandoned (1.1s)"]);
    assert_eq!(begun.elapsed(), ms(10_000));
    // Cut off, not forgotten: what it held is free again.
    timeout(ms(1), holds.idle()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_abandons_what_is_not_done() {
    let running = TaskGroup::new()
        .task("stuck", async |_| pending::<()>().await)
        .task("done", async |_| ())
        .start()
        .unwrap();
    sleep(ms(10)).await;
    assert_eq!(stop(running, ms(0)).await, ["done completed (0.0ns)", "stuck abandoned (0.0ns)"]);
}

#[tokio::test(start_paused = true)]
async fn each_critical_failure_is_reported_once() {
    let mut running = TaskGroup::new()
        .task("fine", async |_| ())
        .task("second", async |_| {
            sleep(ms(20)).await;
            panic!("boom");
        })
        .task("first", async |_| {
            sleep(ms(10)).await;
            Err("no route")
        })
        .supervise("restarted", Backoff::default(), async |_| Err("not critical"))
        .start()
        .unwrap();
    // Giving up the wait loses nothing.
    assert!(timeout(ms(1), running.failed()).await.is_err());
    sleep(ms(100)).await;
    let (name, exit) = running.failed().await;
    assert_eq!(format!("{name} {exit}"), "first failed: no route");
    let (name, exit) = running.failed().await;
    assert_eq!(format!("{name} {exit}"), "second panicked: boom");
    assert!(timeout(ms(100_000), running.failed()).await.is_err());
    let report = stop(running, ms(10)).await;
    assert_eq!(report[1], "first failed: no route (0.0ns)");
}

#[tokio::test(start_paused = true)]
async fn a_group_without_critical_tasks_never_fails() {
    let mut running = TaskGroup::new().start().unwrap();
    assert!(timeout(ms(100_000), running.failed()).await.is_err());
    assert!(stop(running, ms(0)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_supervised_task_is_started_again_until_it_completes() {
    let runs = Arc::new(AtomicUsize::new(0));
    let running = TaskGroup::new()
        .supervise("flaky", Backoff::new(ms(100), ms(1000)), {
            let runs = runs.clone();
            async move |_| {
                sleep(ms(10)).await;
                match runs.fetch_add(1, Ordering::Relaxed) {
                    0 => Err("first"),
                    1 => panic!("second"),
                    _ => Ok(()),
                }
            }
        })
        .start()
        .unwrap();
    let statuses = running.statuses();
    let state = || statuses.snapshot().remove(0);

    assert!(matches!(state().state, State::Running));
    sleep(ms(10)).await;
    tokio::task::yield_now().await;
    let status = state();
    assert!(matches!(status.state, State::Restarting(wait) if wait <= ms(100)), "{status:?}");
    assert_eq!((status.name, status.kind, status.restarts), ("flaky", Kind::Supervised, 1));
    assert_eq!(status.last_failure.unwrap().to_string(), "failed: first");

    sleep(ms(1000)).await;
    let status = state();
    assert!(matches!(status.state, State::Ended(Exit::Completed)), "{status:?}");
    assert_eq!(status.restarts, 2);
    assert_eq!(status.last_failure.unwrap().to_string(), "panicked: second");
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    assert_eq!(stop(running, ms(0)).await, ["flaky completed (0.0ns)"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_started_again_runs() {
    let first = Arc::new(AtomicUsize::new(0));
    let task = async move |stop: Stop| {
        if first.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err("first");
        }
        stop.stopped().await;
        Ok(())
    };
    let running = TaskGroup::new().supervise("relay", Backoff::new(ms(10), ms(10)), task).start().unwrap();
    sleep(ms(100)).await;
    let status = running.statuses().snapshot().remove(0);
    assert!(matches!(status.state, State::Running) && status.restarts == 1, "{status:?}");
    assert_eq!(stop(running, ms(100)).await, ["relay completed (0.0ns)"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_between_two_runs_ends_with_the_order_to_stop() {
    let long = Backoff::new(ms(1_000_000), ms(1_000_000)).seed(1);
    let running = TaskGroup::new().supervise("down", long, async |_| Err("refused")).start().unwrap();
    sleep(ms(1)).await;
    assert_eq!(stop(running, ms(100)).await, ["down completed (0.0ns)"]);
}

#[tokio::test(start_paused = true)]
async fn a_supervised_task_is_not_restarted_while_stopping() {
    let running = TaskGroup::new()
        .supervise("sore-loser", Backoff::default(), async |stop: Stop| {
            stop.stopped().await;
            Err("not now")
        })
        .start()
        .unwrap();
    assert_eq!(stop(running, ms(100)).await, ["sore-loser failed: not now (0.0ns)"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_running_group_cuts_its_tasks_off() {
    let holds = Holds::new();
    let hold = holds.hold();
    let task = async move |_| {
        let _hold: Hold = hold;
        pending::<()>().await;
    };
    let running = TaskGroup::new().task("endless", task).start().unwrap();
    sleep(ms(1)).await;
    drop(running);
    timeout(ms(1), holds.idle()).await.unwrap();
}

#[tokio::test]
async fn names_are_checked_before_anything_starts() {
    let started = Arc::new(AtomicUsize::new(0));
    let task = {
        let started = started.clone();
        async move |_| {
            started.fetch_add(1, Ordering::Relaxed);
        }
    };
    let group = |name| TaskGroup::new().task("relay", task.clone()).task(name, async |_| ());
    for (name, text) in [("relay", "two tasks"), ("Relay", "lower-case"), ("relay_2", "lower-case")] {
        let error = group(name).start().unwrap_err().to_string();
        assert!(error.starts_with("start \"") && error.contains(text), "{error}");
    }
    let hook = TaskGroup::new().on_shutdown("relay", async || ());
    assert!(TaskGroup::new().then(hook).on_shutdown("relay", async || ()).start().is_err());
    tokio::task::yield_now().await;
    assert_eq!(started.load(Ordering::Relaxed), 0);

    let both = TaskGroup::new().task("relay", task).on_shutdown("relay", async || ());
    both.start().unwrap().stop(&CAUSE, Instant::now() + Duration::from_secs(10)).await;
}

#[tokio::test]
async fn every_way_to_end_is_accepted() {
    let _ = TaskGroup::new()
        .task("unit", async |_| ())
        .task("io", async |_| std::io::Result::Ok(()))
        .task("boxed", async |_| Ok::<(), prodkit_tasks::BoxError>(()))
        .task("endless", async |_| {
            loop {
                sleep(ms(1)).await;
            }
        })
        .on_shutdown("text", async || Err::<(), _>("text"));
}

/// One worker thread, as a container with one CPU has: whoever blocks it blocks the timer as well.
#[test]
fn a_hook_that_blocks_its_thread_does_not_defeat_the_deadline() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let report = runtime.block_on(async {
        let running = TaskGroup::new()
            .on_shutdown("last", async || ())
            .on_shutdown("waits", pending::<()>)
            .on_shutdown("blocks", async move || {
                let _ = blocked.recv();
            })
            .start()
            .unwrap();
        running.stop(&CAUSE, Instant::now() + ms(200)).await
    });
    let ends: Vec<_> = report.iter().map(|Ended { name, exit, .. }| format!("{name} {exit}")).collect();
    assert_eq!(ends, ["blocks abandoned", "waits abandoned", "last completed"]);
    drop(release);
    // Ends only if what was abandoned without blocking was cut off.
    drop(runtime);
}
