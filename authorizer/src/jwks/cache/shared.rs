//! The state that the handles of one cache share: the present set, and the plans for the next one.
//!
//! Whoever is not answered by a fresh set goes through the [`Ledger`], under a mutex that is held for moments and never
//! across a wait. The fetch itself is a task of its own, so that a caller that goes away does not take it from those who
//! wait for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::watch;

use super::{KeyError, under_way::UnderWay};
use crate::{
    Rejection,
    jwks::{
        VerificationKey, WantedKey,
        absent::AbsentKids,
        fetch::{FetchError, Fetched, JwksFetcher, Mode},
        ledger::{Begin, Ledger, Need, Plan},
        limits::KeySettings,
        metrics::{Counters, KeyMetrics},
        snapshot::{Lookup, Snapshot},
    },
};

#[derive(Debug)]
pub(super) struct Shared {
    settings: KeySettings,
    snapshot: ArcSwapOption<Snapshot>,
    /// `None` if the set is never fetched.
    fetcher: Option<JwksFetcher>,
    /// The read path does not touch it.
    plans: Mutex<Plans>,
    counters: Counters,
}

#[derive(Debug)]
pub(super) struct Plans {
    pub(super) ledger: Ledger<UnderWay>,
    absent: AbsentKids,
}

/// What a request does about a key that no fresh set settles.
pub(super) enum Step {
    Answer(Result<Result<Arc<VerificationKey>, Rejection>, KeyError>),
    Wait(UnderWay),
}

impl Shared {
    pub(super) fn new(
        settings: KeySettings,
        snapshot: Option<Snapshot>,
        fetcher: Option<JwksFetcher>,
    ) -> Shared {
        let plans = Plans {
            ledger: Ledger::new(&settings),
            absent: AbsentKids::default(),
        };
        Shared {
            settings,
            snapshot: ArcSwapOption::from_pointee(snapshot),
            fetcher,
            plans: Mutex::new(plans),
            counters: Counters::default(),
        }
    }

    pub(super) fn snapshot(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.snapshot.load()
    }

    pub(super) fn metrics(&self) -> KeyMetrics {
        self.counters.snapshot()
    }

    /// A panic under the lock leaves plans that are whole, so the next one goes on with them.
    pub(super) fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_fresh_set(&self, now: SystemTime) -> bool {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().is_some_and(|set| set.is_fresh(now))
    }

    pub(super) fn lookup(&self, wanted: WantedKey<'_>, now: SystemTime) -> Lookup {
        match &*self.snapshot.load() {
            Some(set) => set.lookup(wanted, self.settings.stale_bound, now),
            None => Lookup::Unusable,
        }
    }

    /// Whether a refresh ahead of its time would begin. Never waits: whoever holds the lock is about to fetch anyway.
    pub(super) fn would_refresh(&self, now: SystemTime) -> bool {
        self.plans
            .try_lock()
            .is_ok_and(|plans| plans.ledger.would_begin(Need::Scheduled, now))
    }

    pub(super) fn refresh(this: &Arc<Shared>, now: SystemTime) {
        let mut plans = this.plans();
        let is_due = this
            .snapshot
            .load()
            .as_ref()
            .is_some_and(|set| set.is_refresh_due(now));
        // It may have been done in between.
        if is_due {
            Shared::plan(this, &mut plans, Need::Scheduled, Begin::IfDue, now);
        }
    }

    /// Answers from the present set if that can be done, and otherwise sees to it that there is a fetch to wait for.
    pub(super) fn next_step(this: &Arc<Shared>, wanted: WantedKey<'_>, now: SystemTime) -> Step {
        let mut plans = this.plans();
        // Looked up again under the lock: the set may have been replaced in between, and the fetch struck out.
        let (need, permission, stale) = match this.lookup(wanted, now) {
            Lookup::Fresh { answer, .. } => return Step::Answer(Ok(answer)),
            Lookup::Stale(key) => (Need::Scheduled, Begin::IfDue, Some(key)),
            Lookup::Unusable => (Need::Scheduled, Begin::IfDue, None),
            Lookup::Unknown => {
                let is_held_back = wanted
                    .kid
                    .is_some_and(|kid| plans.absent.holds_back(kid, now, &this.settings));
                let permission = if is_held_back {
                    Begin::Never
                } else {
                    Begin::IfDue
                };
                (Need::UnknownKid, permission, None)
            }
        };
        let is_outage = plans.ledger.failed_lately(now);
        let plan = Shared::plan(this, &mut plans, need, permission, now);
        match (plan, stale) {
            // In an outage a key that may still be used does not wait for the next failure. Without a failure it does wait:
            // a sandbox that was idle beyond the maximum age knows nothing about the key any more.
            (plan, Some(key)) if is_outage || matches!(plan, Plan::NotDue) => {
                this.counters.stale_uses.increment();
                Step::Answer(Ok(Ok(key)))
            }
            (Plan::Begun(flight) | Plan::Joined(flight), _) => Step::Wait(flight),
            (Plan::NotDue, _) => Step::Answer(match (plans.ledger.failing(), need) {
                // After a failed fetch nothing proves that the key does not exist.
                (Some(error), _) => Err(KeyError::Fetch(Arc::clone(error))),
                (None, Need::UnknownKid) => Ok(Err(Rejection::KidUnknown)),
                (None, Need::Scheduled) => Err(KeyError::Abandoned),
            }),
        }
    }

