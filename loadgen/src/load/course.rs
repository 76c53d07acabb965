//! What goes on beside the users of a phase: what happens to the issuer, and how much memory the subject takes.
//!
//! Both are on the phase's own clock, so that a chart can draw them under the latencies that they caused.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::phase::millis;
use crate::record::{EventRecord, MemorySample};
use crate::scenario::{Change, Event};
use crate::testbed::Testbed;

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
    memory: Mutex<Vec<MemorySample>>,
}

impl Course {
    /// Lets it happen, and never ends: whoever measures the phase drops it.
    pub(super) async fn run(
        &self,
        events: &[Event],
        arrival: &Arrival,
        testbed: &Testbed,
    ) -> Infallible {
        let started = started(arrival).await;
        let happening = self.happen(events, started, testbed);
        tokio::join!(happening, self.sample(started, testbed)).0
    }

    async fn happen(&self, events: &[Event], started: Instant, testbed: &Testbed) -> Infallible {
        for event in events {
            tokio::time::sleep_until((started + event.at).into()).await;
            match &event.change {
                Change::Fail(fault) => testbed.idp().fail_jwks(Some(fault.clone())),
                Change::Serve(document) => {
                    testbed.idp().publish(*document);
                    testbed.idp().fail_jwks(None);
                }
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
        // An environment of a function is at work or idle, and only idle ones are at hand: whoever was seen once is
        // looked at until it is gone.
        let mut seen = BTreeSet::new();
        let mut due = Duration::ZERO;
        loop {
            seen.extend(testbed.process_ids());
            if started.elapsed() >= due {
                seen.retain(|process| resident_bytes(*process).is_some());
                let resident: Vec<u64> = seen.iter().copied().filter_map(resident_bytes).collect();
                if !resident.is_empty() {
                    let sample = MemorySample {
                        after_ms: millis(started.elapsed()),
                        resident_bytes: resident.iter().sum(),
                        processes: resident.len() as u64,
                    };
                    locked(&self.memory).push(sample);
                    due += SAMPLE_EVERY;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Megabytes by which the memory has grown so far.
    pub(super) fn growth_mb(&self) -> u64 {
        growth_mb(&locked(&self.memory))
    }

    /// What was seen. The issuer is as it was before: a phase's events end with it.
    pub(super) fn end(
        self,
        events: &[Event],
        testbed: &Testbed,
    ) -> (Vec<EventRecord>, Vec<MemorySample>) {
        if !events.is_empty() {
            testbed.idp().publish(mock_idp::JwksDocument::Default);
            testbed.idp().fail_jwks(None);
        }
        let unlocked = PoisonError::into_inner;
        (
            self.events.into_inner().unwrap_or_else(unlocked),
            self.memory
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Megabytes by which the memory grew from the first sample to the largest, by process: environments that are added are no
/// growth.
pub(super) fn growth_mb(memory: &[MemorySample]) -> u64 {
    let each = |sample: &MemorySample| sample.resident_bytes / sample.processes.max(1);
    let first = memory.first().map_or(0, each);
    let largest = memory.iter().map(each).max().unwrap_or(0);
    largest.saturating_sub(first) / 1_000_000
}

async fn started(arrival: &Arrival) -> Instant {
    loop {
        if let Some(started) = arrival.started() {
            return started;
        }
        tokio::time::sleep(START_LOOK).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The resident set of a process, proc(5) `VmRSS`; `None` for one that has ended, and where there is no `/proc`.
fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_one_that_is_gone_has_none() {
        assert!(resident_bytes(std::process::id()) > Some(1_000_000));
        // Beyond the largest process id that Linux gives.
        assert_eq!(resident_bytes(u32::MAX), None);
    }

    #[test]
    fn a_process_that_is_added_is_no_growth() {
        let sample = |megabytes: u64, processes| MemorySample {
            after_ms: 0,
            resident_bytes: megabytes * 1_000_000,
            processes,
        };
        assert_eq!(growth_mb(&[sample(10, 1), sample(20, 2), sample(40, 4)]), 0);
        assert_eq!(growth_mb(&[sample(10, 1), sample(34, 2), sample(24, 2)]), 7);
        assert_eq!(growth_mb(&[]), 0);
    }
}
