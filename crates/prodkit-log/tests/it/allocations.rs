use prodkit_log::{Level, start};
use prodkit_trace::TraceContext;
use tracing::{debug, info, info_span};

use crate::support::{LONG, json, subscriber};

#[test]
fn a_line_allocates_nothing() {
    let (layer, log) = start(json(), std::io::sink()).expect("a thread");
    let lines = log.lines().target("http.access");
    let form = lines.form("done", &["path", "status", "duration_ms"]);
    let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = TraceContext::from_traceparent(parent).expect("a traceparent");
    tracing::subscriber::with_default(subscriber(layer), || {
        let span = info_span!("s", order = 7);
        let _entered = span.enter();
        let write = || {
            info!(method = "GET", path = "/a\"b", status = 200, seconds = 0.25, ok = true, id = ?context.trace_id(), "done {}", 7);
            debug!(never = 1, "off");
            lines
                .line(Level::INFO, "done", None, Some(context))
                .str("path", "/a")
                .u64("status", 200)
                .finish();
            let mut line = form.line(Level::INFO, Some(context));
            line.str("/a").u64(200).millis(LONG);
            line.finish();
        };
        // the thread's buffer grows once
        write();
        assert!(log.flush(LONG));
        // less than the writer's own buffer holds before it grows
        assert_eq!(allocation_counter::measure(|| (0..50).for_each(|_| write())).count_total, 0);
    });
    assert!(log.shutdown(LONG));
    assert_eq!(log.stats().written, 153);
}
