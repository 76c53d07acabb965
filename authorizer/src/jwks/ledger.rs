//! Who fetches, when: one fetch at a time, spaced by budgets that an attacker cannot spend for others.
//!
//! A state machine without I/O, clock or lock: the cache holds it under a mutex that is never held across a wait, and
//! tells it the time. A fetch is entered when it begins and struck out when it ends, and one that the clock says began
//! long ago is given up: the process was frozen under it, and its own timers with it.

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

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc, time::UNIX_EPOCH};

    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(5);

    /// Everything that can happen to a ledger. Each step holds the lock from its start to its end, so that any behaviour
    /// of any number of threads is a sequence of steps.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// The task of the fetch stops without an outcome.
        Die,
        End(bool),
        /// A fetch that was given up ends after all.
        EndLate,
        Freeze,
        Want(Need),
        WaitASecond,
    }

    const STEPS: [Step; 8] = [
        Step::Die,
        Step::End(false),
        Step::End(true),
        Step::EndLate,
        Step::Freeze,
        Step::Want(Need::Scheduled),
        Step::Want(Need::UnknownKid),
        Step::WaitASecond,
    ];

    #[derive(Debug, Clone)]
    struct Fake {
        id: u64,
        is_dead: Rc<Cell<bool>>,
    }

    impl Flight for Fake {
        fn is_dead(&self) -> bool {
            self.is_dead.get()
        }
    }

    /// A ledger beside what must be true of it.
    struct Model {
        ledger: Ledger<Fake>,
        now: SystemTime,
        live: Option<(Fake, SystemTime, Need)>,
        given_up: Vec<u64>,
        /// Starts of the fetches that ended with an outcome or are live.
        starts: Vec<SystemTime>,
        last_scheduled_failed: bool,
    }

    impl Model {
        fn new() -> Model {
            Model {
                ledger: Ledger::new(&KeySettings {
                    jitter_seed: Some(1),
                    ..KeySettings::default()
                }),
                now: UNIX_EPOCH + Duration::from_hours(1_000),
                live: None,
                given_up: Vec::new(),
                starts: Vec::new(),
                last_scheduled_failed: false,
            }
        }

        fn take(&mut self, step: Step, path: &[Step]) {
            match step {
                Step::Die => {
                    if let Some((flight, ..)) = &self.live {
                        flight.is_dead.set(true);
                    }
                }
                Step::End(is_good) => self.end(is_good),
                Step::EndLate => {
                    for id in &self.given_up {
                        assert!(!self.ledger.finish(*id, Ok(())), "{path:?}");
                    }
                }
                Step::Freeze => self.now += Duration::from_hours(1),
                Step::Want(need) => self.want(need, path),
                Step::WaitASecond => self.now += Duration::from_secs(1),
            }
        }

        fn end(&mut self, is_good: bool) {
            let Some((flight, _, need)) = self.live.take_if(|(flight, ..)| !flight.is_dead())
            else {
                return;
            };
            let outcome = if is_good {
                Ok(())
            } else {
                Err(Arc::new(FetchError::Deadline(Duration::ZERO)))
            };
            assert!(self.ledger.finish(flight.id, outcome));
            if is_good || need == Need::Scheduled {
                self.last_scheduled_failed = !is_good;
            }
            assert_eq!(self.ledger.failing().is_some(), !is_good);
        }

        fn want(&mut self, need: Need, path: &[Step]) {
            let (now, mut given_up) = (self.now, None);
            let plan = self.ledger.plan(need, Begin::IfDue, now, |id, replaced| {
                given_up = replaced.map(|flight| flight.id);
                Fake {
                    id,
                    is_dead: Rc::default(),
                }
            });
            let is_live = self.live.as_ref().is_some_and(|(flight, start, _)| {
                let age = now.duration_since(*start).expect("time goes on");
                !flight.is_dead() && age <= self.ledger.overdue_after
            });
            match plan {
                Plan::Joined(joined) => {
                    let (flight, ..) = self.live.as_ref().expect("there is one to join");
                    assert!(is_live, "{path:?}");
                    assert_eq!(joined.id, flight.id, "{path:?}");
                }
                Plan::Begun(flight) => {
                    assert!(!is_live, "a second fetch: {path:?}");
                    let replaced = self.live.replace((flight, now, need));
                    assert_eq!(given_up, replaced.map(|(flight, ..)| flight.id), "{path:?}");
                    if let Some(id) = given_up {
                        self.given_up.push(id);
                        self.starts.pop();
                    }
                    if need == Need::UnknownKid {
                        // Nothing but a back-off, from 1 s on, may take the cooldown's place.
                        let wait = match self.ledger.failing() {
                            None => COOLDOWN,
                            Some(_) => Duration::from_secs(1),
                        };
                        let last = self.starts.last();
                        let spaced = last.is_none_or(|last| *last + wait <= now);
                        assert!(spaced, "{path:?}");
                    }
                    self.starts.push(now);
                }
                Plan::NotDue => {
                    assert!(!is_live, "a live fetch not joined: {path:?}");
                    if need == Need::Scheduled {
                        assert!(self.last_scheduled_failed, "starved: {path:?}");
                        assert!(self.ledger.failing().is_some(), "{path:?}");
                    }
                }
            }
        }
    }

    /// Every sequence of seven steps, some two million, which is enough to give a fetch up, start another and end both.
    #[test]
    fn no_order_of_steps_makes_two_fetches_or_starves_a_refresh() {
        let length = 7;
        let sequences = STEPS.len().pow(length);
        for number in 0..sequences {
            let mut rest = number;
            let path: Vec<_> = (0..length)
                .map(|_| {
                    let step = STEPS[rest % STEPS.len()];
                    rest /= STEPS.len();
                    step
                })
                .collect();
            let mut model = Model::new();
            for step in &path {
                model.take(*step, &path);
            }
        }
    }
}
