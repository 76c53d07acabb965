//! The memory of the subject's processes over a phase: a trace of their sum, and how much the one that grew most grew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::phase::millis;
use crate::record::MemorySample;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// An environment of a function is at work or idle, and only idle ones are at hand: whoever was seen once is looked at until
    /// it is gone.
    seen: BTreeSet<u32>,
    trace: Vec<MemorySample>,
    /// Resident bytes of each process, sample by sample.
    processes: BTreeMap<u32, Vec<u64>>,
}

impl Memory {
    /// Processes that are there now.
    pub(super) fn see(&mut self, processes: impl IntoIterator<Item = u32>) {
        self.seen.extend(processes);
    }

    /// Looks at each of them; whether there was one.
    pub(super) fn sample(&mut self, after: Duration) -> bool {
        let looked: Vec<(u32, Option<u64>)> = self
            .seen
            .iter()
            .map(|process| (*process, resident_bytes(*process)))
            .collect();
        let mut sum = MemorySample {
            after_ms: millis(after),
            resident_bytes: 0,
            processes: 0,
        };
        for (process, resident) in looked {
            let Some(bytes) = resident else {
                self.seen.remove(&process);
                continue;
            };
            sum.resident_bytes += bytes;
            sum.processes += 1;
            self.processes.entry(process).or_default().push(bytes);
        }
        let was_there = sum.processes > 0;
        if was_there {
            self.trace.push(sum);
        }
        was_there
    }

    /// Megabytes by which the process that grew most was larger in the second half of its samples than it had been in the
    /// first. What a process takes while it warms up is no growth, nor is a process that is added.
    pub(super) fn growth_mb(&self) -> u64 {
        let longest = self.processes.values().map(Vec::len).max().unwrap_or(0);
        // One that came late is still warming up when the phase is over.
        let long = |samples: &&Vec<u64>| samples.len() * 2 > longest;
        let grown = self.processes.values().filter(long).map(|samples| {
            let (first, second) = samples.split_at(samples.len().div_ceil(2));
            let largest = |half: &[u64]| half.iter().max().copied().unwrap_or(0);
            largest(second).saturating_sub(largest(first))
        });
        grown.max().unwrap_or(0) / 1_000_000
    }

    /// The sums, sample by sample.
    pub(super) fn into_trace(self) -> Vec<MemorySample> {
        self.trace
    }
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
        let mut memory = Memory::default();
        memory.see([std::process::id(), u32::MAX]);
        assert!(memory.sample(Duration::ZERO));
        assert_eq!(memory.into_trace()[0].processes, 1);
    }

    fn growth(processes: &[&[u64]]) -> u64 {
        let megabytes = |samples: &&[u64]| samples.iter().map(|mb| mb * 1_000_000).collect();
        let processes = (0..).zip(processes.iter().map(megabytes)).collect();
        let memory = Memory {
            processes,
            ..Memory::default()
        };
        memory.growth_mb()
    }

    #[test]
    fn growth_is_that_of_the_process_that_grew_most_after_it_was_warm() {
        assert_eq!(growth(&[]), 0);
        assert_eq!(growth(&[&[10]]), 0, "one sample says nothing");
        assert_eq!(growth(&[&[10, 60, 60, 60, 60]]), 0, "warm, and no growth");
        assert_eq!(growth(&[&[10, 20, 30, 40, 50, 60]]), 30, "a leak");
        // A mean over the two would say 15; and the one that was added later is not 40 MB of growth.
        assert_eq!(growth(&[&[10, 20, 30, 40, 50, 60], &[40, 40, 40]]), 30);
        assert_eq!(growth(&[&[60, 60, 20, 20]]), 0, "less is no growth");
    }
}
