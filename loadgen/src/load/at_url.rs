//! Load on one URL: no issuer, no testbed, no conformance. A server, a request, and what has to come back.

use std::sync::Arc;
use std::time::Instant;

use super::phase::{PhaseError, measure_target};
use super::timeline::Timeline;
use super::token_pool::{PoolError, TokenPool, Wanted};
use bytes::Bytes;

use crate::record::{IssuerSummary, RunRecord, RunStatus, ScenarioSummary, SubjectSummary};
use crate::scenario::{LoadPhase, Popularity};
use crate::stop::StopSignal;
use crate::target::{CaseRequest, HttpTarget, RequestShape, Target};
use crate::verdict;

/// What is sent to a URL, how often, and what has to come back.
#[derive(Debug)]
pub struct UrlLoad {
    /// The URL as it was given.
    pub url: String,
    /// The server behind it.
    pub target: HttpTarget,
    /// The request; `{token}` stands for a token of `tokens`.
    pub request: CaseRequest,
    /// The body of the request.
    pub body: Bytes,
    /// Tokens, of which each request carries one; none for a request without.
    pub tokens: Vec<String>,
    /// How often each of them is sent.
    pub popularity: Popularity,
    /// The answer that each request must get.
    pub wanted: Wanted,
    /// Users, arrivals and limits.
    pub phase: LoadPhase,
    /// The seed of the arrivals, for the record.
    pub seed: u64,
}

/// Puts load on a URL. What came out is a record like that of any run.
/// `timeline` holds what has been seen so far, also while it runs.
pub async fn load_url(
    plan: UrlLoad,
    timeline: &Arc<Timeline>,
    stop: &StopSignal,
) -> Result<RunRecord, PhaseError> {
    let started = Instant::now();
    let mut record = begin(&plan);
    let target = Target::Http(Arc::new(plan.target)).with_connections(plan.phase.connections);
    let shape = RequestShape::from(&plan.request).with_body(plan.body);
    let tokens: &[String] = if plan.tokens.is_empty() {
        &[String::new()]
    } else {
        &plan.tokens
    };
    let requests = tokens
        .iter()
        .map(|token| target.prepare(&shape, token))
        .collect::<Result<_, _>>()
        .map_err(PoolError::from)?;
    let requests = TokenPool::of_requests("all", requests, plan.wanted)
        .carrying(tokens, plan.wanted)
        .drawn(plan.popularity, plan.phase.arrival.requests(), plan.seed);
    let pool = Arc::new(requests);
    let measured = measure_target("load", &plan.phase, &pool, &target, started, timeline, stop);
    let mut measured = measured.await?;
    measured.definition = match plan.popularity {
        Popularity::InTurn => format!("One request to one URL, which had to get {}.", plan.wanted),
        popularity => format!(
            "One request to one URL with {} tokens, {popularity}, which had to get {}.",
            plan.tokens.len(),
            plan.wanted
        ),
    };
    record.phases.push(measured);
    record.elapsed_ms = super::phase::millis(started.elapsed());
    record.status = if stop.is_raised() {
        RunStatus::Interrupted
    } else {
        RunStatus::Complete
    };
    record.verdict = verdict::of(&record, None);
    Ok(record)
}

fn begin(plan: &UrlLoad) -> RunRecord {
    RunRecord::begin(
        ScenarioSummary {
            name: "load".to_owned(),
            description: "Load on one URL.".to_owned(),
            source: "command line".to_owned(),
            seed: plan.seed,
        },
        SubjectSummary {
            name: plan.url.clone(),
            kind: "http".to_owned(),
            version: None,
            description: "A server that was already running.".to_owned(),
            invocation: plan.url.clone(),
        },
        IssuerSummary {
            profile: "none".to_owned(),
            issuer: String::new(),
            signing_key: String::new(),
            jwks_fetches: 0,
        },
    )
}
