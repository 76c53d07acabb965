//! Whether the target answers at all, asked where a run would otherwise call a dead target wrong or slow.

use super::Failure;
use crate::conform::{Unasked, ask_genuine};
use crate::stop::StopSignal;
use crate::target::Target;
use crate::testbed::{Testbed, TestbedError};

/// Holds that the target, as the phase asks it, decides on a genuine token. A signal ends the wait and is seen by the caller.
pub(super) async fn decides(
    target: &Target,
    testbed: &mut Testbed,
    stop: &StopSignal,
) -> Result<(), Failure> {
    still_decides(None, target, testbed, stop).await
}

/// The same after a phase that lost requests: an environment may restart, and a dead target may not be called slow.
pub(super) async fn still_decides(
    after: Option<&str>,
    target: &Target,
    testbed: &mut Testbed,
    stop: &StopSignal,
) -> Result<(), Failure> {
    let asked = ask_genuine(target, testbed.minter());
    let Some(Err(answer)) = stop.unless_raised(asked).await else {
        return Ok(());
    };
    let cause = match after {
        None => Unasked::NoDecision(answer),
        Some(phase) => Unasked::Stopped {
            after: format!("the phase {phase}"),
            answer,
        },
    };
    Err(no_decision(cause, testbed).await)
}

/// A target that decides nothing, with all that is known about why.
pub(super) async fn no_decision(cause: Unasked, testbed: &mut Testbed) -> Failure {
    testbed.settle().await;
    let diagnosis = testbed.diagnosis();
    match cause {
        Unasked::Case { .. } => cause.into(),
        Unasked::NoDecision(answer) => TestbedError::NoDecision {
            answer: answer.to_string(),
            diagnosis,
        }
        .into(),
        Unasked::Stopped { after, answer } => TestbedError::Stopped {
            after,
            answer: answer.to_string(),
            diagnosis,
        }
        .into(),
    }
}
