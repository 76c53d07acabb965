//! Whether the target's processes live. A crash that a supervisor hides shows in no answer, and ends everybody's requests
//! that are under way.

use crate::record::{CaseRecord, Outcome};
use crate::testbed::Testbed;

/// Who knows the target's processes.
pub trait Processes: std::fmt::Debug + Sync {
    /// How many have ended by themselves so far.
    fn ended(&self) -> u64;

    /// The most memory that one of them has had resident at a time, in bytes; `None` where nobody knows.
    fn peak_memory_bytes(&self) -> Option<u64>;
}

impl Processes for Testbed {
    fn ended(&self) -> u64 {
        self.ended_processes()
    }

    fn peak_memory_bytes(&self) -> Option<u64> {
        let ids = self.process_ids();
        ids.into_iter().filter_map(peak_memory_bytes).max()
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
