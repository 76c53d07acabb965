//! The verdict on one case: the expected decision against the observed one.

use crate::catalogue::{Expectation, Grade};
use crate::record::Outcome;
use crate::target::{Decision, Observation};

impl Outcome {
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
}
