//! New values: built from, verified, taken or refused.

use std::collections::HashMap;
use std::error::Error as _;
use std::time::SystemTime;

use prodkit_live::{Change, Rejected};
use tokio::time::{Instant, timeout};

use super::answer::{self, Answer};
use super::driver::Event;
use super::{Entry, Inner};
use crate::document::{Document, Key};
use crate::error::Error;
use crate::outbox::Refused;
use crate::value::{SecretValue, WeakBytes};

/// The shortest secret that is masked in texts: of a shorter one the mask says more than the text.
const SHORTEST: usize = 4;

/// A step from what is in use to what is offered.
#[derive(Default)]
struct Step {
    change: Vec<Change>,
    /// Where in the configuration the secrets that move are, and how they are written.
    moved: Vec<String>,
}

impl Inner {
    pub(crate) async fn take(&self, batch: Vec<(Key, Document)>) -> Result<(), Refused> {
        let _turn = self.turn.lock().await;
        let batch: HashMap<Key, Result<Document, Error>> =
            batch.into_iter().map(|(key, document)| (key, document.check().map(|()| document))).collect();
        let taken = match self.step(Some(&batch)) {
            Ok(step) => self.make(step, &batch).await,
            Err(error) => Err(error.chain()),
        };
        match taken {
            Ok(moved) => {
                self.settle(batch, !moved.is_empty());
                if !moved.is_empty() {
                    self.tell(Event::Moved { secrets: moved });
                }
                Ok(())
            }
            Err(reason) => {
                let contents: Vec<&Document> =
                    batch.values().filter_map(|document| document.as_ref().ok()).collect();
                let reason = self.mask(&reason, &contents);
                let mut names: Vec<_> = batch.keys().map(Key::to_string).collect();
                names.sort_unstable();
                for (key, entry) in &mut self.state().documents {
                    if batch.contains_key(key) {
                        entry.trouble = Some(reason.clone());
                    }
                }
                self.tell(Event::Refused { sources: names, reason: reason.clone() });
                Err(Refused { reason })
            }
        }
    }

    /// Moves whatever does not hold what is known: a configuration that was committed while a value moved may have brought
    /// the one before.
    pub(super) async fn catch_up(&self) {
        let _turn = self.turn.lock().await;
        if let Ok(step) = self.step(None) {
            let moved = self.make(step, &HashMap::new()).await;
            if let Ok(moved) = moved
                && !moved.is_empty()
            {
                self.tell(Event::Moved { secrets: moved });
            }
        }
    }

    /// What changes for whom when `batch` is known, or, without one, with what is known already.
    fn step(&self, batch: Option<&HashMap<Key, Result<Document, Error>>>) -> Result<Step, Error> {
        let state = self.state();
        let mut step = Step::default();
        for cell in &state.cells {
            let Some(updater) = cell.updater.upgrade() else { continue };
            let current = updater.live().load();
            let reference = current.reference();
            let concerned = |batch: &HashMap<Key, _>| {
                answer::keys(reference, &*self.variable).iter().any(|key| batch.contains_key(key))
            };
            if batch.is_some_and(|batch| !concerned(batch)) {
                continue;
            }
            let known = |key: &Key| match (batch.and_then(|batch| batch.get(key)), state.documents.get(key)) {
                (Some(new), _) => Some(new.as_ref()),
                (None, Some(entry)) => Some(entry.document.as_ref()),
                (None, None) => None,
            };
            match answer::answer(reference, &*self.variable, known) {
                Answer::Value(bytes) if current.bytes().is_some_and(|current| current.same(&bytes)) => {}
                Answer::Value(bytes) => {
                    let name = cell.path.as_deref().map_or_else(|| reference.to_string(), str::to_owned);
                    if !step.moved.contains(&name) {
                        step.moved.push(name);
                    }
                    step.change.push(updater.stage(SecretValue::new(reference.clone(), Some(bytes))));
                }
                Answer::Failed(error) if batch.is_some() => return Err(error),
                // What was good stays.
                Answer::Failed(_) | Answer::Nothing | Answer::Need(_) => {}
            }
        }
        Ok(step)
    }

