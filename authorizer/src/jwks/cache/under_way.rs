//! A fetch that is under way, as those who wait for it see it.

use std::{sync::Arc, time::SystemTime};

use tokio::{sync::watch, task::AbortHandle};

use crate::jwks::{fetch::FetchError, ledger::Flight};

/// A fetch in its task. The outcome is kept in the channel, so that a waiter cannot come too late for it.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    pub(super) started_at: SystemTime,
    pub(super) outcome: watch::Receiver<Option<Result<(), Arc<FetchError>>>>,
    pub(super) task: AbortHandle,
}

impl UnderWay {
    /// The outcome of the fetch; `None` if it was given up.
    pub(super) async fn outcome(&self) -> Option<Result<(), Arc<FetchError>>> {
        let mut receiver = self.outcome.clone();
        let outcome = receiver.wait_for(Option::is_some).await;
        outcome.ok().and_then(|outcome| outcome.clone())
    }

    /// Stops the fetch and waits for its end, so that there is never a second one.
    pub(super) async fn end(mut self) {
        self.task.abort();
        // The task drops the sender last.
        let _ = self.outcome.wait_for(|_| false).await;
    }
}

impl Flight for UnderWay {
    fn is_dead(&self) -> bool {
        // Closed while it is still in the ledger: a fetch that ends is struck out before its outcome is sent.
        self.outcome.has_changed().is_err()
    }
}
