//! When the next request is due. One shared schedule hands out indices and, in an open loop, intended starts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::scenario::PhaseEnd;
use crate::stop::StopSignal;

/// The longest sleep of the dispatching thread, so that it sees a stop signal soon.
const DISPATCH_NAP: Duration = Duration::from_millis(50);

/// One request's turn.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Its place in the schedule; the same index takes the same token.
    pub index: u64,
    /// When it is to be sent; absent in a closed loop, where that is when the user is free.
    pub intended: Option<Instant>,
}

/// A schedule, shared by all users of a phase.
#[derive(Debug)]
pub struct Arrival {
    next: AtomicU64,
    end: PhaseEnd,
    pace: Pace,
    started: OnceLock<Instant>,
}

#[derive(Debug)]
enum Pace {
    /// Each user sends when its last answer has come.
    Closed,
    /// A turn falls due every `interval`, whether a user is free or not. A permit is a turn that is due.
    Constant {
        interval: Duration,
        total: u64,
        due: Arc<Semaphore>,
    },
}

impl Arrival {
    /// A schedule that has not begun.
    pub fn new(rate: Option<f64>, end: PhaseEnd) -> Self {
        let pace = match rate.zip(end.requests(rate)) {
            None => Pace::Closed,
            Some((rate, total)) => Pace::Constant {
                interval: Duration::from_secs_f64(1.0 / rate),
                total,
                due: Arc::new(Semaphore::new(0)),
            },
        };
        Self {
            next: AtomicU64::new(0),
            end,
            pace,
            started: OnceLock::new(),
        }
    }

    /// Starts the clock, once; in an open loop also the thread that lets turns fall due.
    pub fn start(self: &Arc<Self>, users: usize, stop: &StopSignal) -> Instant {
        *self.started.get_or_init(|| {
            let started = Instant::now();
            if let Pace::Constant {
                interval,
                total,
                due,
            } = &self.pace
            {
                let (interval, total, due, stop) =
                    (*interval, *total, Arc::clone(due), stop.clone());
                // A thread of its own: tokio's timer has a grain of one millisecond.
                std::thread::spawn(move || dispatch(started, interval, total, &due, users, &stop));
            }
            started
        })
    }

    /// The next turn; waits for it in an open loop. `None` when the phase is over.
    pub async fn next(&self) -> Option<Turn> {
        let started = *self.started.get()?;
        match &self.pace {
            Pace::Closed => {
                if let PhaseEnd::Duration(duration) = self.end
                    && started.elapsed() >= duration
                {
                    return None;
                }
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                match self.end {
                    PhaseEnd::Requests(requests) if index >= requests => None,
                    _ => Some(Turn {
                        index,
                        intended: None,
                    }),
                }
            }
            Pace::Constant {
                interval,
                total,
                due,
            } => {
                due.acquire().await.ok()?.forget();
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                (index < *total).then(|| Turn {
                    index,
                    intended: Some(started + scheduled(*interval, index)),
                })
            }
        }
    }

    /// Turns that no user has taken: the schedule was stopped, or there were too few users.
    pub fn untaken(&self) -> u64 {
        match &self.pace {
            Pace::Closed => 0,
            Pace::Constant { total, .. } => total.saturating_sub(self.next.load(Ordering::Relaxed)),
        }
    }
}

/// The offset of a turn. In nanoseconds of 128 bits: a rounded interval times a large index would drift.
fn scheduled(interval: Duration, index: u64) -> Duration {
    let ns = interval.as_nanos() * u128::from(index);
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

/// Lets turns fall due on the absolute clock, and at the end one more for each user, so that none waits for ever.
fn dispatch(
    started: Instant,
    interval: Duration,
    total: u64,
    due: &Semaphore,
    users: usize,
    stop: &StopSignal,
) {
    let mut index = 0;
    while index < total && !stop.is_raised() {
        let wait = (started + scheduled(interval, index)).saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            nap(wait.min(DISPATCH_NAP));
            continue;
        }
        due.add_permits(1);
        index += 1;
    }
    if stop.is_raised() {
        due.close();
    } else {
        due.add_permits(users);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the schedule is the one thing here that waits for a time and not for an event"
)]
fn nap(wait: Duration) {
    std::thread::sleep(wait);
}
