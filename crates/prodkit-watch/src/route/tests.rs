use super::*;
use std::os::unix::fs::symlink;

struct Tree(tempfile::TempDir);

impl Tree {
    /// `path`, `path/` for a directory, or `path -> target`.
    fn new(entries: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for entry in entries {
            match entry.split_once(" -> ") {
                Some((link, target)) => symlink(target, tree.path(link)).unwrap(),
                None if entry.ends_with('/') => fs::create_dir_all(tree.path(entry)).unwrap(),
                None => fs::write(tree.path(entry), "").unwrap(),
            }
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// The hops as `directory:name` and the end, relative to the tree.
    fn route(&self, name: &str) -> (Vec<String>, Option<String>) {
        let root = self.path("");
        let inside = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let route = Route::to(&self.path(name));
        let hops = route
            .hops
            .iter()
            .map(|(directory, name)| format!("{}:{}", inside(directory), name.to_str().unwrap()));
        (hops.collect(), route.end.as_deref().map(inside))
    }

    #[track_caller]
    fn check(&self, name: &str, hops: &[&str], end: Option<&str>) {
        let (found, found_end) = self.route(name);
        assert_eq!(
            (found.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), found_end.as_deref()),
            (hops, end)
        );
    }
}

#[test]
fn plain_paths_have_their_last_name() {
    let tree = Tree::new(&["a/b/", "a/b/c"]);
    tree.check("a/b/c", &["a/b:c"], Some("a/b/c"));
    tree.check("a/./b/../b/c", &["a/b:c"], Some("a/b/c"));
    tree.check("a/b", &["a:b"], Some("a/b"));
    tree.check("a/b/missing", &["a/b:missing"], None);
    tree.check("a/missing/b/c", &["a:missing"], None);
    tree.check("a/b/c/below-a-file", &["a/b:c"], None);
}

#[test]
fn links_are_hops_wherever_they_are() {
    let tree = Tree::new(&[
        "real/",
        "real/f",
        "links/",
        "links/dir -> ../real",
        "top -> links/dir",
        "dangling -> real/no",
    ]);
    tree.check("top/f", &[":top", "links:dir", "real:f"], Some("real/f"));
    tree.check("dangling", &[":dangling", "real:no"], None);
    symlink(tree.path("real"), tree.path("absolute")).unwrap();
    tree.check("absolute/f", &[":absolute", "real:f"], Some("real/f"));
    // the parent of where the link leads, not of where it is
    tree.check("links/dir/../real/f", &["links:dir", "real:f"], Some("real/f"));
}

#[test]
fn a_volume_needs_no_watch_on_what_comes_and_goes() {
    let entries = ["v/", "v/..2026_1/", "v/..2026_1/sub/", "v/..2026_1/f", "v/..2026_1/sub/g"];
    let links = ["v/..data -> ..2026_1", "v/f -> ..data/f", "v/sub -> ..data/sub"];
    let tree = Tree::new(&[&entries[..], &links[..]].concat());
    tree.check("v/f", &["v:f", "v:..data"], Some("v/..2026_1/f"));
    tree.check("v/sub/g", &["v:sub", "v:..data"], Some("v/..2026_1/sub/g"));
    assert!(Route::to(&tree.path("v/sub/g")).sealed);
    assert!(!Route::to(&tree.path("v")).sealed);
}

#[test]
fn loops_end() {
    let tree = Tree::new(&["a -> b", "b -> a", "self -> self/x"]);
    let (hops, end) = tree.route("a");
    assert_eq!(
        (&hops[..2], hops.len(), end),
        (&[":a".to_owned(), ":b".to_owned()][..], MOST_LINKS + 1, None)
    );
    assert_eq!(tree.route("self").1, None);
}

#[test]
fn odd_paths_lead_somewhere_or_nowhere() {
    for path in ["", "/", "..", "/..", "/../..", "relative"] {
        let route = Route::to(Path::new(path));
        assert!(route.hops.len() <= 1, "{path:?}: {route:?}");
    }
}
