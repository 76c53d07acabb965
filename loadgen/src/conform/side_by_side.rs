//! What cannot be asked on the testbed of the plain cases: cases that need another key set, and sequences.
//!
//! Each has an issuer, a listener and a target of its own, so that all of them run side by side, and cost the longest wait
//! among them instead of the sum.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_idp::{JwksDocument, Minter, ServerCertificate};
use tokio::task::JoinSet;

use super::play::{self, Stage};
use super::processes::Watch;
use super::{Conformance, SETTLE, Unasked, declared, flaky, missing, record};
use crate::catalogue::{Case, Feature, Grade, Sequence, Severity};
use crate::record::{CaseRecord, Outcome};
use crate::scenario::Scenario;
use crate::stop::StopSignal;
use crate::subject::{Subject, SubjectKind};
use crate::target::Target;
use crate::testbed::{FreshStart, Testbed, TestbedError};

/// Targets that run at the same time. Most of them wait most of the time; a process of each costs tens of megabytes.
const TARGETS: usize = 16;

/// What a gateway's cache keeps a policy for where a sequence wants it on: API Gateway's own default.
const GATEWAY_CACHE: Duration = Duration::from_mins(5);

/// Of whom, by whom and for what.
#[derive(Debug, Clone)]
pub struct SideBySide {
    /// Issuer profile, seed, audience, scope.
    pub scenario: Scenario,
    /// The target, which is started again and again.
    pub subject: Subject,
    /// What it does.
    pub features: Vec<Feature>,
    /// The target of the plain cases, for what asks nothing of the issuer when the subject cannot be started afresh.
    pub running: Target,
    /// Its minter.
    pub minter: Minter,
}

/// What is asked of one fresh target.
#[derive(Debug)]
enum Job {
    KeySet(JwksDocument, Vec<Case>),
    Sequence(Box<Sequence>),
}

