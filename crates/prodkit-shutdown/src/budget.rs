use crate::Cause;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// Kubernetes' own default for `terminationGracePeriodSeconds`.
const KUBERNETES_GRACE: Duration = Duration::from_secs(30);
/// The total when nothing is known: what remains of Kubernetes' default after a margin.
const DEFAULT_GRACE: Duration = Duration::from_secs(25);
/// What the process leaves to the platform: noticing, starting late, exiting, being reaped.
const MARGIN: Duration = Duration::from_secs(3);
/// How long endpoints take to learn of an announced stop.
const DELAY: Duration = Duration::from_secs(5);
/// How long readiness probes take to learn of a stop nobody announced: three failures, five seconds apart.
const UNANNOUNCED_DELAY: Duration = Duration::from_secs(15);
const TASKS: Duration = Duration::from_secs(5);
const FLUSH: Duration = Duration::from_secs(2);
/// No shutdown takes longer. Keeps every sum far away from overflow.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is known before the process stops: how long it may take, and what each step may take of it.
///
/// The steps are, in order: the *delay* in which everything is still served while the platform learns of the stop;
/// the *drain* of what is in flight; the *tasks* and hooks, stopped in reverse order; the *flush* of telemetry,
/// whose time is reserved. [`plan`](Budget::plan) splits one total over them.
///
/// Every setter takes a `Duration` or an `Option<Duration>`; `None`, the initial value, means the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Budget {
    kubernetes: bool,
    termination_grace_period: Option<Duration>,
    grace: Option<Duration>,
    delay: Option<Duration>,
    drain: Option<Duration>,
    tasks: Option<Duration>,
    flush: Option<Duration>,
}

impl Budget {
    /// Whether the process runs in Kubernetes (`KUBERNETES_SERVICE_HOST` is set). Default: no.
    pub fn kubernetes(self, kubernetes: bool) -> Self {
        Self { kubernetes, ..self }
    }

    /// After how long the platform kills: the pod's `terminationGracePeriodSeconds`. No field of the downward API
    /// carries it, so a manifest repeats it in a variable. Default: not known.
    pub fn termination_grace_period(self, period: impl Into<Option<Duration>>) -> Self {
        Self { termination_grace_period: period.into(), ..self }
    }

    /// The total. Default: the termination grace period less 3 s, else 25 s.
    pub fn grace(self, grace: impl Into<Option<Duration>>) -> Self {
        Self { grace: grace.into(), ..self }
    }

    /// The delay. Default: in Kubernetes 5 s, or 15 s when nobody announced the stop; elsewhere none. The defaults
    /// take at most two thirds of what the flush leaves.
    pub fn delay(self, delay: impl Into<Option<Duration>>) -> Self {
        Self { delay: delay.into(), ..self }
    }

    /// The most the drain may take. Default: all that the other steps leave.
    pub fn drain(self, drain: impl Into<Option<Duration>>) -> Self {
        Self { drain: drain.into(), ..self }
    }

    /// The most that tasks and hooks may take, and what the drain must leave to them. Default: 5 s are left to them,
    /// or half of the rest if that is less, and they may take all that remains.
    pub fn tasks(self, tasks: impl Into<Option<Duration>>) -> Self {
        Self { tasks: tasks.into(), ..self }
    }

    /// The time reserved for flushing telemetry. Default: 2 s, or half of the total if that is less.
    pub fn flush(self, flush: impl Into<Option<Duration>>) -> Self {
        Self { flush: flush.into(), ..self }
    }

    /// Splits the total over the steps, and says what does not fit.
    pub fn plan(&self) -> Plan {
        let known = self.termination_grace_period.map(|period| {
            let period = period.min(LONGEST);
            (period, period - MARGIN.min(period / 2))
        });
        let grace = self.grace.or(known.map(|(_, usable)| usable)).unwrap_or(DEFAULT_GRACE).min(LONGEST);
        let flush = self.flush.unwrap_or(FLUSH.min(grace / 2)).min(grace);
        let delay_after = |default: Duration| match self.delay {
            Some(delay) => delay,
            None if self.kubernetes => default.min((grace - flush) * 2 / 3),
            None => Duration::ZERO,
        };
        let mut plan = Plan {
            grace,
            flush,
            delay: delay_after(DELAY),
            unannounced_delay: delay_after(UNANNOUNCED_DELAY),
            drain: self.drain,
            tasks: self.tasks,
            warnings: Vec::new(),
        };
        plan.warnings = self.warnings(&plan, known);
        plan
    }

    fn warnings(&self, plan: &Plan, known: Option<(Duration, Duration)>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let (wanted, given) = (self.grace.unwrap_or(plan.grace), plan.grace);
        match known {
            Some((period, usable)) if wanted > usable => {
                warnings.push(Warning::Killed { grace: wanted, period, margin: period - usable });
            }
            None if self.kubernetes && wanted > KUBERNETES_GRACE - MARGIN => {
                warnings.push(Warning::PeriodUnknown { grace: wanted });
            }
            _ => {}
        }
        if self.kubernetes && self.delay.is_none() && plan.delay < DELAY {
            warnings.push(Warning::DelayCut { delay: plan.delay, flush: plan.flush, grace: given });
        }
        let (delay, flush) = (plan.delay, self.flush.unwrap_or(plan.flush));
        let drain = self.drain.unwrap_or_default();
        let tasks = self.tasks.unwrap_or_default();
        let sum = [delay, drain, tasks, flush].into_iter().fold(Duration::ZERO, Duration::saturating_add);
        if sum > given {
            warnings.push(Warning::DoesNotFit { delay, drain, tasks, flush, grace: given });
        }
        warnings
    }
}

