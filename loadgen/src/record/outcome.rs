//! The verdict on one case, as a word.

use serde::{Deserialize, Serialize};

/// The verdict on a case. Allow or deny is judged first; the status of a denial is a finding of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A declared divergence that the subject no longer shows: the declaration is stale, and the run fails.
    DivergenceGone,
    /// No decision at all: a server error, a lost connection, a time-out, a redirect.
    Fault,
    /// A declared divergence, with its reason beside it.
    KnownDivergence,
    /// A deviation that half of the industry shares, or that the rule leaves open.
    Note,
    /// The target did more than it may: it fetched an address that the token names, asked the issuer too often, took too
    /// long, or repeated the token.
    Overreach,
    /// As expected.
    Pass,
    /// Not asked, with the reason beside it.
    Skip,
    /// Somebody was let in who had to be refused.
    UnexpectedAllow,
    /// Somebody was refused who had to be let in.
    UnexpectedDeny,
    /// Denied as it had to be, with another status than the rule gives. Reported, not a failure.
    WrongStatus,
}

impl Outcome {
    /// Every outcome, by name.
    pub const ALL: [Self; 10] = [
        Self::DivergenceGone,
        Self::Fault,
        Self::KnownDivergence,
        Self::Note,
        Self::Overreach,
        Self::Pass,
        Self::Skip,
        Self::UnexpectedAllow,
        Self::UnexpectedDeny,
        Self::WrongStatus,
    ];

    /// The word of the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::DivergenceGone => "divergence-gone",
            Self::Fault => "fault",
            Self::KnownDivergence => "known-divergence",
            Self::Note => "note",
            Self::Overreach => "overreach",
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::UnexpectedAllow => "unexpected-allow",
            Self::UnexpectedDeny => "unexpected-deny",
            Self::WrongStatus => "wrong-status",
        }
    }

    /// Whether the outcome makes the subject nonconformant.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::DivergenceGone
                | Self::Fault
                | Self::Overreach
                | Self::UnexpectedAllow
                | Self::UnexpectedDeny
        )
    }
}
