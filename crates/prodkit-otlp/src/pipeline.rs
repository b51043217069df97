//! The loops that feed deliveries: one per signal, until the end.

use crate::books::Books;
use crate::delivery::Delivery;
use crate::encode;
use crate::queue::{Queue, Weigh};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prodkit_metrics::Recorder;
use prost::Message;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
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
            // the one under way may hang: the last one does not wait for it
            () = end.asked() => {
                tokio::join!(once, export.once());
                return;
            }
        }
    }
}

/// What a snapshot needs to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Export<'a> {
    pub(crate) recorder: &'a Recorder,
    pub(crate) resource: &'a Resource,
    pub(crate) delivery: &'a Delivery,
    pub(crate) points: &'a Points,
}

impl Export<'_> {
    async fn once(&self) {
        let (request, n) = encode::metrics::request(self.resource, &self.recorder.snapshot());
        if n == 0 {
            return;
        }
        with(self.points, |books| {
            books.offer(n);
            books.send(n);
        });
        let body = request.encode_to_vec();
        drop(request);
        let settled = self.delivery.deliver(body, n).await;
        with(self.points, |books| books.settle(settled));
    }
}

/// The books of the metrics: points are not queued, each export offers all of them anew.
pub(crate) type Points = Mutex<Books>;

pub(crate) fn with<R>(points: &Points, f: impl FnOnce(&mut Books) -> R) -> R {
    f(&mut points.lock().unwrap_or_else(PoisonError::into_inner))
}
