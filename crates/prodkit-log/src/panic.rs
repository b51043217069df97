use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing_core::Level;

use crate::Log;
use crate::clock;
use crate::draft::{Draft, Origin};
use crate::stack;

/// How long a panic waits for its line to be written. Most panics end one request, not the process, and an output that
/// blocks must not hold up the threads that serve.
const PATIENCE: Duration = Duration::from_millis(100);

/// Writes one `ERROR` line about a panic, for a panic hook to call: what was said as `msg`, where as `caller`, the
/// trace id of the work that panicked, its `thread`, and its `stacktrace`, whatever `RUST_BACKTRACE` says. Then waits up to
/// 100 ms for it to be written. Returns the stack, which costs some to find.
///
/// No filter disables it and no limit suppresses it. It takes no lock that a panicking thread may hold: panics inside a
/// field's `Debug`, in another layer, or on the writer's own thread are told too.
///
/// ```
/// # let (_layer, log) = prodkit_log::start(prodkit_log::Options::default(), std::io::sink())?;
/// std::panic::set_hook(Box::new(move |info| drop(prodkit_log::panic_line(&log, info))));
/// # let _ = std::panic::take_hook();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn panic_line(log: &Log, info: &PanicHookInfo<'_>) -> Backtrace {
    let core = &*log.core;
    let said = panic_message(info);
    let thread = std::thread::current();
    let stack = Backtrace::force_capture();

    let mut draft = Draft::new(&core.shape);
    draft.head(Level::ERROR, clock::now());
    let caller = info.location().map(|location| (location.file(), Some(location.line())));
    draft.origin(&Origin { caller, target: None });
    draft.message(|draft| draft.write(format_args!("panicked: {said}")));
    draft.ids(prodkit_trace::current());
    if draft.open("thread", "") {
        draft.put_str(thread.name().unwrap_or("(unnamed)"));
    }
    core.constants.append_to(&mut draft);
    stack::finish(draft, &stack, &core.shape, &core.writer);
    core.writer.flush(PATIENCE);
    stack
}

/// What was said by a panic.
#[must_use]
pub fn panic_message<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(said), _) => said,
        (None, Some(said)) => said.as_str(),
        (None, None) => "(a payload that is not text)",
    }
}
