//! Ctrl-C and SIGTERM: a run that is stopped ends its children and keeps what it measured.
//!
//! The handler is installed through the same crate as goose's, and before it: goose finds the place taken and leaves
//! it, so that one signal reaches everything in one order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        self.state.raised.store(true, Ordering::Release);
        self.state.notify.notify_waiters();
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
}
