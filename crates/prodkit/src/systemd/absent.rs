//! Without the feature `systemd` nobody is told anything.

use std::time::Duration;

use prodkit_health::Health;

use crate::environment::Environment;

/// Nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor;

#[expect(clippy::unused_self, reason = "the other one has something to say")]
impl Supervisor {
    pub(crate) fn find(environment: &Environment, warnings: &mut Vec<String>) -> Self {
        if environment.get("NOTIFY_SOCKET").is_some() {
            let said = "NOTIFY_SOCKET is set, but this binary is built without prodkit's feature `systemd`";
            warnings.push(said.to_owned());
        }
        Self
    }

    pub(crate) fn ready(&self) {}

    pub(crate) fn reloading(&self) {}

    pub(crate) fn reloaded(&self) {}

    pub(crate) fn stopping(&self, _: Duration) {}

    pub(crate) fn status(&self, _: &str) {}

    pub(crate) async fn watch(self, _: Health) {
        std::future::pending::<()>().await;
    }
}