/// One total, split over the steps of a shutdown. Made by [`Budget::plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    grace: Duration,
    delay: Duration,
    unannounced_delay: Duration,
    drain: Option<Duration>,
    tasks: Option<Duration>,
    flush: Duration,
    warnings: Vec<Warning>,
}

impl Plan {
    /// The total.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// The delay after a stop that was announced, for a process that was ready and serves.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// The delay after a stop that nobody [announced](Cause::is_announced), for a process that was ready and serves.
    pub fn unannounced_delay(&self) -> Duration {
        self.unannounced_delay
    }

    /// The time reserved for flushing telemetry.
    pub fn flush(&self) -> Duration {
        self.flush
    }

    /// What does not fit, each as a sentence with its arithmetic. The plan holds all the same: steps are then cut
    /// short, the flush last of all.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Starts the clock. `serving` says whether somebody may still be sending requests: the process was ready at
    /// least once and has a listener. If not, there is no delay.
    pub fn begin(&self, start: Instant, cause: &Cause, serving: bool) -> Deadlines {
        let delay = match serving {
            true if cause.is_announced() => self.delay,
            true => self.unannounced_delay,
            false => Duration::ZERO,
        };
        let before_flush = self.grace - self.flush;
        let delay = delay.min(before_flush);
        let rest = before_flush - delay;
        let left_to_tasks = self.tasks.unwrap_or(TASKS.min(rest / 2)).min(rest);
        Deadlines {
            delay: start + delay,
            drained: start + before_flush - left_to_tasks,
            stopped: start + before_flush,
            total: start + self.grace,
            drain: self.drain.unwrap_or(LONGEST).min(LONGEST),
            tasks: self.tasks.unwrap_or(LONGEST).min(LONGEST),
            flush: self.flush,
        }
    }
}

/// When each step of a shutdown that has begun must be over.
///
/// A step that starts late is cut so that the later ones keep what is reserved for them; what a step leaves over goes
/// to the next ones. All of it follows from one start, so nothing adds up to more than the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    delay: Instant,
    drained: Instant,
    stopped: Instant,
    total: Instant,
    drain: Duration,
    tasks: Duration,
    flush: Duration,
}

impl Deadlines {
    /// When the delay is over: listeners close.
    pub fn delay(&self) -> Instant {
        self.delay
    }

    /// When a drain that starts `now` must be over.
    pub fn drain(&self, now: Instant) -> Instant {
        (now + self.drain).min(self.drained)
    }

    /// When tasks and hooks that are told to stop `now` must be over.
    pub fn tasks(&self, now: Instant) -> Instant {
        (now + self.tasks).min(self.stopped)
    }

    /// When a flush that starts `now` must be over.
    pub fn flush(&self, now: Instant) -> Instant {
        (now + self.flush).min(self.total)
    }

    /// When the process must be gone.
    pub fn total(&self) -> Instant {
        self.total
    }
}

/// Why a plan cannot hold what it promises; the text shows the arithmetic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// In Kubernetes, with a total so short that the default delay would leave too little to the drain.
    DelayCut {
        /// What is left of the delay.
        delay: Duration,
        /// The flush.
        flush: Duration,
        /// The total.
        grace: Duration,
    },
    /// The steps that were set by hand add up to more than the total.
    DoesNotFit {
        /// The delay after an announced stop.
        delay: Duration,
        /// The drain, zero when it was not set.
        drain: Duration,
        /// Tasks and hooks, zero when they were not set.
        tasks: Duration,
        /// The flush.
        flush: Duration,
        /// The total.
        grace: Duration,
    },
    /// The platform kills before the total is over.
    Killed {
        /// The total that was asked for.
        grace: Duration,
        /// After how long the platform kills.
        period: Duration,
        /// What must be left of it.
        margin: Duration,
    },
    /// In Kubernetes, with a total longer than its default allows, and without knowing the pod's own period.
    PeriodUnknown {
        /// The total that was asked for.
        grace: Duration,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DelayCut { delay, flush, grace } => write!(
                f,
                "the shutdown delay is cut from {DELAY:?} to {delay:.1?}, since grace {grace:?} - flush {flush:?} = {rest:?} \
                 must hold a drain as well: endpoints may learn of the stop too late",
                rest = grace.saturating_sub(*flush),
            ),
            Self::DoesNotFit { delay, drain, tasks, flush, grace } => {
                let steps = [("delay", delay), ("drain", drain), ("tasks", tasks), ("flush", flush)];
                let sum = steps.iter().fold(Duration::ZERO, |sum, (_, step)| sum.saturating_add(**step));
                f.write_str("the shutdown steps do not fit: ")?;
                for (nth, (name, step)) in steps.iter().filter(|(_, step)| !step.is_zero()).enumerate() {
                    write!(f, "{}{name} {step:?}", if nth == 0 { "" } else { " + " })?;
                }
                write!(f, " = {sum:?}, but the grace is {grace:?}")
            }
            Self::Killed { grace, period, margin } => write!(
                f,
                "the shutdown grace {grace:?} + margin {margin:?} = {sum:?}, but the termination grace period is {period:?}: \
                 the process may be killed before it is done",
                sum = grace.saturating_add(*margin),
            ),
            Self::PeriodUnknown { grace } => write!(
                f,
                "the shutdown grace {grace:?} + margin {MARGIN:?} = {sum:?}, but Kubernetes kills after \
                 {KUBERNETES_GRACE:?} unless terminationGracePeriodSeconds says otherwise, and \
                 TERMINATION_GRACE_PERIOD_SECONDS is not set",
                sum = grace.saturating_add(MARGIN),
            ),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
