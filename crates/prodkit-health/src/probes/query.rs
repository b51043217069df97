/// What may be asked of a detailed probe.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    pub(crate) verbose: bool,
    pub(crate) exclude: Vec<&'a str>,
}

const MAX_LENGTH: usize = 4096;
const MAX_EXCLUDED: usize = 64;

impl<'a> Query<'a> {
    /// Reads `verbose`, `verbose=…` and any number of `exclude=name[,name]`; other keys are somebody else's. Names are
    /// kebab-case, so nothing is decoded: an encoded name is a name that no check has.
    pub(crate) fn parse(query: &'a str) -> Result<Self, &'static str> {
        if query.len() > MAX_LENGTH {
            return Err("the query is longer than 4096 bytes");
        }
        let mut parsed = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("verbose", value) => parsed.verbose = !matches!(value, "0" | "false"),
                ("exclude", names) => {
                    for name in names.split(',').filter(|name| !name.is_empty()) {
                        if parsed.exclude.len() == MAX_EXCLUDED {
                            return Err("more than 64 checks are excluded");
                        }
                        parsed.exclude.push(name);
                    }
                }
                _ => {}
            }
        }
        Ok(parsed)
    }
}
