//! Callgrind's output format: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::HashMap;

/// What one dump says.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// Instructions of all threads.
    pub(crate) total: u64,
    /// Calls of the allocator that give memory.
    pub(crate) allocations: u64,
    /// Instructions by function. What the allocator and the copying of memory take counts for who called them.
    pub(crate) functions: HashMap<String, u64>,
}

/// Who pays for a callee.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Itself,
    Allocator,
    Memory,
}

impl Profile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let mut names: HashMap<&str, &str> = HashMap::new();
        let (mut function, mut callee) = ("", "");
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = known(&mut names, name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                callee = known(&mut names, name);
            } else if let Some(calls) = line.strip_prefix("calls=") {
                let count = calls.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
                let cost = lines.next().and_then(cost).unwrap_or(0);
                profile.call(function, callee, count, cost);
            } else if let Some(totals) = line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")) {
                profile.total = totals.trim().parse().unwrap_or(0);
            } else if kind(function) == Kind::Itself
                && line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                profile.charge(function, "", cost(line).unwrap_or(0));
            }
        }
        profile
    }

    fn call(&mut self, caller: &str, callee: &str, count: u64, cost: u64) {
        if ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"].contains(&callee) {
            self.allocations += count;
        }
        // what these call of each other has been charged by the outermost of them
        if kind(caller) == Kind::Itself {
            match kind(callee) {
                Kind::Itself => {}
                Kind::Allocator => self.charge(caller, " → allocator", cost),
                Kind::Memory => self.charge(caller, " → memcpy and the like", cost),
            }
        }
    }

    fn charge(&mut self, function: &str, what: &str, cost: u64) {
        *self.functions.entry(format!("{function}{what}")).or_default() += cost;
    }
}

/// The last column: there is one kind of event.
fn cost(line: &str) -> Option<u64> {
    line.rsplit(' ').next()?.parse().ok()
}

/// `(id) name` the first time, `(id)` from then on.
fn known<'a>(names: &mut HashMap<&'a str, &'a str>, spec: &'a str) -> &'a str {
    let Some((id, name)) = spec.split_once(')') else { return spec };
    // recursion has levels: `name'2`
    let name = name.trim_start().split('\'').next().unwrap_or_default();
    if name.is_empty() { names.get(id).copied().unwrap_or("?") } else { names.entry(id).or_insert(name) }
}

fn kind(function: &str) -> Kind {
    const ALLOCATOR: &[&str] = &[
        "malloc",
        "calloc",
        "realloc",
        "free",
        "cfree",
        "posix_memalign",
        "aligned_alloc",
        "_int_malloc",
        "_int_free",
        "_int_realloc",
        "_int_memalign",
        "_mid_memalign",
        "malloc_consolidate",
        "unlink_chunk.constprop.0",
        "unlink_chunk.isra.0",
        "sysmalloc",
        "systrim.constprop.0",
        "tcache_init.part.0",
        "arena_get2.part.0",
        "__libc_malloc",
        "__libc_free",
    ];
    if ALLOCATOR.contains(&function) {
        Kind::Allocator
    } else if function.starts_with("__mem") || function == "bcmp" || function == "memcpy" {
        Kind::Memory
    } else {
        Kind::Itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_the_allocator_and_copies_to_their_callers() {
        let profile = Profile::parse(
            "events: Ir\nfl=(1) a.rs\nfn=(1) serve\n16 5\n+1 2\ncfn=(2) malloc\ncalls=3 0\n16 300\nfn=(2)\n0 200\n\
             cfn=(3) _int_malloc\ncalls=1 0\n0 100\nfn=(3)\n0 100\nfn=(4) other\n+2 7\ncfn=(2)\ncalls=1 0\n* 50\n\
             cfn=(1)\ncalls=2 16\n* 307\nfn=(1)\n* 1\nsummary: 665\n",
        );
        assert_eq!((profile.total, profile.allocations), (665, 4));
        let function = |name: &str| profile.functions.get(name).copied();
        assert_eq!(function("serve"), Some(8));
        assert_eq!(function("serve → allocator"), Some(300));
        assert_eq!(function("other"), Some(7));
        assert_eq!(function("other → allocator"), Some(50));
        assert_eq!(function("malloc"), None);
    }
}
