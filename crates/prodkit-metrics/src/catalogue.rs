//! Which metrics and series there are: the slow way in, taken once per spelling of a series.

use crate::labels::{LabelSet, OVERFLOW};
use crate::report::Report;
use crate::series::{Series, Slot};
use crate::{Kind, Options, name};
use metrics::Unit;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A longer metric name is an accident.
const LONGEST_NAME: usize = 256;

/// Everything known about a metric except its values.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    /// As registered, for OTLP.
    pub(crate) raw: Arc<str>,
    /// As Prometheus shows it.
    pub(crate) shown: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) about: About,
}

/// What `describe` said.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) unit: Option<Unit>,
    pub(crate) help: Option<Arc<str>>,
}

impl About {
    /// The first description wins; a later one adds what is still missing.
    fn add(&mut self, unit: Option<Unit>, help: &str) {
        self.unit = self.unit.or(unit);
        if self.help.is_none() && !help.is_empty() {
            self.help = Some(help.into());
        }
    }
}

#[derive(Debug)]
struct Family {
    meta: Meta,
    /// By label text.
    series: HashMap<Arc<str>, Arc<Series>>,
    overflow: Option<Arc<Series>>,
    /// What the scrape side has not seen yet.
    fresh: Vec<Arc<Series>>,
    /// Already in `Catalogue::changed`.
    changed: bool,
    conflict_told: bool,
}

/// What happened to one family since the scrape side looked last.
pub(crate) struct Change {
    pub(crate) family: usize,
    pub(crate) meta: Meta,
    pub(crate) fresh: Vec<Arc<Series>>,
}

