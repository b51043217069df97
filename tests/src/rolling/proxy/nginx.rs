use std::path::Path;
use std::process::Command;

use super::Address;

pub(super) fn arguments(command: &mut Command, folder: &Path, file: &Path) {
    command.arg("-p").arg(folder).arg("-e").arg(folder.join("error.log")).arg("-c").arg(file);
}

/// `max_fails=0`: nothing but the harness takes a process out.
pub(super) fn configuration(folder: &Path, port: u16, processes: &[(usize, Address)]) -> String {
    let servers: String = processes
        .iter()
        .map(|(_, address)| format!("        server 127.0.0.1:{} max_fails=0;\n", address.main))
        .collect();
    let folder = folder.display();
    // without root there is nobody to become, and the line would be a warning
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "{user}daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/temp-body;
    proxy_temp_path {folder}/temp-proxy;
    fastcgi_temp_path {folder}/temp-fastcgi;
    uwsgi_temp_path {folder}/temp-uwsgi;
    scgi_temp_path {folder}/temp-scgi;
    upstream orders {{
{servers}        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://orders;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_next_upstream off;
            proxy_connect_timeout 10s;
            proxy_read_timeout 60s;
        }}
    }}
}}
"
    )
}
