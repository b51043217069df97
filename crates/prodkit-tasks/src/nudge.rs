use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Wakes a worker of a runtime that has several.
///
/// One of tokio's workers waits for I/O and timers on behalf of all. Where a task that it wakes there blocks it, nobody
/// waits in its place, and the others sleep on with work to do, until the task ends or one of them is woken from outside.
/// This is that: [`give`](Self::give) it from a thread that does not depend on the runtime, whenever the runtime has made
/// no progress for a while. It costs an empty task.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
/// let mut nudge = prodkit_tasks::Nudge::default();
/// // nothing has moved for a second
/// nudge.give(runtime.handle());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Nudge(Option<JoinHandle<()>>);

impl Nudge {
    /// Wakes one that sleeps, if any does. Nothing happens while the last one has not been taken: then all are busy, or
    /// blocked. May be called from anywhere.
    pub fn give(&mut self, runtime: &Handle) {
        if self.0.as_ref().is_none_or(JoinHandle::is_finished) {
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing in it could be lost: that it is there is all"
            )]
            let nudge = runtime.spawn(async {});
            self.0 = Some(nudge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::time::sleep;

    #[test]
    fn a_worker_that_is_blocked_where_it_waited_for_all_does_not_keep_the_others_asleep() {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let (blocked, blocks) = channel();
        let (release, released) = channel::<()>();
        let (beat, beats) = channel();
        runtime.spawn(async move {
            loop {
                sleep(Duration::from_millis(20)).await;
                if beat.send(()).is_err() {
                    break;
                }
            }
        });
        // woken by the timer with nothing else to do: by the worker that waits for all
        runtime.spawn(async move {
            sleep(Duration::from_millis(50)).await;
            blocked.send(()).unwrap();
            released.recv().unwrap_err();
        });
        blocks.recv().unwrap();
        while beats.try_recv().is_ok() {}
        let mut nudge = Nudge::default();
        for _ in 0..5 {
            nudge.give(runtime.handle());
            beats.recv_timeout(Duration::from_secs(30)).expect("another takes its place");
        }
        drop(release);
    }

    #[test]
    fn one_is_enough_while_all_are_blocked() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (blocked, blocks) = channel();
        let (release, released) = channel::<()>();
        runtime.spawn(async move {
            blocked.send(()).unwrap();
            released.recv().unwrap_err();
        });
        blocks.recv().unwrap();
        let mut nudge = Nudge::default();
        for _ in 0..100 {
            nudge.give(runtime.handle());
        }
        assert_eq!(runtime.handle().metrics().global_queue_depth(), 1);
        drop(release);
    }
}
