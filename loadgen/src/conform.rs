//! Conformance: each case is minted, sent, observed and judged.
//!
//! The flow of one case is `Case` → `Recipe` → token → request → `Target` → `Observation` → `Outcome`. This module
//! owns the verdict; the questions are those of the [`crate::catalogue`], how a token is spoilt belongs to `mock_idp`, how a
//! target is asked to [`crate::target`].
//!
//! A case without a decision is that case's finding as long as the target still decides on a genuine token. When it does
//! not, it has died or hangs, and whatever would be asked next says nothing about its rules: the run ends there.

use std::time::{Duration, Instant};

use mock_idp::{MintDefaults, Minter, UrlListener};

use crate::catalogue::{Case, Feature, Grade, Severity};
use crate::clock::today;
use crate::record::{CaseRecord, ConformanceRecord, ObservedAnswer, Outcome};
use crate::stop::StopSignal;
use crate::subject::{Divergence, DivergentDecision};
use crate::target::{Connection, Decision, Observation, Target};
use processes::Watch;
use remark::repetitions;

mod diagnosis;
pub(crate) mod fingerprint;
mod flaky;
mod outcome;
mod play;
mod policy;
mod probe;
mod processes;
mod question;
mod remark;
mod side_by_side;

pub use probe::{NoDecision, ask_genuine};
pub use processes::Processes;
pub use side_by_side::SideBySide;

/// From an answer to the end of a process that does not survive it, and until one that does is at hand again.
const SETTLE: Duration = Duration::from_millis(20);

/// Why the cases were not asked to their end. None of it is a verdict on the subject.
#[derive(Debug, thiserror::Error)]
pub enum Unasked {
    /// A case that makes no token or no request: the file of cases is wrong, and not the target.
    #[error("case {id} cannot be asked: {reason}")]
    Case {
        /// The case.
        id: String,
        /// Why not.
        reason: String,
    },
    /// The target decides on nothing, and did not before the first case.
    #[error(transparent)]
    NoDecision(#[from] NoDecision),
    /// The target decided before a case, and decides on nothing after it.
    #[error("the target stopped answering after {after}: {answer}")]
    Stopped {
        /// What was asked last, which may be what ended it.
        after: String,
        /// What a genuine token gets now.
        answer: NoDecision,
    },
}

/// Cases that were not asked to their end.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Unfinished {
    /// Those that were asked.
    pub judged: ConformanceRecord,
    /// What came in between.
    pub cause: Unasked,
}

/// What a conformance run needs to know.
#[derive(Debug)]
pub struct Conformance<'a> {
    /// Who is asked.
    pub target: &'a Target,
    /// What it does.
    pub features: &'a [Feature],
    /// Its known divergences.
    pub divergences: &'a [Divergence],
    /// Who mints.
    pub minter: &'a Minter,
    /// Where visitors are waited for who follow a token's URL; cases that need it are skipped without it.
    pub listener: Option<&'a UrlListener>,
    /// From which severity on a failure keeps the subject from being timed.
    pub gate: Severity,
    /// From which severity on a failure makes the subject nonconformant.
    pub fail_on: Severity,
    /// Who knows the target's processes, where they are the bench's own.
    pub processes: Option<&'a dyn Processes>,
}

/// Names the causes of what failed. `cases` are those of the record, in any order, and may be more.
pub fn diagnose(record: &mut ConformanceRecord, cases: &[&Case]) {
    diagnosis::name_causes(&mut record.cases, cases);
    record.causes = diagnosis::causes(&record.cases);
}

