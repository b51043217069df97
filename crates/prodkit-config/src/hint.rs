//! The nearest known name: "did you mean".

/// The candidate a typo away from `name`, the closest first; `None` when all are far.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile key may be megabytes long; nobody mistypes that.
    if name.len() > 64 {
        return None;
    }
    let fold = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let wanted: Vec<char> = fold(name).chars().collect();
    let allowed = (wanted.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &fold(candidate).chars().collect::<Vec<_>>()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment: insert, delete, replace, swap neighbours, each costs one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

/// "; did you mean `port`?", or the list of what is known.
pub(crate) fn suggestion(name: &str, known: &[&str]) -> String {
    const LISTED: usize = 12;
    if let Some(nearest) = nearest(name, known.iter().copied()) {
        return format!("; did you mean `{nearest}`?");
    }
    let list: Vec<String> = known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match (known.len(), known.len().saturating_sub(LISTED)) {
        (0, _) => String::new(),
        (_, 0) => format!("; known here: {}", list.join(", ")),
        (_, more) => format!("; known here: {} and {more} more", list.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        let known = ["host", "port", "read_timeout", "write_timeout", "maxConnections", "a"];
        for (typo, expected) in [
            ("prot", Some("port")),
            ("ports", Some("port")),
            ("readtimeout", Some("read_timeout")),
            ("read-timeout", Some("read_timeout")),
            ("maxconnections", Some("maxConnections")),
            ("HOST", Some("host")),
            ("b", None),
            ("database", None),
            ("", None),
        ] {
            assert_eq!(nearest(typo, known), expected, "{typo}");
        }
    }
}
