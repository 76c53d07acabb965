//! Our own authorizer without a process or a socket: an event goes in, its answer comes out.
//!
//! Its clock is ours: it is told the time with each event, so that nobody has to wait for a token or a key to grow old.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use authorizer::{Authorizer, AuthorizerError};
use gateway::FunctionAnswer;

/// The authorizer of this project in this process.
#[derive(Debug)]
pub struct InProcessTarget {
    authorizer: Authorizer,
    /// How far its clock is ahead of the machine's.
    ahead_ms: AtomicU64,
}

impl InProcessTarget {
    /// The target that this authorizer is.
    pub fn new(authorizer: Authorizer) -> Self {
        Self {
            authorizer,
            ahead_ms: AtomicU64::new(0),
        }
    }

    /// Puts its clock forward.
    pub(super) fn put_forward(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) async fn answer(&self, event: &[u8]) -> FunctionAnswer {
        match self.decide(event).await {
            Ok(payload) => FunctionAnswer::Payload(payload.into()),
            Err(error) => FunctionAnswer::Error {
                message: error.to_string(),
                error_type: "Error".to_owned(),
            },
        }
    }

    async fn decide(&self, event: &[u8]) -> Result<Vec<u8>, AuthorizerError> {
        let ahead = Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        let answer = self.authorizer.answer(event, SystemTime::now() + ahead);
        Ok(answer.await?.to_json().into_bytes())
    }
}