    async fn make(
        &self,
        step: Step,
        batch: &HashMap<Key, Result<Document, Error>>,
    ) -> Result<Vec<String>, String> {
        if let Some(error) = batch.values().find_map(|document| document.as_ref().err()) {
            return Err(error.chain());
        }
        let Step { change, mut moved } = step;
        if change.is_empty() {
            return Ok(Vec::new());
        }
        match timeout(self.prepare_timeout, Change::all(change).prepare()).await {
            Err(_) => Err(format!("what follows from it was not ready after {:?}", self.prepare_timeout)),
            Ok(Err(rejected)) => Err(chain(&rejected)),
            Ok(Ok(prepared)) => {
                prepared.commit();
                moved.sort_unstable();
                Ok(moved)
            }
        }
    }

    /// Remembers what was taken.
    fn settle(&self, batch: HashMap<Key, Result<Document, Error>>, moved: bool) {
        let mut old = Vec::new();
        let mut recovered = Vec::new();
        {
            let mut state = self.state();
            for (key, document) in batch {
                let Some(entry) = state.documents.get_mut(&key) else { continue };
                if entry.trouble.take().is_some() {
                    recovered.push(key.to_string());
                }
                let same = matches!((&entry.document, &document), (Ok(old), Ok(new)) if old.same(new));
                if moved && !same {
                    (entry.since, entry.moves) = (SystemTime::now(), entry.moves + 1);
                }
                // A guard is a provider's code, which does not run under the lock.
                old.push(std::mem::replace(&mut entry.document, document));
            }
        }
        drop(old);
        recovered.into_iter().for_each(|source| self.tell(Event::Recovered { source }));
    }

    pub(crate) fn renewed(&self, key: &Key, expires: Option<Instant>) {
        let recovered = {
            let mut state = self.state();
            let Some(entry) = state.documents.get_mut(key) else { return };
            if let Ok(document) = &mut entry.document {
                document.expires = expires;
            }
            entry.trouble.take().is_some()
        };
        if recovered {
            self.tell(Event::Recovered { source: key.to_string() });
        }
    }

    pub(crate) fn failing(&self, key: &Key, reason: &str) {
        let reason = self.mask(reason, &[]);
        let (first, expires) = {
            let mut state = self.state();
            let itself = || Entry::new(Ok(Document::named([])));
            let entry = match key.path.is_empty() {
                true => state.documents.entry(key.clone()).or_insert_with(itself),
                false => match state.documents.get_mut(key) {
                    Some(entry) => entry,
                    None => return,
                },
            };
            (entry.trouble.replace(reason.clone()).as_deref() != Some(&reason), entry.expires())
        };
        if first {
            let left = expires.map(|at| at.saturating_duration_since(Instant::now()));
            self.tell(Event::Failing { source: key.to_string(), reason, left });
        }
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody listens any more at the end.
        let _ = self.events.send(event);
    }

    /// `text` without any content in use or in `more`.
    pub(super) fn mask(&self, text: &str, more: &[&Document]) -> String {
        let mut masked = text.to_owned();
        let mut hide = |bytes: &[u8]| {
            if bytes.len() >= SHORTEST
                && let Ok(secret) = std::str::from_utf8(bytes)
                && masked.contains(secret)
            {
                masked = masked.replace(secret, "***");
            }
        };
        more.iter().for_each(|document| document.each(&mut hide));
        let state = self.state();
        state.candidates.iter().filter_map(WeakBytes::upgrade).for_each(|bytes| hide(bytes.expose()));
        state
            .documents
            .values()
            .filter_map(|entry| entry.document.as_ref().ok())
            .for_each(|document| document.each(&mut hide));
        state
            .cells
            .iter()
            .filter_map(|cell| cell.updater.upgrade())
            .for_each(|updater| hide(updater.live().get().expose_bytes()));
        masked
    }
}

fn chain(rejected: &Rejected) -> String {
    let mut text = rejected.to_string();
    let mut source = rejected.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
