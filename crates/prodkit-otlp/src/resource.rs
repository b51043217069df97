//! What sends the telemetry: the service, its process, its pod.

mod detect;

use crate::settings::Warning;
use crate::span::Value;
use opentelemetry_proto::tonic::resource::v1::Resource as Proto;
use std::borrow::Cow;

/// The attributes that say who sends, the same on every export.
///
/// ```
/// use prodkit_otlp::Resource;
///
/// let (resource, _warnings) = Resource::detect(|name| std::env::var(name).ok());
/// let resource = resource.or("service.name", "orders").with("service.version", "1.2.3");
/// assert!(resource.service_name().is_some());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    attributes: Vec<(Cow<'static, str>, Value)>,
    /// `service.name` is the specification's stand-in, which any real name replaces.
    unnamed: bool,
}

impl Resource {
    /// A resource of a name and nothing detected.
    #[must_use]
    pub fn new(service_name: impl Into<String>) -> Self {
        // not the SDK of the OpenTelemetry project, and not to be taken for it
        let sdk = [
            ("telemetry.sdk.name", Value::from("prodkit")),
            ("telemetry.sdk.language", "rust".into()),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").into()),
        ];
        let attributes = sdk.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { attributes, unnamed: false }.with("service.name", service_name.into())
    }

    /// What the environment and the machine tell.
    ///
    /// - `OTEL_RESOURCE_ATTRIBUTES` and, for the name, `OTEL_SERVICE_NAME` win over everything detected. Without either
    ///   the name is `unknown_service:` and the executable, until [`or`](Self::or) gives a better one.
    /// - Host, operating system and process, without its arguments: those hold secrets too often.
    /// - The container's id, from `/proc/self/cgroup` or `/proc/self/mountinfo`.
    /// - The pod, from the variables that manifests commonly fill by the downward API: `POD_NAME`, `POD_NAMESPACE`,
    ///   `POD_UID`, `POD_IP`, `NODE_NAME`, `CONTAINER_NAME`, each with or without a leading `K8S_`.
    /// - `deployment.environment.name` from `APP_ENV`.
    /// - `service.instance.id`: `namespace.pod.container` where all three are known, otherwise a random UUID.
    ///
    /// What cannot be found out is left out; nothing here fails. The files read are local, small and read once.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> (Self, Vec<Warning>) {
        let mut warnings = Vec::new();
        let resource = detect::resource(&env, &mut warnings);
        (resource, warnings)
    }

    /// Sets an attribute, in place of what it was.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.set(key.into(), value.into());
        self
    }

    /// Sets an attribute unless it is known already. A `service.name` that is only the stand-in is not known.
    #[must_use]
    pub fn or(self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let key = key.into();
        let known = self.value(&key).is_some() && !(self.unnamed && key == "service.name");
        if known { self } else { self.with(key, value) }
    }

    /// The value of an attribute.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The name of the service, unless it has been set to something that is not text.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        match self.value("service.name")? {
            Value::Str(name) => Some(name),
            Value::Bool(_) | Value::F64(_) | Value::I64(_) | Value::List(_) => None,
        }
    }

    /// All attributes, in the order they became known.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.attributes.iter().map(|(key, value)| (&**key, value))
    }

    pub(crate) fn proto(&self) -> Proto {
        let attributes = self.attributes.iter().map(crate::encode::attribute).collect();
        Proto { attributes, ..Proto::default() }
    }

    fn set(&mut self, key: Cow<'static, str>, value: Value) {
        if key == "service.name" {
            self.unnamed = false;
        }
        match self.attributes.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((key, value)),
        }
    }
}
