//! Who fetches, when: one fetch at a time, spaced by budgets that an attacker cannot spend for others.
//!
//! A state machine without I/O, clock or lock: the cache holds it under a mutex that is never held across a wait, and
//! tells it the time. A fetch is entered when it begins and struck out when it ends, and one that the clock says began
//! long ago is given up: the process was frozen under it, and its own timers with it.

#[cfg(test)]
mod model;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{back_off::BackOff, fetch::FetchError, limits::KeySettings, snapshot::age};

/// Time beyond its deadline after which a fetch is given up. Its own timer ends it at the deadline unless the process was
/// frozen; this much is left to a busy scheduler and to the clocks of concurrent requests.
const OVERDUE_GRACE: Duration = Duration::from_millis(500);

/// A fetch that somebody may wait for.
pub(super) trait Flight: Clone {
    /// Whether it ended without an outcome: its task was stopped, panicked, or its runtime is gone.
    fn is_dead(&self) -> bool;
}

/// Why a fetch is wanted. Each has a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The set is missing, too old or about to be.
    Scheduled,
    /// The set is fresh and lacks a key.
    UnknownKid,
}

/// Whether a fetch may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Always,
    IfDue,
    Never,
}

/// What is to be done about a need.
#[derive(Debug)]
pub(super) enum Plan<F> {
    /// This fetch, begun now.
    Begun(F),
    /// This fetch, which was under way.
    Joined(F),
    /// No fetch.
    NotDue,
}

/// The fetches of one cache.
#[derive(Debug)]
pub(super) struct Ledger<F> {
    under_way: Option<Entry<F>>,
    last_id: u64,
    /// The start of the last fetch that was not given up. The cooldown counts from it, because any fetch brings the whole
    /// set, and no miss in between extends it.
    last_start: Option<SystemTime>,
    scheduled: Failures,
    unknown_kid: Failures,
    /// The last failure; `None` after a success.
    failing: Option<Failure>,
    back_off: BackOff,
    cooldown: Duration,
    overdue_after: Duration,
}

#[derive(Debug)]
struct Entry<F> {
    id: u64,
    need: Need,
    started_at: SystemTime,
    /// What `last_start` was.
    start_before: Option<SystemTime>,
    flight: F,
}

/// Failures in a row of the fetches for one need.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    last_start: Option<SystemTime>,
}

#[derive(Debug, Clone)]
struct Failure {
    error: Arc<FetchError>,
    started_at: SystemTime,
}

impl<F: Flight> Ledger<F> {
    pub(super) fn new(settings: &KeySettings) -> Ledger<F> {
        Ledger {
            under_way: None,
            last_id: 0,
            last_start: None,
            scheduled: Failures::default(),
            unknown_kid: Failures::default(),
            failing: None,
            back_off: BackOff::new(settings),
            cooldown: settings.unknown_kid_cooldown,
            overdue_after: settings.deadline + OVERDUE_GRACE,
        }
    }

    /// The fetch under way, or one that `begin` starts if that is due. `begin` gets the new fetch's id, and the
    /// fetch that was given up for it.
    pub(super) fn plan(
        &mut self,
        need: Need,
        permission: Begin,
        now: SystemTime,
        begin: impl FnOnce(u64, Option<F>) -> F,
    ) -> Plan<F> {
        if let Some(entry) = &self.under_way {
            if !entry.flight.is_dead() && !self.is_overdue(entry, now) {
                return Plan::Joined(entry.flight.clone());
            }
            // It proved nothing, good or bad, and counts for no budget.
            self.last_start = entry.start_before;
        }
        let may_begin = match permission {
            Begin::Always => true,
            Begin::IfDue => self.is_due(need, now),
            Begin::Never => false,
        };
        if !may_begin {
            return Plan::NotDue;
        }
        let replaced = self.under_way.take().map(|entry| entry.flight);
        self.last_id += 1;
        let start_before = self.last_start.replace(now);
        let flight = begin(self.last_id, replaced);
        self.under_way = Some(Entry {
            id: self.last_id,
            need,
            started_at: now,
            start_before,
            flight: flight.clone(),
        });
        Plan::Begun(flight)
    }

    /// Whether a fetch would begin now.
    pub(super) fn would_begin(&self, need: Need, now: SystemTime) -> bool {
        match &self.under_way {
            Some(entry) => entry.flight.is_dead() || self.is_overdue(entry, now),
            None => self.is_due(need, now),
        }
    }

    /// Strikes out the fetch `id`. False if it was given up before: then its outcome is nobody's any more.
    pub(super) fn finish(&mut self, id: u64, outcome: Result<(), Arc<FetchError>>) -> bool {
        let Some(entry) = self.under_way.take_if(|entry| entry.id == id) else {
            return false;
        };
        match outcome {
            Ok(()) => {
                self.scheduled = Failures::default();
                self.unknown_kid = Failures::default();
                self.failing = None;
            }
            Err(error) => {
                let failures = match entry.need {
                    Need::Scheduled => &mut self.scheduled,
                    Need::UnknownKid => &mut self.unknown_kid,
                };
                failures.count = failures.count.saturating_add(1);
                failures.last_start = Some(entry.started_at);
                self.failing = Some(Failure {
                    error,
                    started_at: entry.started_at,
                });
            }
        }
        true
    }

    pub(super) fn under_way(&self) -> Option<&F> {
        self.under_way.as_ref().map(|entry| &entry.flight)
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn failing(&self) -> Option<&Arc<FetchError>> {
        self.failing.as_ref().map(|failure| &failure.error)
    }

    /// Whether the issuer was tried and failed so lately that it may be taken to be down still.
    pub(super) fn failed_lately(&self, now: SystemTime) -> bool {
        self.failing.as_ref().is_some_and(|failure| {
            age(failure.started_at, now).is_some_and(|age| age <= self.back_off.wait(u32::MAX))
        })
    }

    fn is_due(&self, need: Need, now: SystemTime) -> bool {
        match need {
            // A set is refreshed when its age says so, whatever was fetched for unknown key ids.
            Need::Scheduled => {
                self.scheduled.count == 0
                    || has_passed(
                        self.scheduled.last_start,
                        self.back_off.wait(self.scheduled.count),
                        now,
                    )
            }
            Need::UnknownKid => {
                let wait = match self.failing {
                    None => self.cooldown,
                    // The back-off stands in for the cooldown, so that a new key is not kept waiting by a short outage.
                    Some(_) => self.back_off.wait(self.unknown_kid.count),
                };
                has_passed(self.last_start, wait, now)
            }
        }
    }

    /// A fetch that seems to begin in the future is not overdue: a request that was frozen before it asks must not end the
    /// fetch of one that came after the thaw, and after a clock was set back the fetch's own timer still runs.
    fn is_overdue(&self, entry: &Entry<F>, now: SystemTime) -> bool {
        now.duration_since(entry.started_at)
            .is_ok_and(|age| age > self.overdue_after)
    }
}

fn has_passed(start: Option<SystemTime>, wait: Duration, now: SystemTime) -> bool {
    start
        .and_then(|start| age(start, now))
        .is_none_or(|age| age >= wait)
}
