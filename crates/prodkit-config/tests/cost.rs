//! What reloading leaves behind, in a process of its own: descriptors and memory.
//!
//! `PRODKIT_LONG=1 cargo test -p prodkit-config --test cost` makes it ten thousand reloads.

use prodkit_config::{Layers, Outcome, Reload, WatchOptions};
use prodkit_fakes::FakeVolume;
use prodkit_live::Live;
use serde::Deserialize;
use std::error::Error;
use std::fs;

#[derive(Deserialize)]
struct Settings {}

#[derive(Deserialize)]
struct Config {
    n: Live<u32>,
    upstreams: Live<Vec<Upstream>>,
    #[serde(default)]
    absent: Live<u8>,
}

#[derive(Deserialize)]
struct Upstream {
    weight: Live<u32>,
}

#[tokio::test]
async fn reloads_leave_nothing_behind() -> Result<(), Box<dyn Error>> {
    let reloads = if std::env::var_os("PRODKIT_LONG").is_some() { 10_000 } else { 1_500 };
    let folder = tempfile::tempdir()?;
    let volume = FakeVolume::new(folder.path().join("volume"));
    // A list that grows and shrinks makes new cells, and a key that comes and goes a new default.
    let text = |n: u32| {
        let list = vec![format!("{{weight: {n}}}"); 1 + n as usize % 3].join(", ");
        format!("n: {n}\nupstreams: [{list}]\n{}", if n.is_multiple_of(2) { "absent: 1\n" } else { "" })
    };
    volume.write(&[("config.yaml", text(0))]);
    let layers = Layers::new().file(volume.path("config.yaml"));
    let (loaded, mut reload) = Reload::<Settings, Config>::start(layers, &[], WatchOptions::default())?;
    let config = loaded.config;
    let mut before = None;
    for n in 1..=reloads {
        // The first ones pay for what stays.
        if n == 500 {
            before = Some((descriptors()?, resident()?));
        }
        volume.write(&[("config.yaml", text(n))]);
        let outcome = reload.next().await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        let weights: Vec<u32> =
            config.upstreams.get().iter().map(|upstream| *upstream.weight.get()).collect();
        assert_eq!((*config.n.get(), weights), (n, vec![n; 1 + n as usize % 3]));
        assert_eq!(*config.absent.get(), u8::from(n.is_multiple_of(2)));
    }
    let (descriptors_before, resident_before) = before.ok_or("too few reloads")?;
    let grown = resident()?.saturating_sub(resident_before);
    println!("descriptors {descriptors_before} -> {}, resident +{grown} KiB", descriptors()?);
    assert_eq!(descriptors()?, descriptors_before);
    assert!(grown <= 1024, "{grown} KiB");
    assert_eq!(reload.status().generation, u64::from(reloads));
    Ok(())
}

fn descriptors() -> Result<usize, Box<dyn Error>> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

/// In KiB.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
