//! All or nothing: what refuses, what waits, what is taken back.

use super::{Rig, put};
use prodkit_config::{Outcome, ReloadError, Resolve, Tree};
use prodkit_live::Live;
use serde::Deserialize;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize)]
struct Config {
    a: Live<u32>,
    b: Live<u32>,
}

fn text(a: u32, b: u32) -> String {
    format!("a: {a}\nb: {b}\n")
}

#[tokio::test]
async fn one_veto_stops_all_and_its_reason_is_kept() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    let even =
        rig.config.a.try_map(|a| async move { if *a > 9 { Err("no more than nine") } else { Ok(*a) } });
    let even = even.await.unwrap();
    let error = rig.refused(&text(10, 2)).await;
    assert!(matches!(error, ReloadError::Refused(_)) && error.is_transient());
    assert!(error.to_string().ends_with(": no more than nine"), "{error}");
    assert_eq!((*rig.config.a.get(), *rig.config.b.get(), *even.get()), (1, 1, 1));
    let status = rig.reload.status();
    assert_eq!((status.generation, status.last_error.clone()), (0, Some(error.to_string())));
    assert_eq!(rig.step(&text(9, 2)).await, "a b | ");
    assert_eq!((*rig.config.a.get(), *rig.config.b.get(), *even.get()), (9, 2, 9));
    assert_eq!((rig.reload.status().generation, &rig.reload.status().last_error), (1, &None));
}

/// What has happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<&'static str>>>);

impl Diary {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn read(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Finder {
    diary: Diary,
    there: Arc<AtomicU32>,
}

impl Resolve for Finder {
    fn note(&mut self, _: &Tree, load: &mut dyn FnMut()) {
        self.diary.note("note");
        load();
    }

    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + '_>> {
        Box::pin(async {
            self.diary.note("resolve");
            if self.there.load(Ordering::Relaxed) == 0 { Err("it is not there".into()) } else { Ok(()) }
        })
    }

    fn taken(&mut self) {
        self.diary.note("taken");
    }
}

#[tokio::test]
async fn what_is_named_is_found_before_anybody_is_asked() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    let (diary, there) = (Diary::default(), Arc::new(AtomicU32::new(0)));
    rig.reload = rig.reload.resolving(Finder { diary: diary.clone(), there: Arc::clone(&there) });
    let asked = diary.clone();
    let derived = rig.config.a.try_map(move |a| {
        asked.note("asked");
        async move { if *a > 9 { Err("no more than nine") } else { Ok(*a) } }
    });
    let _derived = derived.await.unwrap();
    diary.read();

    let error = rig.refused(&text(2, 1)).await;
    assert!(matches!(error, ReloadError::Unresolved(_)) && error.is_transient());
    assert_eq!((error.to_string().as_str(), *rig.config.a.get()), ("it is not there", 1));
    assert_eq!(diary.read(), ["note", "resolve"]);

    there.store(1, Ordering::Relaxed);
    rig.refused(&text(10, 1)).await;
    assert_eq!(diary.read(), ["note", "resolve", "asked"]);
    assert_eq!(rig.step(&text(3, 1)).await, "a | ");
    assert_eq!(diary.read(), ["note", "resolve", "asked", "taken"]);
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_its_repair_is_no_commit() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    for broken in
        ["a: 1\nb: [\n", "a: 1\nb: x\n", "a: 1\n", "a: 1\nb: 1\nc: 1\n", "", "a: 1\nb: 4294967296\n"]
    {
        let error = rig.refused(broken).await;
        assert!(matches!(error, ReloadError::Invalid(_)) && !error.is_transient(), "{error}");
        let last = rig.reload.status().last_error.clone().unwrap();
        assert!(last.contains("config.yaml:") || broken.is_empty(), "{last}");
    }
    assert!(matches!(rig.outcome("b: 1 # the same\na: 1\n").await, Outcome::Unchanged));
    let status = rig.reload.status();
    assert_eq!((status.generation, &status.last_error, rig.config.a.generation()), (0, &None, 0));
}

#[tokio::test]
async fn a_file_that_goes_and_comes_back() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    std::fs::remove_file(rig.dir.path("config.yaml")).unwrap();
    let Outcome::Refused(error) = rig.reload.next().await else { panic!("nothing to read") };
    assert!(error.to_string().contains("config.yaml"), "{error}");
    assert_eq!(rig.step(&text(2, 1)).await, "a | ");
}

