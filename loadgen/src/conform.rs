//! Conformance: each case is minted, sent, observed and judged.
//!
//! The flow of one case is `Case` → `Recipe` → token → request → `Target` → `Observation` → `Outcome`. This module
//! owns the catalogue and the verdict; how a token is spoilt belongs to `mock_idp`, how a target is asked to
//! [`crate::target`].

use std::time::Instant;

use mock_idp::Minter;

use crate::clock::{today, unix_now};
use crate::record::{CaseRecord, ConformanceRecord, ObservedAnswer};
use crate::stop::StopSignal;
use crate::subject::{Divergence, DivergentDecision};
use crate::target::{Connection, Decision, Observation, RequestShape, Target};

mod case;
mod catalogue;
mod outcome;

pub use case::{Case, CaseFile, CaseRequest, Expectation, Feature, Grade, Level, Severity};
pub use catalogue::{CaseError, Catalogue};
pub use outcome::Outcome;

/// The case whose token every correct verifier takes; it is asked before all others.
pub const GENUINE: &str = "baseline::valid";

/// A target that gives no decision on a genuine token; the text is what came instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoDecision(String);

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
    /// From which severity on a failure keeps the subject from being timed.
    pub gate: Severity,
}

impl Conformance<'_> {
    /// Asks every case in turn. `progress` is told after each; a stop signal ends the list early. A target that gives no
    /// decision on a genuine token is a matter of the testbed, and an error.
    pub async fn run(
        &self,
        cases: &[&Case],
        stop: &StopSignal,
        mut progress: impl FnMut(&CaseRecord),
    ) -> Result<ConformanceRecord, NoDecision> {
        let started = Instant::now();
        let mut record = ConformanceRecord {
            elapsed_ms: 0,
            not_judged: None,
            gate: self.gate,
            cases: Vec::with_capacity(cases.len()),
        };
        let mut connection = self.target.connection();
        record.not_judged = self.probe(&mut connection).await?;
        for case in cases.iter().take_while(|_| record.not_judged.is_none()) {
            if stop.is_raised() {
                break;
            }
            let judged = self.ask(case, &mut connection).await;
            progress(&judged);
            record.cases.push(judged);
        }
        record.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(record)
    }

    /// A verdict on a single rule means nothing for a server that lets everybody in, or nobody.
    async fn probe(&self, connection: &mut Connection) -> Result<Option<String>, NoDecision> {
        let genuine = self
            .minter
            .mint(&mock_idp::Recipe::default(), unix_now())
            .map_err(|error| NoDecision(error.to_string()))?;
        let answer = self
            .send(&RequestShape::default(), &genuine, connection)
            .await
            .map_err(NoDecision)?;
        match answer.decision {
            Decision::Allow => {}
            Decision::Fault => return Err(NoDecision(answer.summary())),
            Decision::Deny => {
                return Ok(Some(format!(
                    "a genuine token is refused ({}): check issuer, audience, scope and JWKS of the target",
                    answer.summary()
                )));
            }
        }
        let nobody = CaseRequest {
            authorization: Some("$absent".to_owned()),
            ..CaseRequest::default()
        };
        let answer = self
            .send(&RequestShape::from(&nobody), "", connection)
            .await
            .map_err(NoDecision)?;
        Ok((answer.decision == Decision::Allow).then(|| {
            "a request without any token is let in: the target protects nothing".to_owned()
        }))
    }

    async fn send(
        &self,
        shape: &RequestShape,
        token: &str,
        connection: &mut Connection,
    ) -> Result<Observation, String> {
        let request = self
            .target
            .prepare(shape, token)
            .map_err(|error| error.to_string())?;
        Ok(connection.call(&request).await)
    }

    async fn ask(&self, case: &Case, connection: &mut Connection) -> CaseRecord {
        if let Some(missing) = case
            .needs
            .iter()
            .find(|feature| !self.features.contains(feature))
        {
            return record(
                case,
                None,
                Outcome::Skip,
                Some(format!("the target does not do this: {missing:?}")),
            );
        }
        let token = match self.minter.mint(&case.recipe, unix_now()) {
            Ok(token) => token,
            Err(error) => {
                return record(
                    case,
                    None,
                    Outcome::Skip,
                    Some(format!("cannot be minted: {error}")),
                );
            }
        };
        let observation = match self
            .send(&RequestShape::from(&case.request), &token, connection)
            .await
        {
            Ok(observation) => observation,
            Err(reason) => return record(case, None, Outcome::Skip, Some(reason)),
        };
        let plain = Outcome::judge(case.expect, case.grade, &observation);
        let (outcome, reason) = self.declared(case, plain, &observation);
        record(case, Some(&observation), outcome, reason)
    }

    /// Holds an outcome against the target's declared divergences.
    fn declared(
        &self,
        case: &Case,
        plain: Outcome,
        observed: &Observation,
    ) -> (Outcome, Option<String>) {
        let fault = observed.fault.clone();
        let Some(declared) = self
            .divergences
            .iter()
            .find(|divergence| divergence.case == case.id)
        else {
            return (plain, fault);
        };
        let word = match declared.observed {
            DivergentDecision::Allow => Decision::Allow,
            DivergentDecision::Deny => Decision::Deny,
        };
        if observed.decision != word || plain == Outcome::Pass {
            let gone = format!(
                "declared as {}, and it is not so any more: remove the declaration",
                word.word()
            );
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
        reason,
        impact: case.impact.clone(),
        fix: case.fix.clone(),
    }
}

#[cfg(test)]
mod tests;
