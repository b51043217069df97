//! What a path holds, as a value small enough to keep: contents may be secrets.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::path::Path;

/// The part of a file that counts, in bytes.
const LARGEST: u64 = 4 << 20;
/// The names of a directory that count.
const ENTRIES: usize = 4096;
const CHUNK: usize = 64 << 10;

/// Two states are equal when the path holds the same; of contents that differ, one pair in 2⁶⁴ is taken for equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    File {
        hash: u64,
        /// There is more than counts.
        cut: bool,
    },
    Directory {
        hash: u64,
        cut: bool,
    },
    /// A pipe, a socket or a device: opening one may wait for ever.
    Special,
    /// Missing, or not to be read, with the reason.
    Lost(io::ErrorKind),
}

impl State {
    pub(crate) fn is_lost(self) -> bool {
        matches!(self, Self::Lost(_))
    }

    pub(crate) fn is_cut(self) -> bool {
        matches!(self, Self::File { cut: true, .. } | Self::Directory { cut: true, .. })
    }
}

/// Reads states. The hash is keyed with a random key of its own: one that was seen tells nothing about a secret, and
/// nobody can prepare two contents that look alike.
#[derive(Debug)]
pub(crate) struct Reader {
    key: RandomState,
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { key: RandomState::new(), buffer: Vec::new() }
    }

    /// The state of `path`, and how many bytes had to be read for it.
    pub(crate) fn read(&mut self, path: &Path) -> (State, u64) {
        let state = fs::metadata(path).and_then(|meta| match meta.file_type() {
            kind if kind.is_dir() => self.directory(path).map(|state| (state, 0)),
            kind if kind.is_file() => self.file(path),
            _ => Ok((State::Special, 0)),
        });
        state.unwrap_or_else(|error| (State::Lost(error.kind()), 0))
    }

    fn file(&mut self, path: &Path) -> io::Result<(State, u64)> {
        let mut file = File::open(path)?.take(LARGEST + 1);
        let mut hasher = self.key.build_hasher();
        let mut length = 0;
        self.buffer.resize(CHUNK, 0);
        let result = loop {
            // Whole chunks only: a hasher need not give the same for the same bytes in other portions.
            match fill(&mut file, &mut self.buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => {
                    hasher.write(self.buffer.get(..n).unwrap_or_default());
                    length += n as u64;
                }
                Err(error) => break Err(error),
            }
        };
        // Not kept until the next read: it may be a secret.
        std::hint::black_box(&mut self.buffer).fill(0);
        result?;
        Ok((State::File { hash: hasher.finish(), cut: length > LARGEST }, length))
    }

    fn directory(&self, path: &Path) -> io::Result<State> {
        let mut names = Vec::new();
        for (number, entry) in fs::read_dir(path)?.enumerate() {
            if number == ENTRIES {
                return Ok(State::Directory { hash: 0, cut: true });
            }
            let name = entry?.file_name();
            if !name.as_encoded_bytes().starts_with(b".") {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(State::Directory { hash: self.key.hash_one(names), cut: false })
    }
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