#[tokio::test]
async fn a_newer_candidate_ends_the_older_one_in_the_middle() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    let (gate, dropped) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicU32::new(0)));
    struct Noted(Arc<AtomicU32>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (waits, notes) = (Arc::clone(&gate), Arc::clone(&dropped));
    let slow = rig.config.a.try_map(move |a| {
        let (gate, noted) = (Arc::clone(&waits), Noted(Arc::clone(&notes)));
        async move {
            let _noted = noted;
            // Two is never ready.
            if *a != 2 {
                gate.acquire().await.unwrap().forget();
            } else {
                std::future::pending::<()>().await;
            }
            Ok::<_, String>(*a)
        }
    });
    let slow = slow.await.unwrap();
    assert_eq!(dropped.load(Ordering::SeqCst), 1);

    put(&rig.dir, &text(2, 1));
    let mut next = Box::pin(rig.reload.next());
    // As long as it builds the first, there is no outcome; its building has begun once the file was read.
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut next).await.is_err());
    put(&rig.dir, &text(3, 1));
    gate.add_permits(1);
    let outcome = next.await;
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    assert_eq!((*slow.get(), dropped.load(Ordering::SeqCst)), (3, 3));
    assert_eq!(rig.reload.status().generation, 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_taken_up_by_the_next() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    let gate = Arc::new(Semaphore::new(1));
    let waits = Arc::clone(&gate);
    let slow = rig.config.a.try_map(move |a| {
        let gate = Arc::clone(&waits);
        async move {
            gate.acquire().await.map(tokio::sync::SemaphorePermit::forget)?;
            Ok::<_, tokio::sync::AcquireError>(*a)
        }
    });
    let slow = slow.await.unwrap();
    put(&rig.dir, &text(2, 1));
    assert!(tokio::time::timeout(Duration::from_millis(300), rig.reload.next()).await.is_err());
    assert_eq!(*slow.get(), 1);
    gate.add_permits(1);
    assert!(matches!(rig.reload.next().await, Outcome::Committed(_)));
    assert_eq!(*slow.get(), 2);
}

#[tokio::test]
async fn what_is_not_ready_in_time_is_refused_and_tried_again() {
    let rig = Rig::<Config>::new(&text(1, 1));
    let Rig { dir, config, reload } = rig;
    let mut reload = reload.prepare_timeout(Duration::from_millis(50));
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let slow = config.a.try_map(move |a| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 1;
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            Ok::<_, String>(*a)
        }
    });
    let slow = slow.await.unwrap();
    put(&dir, &text(2, 1));
    let outcome = reload.next().await;
    assert!(matches!(outcome, Outcome::Refused(ReloadError::TimedOut(_))), "{outcome:?}");
    // Nothing has changed on disk; the next try comes by itself.
    tokio::time::pause();
    let outcome = reload.next().await;
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    assert_eq!((*slow.get(), tries.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn a_type_that_panics_is_a_refusal() {
    #[derive(Deserialize)]
    #[serde(from = "u32")]
    struct Odd(u32);
    impl From<u32> for Odd {
        fn from(n: u32) -> Self {
            assert!(n % 2 == 1, "even");
            Self(n)
        }
    }
    #[derive(Deserialize)]
    struct Config {
        odd: Live<Odd>,
    }
    let mut rig = Rig::<Config>::new("odd: 1\n");
    assert!(matches!(rig.refused("odd: 2\n").await, ReloadError::Panicked));
    assert_eq!(rig.step("odd: 3\n").await, "odd | ");
    assert_eq!(rig.config.odd.get().0, 3);
}

#[tokio::test]
async fn a_commit_can_be_taken_back_and_is_not_taken_again() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    assert!(matches!(rig.reload.take_back().await, Outcome::Unchanged));
    let good = rig.reload.status().hash;
    let bad = rig.commit(&text(2, 2)).await.hashes.1;
    let Outcome::Committed(commit) = rig.reload.take_back().await else { panic!("there is one") };
    assert_eq!((commit.hashes, commit.moved), ((bad, good), vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((*rig.config.a.get(), rig.reload.status().generation), (1, 2));
    rig.reload.handle().touch();
    assert!(matches!(rig.reload.next().await, Outcome::Unchanged));
    assert_eq!(*rig.config.a.get(), 1);
    assert_eq!(rig.step(&text(2, 3)).await, "a b | ");
}

#[tokio::test]
async fn an_unchanged_section_rebuilds_nothing() {
    let mut rig = Rig::<Config>::new(&text(1, 1));
    let built = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&built);
    let pool = rig.config.a.try_map(move |a| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>(*a) }
    });
    let pool = pool.await.unwrap();
    for b in 2..6 {
        assert_eq!(rig.step(&text(1, b)).await, "b | ");
    }
    assert_eq!((built.load(Ordering::SeqCst), pool.generation()), (1, 0));
}
