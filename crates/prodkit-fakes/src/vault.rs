//! A Vault that speaks the published HTTP API and does what a test tells it.

mod grants;
mod kv;
mod leased;
mod logins;
mod reply;
mod serve;
mod system;
mod tokens;
mod world;

pub use grants::Terms;
pub use system::Condition;

use crate::Behaviour;
use crate::server::{Server, patiently};
use http::Method;
use logins::Login;
use reply::Call;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use world::World;

/// A Vault server on a free loopback port, written from the API documentation of Vault 1.17.
///
/// It starts initialized, unsealed and active, with KV version 2 at `secret/`, KV version 1 at `kv/` and one root token.
/// It keeps time of its own, which runs on its own and is moved forward by [`advance`](Self::advance): tokens and leases
/// end when that clock says so. What it holds is set by the methods here or by any client over HTTP.
///
/// It knows: `sys/health`, `sys/seal-status`, `sys/init`, `sys/leases/{lookup,renew,revoke}`, namespaces; the `token`,
/// `approle`, `kubernetes` and `jwt` auth methods; KV 1 and 2 with versions, deletion and destruction; paths with a lease
/// as `database/creds/…`, and static roles as `database/static-creds/…`. It does not know policies (see
/// [`deny`](Self::deny)), wrapping, `num_uses`, nor any other engine.
///
/// ```
/// use prodkit_fakes::{FakeVault, Terms};
/// use serde_json::json;
/// use std::time::Duration;
///
/// let vault = FakeVault::start();
/// vault.write("secret/data/app", json!({"data": {"password": "s3cret"}}));
/// vault.dynamic("database/creds/app", Terms::ttl(Duration::from_secs(3600)));
/// assert_eq!(vault.read("secret/data/app")["data"]["data"]["password"], "s3cret");
///
/// let lease = vault.read("database/creds/app")["lease_id"].clone();
/// assert_eq!(vault.leases(), [lease.as_str().unwrap()]);
/// vault.advance(Duration::from_secs(3600));
/// assert!(vault.leases().is_empty());
/// ```
#[derive(Debug)]
pub struct FakeVault {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    /// The number of requests received; the waiting helpers sleep on it.
    asked: watch::Sender<usize>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeVault {
    /// The token that may do everything and never ends.
    pub const ROOT: &str = "hvs.root";

    /// Starts a server.
    ///
    /// # Panics
    ///
    /// When the machine has no free port or thread left.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::new(Shared { world: Mutex::new(World::new()), asked: watch::Sender::new(0) });
        let server = Server::start("fake-vault", {
            let shared = shared.clone();
            move |request, gate| serve::answer(request, gate, shared.clone())
        });
        Self { server, shared }
    }

