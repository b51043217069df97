//! In which formats traces come and go, and the trace this process was started in.

use prodkit_trace::{Arrival, Propagators};

use crate::environment::Environment;

const VARIABLE: &str = "OTEL_PROPAGATORS";

/// What `OTEL_PROPAGATORS` says. As the specification has it, this holds where the rest of OpenTelemetry is off.
pub(crate) fn propagators(environment: &Environment, warnings: &mut Vec<String>) -> Propagators {
    let Some(list) = environment.get(VARIABLE) else { return Propagators::default() };
    Propagators::parse(list).unwrap_or_else(|_| {
        warnings.push(format!(
            "{VARIABLE} is ignored: it is not a list of tracecontext, baggage, b3, b3multi, jaeger, xray, or none"
        ));
        Propagators::default()
    })
}

/// The trace of whoever started this process, by `TRACEPARENT` and its like: a job's work is part of it.
pub(crate) fn of_the_process(propagators: Propagators, environment: &Environment) -> Arrival {
    propagators.extract_env(|name| environment.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_cannot_be_used_is_a_warning_and_the_default_holds() {
        for (list, expected, warned) in [
            ("", "tracecontext,baggage", 0),
            ("b3multi, Jaeger", "b3multi,jaeger", 0),
            ("none", "none", 0),
            ("b3,ottrace", "tracecontext,baggage", 1),
        ] {
            let mut warnings = Vec::new();
            let found = propagators(&Environment::from_iter([(VARIABLE, list)]), &mut warnings);
            assert_eq!((found.to_string().as_str(), warnings.len()), (expected, warned), "{list}");
            assert!(!warnings.iter().any(|warning| warning.contains("ottrace")));
        }
    }
}
