//! One invocation for each token at a time, where the API's switch says so.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;

/// The tokens for which an authorizer is being asked. As many as there are requests at once, which the limit on
/// connections bounds.
#[derive(Default)]
pub(super) struct Flights {
    open: Mutex<HashMap<Arc<[u8]>, Line>>,
}

/// Who waits for one token: the holder of the lock asks.
#[derive(Clone, Default)]
struct Line(Arc<tokio::sync::Mutex<()>>);

/// The right to ask for one token. The next in line gets it when this is dropped.
pub(super) struct Flight<'a> {
    flights: &'a Flights,
    token: Arc<[u8]>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Flights {
    /// Waits for the turn to ask for this token.
    pub(super) async fn board(&self, token: &[u8]) -> Flight<'_> {
        let token: Arc<[u8]> = Arc::from(token);
        // Made before the wait, so that a request that is dropped while it waits is cleaned up after as well.
        let mut flight = Flight {
            flights: self,
            token: Arc::clone(&token),
            turn: None,
        };
        let Line(line) = self.open().entry(token).or_default().clone();
        flight.turn = Some(line.lock_owned().await);
        flight
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<[u8]>, Line>> {
        self.open.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.turn = None;
        let mut open = self.flights.open();
        // The map's own reference is the last one when nobody else is in line.
        if open
            .get(&self.token)
            .is_some_and(|Line(line)| Arc::strong_count(line) == 1)
        {
            open.remove(&self.token);
        }
    }
}

/// Without the tokens.
impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}
