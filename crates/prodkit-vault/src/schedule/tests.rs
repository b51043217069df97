use super::*;
use proptest::prelude::*;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn term(ttl: u64, renewable: bool, now: Duration) -> Term {
    Term::new(Grant { ttl: seconds(ttl), renewable }, now, 0.0)
}

fn schedule() -> Schedule {
    Schedule::new(seconds(300), Random::seeded(1))
}

fn leased(id: &str, ttl: u64, now: Duration) -> Keep {
    Keep::Leased { lease: id.into(), term: term(ttl, true, now) }
}

#[test]
fn the_token_goes_first_then_whatever_is_due_then_what_goes_back() {
    let mut schedule = schedule();
    let zero = Duration::ZERO;
    let session = schedule.logged_in(term(600, true, zero), zero, zero);
    schedule.took("db/a", leased("l1", 600, zero), session, zero);
    schedule.took("db/b", Keep::Leased { lease: "l2".into(), term: term(120, false, zero) }, session, zero);
    schedule.took("role", Keep::Rotated { ttl: seconds(70) }, session, zero);
    schedule.give_back("l0".into());
    assert_eq!(schedule.next(zero), Step::Return { lease: "l0".into() });
    assert_eq!(schedule.next(zero), Step::Wait(Some(seconds(60))));
    // a half of 120, a sixth of 600, 70 and one
    assert_eq!(schedule.next(seconds(60)), Step::Read { path: "db/b".into() });
    schedule.took("db/b", leased("l3", 0, seconds(60)), session, seconds(60));
    assert_eq!(schedule.next(seconds(60)), Step::Wait(Some(seconds(71))));
    assert_eq!(schedule.next(seconds(71)), Step::Read { path: "role".into() });
    schedule.took("role", Keep::Rotated { ttl: seconds(3_600) }, session, seconds(71));
    assert_eq!(schedule.next(seconds(100)), Step::RenewToken);
    schedule.token_renewed(|term, _| {
        term.renewed(Grant { ttl: seconds(600), renewable: true }, seconds(100), 0.0);
    });
    assert_eq!(schedule.next(seconds(100)), Step::RenewLease { path: "db/a".into(), lease: "l1".into() });
    schedule.renewed("db/a", |term, _| {
        term.renewed(Grant { ttl: seconds(600), renewable: true }, seconds(100), 0.0);
    });
    assert_eq!(schedule.next(seconds(100)), Step::Wait(Some(seconds(200))));
}

