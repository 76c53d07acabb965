//! Whether the target's processes live, and what an answer costs them in memory. A crash that a supervisor hides shows in no
//! answer, and ends everybody's requests that are under way.

use crate::record::{CaseRecord, Outcome};
use crate::testbed::{Testbed, with_groups};

/// Who knows the target's processes.
pub trait Processes: std::fmt::Debug + Sync {
    /// How many have ended by themselves so far.
    fn ended(&self) -> u64;

    /// The ids of those that are at hand; none where nobody knows. One that is at work may not be among them.
    fn ids(&self) -> Vec<u32>;

    /// The most memory that one of them has had resident at a time, in bytes; `None` where nobody knows.
    fn peak_memory_bytes(&self, process: u32) -> Option<u64>;

    /// Counts that from here on, where it is possible.
    fn forget_peak(&self, process: u32);
}

impl Processes for Testbed {
    fn ended(&self) -> u64 {
        self.ended_processes()
    }

    fn ids(&self) -> Vec<u32> {
        // The workers of a server with several processes are looked at, too.
        with_groups(&self.process_ids())
    }

    fn peak_memory_bytes(&self, process: u32) -> Option<u64> {
        peak_memory_bytes(process)
    }

    fn forget_peak(&self, process: u32) {
        forget_peak(process);
    }
}

/// What each process has had at its peak, before a request.
#[derive(Debug)]
pub(super) struct MemoryBefore<'a> {
    processes: &'a dyn Processes,
    /// By process, in bytes.
    peaks: Vec<(u32, u64)>,
}

impl<'a> MemoryBefore<'a> {
    pub(super) fn of(processes: &'a dyn Processes) -> Self {
        let peak = |process| {
            processes.forget_peak(process);
            Some((process, processes.peak_memory_bytes(process)?))
        };
        Self {
            processes,
            peaks: processes.ids().into_iter().filter_map(peak).collect(),
        }
    }

    /// By how many bytes the process that grew most has grown at its peak. One that is new has no before.
    pub(super) fn growth(&self) -> u64 {
        let grown = self.peaks.iter().filter_map(|(process, before)| {
            let after = self.processes.peak_memory_bytes(*process)?;
            Some(after.saturating_sub(*before))
        });
        grown.max().unwrap_or(0)
    }
}

/// The peak of a process's resident set, proc(5) `VmHWM`; `None` for one that has ended, and where there is no `/proc`.
fn peak_memory_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Sets the peak of a process to what is resident, proc(5) `clear_refs`. Where that is not permitted, a higher peak from before
/// hides growth below it.
fn forget_peak(process: u32) {
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// How the reason of a case begins that has ended a process.
pub(super) const PROCESS_ENDED: &str = "a process of the target ended";

/// The number that is known, from case to case.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    processes: Option<&'a dyn Processes>,
    ended: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(processes: Option<&'a dyn Processes>) -> Self {
        let ended = processes.map_or(0, Processes::ended);
        Self { processes, ended }
    }

    /// Marks a case when a process has ended since the last look; says whether one has.
    pub(super) fn look(&mut self, judged: Option<&mut CaseRecord>) -> bool {
        let now = self.processes.map_or(0, Processes::ended);
        let died = now > self.ended;
        self.ended = now;
        if died && let Some(judged) = judged {
            let came = match &judged.reason {
                Some(reason) => format!("; {reason}"),
                None => String::new(),
            };
            judged.reason = Some(format!("{PROCESS_ENDED}{came}"));
            judged.outcome = Outcome::Fault;
        }
        died
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This process, which is nobody's target.
    #[derive(Debug)]
    struct Own;

    impl Processes for Own {
        fn ended(&self) -> u64 {
            0
        }

        fn ids(&self) -> Vec<u32> {
            vec![std::process::id()]
        }

        fn peak_memory_bytes(&self, process: u32) -> Option<u64> {
            peak_memory_bytes(process)
        }

        fn forget_peak(&self, process: u32) {
            forget_peak(process);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_peak_from_before_hides_no_growth() {
        let take = || drop(std::hint::black_box(vec![1_u8; 100_000_000]));
        take();
        let before = MemoryBefore::of(&Own);
        let idle = before.growth();
        take();
        let grown = before.growth();
        // Other tests take memory meanwhile, and not so much.
        assert!(grown > idle + 50_000_000, "{idle} and {grown}");
    }
}
