//! One metric store: a metrics recorder, concrete handles and the Prometheus encoders
