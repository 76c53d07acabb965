//! Cold starts: a fresh process for each sample, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mock_idp::Recipe;

use super::phase::{judge_thresholds, millis};
use super::tally::WRONG_SAMPLES;
use crate::clock::unix_now;
use crate::record::{PhaseRecord, WrongDecision};
use crate::recorder::Distribution;
use crate::scenario::ColdStartPhase;
use crate::stop::StopSignal;
use crate::target::Decision;
use crate::testbed::{ColdSample, Testbed, TestbedError};

/// The series in the order of the reports.
const SERIES: [&str; 6] = [
    "total",
    "process start",
    "init",
    "first decision",
    "to the keys",
    "after the keys",
];

/// Cold starts as far as they went.
#[derive(Debug)]
pub struct ColdStarts {
    /// What was measured.
    pub record: PhaseRecord,
    /// What ended it early, when a process could not be started at all.
    pub failure: Option<TestbedError>,
}

#[derive(Debug, Default)]
struct Samples {
    series: BTreeMap<&'static str, Distribution>,
    right: u64,
    wrong: u64,
    lost: u64,
    answers: Vec<WrongDecision>,
}

/// Measures cold starts until there are enough, the budget is used up, the signal is raised, or a process gives no
/// decision: the next one would, too, and an INIT that hangs takes its whole time-out each time.
pub async fn cold_start(
    plan: &ColdStartPhase,
    testbed: &mut Testbed,
    run_started: Instant,
    stop: &StopSignal,
    progress: impl FnMut(usize),
) -> ColdStarts {
    let started = Instant::now();
    let started_after = run_started.elapsed();
    let mut samples = Samples::default();
    let ended = stop
        .unless_raised(collect(plan, testbed, &mut samples, progress))
        .await;
    let elapsed = started.elapsed();
    let total = samples.series.get("total").cloned().unwrap_or_default();
    let record = PhaseRecord {
        kind: "cold-start".to_owned(),
        name: None,
        definition: "A fresh process each: from spawn to the first decision on a genuine token, keys fetched on the way."
            .to_owned(),
        arrival: format!("sequential, {} samples asked for", plan.samples),
        started_after_ms: millis(started_after),
        elapsed_ms: millis(elapsed),
        interrupted: samples.lost > 0 || !matches!(ended, Some(Ok(()))),
        requests: samples.right,
        wrong_decisions: samples.wrong,
        errors: samples.lost,
        losses: Vec::new(),
        wrong_samples: samples.answers,
        requests_per_second: rate(samples.right, elapsed),
        series: SERIES
            .iter()
            .filter_map(|name| samples.series.get(name).map(|distribution| distribution.to_series(name, "all")))
            .collect(),
        counters: Vec::new(),
        generator: None,
        thresholds: judge_thresholds(&plan.thresholds, &total),
        events: Vec::new(),
        memory: Vec::new(),
        limits: Vec::new(),
        timeline: Vec::new(),
        breaches: Vec::new(),
        ended_by_breach: false,
        tokens: None,
    };
    ColdStarts {
        record,
        failure: ended.and_then(Result::err),
    }
}

async fn collect(
    plan: &ColdStartPhase,
    testbed: &mut Testbed,
    samples: &mut Samples,
    mut progress: impl FnMut(usize),
) -> Result<(), TestbedError> {
    let started = Instant::now();
    for sample in 0..plan.samples {
        if started.elapsed() >= plan.budget || samples.lost > 0 {
            break;
        }
        let token = testbed
            .minter()
            .mint(&Recipe::default(), unix_now())
            .map_err(|error| TestbedError::Authorizer(error.to_string()))?;
        samples.add(testbed.cold_start(&token).await?);
        progress(sample + 1);
    }
    Ok(())
}

impl Samples {
    fn add(&mut self, cold: ColdSample) {
        match cold.decision {
            Decision::Allow => {
                self.right += 1;
                for (name, span) in cold.spans {
                    self.series.entry(name).or_default().record(span);
                }
                return;
            }
            Decision::Deny => self.wrong += 1,
            Decision::Fault => self.lost += 1,
        }
        if self.answers.len() < WRONG_SAMPLES {
            self.answers.push(WrongDecision {
                class: crate::catalogue::GENUINE.to_owned(),
                expected: "allow".to_owned(),
                observed: cold.answer,
            });
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sample count is far below 2^53"
)]
fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}
