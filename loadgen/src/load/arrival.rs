//! Whose turn is next, and when it is due. All users of a phase take their turns from one place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::scenario::{ArrivalPlan, PhaseEnd};
use crate::schedule::Schedule;
use crate::stop::StopSignal;

mod head_start;

use head_start::HeadStart;

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
    /// A turn falls due whether a user is free or not. A permit is a turn that is due, or will be after its head start.
    Open {
        schedule: Schedule,
        due: Arc<Semaphore>,
        head_start: Arc<HeadStart>,
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
                head_start: Arc::new(HeadStart::new()),
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
            if let Pace::Open {
                schedule,
                due,
                head_start,
            } = &self.pace
            {
                let dispatcher = Dispatcher {
                    started,
                    schedule: schedule.clone(),
                    due: Arc::downgrade(due),
                    head_start: Arc::clone(head_start),
                    users,
                    stop: stop.clone(),
                };
                // A thread of its own: tokio's timer has a grain of one millisecond.
                std::thread::spawn(move || dispatcher.run());
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
            Pace::Open {
                schedule,
                due,
                head_start,
            } => {
                due.acquire().await.ok()?.forget();
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                if index >= schedule.total() {
                    return None;
                }
                let intended = started + schedule.offset(index);
                head_start.wait(intended, gap_before(schedule, index)).await;
                Some(Turn {
                    index,
                    intended: Some(intended),
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

/// From the request before until this one; nothing before the first.
fn gap_before(schedule: &Schedule, index: u64) -> Duration {
    let before = index.checked_sub(1).map(|before| schedule.offset(before));
    before.map_or(Duration::ZERO, |before| {
        schedule.offset(index).saturating_sub(before)
    })
}

/// The thread that lets turns fall due.
struct Dispatcher {
    started: Instant,
    schedule: Schedule,
    due: Weak<Semaphore>,
    head_start: Arc<HeadStart>,
    users: usize,
    stop: StopSignal,
}

impl Dispatcher {
    /// Lets turns fall due on the absolute clock, and at the end one more for each user, so that none waits for ever. Turns that
    /// nobody has taken [`GRACE`] after the schedule's end are taken back.
    fn run(&self) {
        // Without it turns are later by as much, which shows as lateness.
        #[cfg(target_os = "linux")]
        let _ = nix::sys::prctl::set_timerslack(TIMER_SLACK_NS);
        let total = self.schedule.total();
        let patience = self.started + self.schedule.length() + GRACE;
        let mut index = 0;
        // The phase is over when nobody holds the turns any more.
        while let Some(turns) = self.due.upgrade() {
            if self.stop.is_raised() || Instant::now() >= patience {
                turns.close();
                return;
            }
            let next = if index < total {
                self.wake_at(index)
            } else {
                patience
            };
            let wait = next.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                turns.add_permits(1);
                index += 1;
                if index == total {
                    turns.add_permits(self.users);
                }
            } else {
                drop(turns);
                nap(wait.min(DISPATCH_NAP));
            }
        }
    }

    /// When a user is woken for a turn.
    fn wake_at(&self, index: u64) -> Instant {
        let head_start = self.head_start.after(gap_before(&self.schedule, index));
        self.started + self.schedule.offset(index).saturating_sub(head_start)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the schedule is the one thing here that waits for a time and not for an event"
)]
fn nap(wait: Duration) {
    std::thread::sleep(wait);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Spacing, Stage};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_turn_is_handed_out_before_it_is_due() {
        const TURNS: u64 = 300;
        const USERS: usize = 3;
        for spacing in [Spacing::Even, Spacing::Poisson] {
            let schedule = Schedule::of_requests(1_500.0, TURNS, spacing, 7).expect("a schedule");
            let arrival = Arc::new(Arrival::new(&ArrivalPlan::Open(schedule)));
            arrival.start(USERS, &StopSignal::default());
            let users = (0..USERS).map(|_| {
                let arrival = Arc::clone(&arrival);
                tokio::spawn(async move {
                    let mut taken = 0;
                    while let Some(turn) = arrival.next().await {
                        assert!(turn.intended.is_some_and(|due| due <= Instant::now()));
                        taken += 1;
                    }
                    taken
                })
            });
            let mut taken = 0;
            for user in users.collect::<Vec<_>>() {
                taken += user.await.expect("no turn was early");
            }
            assert_eq!(taken, TURNS);
        }
    }

    #[test]
    fn the_gap_of_a_turn_is_that_to_the_one_before() {
        let stages = [
            Stage::constant(10.0, Duration::from_secs(1)),
            Stage::constant(0.0, Duration::from_secs(3)),
            Stage::constant(10.0, Duration::from_secs(1)),
        ];
        let schedule = Schedule::of_stages(&stages, Spacing::Even, 7).expect("a schedule");
        let gap = |index| gap_before(&schedule, index).as_millis();
        assert_eq!((gap(0), gap(5), gap(10)), (0, 100, 3_100));
    }
}