#[test]
fn an_outage_stops_everything_but_telling_what_is_late() {
    let mut schedule = schedule();
    let zero = Duration::ZERO;
    let session = schedule.logged_in(term(0, false, zero), zero, zero);
    schedule.took("db/a", leased("l1", 60, zero), session, zero);
    let mut now = seconds(10);
    let mut told = 0;
    let mut asked = 0;
    while now < seconds(60) {
        match schedule.next(now) {
            Step::Wait(Some(until)) => now = until,
            Step::RenewLease { .. } | Step::Read { .. } => {
                asked += 1;
                schedule.outage.failed(now, now, 0.9, None);
            }
            Step::TellLate { paths } => {
                assert_eq!((now, &paths), (seconds(45), &vec![("db/a".to_owned(), Some(seconds(60)))]));
                told += 1;
            }
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(told, 1, "before it is over, and once");
    assert!((5..=10).contains(&asked), "{asked}");
}

#[test]
fn a_new_login_replaces_what_was_leased_with_the_one_before() {
    let mut schedule = schedule();
    let zero = Duration::ZERO;
    let first = schedule.logged_in(term(600, true, zero), zero, zero);
    schedule.took("db/a", leased("l1", 600, zero), first, zero);
    schedule.took("kv/a", Keep::Lasting { version: None }, first, zero);
    let second = schedule.logged_in(term(600, true, zero), seconds(1), seconds(10));
    assert_ne!(first, second);
    let Step::Wait(Some(until)) = schedule.next(seconds(1)) else { panic!("it is spread") };
    assert!(until <= seconds(11), "{until:?}");
    assert_eq!(schedule.next(seconds(11)), Step::Read { path: "db/a".into() });
}

#[test]
fn what_is_refused_is_tried_again_with_growing_pauses_and_only_that() {
    let mut schedule = schedule();
    let zero = Duration::ZERO;
    let session = schedule.logged_in(term(0, false, zero), zero, zero);
    schedule.took("kv/a", Keep::Lasting { version: None }, session, zero);
    let mut now = seconds(300);
    let mut reads = 0;
    while now < seconds(600) {
        match schedule.next(now) {
            Step::Wait(Some(until)) => now = until,
            Step::Read { .. } => {
                reads += 1;
                schedule.failed("kv/a", now);
            }
            step => panic!("{step:?}"),
        }
    }
    assert!((8..40).contains(&reads), "{reads}");
}

#[test]
fn a_lease_that_came_back_is_not_renewed() {
    let mut schedule = schedule();
    let zero = Duration::ZERO;
    let session = schedule.logged_in(term(0, false, zero), zero, zero);
    schedule.took("db/a", leased("l1", 60, zero), session, zero);
    schedule.give_back("l1".into());
    assert_eq!(schedule.next(seconds(50)), Step::Return { lease: "l1".into() });
    assert_eq!(schedule.next(seconds(50)), Step::Wait(None));
    assert!(schedule.leases().is_empty());
}

#[test]
fn a_year_of_hourly_leases() {
    let mut schedule = schedule();
    let mut now = Duration::ZERO;
    let session = schedule.logged_in(term(3_600, true, now), now, now);
    for n in 0..2 {
        schedule.took(&format!("db/{n}"), leased(&format!("l{n}"), 3_600, now), session, now);
    }
    let grant = Grant { ttl: seconds(3_600), renewable: true };
    let mut requests = 0_u32;
    while now < seconds(366 * 86_400) {
        match schedule.next(now) {
            Step::Wait(Some(until)) => {
                assert!(until > now, "it does not spin");
                now = until;
            }
            Step::RenewToken => schedule.token_renewed(|term, share| term.renewed(grant, now, share)),
            Step::RenewLease { path, .. } => {
                let _ = schedule.renewed(&path, |term, share| term.renewed(grant, now, share));
            }
            step => panic!("{step:?}"),
        }
        requests += 1;
    }
    // three grants, each every 600 to 1200 seconds, and the waits between them
    assert!(requests < 2 * 3 * 366 * 144, "{requests}");
}

proptest! {
    /// Whatever fails and whenever: no step is asked for while the gate is closed, and time never stands still for ever.
    #[test]
    fn it_never_asks_through_a_closed_gate(
        ttls in prop::collection::vec((1_u64..5_000, any::<bool>()), 1..6),
        fates in prop::collection::vec((any::<u8>(), 0.0..=1.0_f64), 50..300),
    ) {
        let mut schedule = schedule();
        let mut now = Duration::ZERO;
        let session = schedule.logged_in(term(1_000, true, now), now, now);
        for (n, (ttl, renewable)) in ttls.iter().enumerate() {
            let keep = Keep::Leased { lease: n.to_string(), term: term(*ttl, *renewable, now) };
            schedule.took(&format!("db/{n}"), keep, session, now);
        }
        for (fate, share) in fates {
            let step = schedule.next(now);
            if !matches!(step, Step::Wait(_) | Step::TellLate { .. }) {
                prop_assert_eq!(schedule.outage.closed(now), None, "{:?}", step);
                if fate % 3 == 0 {
                    schedule.outage.failed(now, now, share, None);
                    continue;
                }
                schedule.outage.over();
            }
            let grant = Grant { ttl: seconds(60), renewable: fate % 2 == 0 };
            match step {
                Step::Wait(Some(until)) => {
                    prop_assert!(until > now);
                    now = until;
                }
                Step::Wait(None) | Step::TellLate { .. } | Step::Return { .. } => {}
                Step::LogIn => {
                    let _ = schedule.logged_in(Term::new(grant, now, share), now, seconds(5));
                },
                Step::RenewToken => schedule.token_renewed(|term, share| term.renewed(grant, now, share)),
                Step::RenewLease { path, .. } if fate % 5 == 0 => schedule.lease_ends(&path, now),
                Step::RenewLease { path, .. } => {
                    schedule.renewed(&path, |term, share| term.renewed(grant, now, share));
                }
                Step::Read { path } if fate % 5 == 0 => schedule.failed(&path, now),
                Step::Read { path } => {
                    let keep = Keep::Leased { lease: path.clone(), term: Term::new(grant, now, share) };
                    schedule.took(&path, keep, session, now);
                }
            }
        }
    }
}
