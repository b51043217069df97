//! Text inside JSON quotes (RFC 8259 §7), cut at a limit and never in the middle of a character or an escape.

/// Appends `text`, escaped, as long as `out` stays within `limit` bytes. False if something was cut off. Outside
/// quotes (`quoted` false) quotes and backslashes stay as they are.
///
/// Beyond what JSON demands it escapes DEL, the C1 controls and U+2028/2029: a log line ends up in terminals and in
/// JavaScript, and neither may be steered by a field's value.
pub(crate) fn escape(out: &mut Vec<u8>, text: &str, limit: usize, quoted: bool) -> bool {
    let bytes = text.as_bytes();
    if plain(bytes) {
        return append(out, text, limit);
    }
    let mut run = 0;
    for (at, character) in text.char_indices() {
        if !special(character) || (!quoted && matches!(character, '"' | '\\')) {
            continue;
        }
        if !append(out, &text[run..at], limit) {
            return false;
        }
        let mut unit = *b"\\u0000";
        let escaped = sequence(character, &mut unit);
        if out.len() + escaped.len() > limit {
            return false;
        }
        out.extend_from_slice(escaped);
        run = at + character.len_utf8();
    }
    append(out, &text[run..], limit)
}

/// Whether no byte may begin something that needs an escape. No early exit, so that it becomes vector code.
fn plain(bytes: &[u8]) -> bool {
    let may_need = |byte: u8| {
        (byte < 0x20)
            | (byte == b'"')
            | (byte == b'\\')
            | (byte == 0x7f)
            // the first bytes of U+0080..U+00BF and of U+2000..U+2FFF
            | (byte == 0xc2)
            | (byte == 0xe2)
    };
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| !chunk.iter().fold(false, |any, byte| any | may_need(*byte)))
        && !rest.iter().any(|byte| may_need(*byte))
}

fn special(character: char) -> bool {
    matches!(character, '\0'..='\u{1f}' | '"' | '\\' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

fn sequence(character: char, unit: &mut [u8; 6]) -> &[u8] {
    match character {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        other => {
            let code = other as u32;
            for (place, shift) in [(2, 12), (3, 8), (4, 4), (5, 0)] {
                unit[place] = b"0123456789abcdef"[(code >> shift & 0xf) as usize];
            }
            unit
        }
    }
}

/// Appends what needs no escape, cut between characters.
fn append(out: &mut Vec<u8>, text: &str, limit: usize) -> bool {
    let room = limit.saturating_sub(out.len());
    if text.len() <= room {
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    let cut = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    out.extend_from_slice(&text.as_bytes()[..cut]);
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steering_characters_are_escaped() {
        let mut out = Vec::new();
        assert!(escape(
            &mut out,
            "a\"b\\c\n\r\t\0\u{1b}[2J\u{7f}\u{85}\u{9b}é“\u{2028}\u{2029}𝄞",
            1000,
            true
        ));
        let expected = r#"a\"b\\c\n\r\t\u0000\u001b[2J\u007f\u0085\u009bé“\u2028\u2029𝄞"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
        out.clear();
        assert!(escape(&mut out, "a\"b\\c\n", 1000, false));
        assert_eq!(String::from_utf8_lossy(&out), "a\"b\\c\\n");
    }

    proptest! {
        #[test]
        fn every_cut_is_a_valid_prefix(text in any::<String>(), limit in 0..80usize) {
            let mut out = b"\"".to_vec();
            let whole = escape(&mut out, &text, limit, true);
            prop_assert!(out.len() <= limit.max(1));
            out.push(b'"');
            let back: String = serde_json::from_slice(&out).expect("valid JSON");
            prop_assert!(text.starts_with(&back));
            prop_assert_eq!(whole, back == text);
        }
    }
}