impl SideBySide {
    /// Asks all of it. `progress` is told after each; a signal ends it at once, with what is known by then.
    ///
    /// The records are in the order of the arguments, the cases first. What cannot be asked ends the others no more than a
    /// signal loses them: its reason stands beside their records.
    pub async fn run(
        self,
        cases: Vec<Case>,
        sequences: Vec<Sequence>,
        stop: &StopSignal,
        mut progress: impl FnMut(&CaseRecord),
    ) -> (Vec<CaseRecord>, Option<Unasked>) {
        let order: Vec<String> = cases
            .iter()
            .map(|case| case.id.clone())
            .chain(sequences.iter().map(|sequence| sequence.case.id.clone()))
            .collect();
        let bench = Arc::new(self);
        let mut jobs = jobs(cases, sequences).into_iter().map(|job| {
            let bench = Arc::clone(&bench);
            async move { bench.ask(job).await }
        });
        // Begun in their order: a task that waits for its turn by itself would be begun in any.
        let mut running: JoinSet<_> = jobs.by_ref().take(TARGETS).collect();
        let (mut records, mut unasked) = (Vec::with_capacity(order.len()), None);
        while let Some(Some(ended)) = stop.unless_raised(running.join_next()).await {
            if let Some(next) = jobs.next() {
                running.spawn(next);
            }
            match ended {
                Ok(Ok(judged)) => {
                    judged.iter().for_each(&mut progress);
                    records.extend(judged);
                }
                Ok(Err(reason)) => {
                    unasked.get_or_insert(reason);
                }
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        let place = |record: &CaseRecord| order.iter().position(|id| *id == record.id);
        records.sort_by_key(place);
        (records, unasked)
    }

    async fn ask(&self, job: Job) -> Result<Vec<CaseRecord>, Unasked> {
        match job {
            Job::KeySet(document, cases) => self.key_set(document, &cases).await,
            Job::Sequence(sequence) => Ok(vec![self.sequence(&sequence).await?]),
        }
    }

    /// Why there is no issuer whose keys and failures are ours to change.
    fn issuer_is_given(&self) -> Option<&'static str> {
        if !self.can_start_afresh() {
            Some(CANNOT_START)
        } else if self.scenario.real_issuer.is_some() {
            Some(REAL_ISSUER)
        } else {
            None
        }
    }

    fn can_start_afresh(&self) -> bool {
        !matches!(
            self.subject.kind,
            SubjectKind::HttpUrl(_) | SubjectKind::InvokeUrl(..)
        )
    }

    async fn key_set(
        &self,
        document: JwksDocument,
        cases: &[Case],
    ) -> Result<Vec<CaseRecord>, Unasked> {
        if let Some(reason) = self.issuer_is_given() {
            return Ok(cases.iter().map(|case| skipped(case, reason)).collect());
        }
        let fresh = FreshStart {
            gateway_cache: Duration::ZERO,
            for_key_lifetime: false,
            second_scope: None,
            tls: None,
        };
        let prepare = |idp: &mock_idp::MockIdp, _: &_| idp.publish(document);
        let testbed = match Testbed::start_afresh(&self.scenario, &self.subject, fresh, prepare)
            .await
        {
            Ok(testbed) => testbed,
            Err(error) => return Ok(cases.iter().map(|case| not_started(case, &error)).collect()),
        };
        let conformance = Conformance {
            target: testbed.target(),
            features: &self.features,
            divergences: &self.subject.divergences,
            minter: testbed.minter(),
            listener: Some(testbed.listener()),
            gate: Severity::Info,
            fail_on: Severity::Info,
            processes: Some(&testbed),
        };
        let mut connection = testbed.target().connection();
        let mut records = Vec::with_capacity(cases.len());
        for case in cases {
            let judged = conformance.ask(case, &mut connection).await;
            match judged {
                Ok(judged) => records.push(judged),
                Err(error) => {
                    testbed.shutdown().await;
                    return Err(error);
                }
            }
        }
        let asked: Vec<&Case> = cases.iter().collect();
        conformance.ask_failing_again(&asked, &mut records).await;
        testbed.shutdown().await;
        Ok(records)
    }

    async fn sequence(&self, sequence: &Sequence) -> Result<CaseRecord, Unasked> {
        let case = &sequence.case;
        if let Some(reason) = self.skipped(sequence) {
            return Ok(record(case, None, Outcome::Skip, Some(reason)));
        }
        if !self.can_start_afresh() {
            // What it remembers of the first play, a second one would ask about.
            return self.played(sequence, &self.stage(None)).await;
        }
        let started = Instant::now();
        let mut judged = self.played_afresh(sequence).await?;
        if flaky::worth_playing_again(&judged, started.elapsed()) {
            let mut again = Vec::with_capacity(flaky::TRIES);
            for _ in 0..flaky::TRIES {
                again.push(self.played_afresh(sequence).await?);
            }
            flaky::compare_plays(&mut judged, &again);
        }
        Ok(judged)
    }

    /// Where a sequence is played: on a testbed of its own, or on the target of the plain cases.
    fn stage<'a>(&'a self, testbed: Option<&'a Testbed>) -> Stage<'a> {
        Stage {
            target: testbed.map_or(&self.running, Testbed::target),
            minter: testbed.map_or(&self.minter, Testbed::minter),
            own: testbed.map(|testbed| (testbed.idp(), testbed.listener())),
            testbed,
            key_lifetime: self.subject.keys.lifetime,
            echo: self.subject.echo.as_deref(),
        }
    }

    async fn played_afresh(&self, sequence: &Sequence) -> Result<CaseRecord, Unasked> {
        let fresh = FreshStart {
            gateway_cache: if sequence.gateway_cache {
                GATEWAY_CACHE
            } else {
                Duration::ZERO
            },
            for_key_lifetime: sequence.needs_key_lifetime(),
            second_scope: sequence.second_scope.as_deref(),
            tls: sequence.tls,
        };
        let prepare = |idp: &_, listener: &_| play::prepare(sequence, idp, listener);
        let testbed =
            match Testbed::start_afresh(&self.scenario, &self.subject, fresh, prepare).await {
                Ok(testbed) => testbed,
                // Who does not start without good keys takes no bad ones; whether it has looked at the certificate is not known.
                Err(error @ (TestbedError::Died { .. } | TestbedError::Hangs { .. }))
                    if sequence
                        .tls
                        .is_some_and(|shown| shown != ServerCertificate::Trusted) =>
                {
                    let reason = format!("the target does not start with these keys: {error}");
                    return Ok(skipped(&sequence.case, &reason));
                }
                Err(error) => return Ok(not_started(&sequence.case, &error)),
            };
        let mut watch = Watch::new(Some(&testbed));
        let mut judged = self.played(sequence, &self.stage(Some(&testbed))).await;
        if let Ok(judged) = &mut judged {
            let as_asked = judged.outcome == Outcome::Pass;
            let mut ended = watch.look(Some(judged));
            if !ended {
                tokio::time::sleep(SETTLE).await;
                ended = watch.look(Some(judged));
            }
            // Its issuer did that and no stranger, and another process decided as it had to.
            if ended && as_asked && sequence.issuer_fails() {
                judged.outcome = Outcome::Note;
            }
        }
        let unheard = testbed.tls().is_some_and(|keys| keys.handshakes() == 0);
        testbed.shutdown().await;
        match judged {
            // Whoever does not go there has not looked at a certificate, good or bad.
            Ok(judged)
                if unheard && matches!(judged.outcome, Outcome::Pass | Outcome::UnexpectedDeny) =>
            {
                Ok(skipped(&sequence.case, NO_HANDSHAKE))
            }
            judged => judged,
        }
    }

    fn skipped(&self, sequence: &Sequence) -> Option<String> {
        if let Some(reason) = missing(&sequence.case, &self.features, &self.running) {
            return Some(reason);
        }
        if sequence.needs_own_issuer()
            && let Some(reason) = self.issuer_is_given()
        {
            return Some(reason.to_owned());
        }
        if sequence.second_scope.is_some() && !self.can_start_afresh() {
            return Some(CANNOT_CONFIGURE.to_owned());
        }
        if sequence.needs_several_at_once() && self.subject.kind.answers_one_at_a_time() {
            return Some(ONE_AT_A_TIME.to_owned());
        }
        let unknown = sequence.needs_key_lifetime() && self.subject.keys.lifetime.is_none();
        unknown.then(|| {
            "the target file does not say for how long keys are kept: set [keys] lifetime"
                .to_owned()
        })
    }

    async fn played(&self, sequence: &Sequence, stage: &Stage<'_>) -> Result<CaseRecord, Unasked> {
        let case = &sequence.case;
        let ending = play::play(sequence, stage)
            .await
            .map_err(|reason| Unasked::Case {
                id: case.id.clone(),
                reason,
            })?;
        let plain = match (case.grade, ending.outcome) {
            (
                Grade::Note,
                Outcome::Overreach | Outcome::UnexpectedAllow | Outcome::UnexpectedDeny,
            ) => Outcome::Note,
            (_, plain) => plain,
        };
        let (outcome, reason) = match &ending.observed {
            Some(observed) if plain != Outcome::Skip => {
                let (outcome, reason) =
                    declared(&self.subject.divergences, &case.id, plain, observed);
                let reason = match (ending.reason, reason) {
                    (Some(step), Some(why)) if step != why => Some(format!("{step}; {why}")),
                    (step, why) => step.or(why),
                };
                (outcome, reason)
            }
            _ => (plain, ending.reason),
        };
        let asked = Case {
            expect: ending.expected,
            ..case.clone()
        };
        Ok(record(&asked, ending.observed.as_ref(), outcome, reason))
    }
}

/// The longest first, so that no wait begins when all others have ended.
fn jobs(cases: Vec<Case>, mut sequences: Vec<Sequence>) -> Vec<Job> {
    let mut sets: Vec<(JwksDocument, Vec<Case>)> = Vec::new();
    for case in cases {
        match sets.iter_mut().find(|(document, _)| *document == case.jwks) {
            Some((_, asked)) => asked.push(case),
            None => sets.push((case.jwks, vec![case])),
        }
    }
    sequences.sort_by_key(|sequence| Reverse(sequence.length_max()));
    let sequences = sequences
        .into_iter()
        .map(|sequence| Job::Sequence(Box::new(sequence)));
    let sets = sets
        .into_iter()
        .map(|(document, cases)| Job::KeySet(document, cases));
    sequences.chain(sets).collect()
}

const CANNOT_CONFIGURE: &str = "the target has to require a second scope for it, and a server that was there already cannot be started afresh";

const CANNOT_START: &str = "the issuer's keys have to change for it, and a server that was there already cannot be started afresh";

const NO_HANDSHAKE: &str =
    "the target has not asked for the keys over TLS: it was not asked about a certificate";

const ONE_AT_A_TIME: &str =
    "it asks for something while another request is under way, and the target takes one at a time";

const REAL_ISSUER: &str = "the issuer's keys have to change for it, and the issuer is a real one";

fn skipped(case: &Case, reason: &str) -> CaseRecord {
    record(case, None, Outcome::Skip, Some(reason.to_owned()))
}

/// A target that does not come up with these keys gives no decision; whatever else keeps a testbed from standing is no
/// fault of the target.
fn not_started(case: &Case, error: &TestbedError) -> CaseRecord {
    let outcome = match error {
        TestbedError::Died { .. } | TestbedError::Hangs { .. } => Outcome::Fault,
        _ => Outcome::Skip,
    };
    record(case, None, outcome, Some(error.to_string()))
}

#[cfg(test)]
mod tests;
