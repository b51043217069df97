use super::*;

/// Every name in the volume with where it leads, the one that holds the time masked.
fn listing(volume: &FakeVolume) -> Vec<String> {
    let entries = fs::read_dir(volume.directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut lines: Vec<_> = entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let masked =
                |name: &str| if name.starts_with("..2") { "..time".to_owned() } else { name.to_owned() };
            match fs::read_link(&path) {
                Ok(target) => format!("{name} -> {}", masked(target.to_str().unwrap())),
                Err(_) => masked(&name),
            }
        })
        .collect();
    lines.sort();
    lines
}

fn volume(order: LinkOrder) -> (tempfile::TempDir, FakeVolume) {
    let directory = tempfile::tempdir().unwrap();
    let volume = FakeVolume::new(directory.path().join("volume")).link_order(order);
    (directory, volume)
}

#[test]
fn names_are_links_through_data_and_one_directory_is_left() {
    let (_directory, volume) = volume(LinkOrder::AfterSwap);
    for n in 0..3 {
        assert!(volume.write(&[
            ("a.yaml", format!("{n}")),
            ("podinfo/labels", "x".into()),
            ("podinfo/deep/y", "z".into())
        ]));
        assert_eq!(
            listing(&volume),
            ["..data -> ..time", "..time", "a.yaml -> ..data/a.yaml", "podinfo -> ..data/podinfo"]
        );
        assert_eq!(fs::read_to_string(volume.path("a.yaml")).unwrap(), n.to_string());
    }
    assert!(volume.write(&[("b.yaml", "only")]));
    assert_eq!(listing(&volume), ["..data -> ..time", "..time", "b.yaml -> ..data/b.yaml"]);
}

#[test]
fn links_of_new_names_come_before_or_after_the_swap() {
    use VolumeStep::{Linked, Removed, Swapped, Unlinked, Written};
    for (order, steps, readable) in [
        (
            LinkOrder::BeforeSwap,
            [Written, Linked, Swapped, Unlinked, Removed],
            [false, false, true, true, true],
        ),
        (
            LinkOrder::AfterSwap,
            [Written, Swapped, Linked, Unlinked, Removed],
            [false, false, true, true, true],
        ),
    ] {
        let (_directory, volume) = volume(order);
        volume.write(&[("old", "1")]);
        let mut seen = Vec::new();
        volume.write_in_steps(&[("new", "2")], |step| {
            let link = fs::read_link(volume.path("new")).is_ok();
            assert_eq!(
                link,
                seen.iter().any(|(step, _)| *step == Linked) || step == Linked,
                "{order:?} {step:?}"
            );
            seen.push((step, fs::read(volume.path("new")).is_ok()));
        });
        assert_eq!(seen, steps.into_iter().zip(readable).collect::<Vec<_>>(), "{order:?}");
    }
}

#[test]
fn a_sub_path_keeps_the_file_of_its_moment() {
    let (directory, volume) = volume(LinkOrder::AfterSwap);
    volume.write(&[("a.yaml", "1")]);
    let at = directory.path().join("mounted.yaml");
    volume.sub_path("a.yaml", &at);
    volume.write(&[("a.yaml", "2")]);
    assert_eq!(fs::read(&at).unwrap(), b"1");
}

#[test]
#[should_panic(expected = "not a name for a volume")]
fn reserved_names_are_refused() {
    volume(LinkOrder::AfterSwap).1.write(&[("..data", "x")]);
}
