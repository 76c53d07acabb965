//! Whose turn is next, and when it is due. All users of a phase take their turns from one place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::scenario::{ArrivalPlan, PhaseEnd};
use crate::schedule::Schedule;
use crate::stop::StopSignal;

/// The longest sleep of the dispatching thread, so that it sees a stop signal soon.
const DISPATCH_NAP: Duration = Duration::from_millis(50);

/// How late the kernel may end a sleep of the dispatching thread, in nanoseconds. Linux takes 50 µs where nothing is said,
/// to wake several threads at once.
#[cfg(target_os = "linux")]
const TIMER_SLACK_NS: u64 = 1;

/// For how long after its end a schedule's turns may still be taken: an open loop that is far behind tells no more by going on,
/// and what it never sends is told.
const GRACE: Duration = Duration::from_secs(10);

/// One request's turn.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Its place in the schedule; the same index takes the same token.
    pub index: u64,
    /// When it is to be sent; absent in a closed loop, where that is when the user is free.
    pub intended: Option<Instant>,
}

/// The turns of a phase, shared by all its users.
#[derive(Debug)]
pub struct Arrival {
    next: AtomicU64,
    pace: Pace,
    started: OnceLock<Instant>,
    ended: AtomicBool,
}

#[derive(Debug)]
enum Pace {
    /// Each user sends when its last answer has come.
    Closed(PhaseEnd),
    /// A turn falls due whether a user is free or not. A permit is a turn that is due.
    Open {
        schedule: Schedule,
        due: Arc<Semaphore>,
    },
}

impl Arrival {
    /// Turns of which none has been taken.
    pub fn new(plan: &ArrivalPlan) -> Self {
        let pace = match plan {
            ArrivalPlan::Closed(end) => Pace::Closed(*end),
            ArrivalPlan::Open(schedule) => Pace::Open {
                schedule: schedule.clone(),
                due: Arc::new(Semaphore::new(0)),
            },
        };
        Self {
            next: AtomicU64::new(0),
            pace,
            started: OnceLock::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// No turn is handed out any more; what has been sent gets its answer.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Pace::Open { due, .. } = &self.pace {
            due.close();
        }
    }

    /// Whether it was ended before its time.
    pub(super) fn was_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Starts the clock, once; in an open loop also the thread that lets turns fall due.
    pub fn start(self: &Arc<Self>, users: usize, stop: &StopSignal) -> Instant {
        *self.started.get_or_init(|| {
            let started = Instant::now();
            if let Pace::Open { schedule, due } = &self.pace {
                let (schedule, due, stop) = (schedule.clone(), Arc::downgrade(due), stop.clone());
                // A thread of its own: tokio's timer has a grain of one millisecond.
                std::thread::spawn(move || dispatch(started, &schedule, &due, users, &stop));
            }
            started
        })
    }

    /// When the clock was started, if it was.
    pub fn started(&self) -> Option<Instant> {
        self.started.get().copied()
    }

    /// The next turn; waits for it in an open loop. `None` when the phase is over.
    pub async fn next(&self) -> Option<Turn> {
        let started = *self.started.get()?;
        if self.was_ended() {
            return None;
        }
        match &self.pace {
            Pace::Closed(end) => {
                if let PhaseEnd::Duration(duration) = end
                    && started.elapsed() >= *duration
                {
                    return None;
                }
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                match end {
                    PhaseEnd::Requests(requests) if index >= *requests => None,
                    _ => Some(Turn {
                        index,
                        intended: None,
                    }),
                }
            }
            Pace::Open { schedule, due } => {
                due.acquire().await.ok()?.forget();
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                (index < schedule.total()).then(|| Turn {
                    index,
                    intended: Some(started + schedule.offset(index)),
                })
            }
        }
    }

    /// Turns that no user has taken: the schedule was stopped, or there were too few users.
    pub fn untaken(&self) -> u64 {
        match &self.pace {
            Pace::Closed(_) => 0,
            Pace::Open { schedule, .. } => schedule
                .total()
                .saturating_sub(self.next.load(Ordering::Relaxed)),
        }
    }
}

/// Lets turns fall due on the absolute clock, and at the end one more for each user, so that none waits for ever. Turns that
/// nobody has taken [`GRACE`] after the schedule's end are taken back.
fn dispatch(
    started: Instant,
    schedule: &Schedule,
    due: &Weak<Semaphore>,
    users: usize,
    stop: &StopSignal,
) {
    // Without it turns are later by as much, which shows as lateness.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_timerslack(TIMER_SLACK_NS);
    let mut index = 0;
    let patience = started + schedule.length() + GRACE;
    // The phase is over when nobody holds the turns any more.
    while let Some(turns) = due.upgrade() {
        if stop.is_raised() || Instant::now() >= patience {
            turns.close();
            return;
        }
        let next = if index < schedule.total() {
            started + schedule.offset(index)
        } else {
            patience
        };
        let wait = next.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            turns.add_permits(1);
            index += 1;
            if index == schedule.total() {
                turns.add_permits(users);
            }
        } else {
            drop(turns);
            nap(wait.min(DISPATCH_NAP));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the schedule is the one thing here that waits for a time and not for an event"
)]
fn nap(wait: Duration) {
    std::thread::sleep(wait);
}
