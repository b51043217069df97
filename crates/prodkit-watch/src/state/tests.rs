use super::*;

#[test]
fn equal_content_is_equal_whatever_file_holds_it() {
    let root = tempfile::tempdir().unwrap();
    let mut reader = Reader::new();
    // around the chunks, and around the end of what counts
    let lengths =
        [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, LARGEST as usize - 1, LARGEST as usize, LARGEST as usize + 1];
    let mut states = Vec::new();
    for length in lengths {
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        let mut content = vec![b'x'; length];
        fs::write(&a, &content).unwrap();
        fs::write(&b, &content).unwrap();
        let (state, read) = reader.read(&a);
        assert_eq!((state, read), reader.read(&b));
        assert_eq!(read, length as u64);
        assert_eq!(state.is_cut(), length as u64 > LARGEST);
        states.push(state);
        if let Some(last) = content.last_mut() {
            *last = b'y';
            fs::write(&b, &content).unwrap();
            assert_ne!(state, reader.read(&b).0, "the last of {length} bytes");
        }
    }
    for (index, state) in states.iter().enumerate() {
        assert!(!states[..index].contains(state));
    }
}

#[test]
fn nothing_is_left_in_the_buffer() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a");
    fs::write(&path, "secret").unwrap();
    let mut reader = Reader::new();
    reader.read(&path);
    assert!(reader.buffer.iter().all(|byte| *byte == 0));
}

#[test]
fn what_cannot_be_read_is_a_state_with_its_reason() {
    let root = tempfile::tempdir().unwrap();
    let mut reader = Reader::new();
    let (state, _) = reader.read(&root.path().join("missing"));
    assert_eq!(state, State::Lost(io::ErrorKind::NotFound));
    fs::write(root.path().join("file"), "").unwrap();
    let (state, _) = reader.read(&root.path().join("file/below"));
    assert_eq!(state, State::Lost(io::ErrorKind::NotADirectory));
    assert_eq!(reader.read(Path::new("/dev/zero")).0, State::Special);
}

#[test]
fn a_directory_has_a_limit() {
    let root = tempfile::tempdir().unwrap();
    let mut reader = Reader::new();
    for n in 0..ENTRIES {
        fs::write(root.path().join(n.to_string()), "").unwrap();
    }
    assert!(!reader.read(root.path()).0.is_cut());
    fs::write(root.path().join("more"), "").unwrap();
    assert!(reader.read(root.path()).0.is_cut());
}
