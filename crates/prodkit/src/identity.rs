//! What this service is called, from the first source that knows.

use std::path::Path;

use crate::Build;
use crate::settings::Service;

/// The service's name, and the version and origin where known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) build: Build,
}

impl Identity {
    /// Settings (which hold `OTEL_SERVICE_NAME` already) before the build before the executable's name.
    pub(crate) fn new(build: Build, service: &Service, executable: Option<&Path>) -> Self {
        let executable = executable.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let configured = service.name.clone().filter(|name| !name.trim().is_empty());
        let name = configured.or_else(|| build.name.map(str::to_owned)).or(executable);
        Self {
            name: name.unwrap_or_else(|| "unknown_service".to_owned()),
            version: service.version.clone().or_else(|| build.version.map(str::to_owned)),
            namespace: service.namespace.clone(),
            environment: service.environment.clone(),
            build,
        }
    }

    /// Only what is known.
    pub(crate) fn build_labels(&self) -> Vec<(&'static str, &str)> {
        let known = [
            ("name", Some(self.name.as_str())),
            ("version", self.version.as_deref()),
            ("commit", self.build.commit),
            ("built", self.build.time),
        ];
        known.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_that_knows_wins() {
        let name = |build, configured: Option<&str>, executable: Option<&str>| {
            let service = Service { name: configured.map(str::to_owned), ..Service::default() };
            Identity::new(build, &service, executable.map(Path::new)).name
        };
        let build = Build::new("crate", "1.0.0");
        assert_eq!(name(build, Some("configured"), Some("/bin/exe")), "configured");
        assert_eq!(name(build, None, Some("/bin/exe")), "crate");
        assert_eq!(name(build, Some(" "), Some("/bin/exe")), "crate", "an empty name is none");
        assert_eq!(name(Build::unknown(), None, Some("/bin/exe")), "exe");
        assert_eq!(name(Build::unknown(), None, None), "unknown_service");
    }

    #[test]
    fn a_version_nobody_knows_is_left_out() {
        let identity = Identity::new(Build::unknown(), &Service::default(), None);
        assert_eq!(identity.build_labels(), [("name", "unknown_service")]);
    }
}
