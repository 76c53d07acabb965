//! The longest wait of a connection, with one timer for all its calls.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use tokio::time::Sleep;

/// A timer that is set again only when it has run down, and not for each call: setting one takes a lock that all connections
/// share.
#[derive(Debug)]
pub(super) struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// A timer that is not set yet.
    pub(super) fn new() -> Self {
        Self { timer: None }
    }

    /// What a future gives; `None` where it has not by then. The timer of an earlier call, with an earlier end, finds out late
    /// that there is a later one; so a call never waits for less, and never for more.
    pub(super) async fn until<T>(
        &mut self,
        end: Instant,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end.into())));
            // A timer of a longer wait than this one would end it too late.
            if timer.deadline() > end.into() {
                timer.as_mut().reset(end.into());
            }
            while timer.as_mut().poll(context).is_ready() {
                if timer.deadline() >= end.into() {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(end.into());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_its_own_time_whatever_the_calls_before_it_waited_for() {
        let start = tokio::time::Instant::now();
        let at = |seconds| (start + Duration::from_secs(seconds)).into_std();
        let elapsed = || start.elapsed().as_secs();
        let mut deadline = Deadline::new();
        let kept = deadline.until(at(10), tokio::time::sleep(Duration::from_secs(1)));
        assert_eq!((kept.await, elapsed()), (Some(()), 1));
        // The timer is still set for 10.
        assert_eq!(deadline.until(at(30), pending::<()>()).await, None);
        assert_eq!(elapsed(), 30);
        assert_eq!(deadline.until(at(60), ready(7)).await, Some(7));
        let later = deadline.until(at(90), tokio::time::sleep(Duration::from_secs(5)));
        assert_eq!((later.await, elapsed()), (Some(()), 35));
        // The timer is set for 90.
        assert_eq!(deadline.until(at(40), pending::<()>()).await, None);
        assert_eq!(elapsed(), 40);
    }
}
