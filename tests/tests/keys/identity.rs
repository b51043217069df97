//! `service.*`: what the service calls itself where it tells of itself.

use crate::otlp::attribute;
use crate::rig::Setup;

pub(crate) fn name() {
    for name in ["orders", "payments"] {
        assert_eq!(build(&Setup::new().set("service.name", name), "name"), name);
        exported("service.name", "service.name", name);
    }
}

pub(crate) fn version() {
    for version in ["1.2.3", "2.0.0"] {
        assert_eq!(build(&Setup::new().set("service.version", version), "version"), version);
        exported("service.version", "service.version", version);
    }
}

pub(crate) fn namespace() {
    for namespace in ["shop", "bank"] {
        exported("service.namespace", "service.namespace", namespace);
    }
}

pub(crate) fn environment() {
    for environment in ["staging", "production"] {
        exported("service.environment", "deployment.environment.name", environment);
    }
}

/// A label of the running build, as `/metrics` has it.
pub(crate) fn build(setup: &Setup, label: &str) -> String {
    let text = setup.serve().ask("/metrics").text();
    let labels = text.lines().find_map(|line| line.strip_prefix("prodkit_build_info{")).unwrap();
    let value = labels.split(',').find_map(|one| one.strip_prefix(label)?.strip_prefix("=\""));
    value.unwrap_or_else(|| panic!("{labels}")).split('"').next().unwrap().to_owned()
}

fn exported(key: &str, name: &str, value: &str) {
    assert_eq!(attribute(Setup::new().set(key, value), name).as_deref(), Some(value));
}
