//! Values that follow from other values.

use crate::{
    cell::{Building, Cell, Node, Rule, View},
    change::settle,
    graph,
    live::Live,
    rejected::Origin,
};
use std::{error::Error, sync::Arc};

/// Deriving one value from another.
///
/// A derived value moves in the same commit as what it derives from. It keeps what it derives from alive, and is itself
/// held by nobody but you: dropping its last handle frees it and forgets the closure.
impl<T: Send + Sync + 'static> Live<T> {
    /// The part of the value you need, or anything computed from it: once per change, not once per read.
    ///
    /// The closure runs here, and from then on when a change is prepared. It may run more than once per change and for
    /// values that are never committed, so it should only compute. It should not read another `Live`, whose changes it
    /// would not follow: [`zip`](Self::zip) them first.
    ///
    /// # Panics
    ///
    /// A panic of the closure is passed on here. Later, it refuses the change that is being prepared, as an error of a
    /// [`try_map`](Self::try_map) does: nobody sees a partly applied change, and the next change is tried afresh.
    #[track_caller]
    pub fn map<U, F>(&self, f: F) -> Live<U>
    where
        U: Send + Sync + 'static,
        F: Fn(&T) -> U + Send + Sync + 'static,
    {
        let origin = Origin::here::<U>();
        let parent = Arc::clone(&self.cell);
        let before = parent.generation();
        let value = Arc::new(f(&parent.load()));
        let inputs: Vec<Arc<dyn Node>> = vec![parent.clone()];
        let compute = move |view| Arc::new(f(&parent.see(view)));
        let cell = Cell::new(value, Rule::Computed { inputs, origin, compute: Box::new(compute) });

        let node: Arc<dyn Node> = cell.clone();
        graph::lock().attach(&node);
        if self.generation() != before {
            // A commit came in between and may not have known of this cell.
            settle([(node.id(), node)].into());
        }
        Live { cell }
    }

    /// Both values, as they are current together.
    ///
    /// A change of both in one commit moves the pair once, from both old to both new.
    #[track_caller]
    pub fn zip<U>(&self, other: &Live<U>) -> Live<(Arc<T>, Arc<U>)>
    where
        U: Send + Sync + 'static,
    {
        let origin = Origin::here::<(Arc<T>, Arc<U>)>();
        let (left, right) = (Arc::clone(&self.cell), Arc::clone(&other.cell));
        let inputs: Vec<Arc<dyn Node>> = vec![left.clone(), right.clone()];
        let pair = move |view: View| Arc::new((left.see(view), right.see(view)));
        // Under the lock, so that no commit comes between the two halves.
        let mut graph = graph::lock();
        let now = pair(View::Current);
        let cell = Cell::new(now, Rule::Computed { inputs, origin, compute: Box::new(pair) });
        let node: Arc<dyn Node> = cell.clone();
        graph.attach(&node);
        drop(graph);
        Live { cell }
    }

    /// A resource built from the value: a connection pool, a TLS configuration. Built and verified before anyone sees
    /// it, and rebuilt for each new value before *that* is seen.
    ///
    /// `f` builds the resource and makes sure that it works (opens one connection). It runs here, and then inside
    /// [`prepare`](crate::Change::prepare) of each change, driven by whoever makes the change. An error refuses the
    /// whole change: the old value, the old resource and all their relatives stay. After the commit the old resource is
    /// let go and dropped by its last user; what it takes to drain it belongs in its `Drop`.
    ///
    /// The future waits while a change of what it derives from stands prepared, and builds again if the value has
    /// moved meanwhile. Cancel-safe: dropping it drops what it was building.
    ///
    /// A closure that captures something is written `move |value| { let x = x.clone(); async move { .. } }`: an `async`
    /// closure lends its captures to its future, which here outlives the call.
    ///
    /// ```
    /// use prodkit_live::Live;
    /// use std::sync::Arc;
    ///
    /// # struct Pool; impl Pool { async fn connect(url: &str, password: &str) -> Result<Pool, std::io::Error> { Ok(Pool) } }
    /// async fn pool(url: Live<String>, password: Live<String>) -> Result<Live<Pool>, std::io::Error> {
    ///     url.zip(&password).try_map(|login| async move { Pool::connect(&login.0, &login.1).await }).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Whatever `f` says of the current value.
    ///
    /// # Panics
    ///
    /// As [`map`](Self::map): passed on here, a refusal later.
    #[track_caller]
    pub fn try_map<U, F, Fut, E>(
        &self,
        f: F,
    ) -> impl Future<Output = Result<Live<U>, E>> + use<T, U, F, Fut, E>
    where
        U: Send + Sync + 'static,
        F: Fn(Arc<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<U, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        // Not an `async fn`, which would not know its caller.
        let origin = Origin::here::<U>();
        let parent = Arc::clone(&self.cell);
        async move {
            let f = Arc::new(f);
            loop {
                graph::settled(parent.id()).await;
                let before = parent.generation();
                let value = f(parent.load()).await?;

                // Not attached yet, so dropping it where it is out of date costs nobody anything.
                let cell =
                    Cell::new(Arc::new(value), build_from(Arc::clone(&parent), Arc::clone(&f), origin));
                let node: Arc<dyn Node> = cell.clone();
                let mut graph = graph::lock();
                if parent.generation() == before && graph.claimed_above([parent.id()]).is_none() {
                    graph.attach(&node);
                    return Ok(Live { cell });
                }
            }
        }
    }
}

fn build_from<T, U, F, Fut, E>(parent: Arc<Cell<T>>, f: Arc<F>, origin: Origin) -> Rule<U>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
    F: Fn(Arc<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<U, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let inputs: Vec<Arc<dyn Node>> = vec![parent.clone()];
    let build = move || -> Building<U> {
        let building = f(parent.see(View::Staged));
        Box::pin(async move { building.await.map(Arc::new).map_err(Into::into) })
    };
    Rule::Built { inputs, origin, build: Box::new(build) }
}
