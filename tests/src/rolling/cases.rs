//! Which restarts are tried behind which proxy, and what must come of them.

use std::fmt;
use std::time::Duration;

use super::fleet::{Ending, built};
use super::{Front, Plan, Tally};

/// A run, and whether it must lose requests.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case {
    /// The proxy.
    pub front: Front,
    /// What is restarted.
    pub what: What,
    /// Whether requests must be lost, so that it is known that a loss would be seen.
    pub loses: bool,
}

/// What is restarted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// The order-service.
    Service,
    /// Nothing: the proxy is reconfigured as for a restart.
    Nothing,
    /// The order-service, with `shutdown.delay=0`.
    NoDelay,
    /// The binary that ends as it is told.
    Ending(Ending),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("order-service"),
            Self::Nothing => f.write_str("nothing, only reloads"),
            Self::NoDelay => f.write_str("order-service, shutdown.delay=0"),
            Self::Ending(ending) => write!(f, "fixture, {ending}"),
        }
    }
}

/// Two cells of a table.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.front, self.what)
    }
}

/// All of them: first those that must lose nothing, then those that must.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |front, what, loses| cases.push(Case { front, what, loses });
    for front in Front::ALL {
        add(front, What::Service, false);
    }
    add(Front::Nginx, What::Nothing, false);
    // what the broken ones differ from by one thing each
    add(Front::HaproxyTcp, What::Ending(Ending::Orderly), false);
    for front in Front::ALL {
        add(front, What::NoDelay, true);
        add(front, What::Ending(Ending::ListenerFirst), true);
    }
    add(Front::HaproxyTcp, What::Ending(Ending::NoConnectionClose), true);
    cases
}

impl Case {
    /// The run, in the sizes of the gate.
    ///
    /// # Errors
    ///
    /// When what is to be restarted is not built.
    pub fn plan(&self) -> Result<Plan, String> {
        let binary = if matches!(self.what, What::Ending(_)) { "ending" } else { "order-service" };
        let mut plan = Plan::new(self.front, built(binary)?);
        match self.what {
            What::Service => {}
            What::Nothing => plan.restarts = false,
            What::NoDelay => plan.delay = Duration::ZERO,
            What::Ending(ending) => {
                plan.ending = Some(ending);
                // A connection that is nearly always in use when it closes is one on which a request may be lost.
                if self.front == Front::HaproxyTcp {
                    plan.every = Duration::ZERO;
                    plan.clients = 48;
                }
            }
        }
        Ok(plan)
    }

    /// Holds a run against what it must come to.
    ///
    /// # Errors
    ///
    /// Says what was lost, or that nothing was.
    pub fn judge(&self, tally: &Tally) -> Result<(), String> {
        match (self.loses, tally.is_lossless()) {
            (false, true) => Ok(()),
            (true, false) if tally.failed > 0 => Ok(()),
            (false, _) => Err(format!("{self}: {tally}: {:#?}", tally.failures)),
            (true, _) => Err(format!("{self}: a loss would not be seen: {tally}")),
        }
    }
}
