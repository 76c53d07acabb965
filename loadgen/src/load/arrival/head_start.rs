//! How long before a turn is due a user is woken for it, so that it is awake when it is.
//!
//! From the end of the dispatching thread's sleep until a user runs, two threads wake up, which takes some 60 µs on a virtual
//! machine and less on others: each request would be later by as much. So the head start is learnt: it grows when a user came
//! late and shrinks when it was there in time, and comes to rest where nine in ten are. The rest of it the user waits awake.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest head start: what is longer is no waking up but a processor that others use.
const MOST: Duration = Duration::from_micros(80);

/// A turn that is nearer than this to the one before gets no head start. So one user waits awake at a time, and for a fifth of a
/// processor's time at most; at such rates threads hardly sleep anyway.
const GAP: Duration = Duration::from_micros(400);

/// With less left than this nobody else is let go first, because giving way takes time where nothing is ready, too: without
/// optimization 8 µs, and 15 µs in one of ten.
const YIELD: Duration = Duration::from_micros(15);

/// By how much it grows for a user that came late. In balance with [`SHRINK_NS`] when one in ten does.
const GROW_NS: u64 = 4_500;

/// By how much it shrinks for a user that was there in time.
const SHRINK_NS: u64 = 500;

/// The head start of a phase's turns.
#[derive(Debug)]
pub(super) struct HeadStart {
    learnt_ns: AtomicU64,
    most: Duration,
}

impl HeadStart {
    /// One that has learnt nothing. With one processor there is none: whoever waits awake keeps it from the target.
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            learnt_ns: AtomicU64::new(0),
            most: if processors > 1 { MOST } else { Duration::ZERO },
        }
    }

    /// That of a turn so long after the one before.
    pub(super) fn after(&self, gap: Duration) -> Duration {
        if gap < GAP {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.learnt_ns.load(Ordering::Relaxed))
    }

    /// Waits awake until the turn is due, and learns from when the user was there. What is ready on its thread goes first: gateway
    /// and issuer run on the same ones.
    pub(super) async fn wait(&self, due: Instant, gap: Duration) {
        let left = due.saturating_duration_since(Instant::now());
        if gap >= GAP {
            self.learn(left.is_zero());
        }
        if left > YIELD {
            tokio::task::yield_now().await;
        }
        while Instant::now() < due {
            std::hint::spin_loop();
        }
    }

    fn learn(&self, came_late: bool) {
        let learnt = self.learnt_ns.load(Ordering::Relaxed);
        let most = u64::try_from(self.most.as_nanos()).unwrap_or(u64::MAX);
        let next = if came_late {
            (learnt + GROW_NS).min(most)
        } else {
            learnt.saturating_sub(SHRINK_NS)
        };
        // A step that another user has made meanwhile is lost, and nothing depends on it.
        self.learnt_ns.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_processors() -> HeadStart {
        HeadStart {
            learnt_ns: AtomicU64::new(0),
            most: MOST,
        }
    }

    /// Turns of users that need so long to wake up; the head start afterwards.
    fn learnt(head_start: &HeadStart, needed: impl Fn(u64) -> u64) -> u64 {
        for turn in 0..10_000 {
            let given = head_start.learnt_ns.load(Ordering::Relaxed);
            head_start.learn(needed(turn) >= given);
        }
        head_start.learnt_ns.load(Ordering::Relaxed)
    }

    #[test]
    fn it_comes_to_rest_where_nine_in_ten_users_are_there_in_time() {
        // Evenly between 0 and 50 µs, in an order that is none.
        let needed = |turn: u64| turn * 7_919 % 50_000;
        let learnt = learnt(&with_processors(), needed);
        assert!((38_000..52_000).contains(&learnt), "{learnt} ns");
    }

    #[test]
    fn it_follows_down_and_never_exceeds_its_bound() {
        let head_start = with_processors();
        assert_eq!(learnt(&head_start, |_| 1_000_000), 80_000);
        assert_eq!(head_start.after(GAP), MOST);
        assert_eq!(head_start.after(GAP / 2), Duration::ZERO);
        assert!(learnt(&head_start, |_| 2_000) < 10_000);
    }

    #[test]
    fn with_one_processor_there_is_none() {
        let alone = HeadStart {
            most: Duration::ZERO,
            ..with_processors()
        };
        assert_eq!(learnt(&alone, |_| 1_000_000), 0);
    }

    #[tokio::test]
    async fn nobody_is_let_go_before_the_turn_is_due() {
        let head_start = with_processors();
        for ahead in [0, 5, 70] {
            let due = Instant::now() + Duration::from_micros(ahead);
            head_start.wait(due, GAP).await;
            assert!(Instant::now() >= due);
        }
    }

    /// Both run on the one thread of the test.
    #[tokio::test]
    async fn what_is_ready_on_the_same_thread_does_not_wait_for_somebody_who_waits_awake() {
        let head_start = with_processors();
        let ready = tokio::spawn(async { Instant::now() });
        // Much more than any head start, so that a busy machine does not use it up before.
        let due = Instant::now() + Duration::from_millis(50);
        head_start.wait(due, GAP).await;
        assert!(ready.await.expect("no panic") < due);
    }
}
