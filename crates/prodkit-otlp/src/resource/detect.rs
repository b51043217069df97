//! Looking around: environment, process, container.

use super::Resource;
use crate::baggage;
use crate::settings::Warning;
use prodkit_trace::TraceId;
use std::fs::File;
use std::io::Read;

/// The specification's stand-in for a name.
const UNKNOWN: &str = "unknown_service";

/// More than any of the files here has, and all that is read of one.
const MAX_FILE: u64 = 256 * 1024;

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn resource(env: Env<'_>, warnings: &mut Vec<Warning>) -> Resource {
    let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let executable = std::env::current_exe().ok();
    let file_name = executable.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());

    let unknown = file_name.as_ref().map_or_else(|| UNKNOWN.to_owned(), |name| format!("{UNKNOWN}:{name}"));
    let mut resource = Resource::new(unknown);
    resource.unnamed = true;
    let mut set = |key: &'static str, value: Option<String>| {
        if let Some(value) = value {
            resource.set(key.into(), value.into());
        }
    };

    set("deployment.environment.name", env("APP_ENV"));
    set("host.name", host_name());
    set("host.arch", Some(arch().to_owned()));
    set("os.type", Some(os().to_owned()));
    set("process.executable.name", file_name.map(Into::into));
    set("container.id", container_id());
    for (key, variable) in [
        ("k8s.pod.name", "POD_NAME"),
        ("k8s.namespace.name", "POD_NAMESPACE"),
        ("k8s.pod.uid", "POD_UID"),
        ("k8s.pod.ip", "POD_IP"),
        ("k8s.node.name", "NODE_NAME"),
        ("k8s.container.name", "CONTAINER_NAME"),
    ] {
        set(key, env(variable).or_else(|| env(&format!("K8S_{variable}"))));
    }
    resource.set("process.pid".into(), i64::from(std::process::id()).into());

    // discarded whole when malformed, says the specification
    let variable = "OTEL_RESOURCE_ATTRIBUTES";
    let given = env(variable).map(|list| attributes(&list));
    match given {
        Some(Ok(attributes)) => {
            for (key, value) in attributes {
                resource.set(key.into(), value.into());
            }
        }
        Some(Err(baggage::Malformed)) => warnings
            .push(Warning::new(variable, "it is not a list of key=value pairs with percent-encoded values")),
        None => {}
    }
    if let Some(name) = env("OTEL_SERVICE_NAME") {
        resource.set("service.name".into(), name.trim().to_owned().into());
    }
    let instance = instance_id(&resource);
    resource.or("service.instance.id", instance)
}

fn attributes(list: &str) -> Result<Vec<(String, String)>, baggage::Malformed> {
    baggage::pairs(list)
        .map(|pair| pair.and_then(|(key, value)| Ok((baggage::decode(key)?, value))))
        .collect()
}

/// As the semantic conventions for Kubernetes have it, without the restart count; random where a part is unknown, since
/// a pod may have several containers.
fn instance_id(resource: &Resource) -> String {
    let text = |key| match resource.value(key) {
        Some(crate::Value::Str(text)) => Some(&**text),
        _ => None,
    };
    match (text("k8s.namespace.name"), text("k8s.pod.name"), text("k8s.container.name")) {
        (Some(namespace), Some(pod), Some(container)) => format!("{namespace}.{pod}.{container}"),
        _ => uuid(TraceId::random().to_u128()),
    }
}

/// Random bits as a version 4 UUID (RFC 9562).
fn uuid(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn host_name() -> Option<String> {
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"))?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The semantic conventions' names where they differ from Rust's.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        other => other,
    }
}

fn os() -> &'static str {
    if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS }
}

fn container_id() -> Option<String> {
    let find =
        |path, parse: fn(&str) -> Option<&str>| read(path).as_deref().and_then(parse).map(str::to_owned);
    find("/proc/self/cgroup", from_cgroup).or_else(|| find("/proc/self/mountinfo", from_mountinfo))
}

/// cgroup v1, and v2 without a namespace of its own: the last segment of a path, `…/docker-<id>.scope` or `…/<id>`.
fn from_cgroup(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let segment = line.rsplit('/').next()?;
        let segment = segment.strip_suffix(".scope").unwrap_or(segment);
        // runtimes put their name before the id: `cri-containerd-<id>`, `crio-<id>`, `cri-containerd:<id>`
        segment.rsplit(['-', ':']).next().filter(|id| is_id(id))
    })
}

/// cgroup v2 with a namespace: files that the runtime mounts from the container's own directory,
/// `/var/lib/docker/containers/<id>/hostname`. A sandbox is the pod's, not this container's.
fn from_mountinfo(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        if !matches!(mount, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf")
            || root.contains("/sandboxes/")
        {
            return None;
        }
        root.split('/').find(|segment| is_id(segment))
    })
}

fn is_id(segment: &str) -> bool {
    segment.len() == 64 && segment.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn read(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
