use super::*;
use crate::backend::{Backend, Refused};
use crate::bell::Line;
use crate::handle::Mode;
use notify::EventKind;
use notify::event::{DataChange, ModifyKind};
use std::fs;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use tracing::span;

/// The events of the operating system, as long as the test lets them through.
#[derive(Clone, Default)]
struct Weather {
    no_instances: Arc<AtomicBool>,
    no_watches: Arc<AtomicBool>,
    /// What dies when it is taken.
    line: Arc<Mutex<Option<Line>>>,
    opened: Arc<AtomicUsize>,
}

struct Under(Weather, Box<dyn Backend>);

impl Weather {
    fn open(&self) -> Open {
        let weather = self.clone();
        Box::new(move |bell| {
            if weather.no_instances.load(SeqCst) {
                return Err("no instance left".into());
            }
            weather.opened.fetch_add(1, SeqCst);
            let native = backend::native(bell)?;
            *weather.line.lock().unwrap() = Some(bell.line());
            Ok(Box::new(Under(weather.clone(), native)))
        })
    }
}

impl Backend for Under {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
        if self.0.no_watches.load(SeqCst) {
            return Err(Refused::Because("no watch left".into()));
        }
        self.1.watch(directory)
    }

    fn unwatch(&mut self, directory: &Path) {
        self.1.unwatch(directory);
    }

    fn abandon(self: Box<Self>) {}
}

/// Counts warnings and informations.
#[derive(Clone, Default)]
struct Log(Arc<[AtomicUsize; 2]>);

