//! The TLS handshakes that are under way.

use crate::connection::{Handshake, Live};
use crate::outcomes::Outcomes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is in one, by the order of their coming.
///
/// When there are more than may be, the oldest is pushed out: an honest handshake takes milliseconds, so the one that has
/// taken longest is the one least worth waiting for. Refusing newcomers instead would let a few hundred silent clients
/// keep everybody else away.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    under_way: Mutex<BTreeMap<u64, Arc<Live>>>,
    ended: Outcomes<{ Handshake::ALL.len() }>,
}

impl Handshakes {
    pub(crate) fn begin(&self, live: &Arc<Live>) {
        let oldest = {
            let mut under_way = self.under_way();
            under_way.insert(live.id(), live.clone());
            let full = under_way.len() > live.roster.limits.max_handshakes;
            full.then(|| under_way.pop_first()).flatten()
        };
        if let Some((_, oldest)) = oldest {
            oldest.push_out();
        }
    }

    pub(crate) fn end(&self, live: &Live) {
        self.under_way().remove(&live.id());
    }

    pub(crate) fn measure(&self, recorder: &dyn metrics::Recorder) {
        let names = Handshake::ALL.map(|(_, name)| name);
        self.ended.measure(
            recorder,
            "prodkit_tls_handshakes_total",
            "TLS handshakes by how they ended.",
            "outcome",
            names,
        );
    }

    pub(crate) fn count(&self, ended: Handshake) {
        self.ended.count(Handshake::ALL.iter().position(|(handshake, _)| *handshake == ended));
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Live>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
