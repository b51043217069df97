//! A clock that skips what nobody waits for, up to a moment that the test sets.

use prodkit_fakes::FakeVault;
use prodkit_secrets::{Driver, Event};
use prodkit_vault::Clock;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Whoever waits for a moment moves the clock there, ours and the server's.
pub(crate) struct Skipping {
    now: Mutex<Duration>,
    end: watch::Sender<Duration>,
    /// Somebody waits for what is beyond the end.
    reached: watch::Sender<bool>,
    vault: Arc<FakeVault>,
}

impl Skipping {
    pub(crate) fn new(vault: Arc<FakeVault>) -> Arc<Self> {
        let now = Mutex::default();
        Arc::new(Self { now, end: watch::Sender::default(), reached: watch::Sender::default(), vault })
    }

    /// Drives until the clock has come to `end`, and returns what was told.
    pub(crate) async fn run(&self, driver: &mut Driver, end: Duration) -> Vec<Event> {
        self.reached.send_replace(false);
        self.end.send_replace(end);
        let mut reached = self.reached.subscribe();
        let mut events = Vec::new();
        loop {
            tokio::select! {
                biased;
                event = driver.next() => events.push(event),
                _ = reached.wait_for(|reached| *reached) => break,
            }
        }
        // what is under way yet
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(300), driver.next()).await {
            events.push(event);
        }
        events
    }
}

impl Clock for Skipping {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, at: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // whatever is ready goes first
            tokio::task::yield_now().await;
            let mut end = self.end.subscribe();
            if at > *end.borrow() {
                self.reached.send_replace(true);
                drop(end.wait_for(|end| at <= *end).await);
            }
            let mut now = self.now.lock().unwrap();
            if at > *now {
                self.vault.advance(at - *now);
                *now = at;
            }
        })
    }
}
