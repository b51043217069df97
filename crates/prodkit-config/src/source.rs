//! Where a value comes from, and the line of the file that shows it.

use crate::secrecy;
use crate::text::Text;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Where a value was written: the last layer that said something about it.
///
/// `Display` gives the form used in errors: `config.yaml:3:9`, `environment variable LOG_LEVEL`,
/// `--set server.port`, or `built-in defaults`.
#[derive(Clone)]
pub struct Origin(pub(crate) Place);

#[derive(Clone)]
pub(crate) enum Place {
    Span(Span),
    /// A file as a whole: it could not be opened, or it is too large.
    Path(Arc<Path>),
    Env(Arc<str>),
    Set {
        index: usize,
        path: Arc<str>,
    },
    Default,
}

/// A range of bytes in a file.
#[derive(Clone)]
pub(crate) struct Span {
    pub(crate) file: Arc<File>,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A file's text, kept so that errors found long after parsing can show the line.
pub(crate) struct File {
    /// Position among the layers: errors are listed in this order.
    pub(crate) order: usize,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    lines: Vec<u32>,
    /// How many characters come before each block of bytes: columns of a long line must not cost its length.
    blocks: Vec<u32>,
    masks: OnceLock<Vec<Range<u32>>>,
    aliases: OnceLock<Vec<Alias>>,
}

/// Where an alias to a single value is, and where that value is.
pub(crate) type Alias = (Range<u32>, Range<u32>);

impl Origin {
    pub(crate) const DEFAULT: Self = Self(Place::Default);

    /// The file, when a file was the source.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Span(span) => Some(&span.file.path),
            Place::Path(path) => Some(path),
            Place::Env(_) | Place::Set { .. } | Place::Default => None,
        }
    }

    /// Line and column in the file, both counted from 1; the column counts characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        match &self.0 {
            Place::Span(span) => Some(span.file.position(span.start)),
            Place::Path(_) | Place::Env(_) | Place::Set { .. } | Place::Default => None,
        }
    }

    /// The environment variable, when one was the source.
    pub fn variable(&self) -> Option<&str> {
        if let Place::Env(name) = &self.0 { Some(name) } else { None }
    }

    /// The number of the `--set`, counted from 0, when one was the source.
    pub fn set_index(&self) -> Option<usize> {
        if let Place::Set { index, .. } = &self.0 { Some(*index) } else { None }
    }

    pub(crate) fn span(&self) -> Option<&Span> {
        if let Place::Span(span) = &self.0 { Some(span) } else { None }
    }

    /// Errors are listed as a reader meets them: files in layer order, then variables, then flags.
    pub(crate) fn rank(&self) -> (u8, usize, u32, &str) {
        match &self.0 {
            Place::Path(path) => (0, 0, 0, path.to_str().unwrap_or_default()),
            Place::Span(span) => (1, span.file.order, span.start, ""),
            Place::Default => (2, 0, 0, ""),
            Place::Env(name) => (3, 0, 0, name),
            Place::Set { index, .. } => (4, *index, 0, ""),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Span(span) => {
                let (line, column) = span.file.position(span.start);
                write!(f, "{}:{line}:{column}", span.file.path.display())
            }
            Place::Path(path) => write!(f, "{}", path.display()),
            Place::Env(name) => write!(f, "environment variable {}", escaped(name)),
            Place::Set { path, .. } => write!(f, "--set {}", escaped(path)),
            Place::Default => f.write_str("built-in defaults"),
        }
    }
}

