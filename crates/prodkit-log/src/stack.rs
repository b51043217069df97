//! The stack of calls below a line, as `stacktrace`.

use std::backtrace::{Backtrace, BacktraceStatus};

use crate::draft::{Draft, Shape, Style};
use crate::writer::Writer;

/// That of an event: where `asked` says nothing, `RUST_LIB_BACKTRACE` or `RUST_BACKTRACE` does.
pub(crate) fn of_event(asked: Option<bool>) -> Option<Backtrace> {
    let stack = match asked {
        Some(true) => Backtrace::force_capture(),
        Some(false) => return None,
        None => Backtrace::capture(),
    };
    (stack.status() == BacktraceStatus::Captured).then_some(stack)
}

/// Ends a line and hands it over, with the stack as its last field, which takes what room there is. On a console it is lines
/// of its own, for a person who reads lines.
pub(crate) fn finish(mut draft: Draft<'_>, stack: &Backtrace, shape: &Shape, writer: &Writer) {
    let json = shape.style == Style::Json;
    if json && draft.open("stacktrace", "") {
        draft.put_debug(&format_args!("{stack}"));
    }
    writer.push(draft.finish());
    drop(draft);
    if !json {
        for frame in stack.to_string().lines() {
            let mut draft = Draft::new(shape);
            draft.message(|draft| draft.plain(frame));
            writer.push(draft.finish());
        }
    }
}