    /// Answers from what there is after a fetch.
    pub(super) fn answer_after(
        &self,
        wanted: WantedKey<'_>,
        flight: &UnderWay,
        outcome: Result<(), Arc<FetchError>>,
        now: SystemTime,
    ) -> Result<Result<Arc<VerificationKey>, Rejection>, KeyError> {
        match (self.lookup(wanted, now), outcome) {
            (Lookup::Fresh { answer, .. }, _) => Ok(answer),
            (Lookup::Stale(key), _) => {
                self.counters.stale_uses.increment();
                Ok(Ok(key))
            }
            (Lookup::Unknown, Ok(())) => {
                if let Some(kid) = wanted.kid {
                    let mut plans = self.plans();
                    plans.absent.prove(kid, flight.started_at, &self.settings);
                }
                Ok(Err(Rejection::KidUnknown))
            }
            (Lookup::Unknown | Lookup::Unusable, Err(error)) => Err(KeyError::Fetch(error)),
            // The set is too old for the time of this request: the clock was changed while it waited.
            (Lookup::Unusable, Ok(())) => Err(KeyError::Abandoned),
        }
    }

    pub(super) fn plan(
        this: &Arc<Shared>,
        plans: &mut Plans,
        need: Need,
        permission: Begin,
        now: SystemTime,
    ) -> Plan<UnderWay> {
        if this.fetcher.is_none() {
            return Plan::NotDue;
        }
        plans.ledger.plan(need, permission, now, |id, replaced| {
            this.counters.fetches.increment();
            if need == Need::UnknownKid {
                this.counters.unknown_kid_fetches.increment();
            }
            if replaced.is_some() {
                this.counters.abandoned.increment();
            }
            let (sender, outcome) = watch::channel(None);
            let fetch = Shared::fetch(Arc::clone(this), id, need, replaced, now, sender);
            UnderWay {
                started_at: now,
                outcome,
                task: tokio::spawn(fetch).abort_handle(),
            }
        })
    }

    /// One fetch, from its task's first step to its outcome.
    async fn fetch(
        self: Arc<Shared>,
        id: u64,
        need: Need,
        replaced: Option<UnderWay>,
        now: SystemTime,
        sender: watch::Sender<Option<Result<(), Arc<FetchError>>>>,
    ) {
        let Some(fetcher) = &self.fetcher else {
            return;
        };
        let exchange = async {
            if let Some(replaced) = replaced {
                replaced.end().await;
            }
            let previous = self.snapshot.load_full();
            let mode = match need {
                Need::Scheduled => Mode::Conditional,
                // A fresh set that lacks a key is likely to be the wrong one, whatever its validators say.
                Need::UnknownKid => Mode::Full,
            };
            fetcher.fetch(previous.as_deref(), mode, now).await
        };
        let set = tokio::time::timeout(self.settings.deadline, exchange)
            .await
            .unwrap_or_else(|_| Err(fetcher.timed_out()));
        if let Some(outcome) = self.land(id, set) {
            // Without a waiter there is nobody to tell.
            let _ = sender.send(Some(outcome));
        }
    }

    /// Enters the outcome of a fetch: first the set, then the end of the fetch, under one lock, so that nobody finds
    /// neither. A failure never replaces a set. The outcome of a fetch that was given up is nobody's: a newer one may have
    /// ended, and those who waited for this one ask again.
    pub(super) fn land(
        &self,
        id: u64,
        fetched: Result<Fetched, FetchError>,
    ) -> Option<Result<(), Arc<FetchError>>> {
        let (fetched, outcome) = match fetched {
            Ok(fetched) => (Some(fetched), Ok(())),
            Err(error) => (None, Err(Arc::new(error))),
        };
        let mut plans = self.plans();
        if !plans.ledger.finish(id, outcome.clone()) {
            return None;
        }
        match fetched {
            Some(fetched) => {
                if fetched.not_modified {
                    self.counters.not_modified.increment();
                }
                self.snapshot.store(Some(Arc::new(fetched.snapshot)));
            }
            None => self.counters.failures.increment(),
        }
        Some(outcome)
    }
}
