//! Asking what failed again: an answer that changes is told as that.
//!
//! Of a sequence it is the whole that is played again: what it comes to depends on all its steps. It stays a failure. A
//! verifier that lets a forged token in every third time is broken, and whoever mends it has to know that a second try proves
//! nothing.

use std::time::Duration;

use super::Conformance;
use super::processes::PROCESS_ENDED;
use crate::catalogue::Case;
use crate::record::{CaseRecord, Outcome};

/// How often a failing case is asked again.
pub(super) const TRIES: usize = 2;

/// Failing cases that are asked again. Of a verifier with more of them nobody asks whether the last ones are flaky.
const CASES_MAX: usize = 100;

/// A sequence that took longer waited for something that did not come, and would wait for it again.
const PLAYED_AGAIN_MAX: Duration = Duration::from_secs(12);

impl Conformance<'_> {
    /// Asks the failing cases again, over connections of their own, after all others.
    pub(super) async fn ask_failing_again(&self, cases: &[&Case], records: &mut [CaseRecord]) {
        let failing = cases
            .iter()
            .zip(records)
            .filter(|(case, judged)| case.policy.is_none() && worth_a_second_try(judged));
        for (case, judged) in failing.take(CASES_MAX) {
            let mut answers: Vec<u16> = judged.status().into_iter().collect();
            for _ in 0..TRIES {
                answers.extend(self.answer(case).await);
            }
            if answers.iter().any(|answer| *answer != answers[0]) {
                let all: Vec<String> = answers.iter().map(u16::to_string).collect();
                add_reason(judged, format!("the answers change: {}", all.join(", ")));
                judged.flaky = answers;
            }
        }
    }

    /// The status of one more answer. Cases can be minted and asked here: they were before.
    async fn answer(&self, case: &Case) -> Option<u16> {
        let question = self.prepare(case).ok()?.ok()?;
        self.target
            .connection()
            .call(&question.request)
            .await
            .status
    }
}

/// Whether a sequence that took so long is worth playing again, as often as [`TRIES`] says.
pub(super) fn worth_playing_again(judged: &CaseRecord, took: Duration) -> bool {
    took <= PLAYED_AGAIN_MAX && worth_a_second_try(judged)
}

/// Tells a failed sequence that passes now and then; `again` are the other plays, each with a fresh target.
pub(super) fn compare_plays(judged: &mut CaseRecord, again: &[CaseRecord]) {
    let passes = again.iter().filter(|play| play.outcome == Outcome::Pass);
    let (passes, plays) = (passes.count(), again.len() + 1);
    if passes > 0 {
        let told = format!("the answers change: of {plays} plays {passes} passed");
        add_reason(judged, told);
        judged.flaky = std::iter::once(&*judged)
            .chain(again)
            .filter_map(CaseRecord::status)
            .collect();
    }
}

fn add_reason(judged: &mut CaseRecord, told: String) {
    judged.reason = Some(match judged.reason.take() {
        Some(reason) => format!("{reason}; {told}"),
        None => told,
    });
}

/// Whether it failed by an answer. A time-out is not waited for again, what has ended a process is not sent again, and who
/// came to the listener has come. What a policy says is no matter of the status.
fn worth_a_second_try(judged: &CaseRecord) -> bool {
    let ended = |reason: &String| reason.starts_with(PROCESS_ENDED);
    match (judged.outcome, judged.status()) {
        (Outcome::UnexpectedAllow | Outcome::UnexpectedDeny | Outcome::WrongStatus, Some(_)) => {
            true
        }
        (Outcome::Fault, Some(status)) => {
            status >= 500 && !judged.reason.as_ref().is_some_and(ended)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Feature;
    use crate::conform::tests::{CASES, run};
    use crate::record::Outcome;

    #[tokio::test]
    async fn an_answer_that_changes_is_a_failure_and_told_as_changing() {
        let script = [200, 401, 200, 200, 403, 401, 401, 200];
        let record = run(CASES, &script, &[Feature::Scope], &[])
            .await
            .expect("the target decides on genuine tokens");
        let bad = &record.cases[1];
        assert_eq!(bad.outcome, Outcome::UnexpectedAllow);
        assert_eq!(bad.flaky, [200, 401, 200]);
        let told = bad.reason.as_deref().unwrap_or_default();
        assert!(told.contains("200, 401, 200"), "{told}");

        let script = [200, 401, 200, 200, 403, 401, 200, 200];
        let record = run(CASES, &script, &[Feature::Scope], &[])
            .await
            .expect("the target decides on genuine tokens");
        assert!(record.cases[1].flaky.is_empty());
        assert!(record.cases[1].reason.is_none());
    }
}
