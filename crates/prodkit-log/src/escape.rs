//! Text inside JSON quotes (RFC 8259 §7), cut at a limit and never in the middle of a character or an escape.

/// Appends `text`, escaped, as long as `out` stays within `limit` bytes. False if something was cut off. Outside
/// quotes (`quoted` false) quotes and backslashes stay as they are.
///
/// Beyond what JSON demands it escapes DEL, the C1 controls and U+2028/2029: a log line ends up in terminals and in
/// JavaScript, and neither may be steered by a field's value.
#[inline]
pub(crate) fn escape(out: &mut Vec<u8>, text: &str, limit: usize, quoted: bool) -> bool {
    if out.len() + text.len() <= limit && plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    escape_slowly(out, text, limit, quoted)
}

fn escape_slowly(out: &mut Vec<u8>, text: &str, limit: usize, quoted: bool) -> bool {
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

/// Whether it is all ASCII that stays as it is, as names and most values are.
#[inline]
pub(crate) fn is_plain(text: &str) -> bool {
    plain_ascii(text.as_bytes())
}

/// Whether no byte needs an escape, or begins a character that may need one.
#[inline]
fn plain(bytes: &[u8]) -> bool {
    plain_ascii(bytes) || plain_utf8(bytes)
}

#[cold]
fn plain_utf8(bytes: &[u8]) -> bool {
    let may_need = |byte: u8| {
        (byte < 0x20)
                | (byte == b'"')
                | (byte == b'\\')
                | (byte == 0x7f)
                // the first bytes of U+0080..U+00BF and of U+2000..U+2FFF
                | (byte == 0xc2)
                | (byte == 0xe2)
    };
    // no early exit within a chunk, so that it becomes vector code
    !bytes.chunks(64).any(|chunk| chunk.iter().fold(false, |any, byte| any | may_need(*byte)))
}

/// The same for text that is all ASCII, which names and most values are: eight bytes at a time, the last eight perhaps
/// overlapping those before.
#[inline]
fn plain_ascii(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk() {
        let (words, _) = bytes.as_chunks();
        return words.iter().all(|word| plain_word(*word)) && plain_word(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
        return plain_word((u64::from(first) << 32 | u64::from(last)).to_ne_bytes());
    }
    bytes.iter().all(|byte| PLAIN[usize::from(*byte)])
}

const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

#[inline]
fn plain_word(word: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_ne_bytes(word);
    // Each term sets the high bit of a byte that is special, given that no byte has it yet. A borrow or carry can only
    // come from a byte that is special itself, so it changes no answer.
    let control = word.wrapping_sub(0x20 * ONES);
    let quote = (word ^ (b'"' as u64 * ONES)).wrapping_sub(ONES);
    let backslash = (word ^ (b'\\' as u64 * ONES)).wrapping_sub(ONES);
    let delete = word.wrapping_add(ONES);
    (word | control | quote | backslash | delete) & (0x80 * ONES) == 0
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

    #[test]
    fn every_byte_is_judged_wherever_it_stands() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..0x80 {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    assert_eq!(plain(&bytes), !special(char::from(byte)), "{byte:#x} at {at} of {length}");
                }
            }
        }
        assert!(plain("é 中文 𝄞".as_bytes()) && plain(b""));
        assert!(!plain("\u{85}".as_bytes()) && !plain("\u{2028}".as_bytes()));
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