/// The answer to a registration.
pub(crate) enum Outcome {
    /// The series asked for.
    Own(Arc<Series>),
    /// The overflow series of its metric.
    Overflow(Arc<Series>),
    /// None: the name is taken by something else, or there are too many names.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Catalogue {
    families: Vec<Family>,
    /// Registered names, made valid; several may be one family if Prometheus shows them alike.
    names: HashMap<Box<str>, usize>,
    /// The names lines start with.
    lines: HashMap<String, usize>,
    /// Descriptions of metrics that do not exist yet, by their names made valid.
    described: HashMap<Box<str>, About>,
    changed: Vec<usize>,
    full_told: bool,
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        Self {
            families: Vec::new(),
            names: HashMap::new(),
            lines: HashMap::new(),
            described: HashMap::new(),
            changed: Vec::new(),
            full_told: false,
        }
    }

    /// Finds or makes a series. The caller sends the report on once it holds no lock.
    pub(crate) fn register(
        &mut self,
        kind: Kind,
        name: &str,
        labels: &[(&str, &str)],
        options: &Options,
        rejected: &Arc<AtomicU64>,
    ) -> (Outcome, Option<Report>) {
        let id = match self.family(kind, name, options) {
            Ok(id) => id,
            Err(report) => return (Outcome::Refused, report),
        };
        let family = &mut self.families[id];
        // By the first of its names, as its buckets are.
        let unshown = options.unshown.get(&*family.meta.raw).map(|label| &**label);
        let set = LabelSet::new(labels.iter().copied(), kind, unshown);
        if let Some(series) = set.as_ref().and_then(|set| family.series.get(&*set.text)) {
            return (Outcome::Own(Arc::clone(series)), None);
        }
        let slot = || match kind {
            Kind::Counter => Slot::counter(),
            Kind::Gauge => Slot::gauge(),
            Kind::Histogram => {
                // By the first of its names, so that all its series have the same.
                let raw = &family.meta.raw;
                let bounds = options.buckets_of(raw, &name::metric(raw)).share();
                Slot::histogram(bounds, options.keeps, rejected)
            }
        };
        match set {
            Some(set) if family.series.len() < options.max_series => {
                let text = Arc::clone(&set.text);
                let series = Arc::new(Series::new(set, slot()));
                family.series.insert(text, Arc::clone(&series));
                self.add(id, &series);
                (Outcome::Own(series), None)
            }
            _ => {
                if let Some(series) = &family.overflow {
                    return (Outcome::Overflow(Arc::clone(series)), None);
                }
                let Some(set) = LabelSet::new([OVERFLOW], kind, None) else {
                    return (Outcome::Refused, None);
                };
                let series = Arc::new(Series::new(set, slot()));
                family.overflow = Some(Arc::clone(&series));
                let report = Report::Overflow { name: name.into(), limit: options.max_series };
                self.add(id, &series);
                (Outcome::Overflow(series), Some(report))
            }
        }
    }

    /// Describes a metric, existing or to come.
    pub(crate) fn describe(
        &mut self,
        name: &str,
        unit: Option<Unit>,
        help: &str,
        options: &Options,
    ) -> Option<Report> {
        let clean = name::metric(name);
        let Some(&id) = self.names.get(&*clean) else {
            if name.len() <= LONGEST_NAME && self.described.len() < options.max_metrics {
                self.described.entry(clean.into()).or_default().add(unit, help);
            }
            return None;
        };
        let meta = &mut self.families[id].meta;
        meta.about.add(unit, help);
        let shown = shown(&name::metric(&meta.raw), meta.kind, &meta.about, options);
        self.note(id);
        self.rename(id, &shown)
    }

    /// What changed since the last call.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|id| {
                let family = &mut self.families[id];
                family.changed = false;
                Change { family: id, meta: family.meta.clone(), fresh: std::mem::take(&mut family.fresh) }
            })
            .collect()
    }

    /// Drops a series, which must not be findable any more, unless somebody got a handle to it in the meantime or
    /// it is the overflow series. `keepers` share its cell though they are no handles.
    pub(crate) fn expire(&mut self, family: usize, series: &Series, keepers: usize) -> bool {
        let all = &mut self.families[family].series;
        let idle = series.slot.shares() <= keepers
            && all.get(&*series.set.text).is_some_and(|mine| std::ptr::eq(&**mine, series));
        if idle {
            all.remove(&*series.set.text);
        }
        idle
    }

    /// Metrics and series, overflow series included.
    pub(crate) fn size(&self) -> (usize, usize) {
        let series = |family: &Family| family.series.len() + usize::from(family.overflow.is_some());
        (self.families.len(), self.families.iter().map(series).sum())
    }

    fn family(&mut self, kind: Kind, name: &str, options: &Options) -> Result<usize, Option<Report>> {
        let clean = name::metric(name);
        if let Some(&id) = self.names.get(&*clean) {
            return if self.families[id].meta.kind == kind {
                Ok(id)
            } else {
                Err(self.conflict(id, name, kind))
            };
        }
        if self.names.len() >= options.max_metrics || name.len() > LONGEST_NAME {
            let first = !std::mem::replace(&mut self.full_told, true);
            return Err(first.then_some(Report::Full { limit: options.max_metrics }));
        }
        let about = self.described.get(&*clean).cloned().unwrap_or_default();
        let shown = shown(&clean, kind, &about, options);
        if let Some(&id) = self.lines.get(&shown)
            && self.families[id].meta.kind == kind
            && *self.families[id].meta.shown == *shown
        {
            self.families[id].meta.about.add(None, about.help.as_deref().unwrap_or_default());
            self.names.insert(clean.into(), id);
            self.note(id);
            return Ok(id);
        }
        if let Some(id) = self.taken(&shown, kind, None) {
            return Err(self.conflict(id, name, kind));
        }
        self.described.remove(&*clean);
        let id = self.families.len();
        self.lines.extend(name::lines(&shown, kind).into_iter().map(|line| (line, id)));
        self.names.insert(clean.into(), id);
        self.families.push(Family {
            meta: Meta { raw: name.into(), shown: shown.into(), kind, about },
            series: HashMap::new(),
            overflow: None,
            fresh: Vec::new(),
            changed: false,
            conflict_told: false,
        });
        Ok(id)
    }

    /// Shows a family under another name, unless that is taken.
    fn rename(&mut self, id: usize, shown: &str) -> Option<Report> {
        let Meta { kind, shown: old, .. } = self.families[id].meta.clone();
        if *old == *shown {
            return None;
        }
        if let Some(other) = self.taken(shown, kind, Some(id)) {
            return self.conflict(other, shown, kind);
        }
        for line in name::lines(&old, kind) {
            self.lines.remove(&line);
        }
        self.lines.extend(name::lines(shown, kind).into_iter().map(|line| (line, id)));
        self.families[id].meta.shown = shown.into();
        None
    }

    /// Who else has a line of this metric.
    fn taken(&self, shown: &str, kind: Kind, own: Option<usize>) -> Option<usize> {
        let lines = name::lines(shown, kind);
        lines.iter().filter_map(|line| self.lines.get(line).copied()).find(|other| Some(*other) != own)
    }

    /// One report per family that others collide with.
    fn conflict(&mut self, id: usize, name: &str, kind: Kind) -> Option<Report> {
        let family = &mut self.families[id];
        let first = !std::mem::replace(&mut family.conflict_told, true);
        let Meta { raw, kind: taken, .. } = &family.meta;
        first.then(|| Report::Conflict { name: name.into(), kind, by: Arc::clone(raw), by_kind: *taken })
    }

    fn add(&mut self, id: usize, series: &Arc<Series>) {
        self.families[id].fresh.push(Arc::clone(series));
        self.note(id);
    }

    fn note(&mut self, id: usize) {
        if !std::mem::replace(&mut self.families[id].changed, true) {
            self.changed.push(id);
        }
    }
}

fn shown(clean: &str, kind: Kind, about: &About, options: &Options) -> String {
    name::shown(clean, kind, about.unit.filter(|_| options.unit_suffix))
}