    /// The address it listens on; it stays the same through [`Behaviour::Refuse`].
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The base URL, `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Changes how every request is met from the next one on; [`Behaviour::Refuse`] cuts open connections at once.
    pub fn behave(&self, behaviour: Behaviour) {
        self.server.behave(behaviour);
    }

    /// Changes how requests on one path are met, without the leading `/v1/`. [`Behaviour::Refuse`] hangs here.
    pub fn behave_at(&self, path: &str, behaviour: Behaviour) {
        self.shared.world().behaviours.insert(path.to_owned(), behaviour);
    }

    /// Waits until the port is open (`true`) or closed (`false`), as the last [`behave`](Self::behave) asked.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn listening(&self, open: bool) {
        self.server.listening(open).await;
    }

    /// Makes it active, standby, sealed and so on.
    pub fn condition(&self, condition: Condition) {
        self.shared.world().condition = condition;
    }

    /// Moves its clock forward. Nothing of the test or of the client is moved.
    pub fn advance(&self, by: Duration) {
        self.shared.world().advance(by);
    }

    /// Writes with the root token, as `POST /v1/path` does, and returns the answer's body.
    ///
    /// # Panics
    ///
    /// When the answer is an error: a mistake in the test.
    pub fn write(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, body)
    }

    /// Deletes with the root token, as `DELETE /v1/path` does.
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    pub fn delete(&self, path: &str) {
        self.ask(Method::DELETE, path, Value::Null);
    }

    /// Reads with the root token, as `GET /v1/path` does. It is not counted.
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    #[must_use]
    pub fn read(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null)
    }

    fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let call = Call { method, body, token: Self::ROOT.to_owned(), ..Call::new(path) };
        let reply = self.shared.world().answer(&call);
        assert!(reply.status < 400, "{path}: {} {:?}", reply.status, reply.body);
        reply.body.unwrap_or_default()
    }

    /// Declares a namespace, such as `team` or `team/app`. Paths of it are written `team/secret/…` here; KV is mounted in
    /// it as in the root.
    pub fn namespace(&self, name: &str) {
        self.shared.world().namespace(name);
    }

    /// Makes reads of `path` grant credentials of these terms, a new user with each read.
    pub fn dynamic(&self, path: &str, terms: Terms) {
        self.shared.world().dynamic(path, terms);
    }

    /// Makes reads of `path` tell the password of one user that is rotated every `period`. Between the moment it was due
    /// and the rotation itself, which comes `late`, the `ttl` is 0 and the password the old one.
    pub fn static_role(&self, path: &str, period: Duration, late: Duration) {
        self.shared.world().static_role(path, period, late);
    }

    /// Makes a token with these terms.
    #[must_use]
    pub fn token(&self, terms: Terms) -> String {
        self.shared.world().token_for(terms, "token", "")
    }

    /// Ends a token and all leases taken with it.
    pub fn revoke_token(&self, token: &str) {
        self.shared.world().revoke_token(token);
    }

    /// Ends every token but root's, and all leases taken with them.
    pub fn revoke_tokens(&self) {
        self.shared.world().revoke_tokens();
    }

    /// Declares an AppRole at `auth/mount` whose logins have these terms.
    pub fn approle(&self, mount: &str, role_id: &str, secret_id: &str, terms: Terms) {
        let login = Login::AppRole { role_id: role_id.into(), secret_id: secret_id.into(), terms };
        self.shared.world().login_at(mount, login);
    }

    /// Declares a role of Kubernetes auth at `auth/mount` for which `jwt` is a valid service account token.
    pub fn kubernetes(&self, mount: &str, role: &str, jwt: &str, terms: Terms) {
        let login = Login::Kubernetes { role: role.into(), jwt: jwt.into(), terms };
        self.shared.world().login_at(mount, login);
    }

    /// Declares a role of JWT auth at `auth/mount` for which `jwt` is valid.
    pub fn jwt(&self, mount: &str, role: &str, jwt: &str, terms: Terms) {
        let login = Login::Jwt { role: role.into(), jwt: jwt.into(), terms };
        self.shared.world().login_at(mount, login);
    }

    /// Answers 403 to every token but root's on paths that begin so, as a missing policy does.
    pub fn deny(&self, prefix: &str) {
        self.shared.world().denied.push(prefix.to_owned());
    }

    /// The leases that have not ended, by id.
    #[must_use]
    pub fn leases(&self) -> Vec<String> {
        self.shared.world().live_leases()
    }

    /// Whether a token has not ended.
    #[must_use]
    pub fn is_valid(&self, token: &str) -> bool {
        self.shared.world().is_valid(token)
    }

    /// The number of tokens that have not ended, root's not counted.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.shared.world().live_tokens()
    }

    /// How often a path was asked for over HTTP, without the leading `/v1/`, whatever the answer was.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.shared.world().counts.get(path).copied().unwrap_or_default()
    }

    /// How often each path was asked for over HTTP.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.shared.world().counts.clone()
    }

    /// The number of requests over HTTP so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        *self.shared.asked.borrow()
    }

    /// Waits until a path was asked for at least `n` times. Cancel safe.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn wait_for(&self, path: &str, n: usize) {
        self.wait_until(|vault| vault.count(path) >= n).await;
    }

    /// Waits until `enough` says so; it is asked after each request. Cancel safe.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    pub async fn wait_until(&self, enough: impl Fn(&Self) -> bool) {
        let mut asked = self.shared.asked.subscribe();
        patiently("more requests", async { drop(asked.wait_for(|_| enough(self)).await) }).await;
    }
}