impl Log {
    fn counts(&self) -> [usize; 2] {
        [self.0[0].load(SeqCst), self.0[1].load(SeqCst)]
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("prodkit")
    }
    fn event(&self, event: &tracing::Event<'_>) {
        match *event.metadata().level() {
            tracing::Level::WARN => drop(self.0[0].fetch_add(1, SeqCst)),
            tracing::Level::INFO => drop(self.0[1].fetch_add(1, SeqCst)),
            _ => {}
        }
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Rig {
    weather: Weather,
    watch: Watch,
    path: PathBuf,
    log: Log,
    _guard: tracing::subscriber::DefaultGuard,
    _root: tempfile::TempDir,
}

impl Rig {
    fn under(weather: Weather) -> Self {
        let log = Log::default();
        let guard = tracing::subscriber::set_default(log.clone());
        let options = Options::default().poll(Duration::from_millis(30)).quiet(Duration::from_millis(10));
        let mut watch = Watch::with(options, Some(weather.open()));
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.yaml");
        fs::write(&path, "0").unwrap();
        watch.set([&path]);
        Self { weather, watch, path, log, _guard: guard, _root: root }
    }

    fn mode(&self) -> Mode {
        self.watch.handle().health().mode
    }

    async fn sees(&mut self, content: &str) {
        fs::write(&self.path, content).unwrap();
        let look = tokio::time::timeout(Duration::from_secs(30), self.watch.changed()).await.unwrap();
        assert_eq!(look.paths(), std::slice::from_ref(&self.path));
    }

    /// Nothing changes; only the mode does.
    async fn comes_to(&mut self, mode: Mode) {
        for attempt in 0.. {
            if self.mode() == mode {
                break;
            }
            assert!(attempt < 1_000, "never comes to {mode:?}");
            let look = tokio::time::timeout(Duration::from_millis(10), self.watch.changed()).await;
            assert!(look.is_err(), "{look:?}");
        }
    }
}

#[tokio::test]
async fn the_death_of_the_events_is_survived_told_once_and_mended() {
    let mut rig = Rig::under(Weather::default());
    rig.sees("1").await;
    for n in 1..=2 {
        rig.weather.no_instances.store(true, SeqCst);
        drop(rig.weather.line.lock().unwrap().take());
        rig.comes_to(Mode::Polling).await;
        let health = rig.watch.handle().health();
        assert_eq!((health.last_error.is_some(), health.directories), (true, 0));
        for content in ["2", "3", "4"] {
            rig.sees(content).await;
        }
        assert_eq!(rig.log.counts(), [n, n - 1], "one warning for any number of attempts");

        rig.weather.no_instances.store(false, SeqCst);
        rig.comes_to(Mode::Events).await;
        rig.sees("5").await;
        let health = rig.watch.handle().health();
        assert_eq!((health.last_error, health.directories), (None, 1));
        assert_eq!(rig.log.counts(), [n, n]);
        assert_eq!(rig.weather.opened.load(SeqCst), n + 1);
    }
}

#[tokio::test]
async fn without_an_instance_at_start_it_polls_and_comes_back() {
    let weather = Weather::default();
    weather.no_instances.store(true, SeqCst);
    let mut rig = Rig::under(weather);
    assert_eq!((rig.mode(), rig.log.counts()), (Mode::Polling, [0, 0]), "not a word before it is awaited");
    rig.sees("1").await;
    assert_eq!(rig.log.counts(), [1, 0]);
    rig.weather.no_instances.store(false, SeqCst);
    rig.comes_to(Mode::Events).await;
    assert_eq!(rig.log.counts(), [1, 1]);
}

#[tokio::test]
async fn without_a_watch_it_polls_keeps_what_it_has_and_comes_back() {
    let mut rig = Rig::under(Weather::default());
    rig.weather.no_watches.store(true, SeqCst);
    let other = tempfile::tempdir().unwrap();
    rig.watch.set([&rig.path, &other.path().join("b.yaml")]);
    let health = rig.watch.handle().health();
    assert_eq!((health.mode, health.directories), (Mode::Polling, 1));
    assert!(health.last_error.unwrap().contains("no watch left"));
    rig.sees("1").await;
    assert_eq!(rig.log.counts(), [1, 0]);
    rig.weather.no_watches.store(false, SeqCst);
    rig.comes_to(Mode::Events).await;
    assert_eq!(rig.watch.handle().health().directories, 2);
}

#[tokio::test]
async fn what_needs_no_watch_any_more_is_no_trouble_any_more() {
    let mut rig = Rig::under(Weather::default());
    rig.weather.no_watches.store(true, SeqCst);
    let other = tempfile::tempdir().unwrap();
    rig.watch.set([&rig.path, &other.path().join("b.yaml")]);
    assert_eq!(rig.mode(), Mode::Polling);
    rig.watch.set([&rig.path]);
    assert_eq!(rig.mode(), Mode::Events);
}

/// A large file that has changed, of which a check needs two turns, and another.
async fn in_two_turns(weather: &Weather) -> (tempfile::TempDir, Watch, [PathBuf; 2]) {
    let root = tempfile::tempdir().unwrap();
    let (large, path) = (root.path().join("large"), root.path().join("b.yaml"));
    fs::write(&large, "x".repeat(1 << 20)).unwrap();
    fs::write(&path, "old").unwrap();
    let mut watch = Watch::with(Options::default().quiet(LONGEST), Some(weather.open()));
    watch.set([&large, &path]);
    fs::write(&large, "y".repeat(1 << 20)).unwrap();
    let closed = || watch.bell.begin().0 > 0 && !watch.bell.is_held(LONGEST, Instant::now());
    until(closed).await;
    (root, watch, [large, path])
}

async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

#[tokio::test]
async fn a_check_gives_way_to_a_writer_who_begins_meanwhile() {
    let (_root, mut watch, [large, path]) = in_two_turns(&Weather::default()).await;
    let bell = watch.bell.clone();
    let mut changed = pin!(watch.changed());
    let mut context = Context::from_waker(Waker::noop());
    assert!(changed.as_mut().poll(&mut context).is_pending());
    // one file is read, the other is not
    let half = fs::File::create(&path).unwrap();
    until(|| bell.is_held(LONGEST, Instant::now())).await;
    assert!(changed.as_mut().poll(&mut context).is_pending());
    drop(half);
    let look = tokio::time::timeout(Duration::from_secs(30), changed).await.unwrap();
    assert_eq!(look.paths(), [large, path]);
    assert_eq!(bell.health(|health| (health.looks, health.checks)), (1, 2));
}

#[tokio::test]
async fn a_check_gives_way_no_longer_than_a_second() {
    let weather = Weather::default();
    let (_root, mut watch, [large, path]) = in_two_turns(&weather).await;
    let line = weather.line.lock().unwrap().take().unwrap();
    let write = notify::Event::new(EventKind::Modify(ModifyKind::Data(DataChange::Any))).add_path(path);
    let mut changed = pin!(watch.changed());
    // in every turn of every check, somebody writes
    let look = poll_fn(|context| {
        line.event(&write);
        context.waker().wake_by_ref();
        changed.as_mut().poll(context)
    });
    let look = tokio::time::timeout(Duration::from_secs(30), look).await.unwrap();
    assert_eq!(look.paths(), [large]);
}

#[test]
fn a_watch_may_cross_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    let mut watch = Watch::new(Options::default());
    check(&watch);
    check(&watch.handle());
    fn send<T: Send>(_: T) {}
    send(watch.changed());
}
