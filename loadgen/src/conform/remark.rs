//! What is to be said of an answer beside its decision: how long it took, what it has to hold, what it must not repeat.

use super::overreach;
use crate::catalogue::{AnswerRule, Case};
use crate::record::{ConformanceRecord, Outcome};
use crate::target::Observation;

/// What is known beside the answer itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    /// Whether the answer repeats what it has no reason to.
    pub(super) repeats: bool,
    /// By how much the memory of one of the target's processes has grown at its peak, in bytes.
    pub(super) memory_growth: u64,
}

/// Bytes.
pub(super) const MEGABYTE: u64 = 1_000_000;

/// What the answer's form, its time and its cost make of an outcome that is right so far.
pub(super) fn remarked(
    case: &Case,
    plain: Outcome,
    observation: &Observation,
    beside: Beside,
) -> (Outcome, Option<String>) {
    let right = matches!(plain, Outcome::Note | Outcome::Pass | Outcome::WrongStatus);
    let took = observation.finished - observation.sent;
    if let Some(most) = case.within.filter(|most| right && took > *most) {
        let reason = format!("the answer took {took:.1?}, and may take {most:?}");
        return (overreach(case), Some(reason));
    }
    let grown = beside.memory_growth / MEGABYTE;
    if let Some(most) = case.memory_growth_mb.filter(|most| right && grown > *most) {
        let reason = format!("the target took {grown} MB more of memory, and may take {most} MB");
        return (overreach(case), Some(reason));
    }
    if case.answers == Some(AnswerRule::NoToken) && right && beside.repeats {
        return (
            overreach(case),
            Some("the answer repeats a part of the token".to_owned()),
        );
    }
    if let Some((name, text)) = case.answer_holds.as_ref().filter(|_| right) {
        let answer = observation.answer.as_ref();
        if !answer.is_some_and(|answer| answer.field_holds(name, text)) {
            let reason = format!("the answer has no {name} that holds {text}");
            return (Outcome::Note, Some(reason));
        }
    }
    (plain, None)
}

/// Ids that are named in one reason.
const IDS_NAMED: usize = 3;

/// A case that is about all answers fails by any of them.
pub(super) fn repetitions(cases: &[&Case], record: &mut ConformanceRecord, repeated: &[String]) {
    let Some(named) = repeated.get(..repeated.len().min(IDS_NAMED)) else {
        return;
    };
    for (case, judged) in cases.iter().zip(&mut record.cases) {
        let about = case.answers == Some(AnswerRule::NoToken) && judged.observed.is_some();
        let known = judged.outcome == Outcome::KnownDivergence;
        if about && !known && !repeated.is_empty() && !judged.outcome.is_failure() {
            judged.outcome = overreach(case);
            judged.reason = Some(format!(
                "{} answers repeat a part of the token that they answer, such as those to {}",
                repeated.len(),
                named.join(", ")
            ));
        }
    }
}