// The derived form would print the whole file, secrets and all.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl File {
    pub(crate) fn new(order: usize, path: PathBuf, text: String) -> Self {
        let starts = memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| offset(i + 1));
        let lines = std::iter::once(0).chain(starts).collect();
        let blocks = text.as_bytes().chunks(BLOCK).scan(0, |before, block| {
            let here = *before;
            *before += characters(block);
            Some(here)
        });
        let blocks = blocks.collect();
        Self { order, path, text, lines, blocks, masks: OnceLock::new(), aliases: OnceLock::new() }
    }

    /// A span whose ends are forced onto character boundaries inside the text: parsers are not trusted.
    pub(crate) fn span(self: &Arc<Self>, range: Range<usize>) -> Span {
        let start = self.floor(range.start);
        let end = self.floor(range.end.max(start));
        Span { file: Arc::clone(self), start: offset(start), end: offset(end) }
    }

    /// What stands at the range, with or without its quotes, or a copy where it was written in another way.
    pub(crate) fn part(self: &Arc<Self>, at: Range<usize>, text: &str) -> Text {
        let unquoted = at.start + 1..at.end.saturating_sub(1);
        let stands = |at: &Range<usize>| self.text.get(at.clone()) == Some(text);
        match [at, unquoted].into_iter().find(stands) {
            Some(at) => Text::Part(self.span(at)),
            None => text.into(),
        }
    }

    // `str::floor_char_boundary` is younger than the oldest compiler supported.
    fn floor(&self, at: usize) -> usize {
        (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    /// The byte at a line and column, both counted from 1; the column counts bytes.
    pub(crate) fn byte_at(&self, line: usize, column: usize) -> usize {
        let start = self.lines.get(line.saturating_sub(1)).map_or(self.text.len(), |at| *at as usize);
        start + column.saturating_sub(1)
    }

    fn line_of(&self, at: u32) -> usize {
        self.lines.partition_point(|start| *start <= at).saturating_sub(1)
    }

    pub(crate) fn position(&self, at: u32) -> (usize, usize) {
        let line = self.line_of(at);
        let start = self.lines.get(line).copied().unwrap_or(0);
        let column = self.characters_before(at).saturating_sub(self.characters_before(start));
        (line + 1, column as usize + 1)
    }

    fn characters_before(&self, at: u32) -> u32 {
        let at = at as usize;
        let block = at / BLOCK;
        let before = self.blocks.get(block).copied();
        let rest = self.text.as_bytes().get(block * BLOCK..at).unwrap_or_default();
        // A file that ends with a full block has no block behind it.
        before.unwrap_or_else(|| characters(self.text.as_bytes())) + characters(rest)
    }

    fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.lines.get(line).copied().unwrap_or(0) as usize;
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| *next as usize);
        let text = self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        start..start + text.len()
    }

    /// Remembers which bytes may hold a secret, and which say the same. Called once, when the file has been parsed.
    pub(crate) fn mask(&self, mut ranges: Vec<Range<u32>>, aliases: Vec<Alias>) {
        ranges.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<u32>> = Vec::new();
        for range in ranges {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        // A second call would be a second parse of the same file, with the same outcome.
        let _ = self.masks.set(apart);
        let _ = self.aliases.set(aliases);
    }

    /// Every other place that says what is hidden at these.
    pub(crate) fn echoes(&self, hidden: &HashSet<u32>) -> Vec<Range<u32>> {
        echoes(self.aliases.get().map_or(&[], Vec::as_slice), hidden)
    }

    /// The masks that touch a range, in order and apart from each other.
    fn masks(&self, within: &Range<u32>) -> &[Range<u32>] {
        let masks = self.masks.get().map_or(&[][..], Vec::as_slice);
        let first = masks.partition_point(|mask| mask.end <= within.start);
        let end = masks.partition_point(|mask| mask.start < within.end);
        masks.get(first..end).unwrap_or_default()
    }

    pub(crate) fn is_masked(&self, at: u32) -> bool {
        !self.masks(&(at..at.saturating_add(1))).is_empty()
    }
}

