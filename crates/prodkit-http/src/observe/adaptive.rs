//! A limit of requests in flight that follows how long they take.

use crate::gradient::Gradient;
use metrics::{Gauge, Key, Level, Metadata, Recorder, Unit};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

const LIMIT: &str = "prodkit_http_in_flight_limit";

pub(super) struct Adaptive {
    limit: AtomicUsize,
    gradient: Mutex<Gradient>,
    gauge: Gauge,
}

impl Adaptive {
    pub(super) fn new(least: usize, most: usize, recorder: &dyn Recorder) -> Self {
        recorder.describe_gauge(LIMIT.into(), Some(Unit::Count), "Requests that may be in flight.".into());
        let metadata = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
        let gauge = recorder.register_gauge(&Key::from_static_name(LIMIT), &metadata);
        let gradient = Gradient::new(least, most, Instant::now());
        let limit = gradient.limit();
        gauge.set(limit as f64);
        Self { limit: AtomicUsize::new(limit), gradient: Mutex::new(gradient), gauge }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// A request was answered after `took`, as one of `in_flight`. Not counted where another is being counted right now:
    /// one of many says no more than the others.
    pub(super) fn sample(&self, took: Duration, in_flight: usize) {
        let Ok(mut gradient) = self.gradient.try_lock() else { return };
        if let Some(limit) = gradient.sample(Instant::now(), took, in_flight)
            && self.limit.swap(limit, Relaxed) != limit
        {
            self.gauge.set(limit as f64);
        }
    }
}
