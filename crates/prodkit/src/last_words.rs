//! The termination message: what the kubelet shows of a container that has ended (`kubectl describe pod`).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Where the kubelet looks for it, unless the pod's `terminationMessagePath` says otherwise.
const PATH: &str = "/dev/termination-log";
/// What the kubelet keeps of it.
const MOST: usize = 4_096;

/// Where the last words go, if anywhere.
#[derive(Clone, Debug)]
pub(crate) struct LastWords(Option<PathBuf>);

impl LastWords {
    /// To the file that was set, or in Kubernetes to where the kubelet looks.
    pub(crate) fn new(set: Option<&Path>, environment: &Environment) -> Self {
        Self(set.map(PathBuf::from).or_else(|| environment.in_kubernetes().then(|| PATH.into())))
    }

    /// Into the file that is there already: who wants to read it has made it. Where it cannot be written, as on a read-only
    /// root without the mount, nothing is lost: the log has it all.
    pub(crate) fn write(&self, text: &str) {
        let Some(path) = &self.0 else { return };
        // Opening a FIFO would wait for its reader.
        if !path.metadata().is_ok_and(|file| file.is_file()) {
            return;
        }
        let end = (0..=text.len().min(MOST)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        if let Ok(mut file) = std::fs::File::options().write(true).truncate(true).open(path) {
            let _ = file.write_all(&text.as_bytes()[..end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_into_a_file_that_is_there_and_cut_to_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("termination-log");
        let words = LastWords::new(Some(&path), &Environment::default());
        words.write("lost");
        assert!(!path.exists(), "nobody wants to read it");
        std::fs::write(&path, "what was there before, and longer than what comes").unwrap();
        words.write("exit 3");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "exit 3");
        words.write(&"é".repeat(4_096));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "é".repeat(2_048));
        LastWords::new(Some(folder.path()), &Environment::default()).write("a folder is no file");
    }

    #[test]
    fn only_the_kubelet_looks_where_nobody_said_anything() {
        let pod = Environment::from_iter([("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
        assert_eq!(LastWords::new(None, &pod).0.as_deref(), Some(Path::new(PATH)));
        assert_eq!(LastWords::new(None, &Environment::default()).0, None);
    }
}
