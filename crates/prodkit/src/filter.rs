//! What is logged by default.

use prodkit_log::{Error, Filter, Level, LevelFilter};

/// What watches the configuration files tells of every event at the levels below: of no use to whoever asks for the
/// service's own `debug`.
const QUIET: &str = "notify";

/// The filter where `log.level` is not set.
pub(crate) fn standard() -> Filter {
    Filter::default().target(QUIET, LevelFilter::ERROR)
}

/// The filter of `log.level`, with errors only of targets that speak about our own plumbing, unless it names them.
///
/// # Errors
///
/// When the text is no filter.
pub(crate) fn parse(text: &str) -> Result<Filter, Error> {
    let filter: Filter = text.parse()?;
    if !filter.enabled(QUIET, Level::WARN) {
        return Ok(filter);
    }
    // in front, so that what the text says of the target wins
    format!("{QUIET}={},{text}", LevelFilter::ERROR).parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_plumbing_is_quiet_unless_named() {
        let level = |text: &str, target: &str| parse(text).unwrap().level(target);
        for text in ["info", "trace", "debug,hyper=warn", "app=debug"] {
            assert_eq!(level(text, "notify::inotify"), LevelFilter::ERROR, "{text}");
        }
        assert_eq!(level("info,notify=debug", "notify::inotify"), LevelFilter::DEBUG);
        assert_eq!(level("notify::inotify=info,warn", "notify::inotify"), LevelFilter::INFO);
        assert_eq!(level("off", "notify"), LevelFilter::OFF);
        assert_eq!(level("trace", "app"), LevelFilter::TRACE);
        assert_eq!(standard(), parse("info").unwrap());
        assert!(parse("").is_err() && parse("nonsense").is_err());
    }
}
