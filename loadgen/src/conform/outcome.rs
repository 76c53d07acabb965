//! The verdict on one case: the expected decision against the observed one.

use serde::{Deserialize, Serialize};

use super::case::{Expectation, Grade};
use crate::target::{Decision, Observation};

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

    /// Judges an observation.
    pub fn judge(expected: Expectation, grade: Grade, observed: &Observation) -> Self {
        let plain = match (expected, observed.decision) {
            (Expectation::Allow, Decision::Allow) | (Expectation::Refused, Decision::Deny) => {
                Self::Pass
            }
            (Expectation::Allow, Decision::Deny) => Self::UnexpectedDeny,
            (Expectation::NotAllowed, Decision::Fault) => Self::by_any_refusal(observed.status),
            (Expectation::NotAllowed, Decision::Deny) => Self::Pass,
            (_, Decision::Fault) => Self::Fault,
            (_, Decision::Allow) => Self::UnexpectedAllow,
            (Expectation::Unauthorized, Decision::Deny) => Self::by_status(observed.status, 401),
            (Expectation::Forbidden, Decision::Deny) => Self::by_status(observed.status, 403),
        };
        match (grade, plain) {
            (Grade::Note, Self::UnexpectedAllow | Self::UnexpectedDeny | Self::WrongStatus) => {
                Self::Note
            }
            (_, plain) => plain,
        }
    }

    /// Elsewhere these statuses say nothing about the token; here it is enough that nobody was let in (RFC 9110 §15.4,
    /// §15.5.5, §15.5.6, §15.6.2, §15.6.6).
    fn by_any_refusal(observed: Option<u16>) -> Self {
        match observed {
            Some(300..=399 | 404 | 405 | 501 | 505) => Self::Pass,
            _ => Self::Fault,
        }
    }

    fn by_status(observed: Option<u16>, wanted: u16) -> Self {
        if observed == Some(wanted) {
            Self::Pass
        } else {
            Self::WrongStatus
        }
    }

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
