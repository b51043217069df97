//! The readers' side of the store: every series in its final order with its text ready.
//!
//! Readers exclude each other and nobody else. They learn what is new under the catalogue's lock, which is held only
//! for handing over a list, and then read atomics.

use crate::catalogue::{Catalogue, Change, Meta};
use crate::fold::Shown;
use crate::index::Index;
use crate::series::{Series, Slot};
use crate::{Exported, Kind, Options, name};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Those who share an idle series' cell: its `Series` and its `Row`.
const KEEPERS: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// By family number.
    tables: Vec<Option<Table>>,
    /// Family numbers by shown name.
    order: Vec<usize>,
    /// How much text there was the last time.
    pub(crate) size: usize,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) meta: Meta,
    /// A counter that is nothing without its `_total`, or some other metric.
    pub(crate) clashes: bool,
    /// Some of its series are shown as one.
    folds: bool,
    /// How exporters see it, if otherwise than it was registered.
    pub(crate) exported: Option<Exported>,
    /// Sorted by what is shown of the labels, and then by all of them.
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    /// `name{labels} ` for counters and gauges; `{labels} ` for histograms, whose names differ from line to line.
    pub(crate) prefix: Box<[u8]>,
    pub(crate) slot: Slot,
    pub(crate) series: Arc<Series>,
    /// The labels as exporters see them.
    pub(crate) labels: Arc<[(String, String)]>,
    active: Instant,
}

impl Scrape {
    /// The metrics that have series, in order.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.order.iter().filter_map(|id| self.tables[*id].as_ref()).filter(|table| !table.rows.is_empty())
    }

    /// Takes over what was registered and described since the last time.
    pub(crate) fn refresh(&mut self, catalogue: &Mutex<Catalogue>, options: &Options, now: Instant) {
        let changes = catalogue.lock().unwrap_or_else(PoisonError::into_inner).changes();
        let mut renamed = false;
        for Change { family, meta, fresh } in changes {
            if self.tables.len() <= family {
                self.tables.resize_with(family + 1, || None);
            }
            match &mut self.tables[family] {
                Some(table) => {
                    if table.meta.shown != meta.shown {
                        renamed = true;
                        table.rows.iter_mut().for_each(|row| row.prefix = prefix(&meta, &row.series));
                    }
                    table.meta = meta;
                    table.add(fresh, now);
                }
                place @ None => {
                    renamed = true;
                    let folds = options.unshown.contains_key(&*meta.raw);
                    let exported = options.exported.get(&*meta.raw).cloned();
                    let table = Table { meta, clashes: false, folds, exported, rows: Vec::new() };
                    place.insert(table).add(fresh, now);
                }
            }
        }
        if renamed {
            self.arrange();
        }
    }

    /// Forgets series that nobody touched or held for `idle`; says how many.
    pub(crate) fn expire(
        &mut self,
        idle: Duration,
        now: Instant,
        catalogue: &Mutex<Catalogue>,
        index: &Index,
    ) -> u64 {
        let mut old: HashSet<*const Series> = HashSet::new();
        for row in self.tables.iter_mut().flatten().flat_map(|table| &mut table.rows) {
            if row.series.untouch() || row.slot.shares() > KEEPERS {
                row.active = now;
            } else if now.saturating_duration_since(row.active) >= idle {
                old.insert(Arc::as_ptr(&row.series));
            }
        }
        if old.is_empty() {
            return 0;
        }
        let mut gone = 0;
        // While the catalogue is locked nobody can register, so who does not find a series any more cannot make a
        // second one before this one's fate is decided.
        let mut catalogue = catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        index.forget(|series| old.contains(&std::ptr::from_ref(series)));
        for (family, table) in self.tables.iter_mut().enumerate() {
            let Some(table) = table else { continue };
            table.rows.retain_mut(|row| {
                if !old.contains(&Arc::as_ptr(&row.series)) {
                    return true;
                }
                // Found once more before the index forgot it? Then what was recorded must not get lost.
                let kept = row.series.untouch() || !catalogue.expire(family, &row.series, KEEPERS);
                if kept {
                    row.series.unspell();
                    row.active = now;
                } else {
                    gone += 1;
                }
                kept
            });
        }
        gone
    }

    fn arrange(&mut self) {
        let shown: HashSet<String> = self
            .tables
            .iter()
            .flatten()
            .flat_map(|table| name::lines(&table.meta.shown, table.meta.kind))
            .collect();
        for table in self.tables.iter_mut().flatten() {
            table.clashes = table.meta.kind == Kind::Counter
                && table
                    .meta
                    .shown
                    .strip_suffix(name::TOTAL)
                    .is_none_or(|base| base.is_empty() || shown.contains(base));
        }
        self.order = (0..self.tables.len()).filter(|id| self.tables[*id].is_some()).collect();
        let tables = &self.tables;
        self.order.sort_by_key(|id| tables[*id].as_ref().map(|table| &table.meta.shown));
    }
}

impl Table {
    /// The series as they are shown, each by those that it is the sum of.
    pub(crate) fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        let same = |a: &Row, b: &Row| self.folds && a.series.set.shown == b.series.set.shown;
        self.rows.chunk_by(same).map(Shown)
    }

    fn add(&mut self, fresh: Vec<Arc<Series>>, now: Instant) {
        if fresh.is_empty() {
            return;
        }
        let relabel = self.exported.as_ref().and_then(|exported| exported.relabel);
        self.rows.extend(fresh.into_iter().map(|series| Row {
            prefix: prefix(&self.meta, &series),
            slot: series.slot.clone(),
            labels: match relabel {
                Some(relabel) => relabel(&series.set.pairs).into(),
                None => Arc::clone(&series.set.pairs),
            },
            series,
            active: now,
        }));
        // Stable on purpose: the sort finds the long sorted run and only merges the rest into it.
        self.rows.sort_by(|a, b| {
            let (a, b) = (&a.series.set, &b.series.set);
            (&a.shown, &a.text).cmp(&(&b.shown, &b.text))
        });
    }
}

fn prefix(meta: &Meta, series: &Series) -> Box<[u8]> {
    let name = if meta.kind == Kind::Histogram { "" } else { &meta.shown };
    let mut prefix = String::with_capacity(name.len() + series.set.shown.len() + "{} ".len());
    prefix.push_str(name);
    if !series.set.shown.is_empty() {
        prefix.push('{');
        prefix.push_str(&series.set.shown);
        prefix.push('}');
    }
    prefix.push(' ');
    prefix.into_bytes().into()
}
