use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

/// Whole windows of requests that all take so long, with so many in flight.
fn windows(
    gradient: &mut Gradient,
    now: &mut Instant,
    count: usize,
    took: Duration,
    in_flight: impl Fn(usize) -> usize,
) {
    for _ in 0..count {
        *now += WINDOW;
        for _ in 0..SAMPLES {
            gradient.sample(*now, took, in_flight(gradient.limit()));
        }
    }
}

const USUAL: Duration = Duration::from_millis(10);

proptest! {
    #[test]
    fn stays_within_its_bounds(
        (least, most) in (1_usize..500, 1_usize..2000),
        seen in vec((0_u64..3_000, 0_u64..100_000_000, 0_usize..5_000), 0..400),
    ) {
        let mut now = Instant::now();
        let mut gradient = Gradient::new(least, most, now);
        for (pause, micros, in_flight) in seen {
            now += Duration::from_millis(pause);
            gradient.sample(now, Duration::from_micros(micros), in_flight);
            prop_assert!((least..=most.max(least)).contains(&gradient.limit()));
        }
    }

    #[test]
    fn an_outlier_is_forgotten(long in 1_u64..10_000, high in 50_usize..1_000) {
        let mut now = Instant::now();
        let mut gradient = Gradient::new(10, high, now);
        windows(&mut gradient, &mut now, 200, USUAL, |limit| limit);
        prop_assert_eq!(gradient.limit(), high);
        windows(&mut gradient, &mut now, 1, USUAL * u32::try_from(long).expect("small"), |limit| limit);
        prop_assert!(gradient.limit() * 10 >= high * 9, "one window takes a tenth at most: {}", gradient.limit());
        windows(&mut gradient, &mut now, 10, USUAL, |limit| limit);
        prop_assert_eq!(gradient.limit(), high);
    }

    #[test]
    fn what_nobody_comes_near_stays(took in 1_u64..100_000, share in 0_usize..50) {
        let mut now = Instant::now();
        let mut gradient = Gradient::new(10, 200, now);
        windows(&mut gradient, &mut now, 100, USUAL, |limit| limit);
        windows(&mut gradient, &mut now, 1_000, Duration::from_millis(took), |limit| (limit * share / 100).saturating_sub(1));
        prop_assert_eq!(gradient.limit(), 200);
    }
}

#[test]
fn a_window_is_a_second_and_ten_requests() {
    let start = Instant::now();
    let mut gradient = Gradient::new(10, 100, start);
    for _ in 0..100 {
        assert_eq!(gradient.sample(start + WINDOW / 2, USUAL, 10), None);
    }
    assert_eq!(gradient.sample(start + WINDOW, USUAL, 10), Some(13));
    let second = start + WINDOW * 5;
    for _ in 1..SAMPLES {
        assert_eq!(gradient.sample(second, USUAL, 13), None);
    }
    assert!(gradient.sample(second, USUAL, 13).is_some());
}

#[test]
fn requests_that_take_no_time_are_no_division_by_zero() {
    let mut now = Instant::now();
    let mut gradient = Gradient::new(10, 100, now);
    windows(&mut gradient, &mut now, 50, Duration::ZERO, |limit| limit);
    assert_eq!(gradient.limit(), 100);
}

/// A service that answers `capacity` requests at a time, each after 20 ms or a little more or less, and has the others
/// wait; and clients that send more than it can take.
struct Simulation {
    gradient: Gradient,
    start: Instant,
    /// Milliseconds since then.
    clock: u64,
    capacity: usize,
    /// By when it is answered: when it came.
    served: BTreeMap<u64, Vec<u64>>,
    busy: usize,
    waiting: VecDeque<u64>,
    dice: u64,
}

/// How a stretch of it went.
#[derive(Debug, Default)]
struct Stretch {
    answered: usize,
    refused: usize,
    /// Milliseconds, in order.
    took: Vec<u64>,
}

impl Stretch {
    fn p99(&self) -> u64 {
        self.took[self.took.len() * 99 / 100]
    }
}

