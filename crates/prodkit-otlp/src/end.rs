//! When exporting has to be over.

use crate::settings::FAR;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The flush ends this much before its budget, so that the report is out in time.
const MARGIN: Duration = Duration::from_millis(20);

/// The end, from the moment somebody asks for it.
#[derive(Debug, Default)]
pub(crate) struct End {
    asked: CancellationToken,
    terms: OnceLock<Terms>,
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    began: Instant,
    deadline: Instant,
}

impl End {
    /// Asks for the end within `budget`. The first call counts.
    pub(crate) fn begin(&self, budget: Duration) {
        self.terms.get_or_init(|| {
            let began = Instant::now();
            let time = budget.saturating_sub(MARGIN.min(budget / 4));
            Terms { began, deadline: began + time.min(FAR) }
        });
        self.asked.cancel();
    }

    /// Resolves when the end has been asked for. Cancel safe.
    pub(crate) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Resolves when the end has been asked for and its time is used up. Cancel safe; needs the timer of a runtime.
    pub(crate) async fn over(&self) {
        self.asked().await;
        if let Some(Terms { deadline, .. }) = self.terms.get() {
            tokio::time::sleep_until((*deadline).into()).await;
        }
    }

    /// When it has to be over, if that is known.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.terms.get().map(|terms| terms.deadline)
    }

    /// How long ago it was asked for.
    pub(crate) fn elapsed(&self) -> Duration {
        self.terms.get().map(|terms| terms.began.elapsed()).unwrap_or_default()
    }
}
