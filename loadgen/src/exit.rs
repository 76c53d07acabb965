//! Exit codes: one cause, one code. They are part of the public interface.

/// How a command of `authbench` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is good.
    Good,
    /// The subject is nonconformant, or failed the scenario's gate and was not timed.
    Nonconformant,
    /// A threshold was missed.
    ThresholdMissed,
    /// The figures are not to be believed: the generator was the limit, or a phase did not measure what it says.
    Invalid,
    /// The testbed failed: a port, a process, a key, a file that cannot be written, a target that does not start, stops
    /// answering or loses requests under load. Nothing is said about the subject's rules.
    TestbedFailed,
    /// The command line or an input file is wrong.
    Usage,
    /// Stopped by a signal; what had been measured is saved.
    Interrupted,
}

impl Exit {
    /// The process's exit code. 130 is what shells give a command that SIGINT ended.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Usage => 2,
            Self::Nonconformant => 10,
            Self::ThresholdMissed => 11,
            Self::Invalid => 13,
            Self::TestbedFailed => 14,
            Self::Interrupted => 130,
        }
    }

    /// The word of the record.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Usage => "usage",
            Self::Nonconformant => "nonconformant",
            Self::ThresholdMissed => "threshold-missed",
            Self::Invalid => "invalid",
            Self::TestbedFailed => "testbed-failed",
            Self::Interrupted => "interrupted",
        }
    }
}