impl Span {
    pub(crate) fn text(&self) -> &str {
        self.file.text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The line with a caret under the span, everything that may be secret replaced by `***`.
    pub(crate) fn excerpt(&self, also_masked: &[&Span]) -> String {
        // No more than one line around the place is drawn.
        let near = |span: &&&Span| {
            Arc::ptr_eq(&span.file, &self.file)
                && span.start <= self.start.saturating_add(AROUND)
                && span.end.saturating_add(AROUND) >= self.start
        };
        let near: Vec<&Span> = also_masked.iter().filter(near).copied().collect();
        self.render(|at| near.iter().any(|span| (span.start..span.end).contains(&at)))
    }

    /// The line of a syntax error. Nothing is known about its meaning, so it is shown only when it is a `key: value`
    /// line whose key and parents do not look like a secret's, and then without the words of the value: what is wrong
    /// is the punctuation.
    pub(crate) fn careful_excerpt(&self) -> Option<String> {
        let Self { file, .. } = self;
        let line = file.line_of(self.start);
        let text = |line: usize| file.text.get(file.line_range(line)).unwrap_or_default();
        let shown = text(line);
        if !secrecy::line_is_harmless(shown) {
            return None;
        }
        let mut indent = secrecy::indent(shown);
        for above in (0..line).rev().map(text) {
            if indent == 0 {
                break;
            }
            if !above.trim().is_empty() && secrecy::indent(above) < indent {
                indent = secrecy::indent(above);
                if secrecy::line_names_secret(above) {
                    return None;
                }
            }
        }
        let value = file.line_range(line).start + shown.find([':', '=']).unwrap_or(0);
        Some(self.render(|at| {
            let byte = file.text.as_bytes().get(at as usize).copied().unwrap_or_default();
            at as usize > value && (byte.is_ascii_alphanumeric() || !byte.is_ascii())
        }))
    }

    fn render(&self, also_masked: impl Fn(u32) -> bool) -> String {
        let Self { file, start, end } = self;
        let (from, to) = (*start as usize, *end as usize);
        let line = file.line_of(*start);
        let range = file.line_range(line);
        let window = file.floor(from.saturating_sub(BEFORE * 4)).max(range.start)
            ..file.floor(from + WIDTH * 4).min(range.end);
        let masks = file.masks(&(offset(window.start)..offset(window.end)));
        let mut out: Vec<char> = Vec::new();
        let (mut caret, mut tail, mut masked) = (None, None, false);
        for (at, c) in file.text.get(window.clone()).unwrap_or_default().char_indices() {
            let at = window.start + at;
            if at >= from && caret.is_none() {
                caret = Some(out.len());
            }
            if at >= to && tail.is_none() {
                tail = Some(out.len());
            }
            let at = offset(at);
            let hidden = masks.iter().any(|mask| mask.contains(&at)) || also_masked(at);
            match (hidden, masked) {
                (true, false) => out.extend(['*', '*', '*']),
                (true, true) => {}
                (false, _) => out.push(if c.is_control() { ' ' } else { c }),
            }
            masked = hidden;
        }
        let caret = caret.unwrap_or(out.len());
        let tail = tail.unwrap_or(out.len()).max(caret + 1);
        let long = out.len() > WIDTH || window != range;
        let skip = if long { caret.saturating_sub(BEFORE) } else { 0 };
        let lead = if skip > 0 || window.start > range.start { "…" } else { "" };
        let more = if out.len() - skip > WIDTH || window.end < range.end { "…" } else { "" };
        let text: String = out.iter().skip(skip).take(WIDTH).collect();
        let number = (line + 1).to_string();
        let gutter = " ".repeat(number.len());
        let pad = " ".repeat(caret - skip + lead.chars().count());
        let carets = "^".repeat((tail - caret).min((skip + WIDTH).saturating_sub(caret).max(1)));
        format!("  {number} | {lead}{}{more}\n  {gutter} | {pad}{carets}", text.trim_end())
    }
}

/// What is a secret in one place is one wherever an alias repeats it, and where its anchor is.
pub(crate) fn echoes(aliases: &[Alias], hidden: &HashSet<u32>) -> Vec<Range<u32>> {
    let secrets: HashSet<u32> = aliases
        .iter()
        .filter(|(alias, target)| hidden.contains(&alias.start) || hidden.contains(&target.start))
        .map(|(_, target)| target.start)
        .collect();
    let echoes = aliases.iter().filter(|(_, target)| secrets.contains(&target.start));
    echoes.flat_map(|(alias, target)| [alias.clone(), target.clone()]).collect()
}

/// Names of variables and flags go to terminals and logs as part of one line, whatever they hold.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

const BLOCK: usize = 1024;
/// Characters shown before the caret, and in all.
const BEFORE: usize = 60;
const WIDTH: usize = 120;
/// More bytes than that takes on either side.
const AROUND: u32 = 1024;

fn characters(bytes: &[u8]) -> u32 {
    offset(bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count())
}

/// Files are at most 4 MiB, so an offset always fits.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
