//! `config.*`: a file that changes under the running service.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::rig::{Rig, Setup};

const TAKEN: &str = "configuration reloaded";
const REFUSED: &str = "new configuration refused, the last good one stays";

/// A service with a greeting in a file.
struct Greeter {
    rig: Rig,
    file: PathBuf,
    folder: TempDir,
}

impl Greeter {
    fn new(key: &str, value: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("watched/greeting.yaml");
        fs::create_dir(folder.path().join("watched")).unwrap();
        fs::write(&file, "greeting: one\n").unwrap();
        let mut rig = Setup::new().config(&file).set("log.level", "debug").set(key, value).serve();
        if key != "config.reload" {
            // What was written before the start was over may be taken with the first look.
            rig.service.signal(Signal::HUP).unwrap();
            rig.line("the configuration says nothing new");
        }
        Self { rig, file, folder }
    }

    /// Puts a file with another greeting in the place of the old one.
    fn say(&self, greeting: &str) {
        let new = self.folder.path().join("new.yaml");
        fs::write(&new, format!("greeting: {greeting}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn greeting(&self) -> (u16, String) {
        let answer = self.rig.get("/greeting");
        (answer.status, answer.text())
    }

    /// Has it look; what it says to that.
    fn look(&mut self, message: &str) -> Value {
        self.rig.service.signal(Signal::HUP).unwrap();
        self.rig.line(message)
    }
}

pub(crate) fn reload() {
    let [mut on, mut off] = ["true", "false"].map(|value| Greeter::new("config.reload", value));
    off.say("two");
    off.look("looking at the configuration");
    on.say("two");
    on.rig.line(TAKEN);
    assert_eq!((on.greeting().1.as_str(), off.greeting().1.as_str()), ("two", "one"));
    assert_eq!(off.rig.count(TAKEN), 0);
}

pub(crate) fn poll() {
    let [mut never, mut often] = ["1h", "20ms"].map(|value| {
        let greeter = Greeter::new("config.poll", value);
        // By a name in another directory, of which nobody is told.
        let unseen = greeter.folder.path().join("unseen.yaml");
        fs::hard_link(&greeter.file, &unseen).unwrap();
        fs::write(&unseen, "greeting: two\n").unwrap();
        greeter
    });
    often.rig.line(TAKEN);
    assert_eq!(never.rig.count(TAKEN), 0);
    never.look(TAKEN);
}

pub(crate) fn prepare_timeout() {
    let [mut long, mut short] = ["1h", "50ms"].map(|value| {
        let mut greeter = Greeter::new("config.prepare_timeout", value);
        greeter.say("never");
        greeter.rig.line("preparing");
        greeter
    });
    assert!(short.rig.line(REFUSED)["error"].as_str().unwrap().contains("50ms"));
    assert_eq!(long.rig.count(REFUSED), 0);
    long.say("two");
    long.rig.line(TAKEN);
}

pub(crate) fn soak() {
    const BACK: &str = "configuration taken back: it made things worse";
    let [mut off, mut on] = ["0s", "60s"].map(|value| Greeter::new("config.soak", value));
    for greeter in [&mut off, &mut on] {
        greeter.say("broken");
        greeter.rig.line(TAKEN);
        // As many as make a judgement: the next one may be answered by what is back.
        for _ in 0..50 {
            assert_eq!(greeter.greeting().0, 500);
        }
    }
    on.rig.line(BACK);
    assert_eq!((on.greeting().1.as_str(), off.greeting().0), ("one", 500));
    assert_eq!(off.rig.count(BACK), 0);
}
