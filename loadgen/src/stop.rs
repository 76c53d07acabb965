//! Ctrl-C and SIGTERM: a run that is stopped ends its children and keeps what it measured.
//!
//! The handler is installed through the same crate as goose's, and before it: goose finds the place taken and leaves
//! it, so that one signal reaches everything in one order.
//!
//! Waits on a target are raced against the signal ([`StopSignal::unless_raised`]): one that hangs must not hold up the
//! end of the run.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Poll, Waker};

use tokio::sync::Notify;

/// A signal that is raised once and seen everywhere.
#[derive(Debug, Clone, Default)]
pub struct StopSignal {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    raised: AtomicBool,
    notify: Notify,
    /// One a phase at most, so the list stays short.
    children: Mutex<Vec<Weak<State>>>,
}

impl State {
    fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.notify.notify_waiters();
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        for child in children.iter().filter_map(Weak::upgrade) {
            child.raise();
        }
    }
}

impl StopSignal {
    /// A signal that SIGINT, SIGTERM and SIGHUP raise.
    pub fn on_ctrl_c() -> Result<Self, ctrlc::Error> {
        let signal = Self::default();
        let handler = signal.clone();
        ctrlc::set_handler(move || handler.raise())?;
        Ok(signal)
    }

    /// Raises the signal.
    pub fn raise(&self) {
        self.state.raise();
    }

    /// A signal of its own that is raised with this one: it ends a part of the run, this one ends all of it.
    #[must_use]
    pub fn child(&self) -> Self {
        let child = Self::default();
        self.state
            .children
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(&child.state));
        // Looked at after the child is in the list, so that a raise in between is not missed.
        if self.is_raised() {
            child.raise();
        }
        child
    }

    /// Whether it has been raised.
    pub fn is_raised(&self) -> bool {
        self.state.raised.load(Ordering::Acquire)
    }

    /// Waits until it is raised.
    pub async fn raised(&self) {
        let mut notified = std::pin::pin!(self.state.notify.notified());
        // Registered before the flag is read, so that a raise in between is not missed.
        notified.as_mut().enable();
        if !self.is_raised() {
            notified.await;
        }
    }

    /// What a future gives; `None` as soon as the signal is raised, and the future is dropped then.
    pub async fn unless_raised<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let (mut raised, mut future) = (pin!(self.raised()), pin!(future));
        // The wait for the signal takes a lock that all waits share, so it is polled once for a task and not each time.
        let mut waiting: Option<Waker> = None;
        poll_fn(|context| {
            let waker = context.waker();
            if !waiting.as_ref().is_some_and(|known| known.will_wake(waker)) {
                if raised.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                waiting = Some(waker.clone());
            } else if self.is_raised() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_signal_ends_a_wait_that_has_no_end() {
        let stop = StopSignal::default();
        let (ended, ()) = tokio::join!(stop.unless_raised(pending::<()>()), async {
            stop.raise();
        });
        assert_eq!(ended, None);
    }

    /// The wait for the signal is known to one task's waker: another one has to make itself known.
    #[tokio::test]
    async fn a_signal_ends_a_wait_that_went_from_one_task_to_another() {
        let stop = StopSignal::default();
        let signal = stop.clone();
        let mut wait = Box::pin(async move { signal.unless_raised(pending::<()>()).await });
        let polled_here = poll_fn(|context| Poll::Ready(wait.as_mut().poll(context)));
        assert!(polled_here.await.is_pending());
        let elsewhere = tokio::spawn(wait);
        tokio::task::yield_now().await;
        stop.raise();
        assert_eq!(elsewhere.await.expect("no panic"), None);
    }

    #[test]
    fn a_child_is_raised_with_its_parent_and_never_raises_it() {
        let run = StopSignal::default();
        let (first, second) = (run.child(), run.child());
        first.raise();
        assert!(first.is_raised() && !second.is_raised() && !run.is_raised());
        run.raise();
        assert!(second.is_raised() && run.child().is_raised());
    }
}
