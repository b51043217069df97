use super::*;
use crate::Value;

fn detect(variables: &[(&str, &str)]) -> (Resource, Vec<Warning>) {
    Resource::detect(|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

fn text(resource: &Resource, key: &str) -> Option<String> {
    resource.value(key).map(|value| match value {
        Value::Str(text) => text.to_string(),
        other => panic!("{key} is {other:?}"),
    })
}

#[test]
fn the_name_comes_from_the_most_specific_source() {
    for (variables, expected) in [
        (&[("OTEL_SERVICE_NAME", "a"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=b")][..], "a"),
        (&[("OTEL_SERVICE_NAME", " "), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=b")], "b"),
        (&[], "fallback"),
    ] {
        let (resource, warnings) = detect(variables);
        assert_eq!(resource.or("service.name", "fallback").service_name(), Some(expected));
        assert_eq!(warnings, []);
    }
    let name = detect(&[]).0.service_name().unwrap().to_owned();
    assert!(name.starts_with("unknown_service:"), "{name}");
}

#[test]
fn given_attributes_win_and_are_discarded_whole_when_malformed() {
    let (resource, warnings) = detect(&[("OTEL_RESOURCE_ATTRIBUTES", "host.name=h%20x,team=a")]);
    assert_eq!(
        (text(&resource, "host.name"), text(&resource, "team")),
        (Some("h x".into()), Some("a".into()))
    );
    assert_eq!(warnings, []);

    let (resource, warnings) = detect(&[("OTEL_RESOURCE_ATTRIBUTES", "team=a,broken")]);
    assert_eq!((text(&resource, "team"), warnings.len()), (None, 1));
}

#[test]
fn a_pod_is_described_by_its_variables() {
    let pod = [
        ("POD_NAME", "orders-5d-x"),
        ("POD_NAMESPACE", "shop"),
        ("POD_IP", "10.0.0.7"),
        ("K8S_NODE_NAME", "node-1"),
        ("CONTAINER_NAME", "app"),
        ("APP_ENV", "production"),
    ];
    let (resource, _) = detect(&pod);
    for (key, value) in [
        ("k8s.pod.name", "orders-5d-x"),
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.ip", "10.0.0.7"),
        ("k8s.node.name", "node-1"),
        ("service.instance.id", "shop.orders-5d-x.app"),
        ("deployment.environment.name", "production"),
    ] {
        assert_eq!(text(&resource, key).as_deref(), Some(value), "{key}");
    }
    // without the container's name two containers of the pod would be one
    let (resource, _) = detect(&pod[..2]);
    let id = text(&resource, "service.instance.id").unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id}");
    assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
}

#[test]
fn the_process_is_described_without_its_arguments() {
    let (resource, _) = detect(&[]);
    assert_eq!(resource.value("process.pid"), Some(&Value::I64(std::process::id().into())));
    assert!(text(&resource, "process.executable.name").is_some());
    assert!(resource.iter().all(|(key, _)| !key.starts_with("process.command")));
}

#[test]
fn container_ids() {
    let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (text, expected) in [
        (format!("12:pids:/docker/{id}\n"), true),
        (format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"), true),
        (format!("1:name=systemd:/kubepods/besteffort/pod9a/{id}"), true),
        (format!("0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{id}"), true),
        ("0::/\n".into(), false),
        ("0::/user.slice/session-2.scope".into(), false),
        (format!("0::/{}", &id[1..]), false),
        (format!("0::/{}", id.to_uppercase()), false),
        (String::new(), false),
    ] {
        assert_eq!(from_cgroup(&text), expected.then_some(id), "{text}");
    }
    for (text, expected) in [
        (
            format!("1 2 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw"),
            true,
        ),
        (format!("1 2 8:1 /x rw - y\n3 4 8:1 /var/lib/docker/containers/{id}/hosts /etc/hosts rw - z"), true),
        (format!("1 2 8:1 /var/lib/containerd/sandboxes/{id}/hostname /etc/hostname rw - ext4"), false),
        (format!("1 2 8:1 /var/lib/docker/volumes/{id}/data /data rw - ext4"), false),
        ("1 2".into(), false),
    ] {
        assert_eq!(from_mountinfo(&text), expected.then_some(id), "{text}");
    }
}
