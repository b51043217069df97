//! Files and directories of files.

use super::FileLayer;
use crate::error::{Error, Warning};
use crate::parse::{self, Format, KNOWN};
use crate::source::{File, Origin, Place};
use crate::tree::Tree;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read, in bytes.
const LARGEST: usize = 4 << 20;
/// The most files one directory may hold.
const ENTRIES: usize = 1024;

pub(super) fn read(layers: &[FileLayer], tree: &mut Tree, errors: &mut Vec<Error>) {
    for FileLayer { path, optional } in layers {
        tree.files.push(path.clone());
        match fs::metadata(path) {
            Err(error) if *optional && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => errors.push(unreadable(path, error)),
            Ok(meta) if meta.is_dir() => match list(path, tree) {
                Ok(paths) => paths.into_iter().for_each(|path| {
                    tree.files.push(path.clone());
                    add(&path, tree, errors);
                }),
                Err(error) => errors.push(error),
            },
            Ok(_) => add(path, tree, errors),
        }
    }
}

fn list(directory: &Path, tree: &mut Tree) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        // A broken link is not a directory, and reading it gives the error that names it.
        if hidden || fs::metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            continue;
        }
        if paths.len() >= ENTRIES {
            return Err(whole(directory, format!("holds more than {ENTRIES} files")));
        }
        paths.push(path);
    }
    paths.sort();
    paths.retain(|path| {
        let known = Format::of(path).is_some();
        if !known {
            let message =
                format!("{}: ignored: the extensions read from a directory are {KNOWN}", path.display());
            tree.warnings.push(Warning { path: String::new(), message });
        }
        known
    });
    Ok(paths)
}

fn add(path: &Path, tree: &mut Tree, errors: &mut Vec<Error>) {
    // Read order is error order.
    let order = tree.files.len();
    match load(path, order) {
        Ok(node) => tree.root.merge(node, &mut tree.replaced),
        Err(found) => errors.extend(found),
    }
}

fn load(path: &Path, order: usize) -> Result<crate::node::Node, Vec<Error>> {
    let Some(format) = Format::of(path) else {
        return Err(vec![whole(path, format!("unknown extension; known are {KNOWN}"))]);
    };
    let bytes = bytes(path).map_err(|error| vec![error])?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(vec![not_utf8(path, order, &error)]),
    };
    // A byte order mark is not content, and columns count without it.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    parse::parse(&Arc::new(File::new(order, path.to_owned(), text)), format)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let meta = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    // Opening a pipe would wait for a writer, and a device may never end.
    if !meta.is_file() {
        return Err(whole(path, "not a regular file"));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(path, error))?;
    let limit = LARGEST as u64 + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(limit)).unwrap_or(LARGEST) + 1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    if bytes.len() > LARGEST {
        return Err(whole(path, "too large: a file may have 4 MiB"));
    }
    Ok(bytes)
}

fn not_utf8(path: &Path, order: usize, error: &std::string::FromUtf8Error) -> Error {
    let valid = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
    let hint = match error.as_bytes() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "; this looks like UTF-16, save it as UTF-8",
        _ => "",
    };
    let text = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default()).into_owned();
    let span = Arc::new(File::new(order, path.to_owned(), text)).span(valid..valid);
    let message = format!("not UTF-8: byte 0x{byte:02x} at offset {valid}{hint}");
    Error::new("", Origin(Place::Span(span)), message)
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    whole(path, message).with_source(error)
}

fn whole(path: &Path, message: impl Into<String>) -> Error {
    Error::new("", Origin(Place::Path(Arc::from(path))), message)
}