impl Simulation {
    fn new(capacity: usize, least: usize) -> Self {
        let start = Instant::now();
        let gradient = Gradient::new(least, 10_000, start);
        let (served, waiting) = (BTreeMap::new(), VecDeque::new());
        Self { gradient, start, clock: 0, capacity, served, busy: 0, waiting, dice: 1 }
    }

    /// 16 to 24.
    fn duration(&mut self) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        16 + (self.dice >> 33) % 9
    }

    fn run(&mut self, seconds: u64, requests_a_second: u64) -> Stretch {
        let mut stretch = Stretch::default();
        for _ in 0..seconds * 1000 {
            self.clock += 1;
            let now = self.start + Duration::from_millis(self.clock);
            for came in self.served.remove(&self.clock).unwrap_or_default() {
                let took = self.clock - came;
                self.gradient.sample(now, Duration::from_millis(took), self.busy + self.waiting.len());
                self.busy -= 1;
                stretch.answered += 1;
                stretch.took.push(took);
            }
            let before = (self.clock - 1) * requests_a_second / 1000;
            for _ in before..self.clock * requests_a_second / 1000 {
                if self.busy + self.waiting.len() < self.gradient.limit() {
                    self.waiting.push_back(self.clock);
                } else {
                    stretch.refused += 1;
                }
            }
            while self.busy < self.capacity
                && let Some(came) = self.waiting.pop_front()
            {
                self.busy += 1;
                let end = self.clock + self.duration();
                self.served.entry(end).or_default().push(came);
            }
        }
        stretch.took.sort_unstable();
        stretch
    }
}

#[test]
fn the_limit_settles_near_what_a_service_can_do() {
    for (capacity, peak) in [(20, 900), (100, 120)] {
        let mut simulation = Simulation::new(capacity, 10);
        let possible = capacity as u64 * 50;
        // twice as much as it can take
        simulation.run(120, 2 * possible);
        let long = simulation.run(peak, 2 * possible);
        let limit = simulation.gradient.limit();
        // what is tolerated, and the root that the limit grows by
        let highest = TOLERANCE * capacity as f64 + 2.0 * (limit as f64).sqrt();
        assert!((capacity..=highest as usize).contains(&limit), "{limit} for {capacity}");
        assert!(long.p99() <= 50, "{} ms, and 20 alone, for {capacity}", long.p99());
        let share = long.answered as f64 / (possible * peak) as f64;
        assert!(share > 0.97, "{share} of what is possible for {capacity}");

        // half of it breaks down, and comes back
        simulation.capacity = capacity / 2;
        simulation.run(120, 2 * possible);
        let broken = simulation.run(60, 2 * possible);
        assert!(broken.p99() <= 60, "{} ms with half of {capacity}", broken.p99());
        simulation.capacity = capacity;
        simulation.run(120, 2 * possible);
        let again = simulation.run(60, 2 * possible);
        assert!(
            again.answered as f64 > 0.97 * (possible * 60) as f64,
            "{} of {}",
            again.answered,
            possible * 60
        );
    }
}

/// What it depends on gets slower, and stays so.
#[test]
fn what_takes_longer_for_good_is_no_waiting() {
    let mut now = Instant::now();
    let mut gradient = Gradient::new(10, 200, now);
    windows(&mut gradient, &mut now, 100, USUAL, |limit| limit);
    let mut lowest = gradient.limit();
    for _ in 0..300 {
        windows(&mut gradient, &mut now, 1, USUAL * 3, |limit| limit);
        lowest = lowest.min(gradient.limit());
    }
    assert_eq!((lowest, gradient.limit()), (10, 200));
}

#[test]
fn a_load_that_it_can_take_is_never_refused_for_long() {
    let mut simulation = Simulation::new(100, 10);
    simulation.run(60, 4_000);
    let stretch = simulation.run(600, 4_000);
    assert_eq!(stretch.refused, 0);
    assert!(stretch.p99() <= 24, "{} ms", stretch.p99());
}
