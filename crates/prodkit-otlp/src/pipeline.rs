//! The loops that feed deliveries: one per signal, until the end.

use crate::Temporality;
use crate::books::Books;
use crate::delivery::Delivery;
use crate::encode;
use crate::encode::metrics::{Request, Shape};
use crate::queue::{Queue, Weigh};
use prodkit_metrics::{Recorder, Snapshot};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// Sends what is queued, in batches, until the end; then sends the rest, until the first batch that fails.
///
/// Dropping the future leaves what it held in flight, to be written off by [`Queue::close`].
pub(crate) async fn items<T: Weigh>(
    queue: &Queue<T>,
    delivery: &Delivery,
    delay: Duration,
    encode: impl Fn(&[T]) -> Vec<u8>,
) {
    let end = &delivery.end;
    loop {
        tokio::select! {
            () = queue.some() => {}
            () = end.asked() => {}
        }
        tokio::select! {
            () = queue.full() => {}
            () = tokio::time::sleep(delay) => {}
            () = end.asked() => {}
        }
        let batch = queue.take();
        if batch.is_empty() {
            if end.is_asked() {
                return;
            }
            continue;
        }
        let body = encode(&batch);
        let n = batch.len() as u64;
        drop(batch);
        let settled = delivery.deliver(body, n).await;
        queue.settle(settled);
        if end.is_asked() && settled.exported == 0 {
            return;
        }
    }
}

/// Sends a snapshot every `interval`, and a last one at the end.
pub(crate) async fn points(export: Export<'_>, interval: Duration) {
    let export = &export;
    let end = &export.delivery.end;
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = end.asked() => return export.once().await,
            _ = ticks.tick() => {}
        }
        let mut once = pin!(export.once());
        tokio::select! {
            () = &mut once => {}
            () = end.asked() => {
                if export.shape.temporality == Temporality::Cumulative {
                    // the one under way may hang: the last one does not wait for it
                    tokio::join!(once, export.once());
                    return;
                }
                // where the last one begins depends on what becomes of the one under way: it has half of the time
                let left = end.deadline().map(|end| end.saturating_duration_since(Instant::now()));
                let _ = tokio::time::timeout(left.unwrap_or_default() / 2, once).await;
                return export.once().await;
            }
        }
    }
}

/// What a snapshot needs to be sent.
pub(crate) struct Export<'a> {
    pub(crate) recorder: &'a Recorder,
    /// Encoded.
    pub(crate) resource: &'a [u8],
    pub(crate) delivery: &'a Delivery,
    pub(crate) points: &'a Points,
    pub(crate) shape: Shape,
    pub(crate) memory: Mutex<Memory>,
}

/// What one export leaves for the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What the next difference is to: the last snapshot that was delivered.
    delivered: Option<Snapshot>,
    /// One that is not needed any more but for its memory.
    spare: Snapshot,
    /// How long the last request was.
    length: usize,
}

impl Export<'_> {
    async fn once(&self) {
        let mut snapshot = std::mem::take(&mut self.memory().spare);
        self.recorder.snapshot_into(&mut snapshot);
        let Request { body, points } = self.request(&snapshot);
        let is_delta = self.shape.temporality == Temporality::Delta;
        if points == 0 || !is_delta {
            self.memory().spare = std::mem::take(&mut snapshot);
        }
        if points == 0 {
            return;
        }
        with(self.points, |books| {
            books.offer(points);
            books.send(points);
        });
        let settled = self.delivery.deliver(body, points).await;
        with(self.points, |books| books.settle(settled));
        if is_delta {
            let mut memory = self.memory();
            // what a collector rejects of it, it rejects for good
            let delivered = settled.exported > 0;
            let old = if delivered { memory.delivered.replace(snapshot) } else { Some(snapshot) };
            memory.spare = old.unwrap_or_default();
        }
    }

    fn request(&self, snapshot: &Snapshot) -> Request {
        let mut memory = self.memory();
        let before = memory.delivered.as_ref().filter(|_| self.shape.temporality == Temporality::Delta);
        let difference = before.map(|before| snapshot.since(before));
        let sent = difference.as_ref().unwrap_or(snapshot);
        let request = encode::metrics::request(self.resource, sent, self.shape, memory.length);
        memory.length = request.body.len();
        request
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The books of the metrics: points are not queued, each export offers all of them anew.
pub(crate) type Points = Mutex<Books>;

pub(crate) fn with<R>(points: &Points, f: impl FnOnce(&mut Books) -> R) -> R {
    f(&mut points.lock().unwrap_or_else(PoisonError::into_inner))
}
