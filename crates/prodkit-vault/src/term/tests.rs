use super::*;
use proptest::prelude::*;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn grant(ttl: u64, renewable: bool) -> Grant {
    Grant { ttl: seconds(ttl), renewable }
}

#[test]
fn what_is_due_when() {
    use Way::{Renew, Replace};
    for (ttl, renewable, share, way, due) in [
        (3_600, true, 0.0, Renew, Some(600)),
        (3_600, true, 1.0, Renew, Some(1_200)),
        (3_600, false, 0.0, Replace, Some(1_800)),
        (3_600, false, 1.0, Replace, Some(2_400)),
        (0, true, 0.5, Renew, None),
        (0, false, 0.5, Replace, None),
    ] {
        let term = Term::new(grant(ttl, renewable), seconds(100), share);
        let expected = due.map(|due| seconds(100 + due));
        assert_eq!((term.way(), term.due()), (way, expected), "{ttl} {renewable} {share}");
        assert_eq!(term.expires(), due.map(|_| seconds(100 + ttl)));
    }
}

#[test]
fn a_renewal_that_gives_less_than_half_is_the_last() {
    let mut term = Term::new(grant(3_600, true), seconds(0), 0.5);
    for (at, ttl, way) in [
        (900, 3_600, Way::Renew),
        (1_800, 3_600, Way::Renew),
        (2_700, 1_800, Way::Renew),
        (3_000, 1_799, Way::Replace),
    ] {
        term.renewed(grant(ttl, true), seconds(at), 0.5);
        assert_eq!(term.way(), way, "{ttl}");
    }
    assert_eq!(term.expires(), Some(seconds(4_799)));
}

#[test]
fn the_shortest_grant_is_no_busy_loop() {
    let term = Term::new(Grant { ttl: Duration::from_millis(1), renewable: true }, seconds(1), 0.0);
    assert_eq!(term.due(), Some(seconds(1) + SHORTEST));
}

proptest! {
    /// Whatever is granted and whenever it is extended: it is due before it is late, and late before it is over.
    #[test]
    fn due_before_late_before_over(
        grants in prop::collection::vec((4_u64..10_000_000, any::<bool>(), 0.0..=1.0_f64), 1..20),
    ) {
        let mut now = Duration::ZERO;
        let mut term: Option<Term> = None;
        for (ttl, renewable, share) in grants {
            match &mut term {
                Some(term) => term.renewed(grant(ttl, renewable), now, share),
                None => term = Some(Term::new(grant(ttl, renewable), now, share)),
            }
            let term = term.as_ref().unwrap();
            let (due, late, over) = (term.due().unwrap(), term.late().unwrap(), term.expires().unwrap());
            prop_assert!(now < due && due < late && late < over, "{term:?}");
            prop_assert_eq!(over, now + seconds(ttl));
            if term.way() == Way::Renew {
                // an outage of half the time that was granted is survived
                prop_assert!(over - due >= seconds(ttl) * 2 / 3);
            }
            now = due;
        }
    }
}

#[test]
fn the_last_second_is_told_as_none_and_is_no_life_without_end() {
    let mut term = Term::new(grant(2, true), seconds(10), 0.5);
    term.renewed(grant(0, true), seconds(11), 0.5);
    assert_eq!((term.way(), term.due()), (Way::Replace, Some(seconds(11))));
    assert!(term.expires().is_some_and(|end| end > seconds(11) && end < seconds(12)));

    let mut term = Term::new(grant(2, true), seconds(10), 0.5);
    term.looked_up(grant(0, true), seconds(11), 0.5);
    assert_eq!((term.way(), term.expires()), (Way::Replace, Some(seconds(12))));
    assert!(term.due().is_some_and(|due| due > seconds(11) && due < seconds(12)));
    // what never had an end has none
    let mut term = Term::new(grant(0, true), seconds(10), 0.5);
    term.renewed(grant(0, true), seconds(11), 0.5);
    assert_eq!((term.due(), term.expires()), (None, None));
}
