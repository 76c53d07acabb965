//! Every order of steps of a ledger, beside a model of what must be true of it.

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
        let Some((flight, _, need)) = self.live.take_if(|(flight, ..)| !flight.is_dead()) else {
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
