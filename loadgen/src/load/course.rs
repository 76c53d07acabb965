//! What goes on beside the users of a phase: what happens to the issuer, to the cache and to the tokens, and how much memory the
//! subject takes.
//!
//! All of it is on the phase's own clock, so that a chart can draw it under the latencies that it caused.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::memory::Memory;
use super::phase::millis;
use super::token_pool::TokenPool;
use crate::record::EventRecord;
use crate::scenario::{Change, Event, Expiring};
use crate::testbed::{Testbed, with_groups};

/// Between two samples of memory.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Between two looks for processes. No divisor of a second: requests that are due each second would hide them.
const LOOK_EVERY: Duration = Duration::from_millis(37);

/// How often it is looked whether the clock has started: an event is late by so much at most.
const START_LOOK: Duration = Duration::from_millis(1);

/// What was seen of a phase's course, so far.
#[derive(Debug, Default)]
pub(super) struct Course {
    events: Mutex<Vec<EventRecord>>,
    memory: Mutex<Memory>,
}

impl Course {
    /// Lets it happen, and never ends: whoever measures the phase drops it.
    pub(super) async fn run(
        &self,
        events: &[Event],
        pool: &TokenPool,
        arrival: &Arrival,
        testbed: &Testbed,
    ) -> Infallible {
        let started = started(arrival).await;
        let happening = self.happen(events, started, testbed);
        let sampling = self.sample(started, testbed);
        tokio::join!(happening, sampling, turn(pool, started)).0
    }

    async fn happen(&self, events: &[Event], started: Instant, testbed: &Testbed) -> Infallible {
        for event in events {
            tokio::time::sleep_until((started + event.at).into()).await;
            match &event.change {
                Change::Expire(Expiring::Policies) => testbed.flush_policy_cache(),
                Change::Fail(fault) => testbed.idp().fail_jwks(Some(fault.clone())),
                Change::Serve(document) => {
                    testbed.idp().publish(*document);
                    testbed.idp().fail_jwks(None);
                }
                // An epoch of the pool begins, or its requests are signed so.
                Change::Expire(Expiring::Tokens) | Change::SignNext(_) => {}
            }
            let happened = EventRecord {
                after_ms: millis(started.elapsed()),
                what: event.change.to_string(),
            };
            locked(&self.events).push(happened);
        }
        std::future::pending().await
    }

    async fn sample(&self, started: Instant, testbed: &Testbed) -> Infallible {
        let mut due = Duration::ZERO;
        loop {
            let is_due = started.elapsed() >= due;
            let mut processes = testbed.process_ids();
            if is_due {
                processes = with_workers(processes).await;
            }
            {
                let mut memory = locked(&self.memory);
                memory.see(processes);
                if is_due && memory.sample(started.elapsed()) {
                    due += SAMPLE_EVERY;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What was seen. The issuer is as it was before: a phase's events end with it.
    pub(super) fn end(self, events: &[Event], testbed: &Testbed) -> (Vec<EventRecord>, Memory) {
        let of_issuer = |event: &Event| matches!(event.change, Change::Fail(_) | Change::Serve(_));
        if events.iter().any(of_issuer) {
            testbed.idp().publish(mock_idp::JwksDocument::Default);
            testbed.idp().fail_jwks(None);
        }
        (
            self.events
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
            self.memory
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Lets the pool's epochs begin.
async fn turn(pool: &TokenPool, started: Instant) -> Infallible {
    for (number, epoch) in pool.epochs().iter().enumerate() {
        tokio::time::sleep_until((started + epoch.from).into()).await;
        pool.turn_to(number);
    }
    std::future::pending().await
}

async fn started(arrival: &Arrival) -> Instant {
    loop {
        if let Some(started) = arrival.started() {
            return started;
        }
        tokio::time::sleep(START_LOOK).await;
    }
}

/// These processes and those of their groups. To look at every process takes milliseconds, which no user is to wait for.
async fn with_workers(leaders: Vec<u32>) -> Vec<u32> {
    let looked = tokio::task::spawn_blocking(move || with_groups(&leaders)).await;
    looked.unwrap_or_default()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
