//! A sequence as data: one question that takes more than one request, because it is about what a target remembers.

use std::time::Duration;

use serde::Deserialize;

use mock_idp::{JwksDocument, Recipe, ServerCertificate};

use super::case::{Case, CaseSource, Expectation, Feature, Grade, Level, Severity};
use crate::target::CaseRequest;

mod step;

pub use step::{Send, Step, StepDecision, Wait};

use step::RawStep;

/// In place of a key lifetime that is not known here: longer than any other wait.
const LONG: Duration = Duration::from_mins(5);

/// One question of several steps.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// What it has in common with a case; its recipe and its request are not used.
    pub case: Case,
    /// Whether a gateway in front of the target may answer from its policy cache.
    pub gateway_cache: bool,
    /// With what certificate the keys are published over TLS; without one they are the issuer's own, over plain HTTP.
    pub tls: Option<ServerCertificate>,
    /// A scope that the target is told to require beside the run's own. Genuine tokens do not have it.
    pub second_scope: Option<String>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Sequence {
    /// Whether it asks about keys, and so needs an issuer of its own and a target that has fetched nothing yet.
    pub fn needs_own_issuer(&self) -> bool {
        self.tls.is_some()
            || self.steps.iter().any(|step| match step {
                Step::CacheControl(_)
                | Step::Fail(_)
                | Step::FetchesAtMost(_)
                | Step::ListenerUnvisited
                | Step::Serve(_) => true,
                Step::Mint { .. } | Step::Send(_) | Step::Wait(_) => false,
            })
    }

    /// Whether the issuer fails in it.
    pub fn issuer_fails(&self) -> bool {
        let fails = |step: &Step| matches!(step, Step::Fail(_));
        self.steps.iter().any(fails)
    }

    /// How long it may take, waits and patience together: the longest are begun first.
    pub fn length_max(&self) -> Duration {
        let lengths = self.steps.iter().map(|step| match step {
            Step::Send(send) => send.until.unwrap_or_default(),
            Step::Wait(Wait::For(time)) => *time,
            Step::Wait(Wait::KeyLifetime) => LONG,
            _ => Duration::ZERO,
        });
        lengths.sum()
    }

    /// Whether something is sent while another request has no answer yet.
    pub fn needs_several_at_once(&self) -> bool {
        let beside = |step: &Step| matches!(step, Step::Send(send) if send.meanwhile);
        self.steps.iter().any(beside)
    }

    /// Whether it can be asked only of a target that says for how long it keeps keys.
    pub fn needs_key_lifetime(&self) -> bool {
        self.steps.contains(&Step::Wait(Wait::KeyLifetime))
    }
}

/// As it stands in a case file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSequence {
    pub(super) id: String,
    title: String,
    clause: String,
    level: Level,
    severity: Severity,
    #[serde(default)]
    grade: Grade,
    cause: String,
    impact: String,
    fix: String,
    #[serde(default)]
    needs: Vec<Feature>,
    #[serde(default)]
    gateway_cache: bool,
    tls: Option<ServerCertificate>,
    second_scope: Option<String>,
    #[serde(rename = "step")]
    steps: Vec<RawStep>,
}

impl RawSequence {
    /// The sequence, or the number of the step (from 1) and what is wrong with it.
    pub(super) fn into_sequence(
        self,
        group: &str,
        file: &str,
        line: usize,
    ) -> Result<Sequence, (usize, String)> {
        let mut minted: Vec<String> = Vec::new();
        let mut steps = Vec::with_capacity(self.steps.len());
        for (index, raw) in self.steps.into_iter().enumerate() {
            let wrong = |message: String| (index + 1, message);
            let step = raw.into_step().map_err(wrong)?;
            match &step {
                Step::Mint { name, .. } => minted.push(name.clone()),
                Step::Send(send) => {
                    if let Some(name) = send.names.iter().find(|name| !minted.contains(name)) {
                        return Err(wrong(format!(
                            "sends {name:?}, which no step before it mints"
                        )));
                    }
                }
                Step::CacheControl(_)
                | Step::Fail(_)
                | Step::FetchesAtMost(_)
                | Step::ListenerUnvisited
                | Step::Serve(_)
                | Step::Wait(_) => {}
            }
            steps.push(step);
        }
        if !steps.iter().any(|step| matches!(step, Step::Send(_))) {
            return Err((steps.len(), "a sequence sends something".to_owned()));
        }
        let mut sequence = Sequence {
            case: Case {
                id: self.id,
                group: group.to_owned(),
                title: self.title,
                clause: self.clause,
                level: self.level,
                severity: self.severity,
                expect: Expectation::Refused,
                grade: self.grade,
                cause: self.cause,
                implied_by: None,
                file: file.to_owned(),
                line,
                source: CaseSource::default(),
                impact: self.impact,
                fix: self.fix,
                needs: self.needs,
                jwks: JwksDocument::Default,
                listener: None,
                within: None,
                memory_growth_mb: None,
                answer_holds: None,
                answers: None,
                second: None,
                recipe: Recipe::default(),
                request: CaseRequest::default(),
                event: None,
                policy: None,
            },
            gateway_cache: self.gateway_cache,
            tls: self.tls,
            second_scope: self.second_scope,
            steps,
        };
        if sequence.needs_own_issuer() {
            sequence.case.needs.push(Feature::KeySet);
        }
        if sequence.second_scope.is_some() {
            sequence.case.needs.push(Feature::TwoScopes);
        }
        Ok(sequence)
    }
}