impl Conformance<'_> {
    /// Asks every case in turn. `progress` is told after each; a stop signal ends the list at once.
    pub async fn run(
        &self,
        cases: &[&Case],
        stop: &StopSignal,
        progress: impl FnMut(&CaseRecord),
    ) -> Result<ConformanceRecord, Box<Unfinished>> {
        let started = Instant::now();
        let mut record = ConformanceRecord {
            elapsed_ms: 0,
            not_judged: None,
            gate: self.gate,
            fail_on: self.fail_on,
            fingerprint: None,
            causes: Vec::new(),
            cases: Vec::with_capacity(cases.len()),
        };
        let asked = stop
            .unless_raised(self.ask_all(cases, &mut record, progress))
            .await;
        diagnose(&mut record, cases);
        record.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match asked {
            Some(Err(cause)) => Err(Box::new(Unfinished {
                judged: record,
                cause,
            })),
            Some(Ok(())) | None => Ok(record),
        }
    }

    async fn ask_all(
        &self,
        cases: &[&Case],
        record: &mut ConformanceRecord,
        mut progress: impl FnMut(&CaseRecord),
    ) -> Result<(), Unasked> {
        record.not_judged = probe::not_judged(self.target, self.minter).await?;
        if record.not_judged.is_some() {
            return Ok(());
        }
        let mut connection = self.target.connection();
        let mut watch = Watch::new(self.processes);
        let (mut last, mut repeated) = (None, Vec::new());
        for case in cases {
            let question = self.prepare(case)?;
            // What ends after its answer, while the next token is minted, has ended by what it answered.
            if let Some((place, before)) = last
                && watch.look(record.cases.get_mut(place))
            {
                self.still_decides(before).await?;
            }
            let judged = match question {
                Err(reason) => self::record(case, None, Outcome::Skip, Some(reason)),
                Ok(question) => {
                    last = Some((record.cases.len(), *case));
                    let (mut judged, repeats) = self.send(case, &question, &mut connection).await;
                    repeated.extend(repeats.then(|| case.id.clone()));
                    watch.look(Some(&mut judged));
                    judged
                }
            };
            progress(&judged);
            record.cases.push(judged);
            let undecided = |judged: &CaseRecord| judged.outcome == Outcome::Fault;
            if record.cases.last().is_some_and(undecided) {
                self.still_decides(case).await?;
            }
        }
        if self.processes.is_some() {
            tokio::time::sleep(SETTLE).await;
            watch.look(last.and_then(|(place, _)| record.cases.get_mut(place)));
        }
        self.late_visitors(cases, record);
        repetitions(cases, record, &repeated);
        self.ask_failing_again(cases, &mut record.cases).await;
        Ok(())
    }

    /// A verifier may follow a URL after it has answered.
    fn late_visitors(&self, cases: &[&Case], record: &mut ConformanceRecord) {
        for (case, judged) in cases.iter().zip(&mut record.cases) {
            if judged.observed.is_some()
                && !judged.outcome.is_failure()
                && let Some(reason) = self.visited(case)
            {
                judged.outcome = overreach(case);
                judged.reason = Some(reason);
            }
        }
    }

    /// Whether somebody came to the listener for a case whose token names it, and for what.
    fn visited(&self, case: &Case) -> Option<String> {
        case.listener?;
        let hits = self.listener?.hits_below(&visitors_prefix(case));
        let hit = hits.first()?;
        Some(format!(
            "the target fetched {} from the token's URL",
            hit.path
        ))
    }

    /// The minter of a case: its tokens name the listener by a path of the case's own.
    fn minter_of(&self, case: &Case) -> Minter {
        match self.listener {
            Some(listener) if case.listener.is_some() => self.minter.with_defaults(MintDefaults {
                listener: format!("{}/{}", listener.base_url(), visitors_prefix(case)),
                lookalike_host: listener
                    .lookalike_host()
                    .map(|host| host.to_string())
                    .unwrap_or_default(),
                ..self.minter.defaults().clone()
            }),
            _ => self.minter.clone(),
        }
    }

    async fn still_decides(&self, after: &Case) -> Result<(), Unasked> {
        match ask_genuine(self.target, self.minter).await {
            Ok(_) => Ok(()),
            Err(answer) => Err(Unasked::Stopped {
                after: format!("case {}", after.id),
                answer,
            }),
        }
    }

    /// Asks one case.
    async fn ask(&self, case: &Case, connection: &mut Connection) -> Result<CaseRecord, Unasked> {
        let question = match self.prepare(case)? {
            Ok(question) => question,
            Err(reason) => return Ok(record(case, None, Outcome::Skip, Some(reason))),
        };
        let mut watch = Watch::new(self.processes);
        let (mut judged, _) = self.send(case, &question, connection).await;
        watch.look(Some(&mut judged));
        Ok(judged)
    }
}

