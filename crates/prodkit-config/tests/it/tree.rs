//! The tree as a value: shown, compared, hashed.

use crate::kit::{Dir, read, yaml};
use prodkit_config::Layers;

#[test]
fn shown_with_sources() {
    let text = "server:\n  port: 8080\ndatabase:\n  url: postgres://u:p@db/x\n  password: 'x'\nlist: [a, '5', '']\n\
                none: ~\nempty: {}\nlabels: {app.io/name: \"a\\tb\"}\nsecrets: {vault: {addr: http://v, token: t}}\n";
    let dir = Dir::with(&[("c.yaml", text.as_bytes())]);
    let tree = Layers::new().file(dir.path("c.yaml")).set("log.level=debug").read().unwrap();
    let shown = tree.show().hiding(["list"]).to_string().replace(&format!("{}/", dir.root().display()), "");
    let expected = "server.port = 8080    # c.yaml:2:9\n\
        database.url = postgres://***@db/x    # c.yaml:4:8\n\
        database.password = ***    # c.yaml:5:13\n\
        list[0] = ***    # c.yaml:6:8\nlist[1] = ***    # c.yaml:6:11\nlist[2] = ***    # c.yaml:6:16\n\
        none = ~    # c.yaml:7:7\nempty = {}    # c.yaml:8:8\n\
        labels.\"app.io/name\" = \"a\\tb\"    # c.yaml:9:23\n\
        secrets.vault.addr = http://v    # c.yaml:10:25\n\
        secrets.vault.token = ***    # c.yaml:10:42\n\
        log.level = debug    # --set log.level\n";
    assert_eq!(shown, expected);
    let leaf = tree.leaves().next().unwrap();
    assert_eq!((leaf.path(), leaf.shown(), leaf.origin().position()), ("server.port", "8080", Some((2, 9))));
    assert_eq!(leaf.origin().path(), Some(&*dir.path("c.yaml")));
    let last = tree.leaves().last().unwrap();
    assert_eq!(
        (last.origin().set_index(), last.origin().variable(), last.origin().path()),
        (Some(0), None, None)
    );
}

#[test]
fn equal_when_they_say_the_same() {
    let tree = yaml("a: 1\nb: {c: x, d: [1, 2]}\npassword: p\nn: ~\n");
    let same = [
        ("c.yaml", "# comment\nb:\n  d:\n  - 1\n  - 2\n  c: 'x'\na: 1\nn: null\npassword: \"p\"\n"),
        ("c.json", "{\"a\": 1, \"b\": {\"c\": \"x\", \"d\": [1, 2]}, \"password\": \"p\", \"n\": null}"),
    ];
    for (name, text) in same {
        let other = read(name, text).unwrap();
        assert!(tree == other, "{text}");
        assert_eq!(tree.hash(), other.hash(), "{text}");
    }
    for text in [
        "a: '1'\nb: {c: x, d: [1, 2]}\npassword: p\nn: ~\n",
        "a: 2\nb: {c: x, d: [1, 2]}\npassword: p\nn: ~\n",
        "a: 1\nb: {c: x, d: [2, 1]}\npassword: p\nn: ~\n",
        "a: 1\nb: {c: x, d: [1, 2]}\npassword: p\n",
        "a: 1\nb: {c: x, d: [1, 2]}\npassword: p\nn: x\n",
    ] {
        let other = yaml(text);
        assert!(tree != other && tree.hash() != other.hash(), "{text}");
    }
}

#[test]
fn a_secret_takes_part_in_equality_and_not_in_the_hash() {
    let (one, two) = (yaml("password: p\nurl: http://u:p@h\n"), yaml("password: q\nurl: http://u:q@h\n"));
    assert!(one != two);
    assert_eq!(one.hash(), two.hash());
}

#[test]
fn the_hash_does_not_change_between_versions() {
    assert_eq!(format!("{:016x}", yaml("a: 1\nb: [x]\n").hash()), "04d50ea6e47104a6");
}
