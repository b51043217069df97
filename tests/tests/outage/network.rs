//! A network of a service's own, in which nft drops whatever is sent to the collector.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use prodkit_e2e::process::Service;
use prodkit_e2e::tools::find;

/// Where the collector would be.
pub(crate) const COLLECTOR: &str = "127.0.0.1:4319";

const RULES: &str = "table inet outage {
  chain incoming {
    type filter hook input priority 0; policy accept;
    tcp dport 4319 counter drop
  }
}
";

/// In a new network there is only a loopback device, and it is down.
const SCRIPT: &str = "ip link set lo up && nft -f \"$0\" && exec \"$@\"";

/// Where Debian keeps what the script needs.
pub(crate) const PATH: (&str, &str) = ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");

/// What is needed, or what is missing of it.
pub(crate) fn tools() -> Result<(), String> {
    let missing = ["unshare", "nsenter", "ip", "nft"].into_iter().find(|program| find(program).is_none());
    match missing {
        Some(missing) => Err(format!("{missing} not found")),
        None if rustix::process::geteuid().is_root() => Ok(()),
        None => Err("a network of one's own takes root".to_owned()),
    }
}

/// [`Service::start`] there.
pub(crate) fn of_its_own(
    binary: &Path,
    folder: &Path,
    settings: &[&str],
    env: &[(&str, &str)],
) -> io::Result<Service> {
    let env: Vec<_> = env.iter().copied().chain([PATH]).collect();
    let arguments = arguments(binary, folder);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Service::start_with(unshare(), folder, &arguments, settings, &env)
}

/// A command that runs `binary` there.
pub(crate) fn command(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(unshare());
    command.args(arguments(binary, folder)).env_clear().envs([PATH]);
    command
}

fn unshare() -> PathBuf {
    find("unshare").unwrap()
}

/// Each program becomes the next one, so that the pid stays the same.
fn arguments(binary: &Path, folder: &Path) -> Vec<String> {
    let rules = folder.join("rules.nft");
    fs::write(&rules, RULES).unwrap();
    let [rules, binary] = [rules.as_path(), binary].map(|path| path.to_str().unwrap().to_owned());
    ["--net", "--", "sh", "-c", SCRIPT].map(str::to_owned).into_iter().chain([rules, binary]).collect()
}

/// How many packets were dropped where this process runs.
pub(crate) fn dropped(pid: u32) -> u64 {
    let mut nsenter = Command::new(find("nsenter").unwrap());
    let pid = pid.to_string();
    nsenter.args(["--target", &pid, "--net", "--", "nft", "list", "table", "inet", "outage"]);
    let output = nsenter.env_clear().envs([PATH]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let packets = text.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    packets.unwrap_or_else(|| panic!("no counter: {text} {}", String::from_utf8_lossy(&output.stderr)))
}
