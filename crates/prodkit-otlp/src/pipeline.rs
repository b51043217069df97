//! The loops that feed deliveries: one per signal, until the end.

use crate::books::Books;
use crate::delivery::Delivery;
use crate::encode;
use crate::queue::{Queue, Weigh};
use crate::{Histograms, Temporality};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prodkit_metrics::{Recorder, Snapshot};
use prost::Message;
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
                if export.temporality == Temporality::Cumulative {
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
    pub(crate) resource: &'a Resource,
    pub(crate) delivery: &'a Delivery,
    pub(crate) points: &'a Points,
    pub(crate) temporality: Temporality,
    pub(crate) histograms: Histograms,
    /// What the next difference is to: the last snapshot that was delivered.
    pub(crate) delivered: Mutex<Option<Snapshot>>,
}

impl Export<'_> {
    async fn once(&self) {
        let snapshot = self.recorder.snapshot();
        let difference = match self.temporality {
            Temporality::Cumulative => None,
            Temporality::Delta => self.delivered().as_ref().map(|before| snapshot.since(before)),
        };
        let sent = difference.as_ref().unwrap_or(&snapshot);
        let (request, n) = encode::metrics::request(self.resource, sent, self.temporality, self.histograms);
        if n == 0 {
            return;
        }
        with(self.points, |books| {
            books.offer(n);
            books.send(n);
        });
        let body = request.encode_to_vec();
        drop((request, difference));
        let settled = self.delivery.deliver(body, n).await;
        with(self.points, |books| books.settle(settled));
        // what a collector rejects of it, it rejects for good
        if self.temporality == Temporality::Delta && settled.exported > 0 {
            *self.delivered() = Some(snapshot);
        }
    }

    fn delivered(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The books of the metrics: points are not queued, each export offers all of them anew.
pub(crate) type Points = Mutex<Books>;

pub(crate) fn with<R>(points: &Points, f: impl FnOnce(&mut Books) -> R) -> R {
    f(&mut points.lock().unwrap_or_else(PoisonError::into_inner))
}
