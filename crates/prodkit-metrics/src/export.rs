//! What exporters read: the tables as values, in the memory of the snapshot before.

use crate::scrape::{Scrape, Table};
use crate::{Family, Point};
use metrics::Unit;
use std::sync::Arc;

impl Scrape {
    /// Makes `families` what there is now. Nothing is allocated for what was there before, if it is of the same kind.
    pub(crate) fn export(&self, families: &mut Vec<Family>) {
        let mut count = 0;
        for table in self.tables() {
            let Some(mut family) = table.family() else { continue };
            match families.get_mut(count) {
                Some(place) => {
                    std::mem::swap(&mut family.points, &mut place.points);
                    *place = family;
                }
                None => families.push(family),
            }
            table.export(&mut families[count].points);
            count += 1;
        }
        families.truncate(count);
    }
}

impl Table {
    /// All but its points; `None` if it is not to be exported.
    fn family(&self) -> Option<Family> {
        let about = &self.meta.about;
        let exported = self.exported.as_ref();
        Some(Family {
            name: Arc::clone(exported.map_or(Some(&self.meta.raw), |exported| exported.name.as_ref())?),
            help: about.help.clone(),
            unit: exported.and_then(|exported| exported.unit).or(about.unit.map(ucum)),
            kind: self.meta.kind,
            additive: exported.is_some_and(|exported| exported.additive),
            points: Vec::new(),
        })
    }

    fn export(&self, points: &mut Vec<Point>) {
        points.truncate(self.rows.len());
        for (place, row) in self.rows.iter().enumerate() {
            let (labels, start) = (Arc::clone(&row.labels), row.series.start);
            match points.get_mut(place) {
                Some(point) => {
                    row.slot.value_into(&mut point.value);
                    (point.labels, point.start) = (labels, start);
                }
                None => points.push(Point { labels, start, value: row.slot.value() }),
            }
        }
    }
}

/// The unit as [UCUM](https://ucum.org/ucum) writes it.
fn ucum(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "1",
        Unit::Percent => "%",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "us",
        Unit::Nanoseconds => "ns",
        Unit::Tebibytes => "TiBy",
        Unit::Gibibytes => "GiBy",
        Unit::Mebibytes => "MiBy",
        Unit::Kibibytes => "KiBy",
        Unit::Bytes => "By",
        Unit::TerabitsPerSecond => "Tbit/s",
        Unit::GigabitsPerSecond => "Gbit/s",
        Unit::MegabitsPerSecond => "Mbit/s",
        Unit::KilobitsPerSecond => "kbit/s",
        Unit::BitsPerSecond => "bit/s",
        Unit::CountPerSecond => "1/s",
    }
}