/// The part of the listener's paths that is a case's own.
fn visitors_prefix(case: &Case) -> String {
    case.id.replace("::", "-")
}

/// What a visit to the listener is, by the case's grade.
fn overreach(case: &Case) -> Outcome {
    match case.grade {
        Grade::Fail => Outcome::Overreach,
        Grade::Note => Outcome::Note,
    }
}

/// Why a target that does not do what a case is about, or does not see it, is not asked.
fn missing(case: &Case, features: &[Feature], target: &Target) -> Option<String> {
    if case.request.needs_wire() && !target.has_wire() {
        return Some(
            "it is about a request's bytes, and this target is a function call".to_owned(),
        );
    }
    if (case.answer_holds.is_some() || case.answers.is_some()) && !target.writes_answers() {
        return Some("it is about the form of an answer, which the gateway writes".to_owned());
    }
    let missing = case
        .needs
        .iter()
        .find(|feature| !features.contains(feature))?;
    Some(match missing {
        Feature::Aud => "it is about aud, which the issuer's tokens do not have".to_owned(),
        Feature::Cognito => {
            "it is about Amazon Cognito's tokens, and the issuer's are others: choose the profile cognito"
                .to_owned()
        }
        other => format!(
            "the target does not do this: {} is not among the features of its file",
            other.word()
        ),
    })
}

/// Holds an outcome against the target's declared divergences.
fn declared(
    divergences: &[Divergence],
    id: &str,
    plain: Outcome,
    observed: &Observation,
) -> (Outcome, Option<String>) {
    // No decision is neither the declared one nor another: the declaration is not tried by it.
    if plain == Outcome::Fault {
        return (plain, observed.fault.clone());
    }
    let Some(declared) = divergences.iter().find(|divergence| divergence.case == id) else {
        return (plain, None);
    };
    let (word, as_declared) = match declared.observed {
        DivergentDecision::Allow => ("allow", observed.decision == Decision::Allow),
        DivergentDecision::Deny => ("deny", observed.decision == Decision::Deny),
        DivergentDecision::Overreach => ("overreach", plain == Outcome::Overreach),
    };
    if !as_declared || plain == Outcome::Pass {
        let gone = format!("declared as {word}, and it is not so any more: remove the declaration");
        return (Outcome::DivergenceGone, Some(gone));
    }
    if today() >= declared.expires {
        return (
            plain,
            Some(format!(
                "declared, but the declaration expired on {}: {}",
                declared.expires, declared.reason
            )),
        );
    }
    (Outcome::KnownDivergence, Some(declared.reason.clone()))
}

fn record(
    case: &Case,
    observed: Option<&Observation>,
    outcome: Outcome,
    reason: Option<String>,
) -> CaseRecord {
    CaseRecord {
        id: case.id.clone(),
        group: case.group.clone(),
        title: case.title.clone(),
        clause: case.clause.clone(),
        level: case.level,
        severity: case.severity,
        expected: case.expect,
        observed: observed.map(|observed| ObservedAnswer {
            decision: observed.decision.word().to_owned(),
            status: observed.status,
            rule: observed.rule.clone(),
            service_us: u64::try_from((observed.finished - observed.sent).as_micros())
                .unwrap_or(u64::MAX),
        }),
        outcome,
        flaky: Vec::new(),
        reason,
        cause: case.cause.clone(),
        impact: case.impact.clone(),
        fix: case.fix.clone(),
    }
}

#[cfg(test)]
mod teeth;
#[cfg(test)]
mod tests;
