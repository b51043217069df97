use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Breaker {
    Breaker { calls: 4, ..Breaker::default() }
}

/// Steps in seconds: `+` an answer, `-` a failure, `.` a call that is dropped; then what the circuit is.
fn check(script: &[(f64, &str, bool)]) {
    let start = Instant::now();
    let mut circuit = Circuit::new(rules(), start);
    for (at, calls, open) in script {
        let now = start + Duration::from_secs_f64(*at);
        for call in calls.chars() {
            let leave = circuit.ask(now);
            let ended = match call {
                '+' => Ended::Answered,
                '-' => Ended::Failed,
                '.' => Ended::Dropped,
                _ => {
                    assert!(leave.is_err(), "at {at}: {circuit:?}");
                    continue;
                }
            };
            circuit.end(leave.unwrap_or_else(|wait| panic!("at {at}: to wait {wait:?}")), ended, now);
        }
        assert_eq!(circuit.is_open(), *open, "at {at}: {circuit:?}");
    }
}

#[test]
fn it_opens_by_share_and_number_and_closes_by_one_answer() {
    // too few to say anything; then enough
    check(&[(0.0, "---", false), (1.0, "-", true), (1.9, "x", true), (2.1, "+", false)]);
    // fewer than half
    check(&[(0.0, "+++--", false), (0.5, "-", true)]);
    // what left the window does not count
    check(&[(0.0, "---", false), (11.0, "-", false), (11.5, "--", false), (12.0, "-", true)]);
    // the old failures are forgotten with the answer
    check(&[(0.0, "----", true), (1.5, "+", false), (1.6, "---", false)]);
}

#[test]
fn each_failed_try_doubles_the_pause_and_a_dropped_one_does_not() {
    check(&[
        (0.0, "----", true),
        (1.1, "-x", true),
        (3.0, "x", true),
        (3.2, "-x", true),
        (7.0, "x", true),
        (7.3, ".", true),
        (7.3, "+", false),
    ]);
}

#[test]
fn the_pause_has_an_end() {
    let start = Instant::now();
    let mut circuit = Circuit::new(rules(), start);
    let mut now = start;
    for _ in 0..4 {
        let leave = circuit.ask(now).unwrap();
        circuit.end(leave, Ended::Failed, now);
    }
    for _ in 0..20 {
        now += circuit.ask(now).unwrap_err();
        let leave = circuit.ask(now).unwrap();
        circuit.end(leave, Ended::Failed, now);
    }
    assert_eq!(circuit.ask(now), Err(30 * SECOND));
}

#[test]
fn only_one_call_finds_out_and_late_ends_say_nothing() {
    let start = Instant::now();
    let mut circuit = Circuit::new(rules(), start);
    let late: Vec<_> = (0..10).map(|_| circuit.ask(start).unwrap()).collect();
    for leave in &late[..4] {
        circuit.end(*leave, Ended::Failed, start);
    }
    let now = start + 2 * SECOND;
    let trying = circuit.ask(now).unwrap();
    assert!(circuit.ask(now).is_err());
    // begun before it opened
    circuit.end(late[5], Ended::Answered, now);
    circuit.end(late[6], Ended::Failed, now);
    assert!(circuit.ask(now).is_err() && circuit.is_open());
    circuit.end(trying, Ended::Answered, now);
    assert!(!circuit.is_open());
}

/// Against a model that remembers every call.
#[test]
fn it_does_what_its_description_says() {
    struct Model {
        ended: Vec<(Duration, bool)>,
        /// Until when it is open, and for how long it was.
        open: Option<(Duration, Duration)>,
        trying: bool,
    }
    let rules = rules();
    let slice = rules.window / SLICES as u32;
    let start = Instant::now();
    for seed in 1..200_u64 {
        let mut random = seed;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let mut circuit = Circuit::new(rules, start);
        let mut model = Model { ended: Vec::new(), open: None, trying: false };
        let mut now = Duration::ZERO;
        for step in 0..300 {
            now += Duration::from_millis(next(700));
            let may = match model.open {
                Some((until, _)) => !model.trying && now >= until,
                None => true,
            };
            let leave = circuit.ask(start + now);
            assert_eq!(leave.is_ok(), may, "seed {seed}, step {step}: {circuit:?}");
            let Ok(leave) = leave else { continue };
            model.trying = model.open.is_some();
            let ended = [Ended::Answered, Ended::Failed, Ended::Failed, Ended::Dropped][next(4) as usize];
            circuit.end(leave, ended, start + now);
            match (model.open, ended) {
                (None, Ended::Dropped) => {}
                (None, ended) => {
                    model.ended.push((now, ended == Ended::Failed));
                    // by whole slices, as the ring has it
                    let number = |at: Duration| at.as_nanos() / slice.as_nanos();
                    let counted =
                        model.ended.iter().filter(|(at, _)| number(now) - number(*at) < SLICES as u128);
                    let (calls, failures) = counted.fold((0, 0), |(calls, failures), (_, failed)| {
                        (calls + 1, failures + u32::from(*failed))
                    });
                    if calls >= rules.calls && failures * 2 >= calls {
                        model.open = Some((now + rules.pause, rules.pause));
                    }
                }
                (Some(_), Ended::Answered) => {
                    model.open = None;
                    model.ended.clear();
                }
                (Some((_, pause)), Ended::Failed) => {
                    let pause = (pause * 2).min(rules.longest);
                    model.open = Some((now + pause, pause));
                }
                (Some((_, pause)), Ended::Dropped) => model.open = Some((now, pause)),
            }
            model.trying = false;
            assert_eq!(circuit.is_open(), model.open.is_some(), "seed {seed}, step {step}: {circuit:?}");
        }
    }
}
