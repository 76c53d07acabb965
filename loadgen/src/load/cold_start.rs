//! Cold starts: a fresh process for each sample, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mock_idp::Recipe;

use super::phase::{judge_thresholds, millis};
use crate::clock::unix_now;
use crate::record::{PhaseRecord, WrongDecision};
use crate::recorder::Distribution;
use crate::scenario::ColdStartPhase;
use crate::stop::StopSignal;
use crate::testbed::{Testbed, TestbedError};

/// The series in the order of the reports.
const SERIES: [&str; 5] = [
    "total",
    "process start",
    "init",
    "first decision",
    "after the keys",
];

/// Measures cold starts until there are enough, the budget is used up, or the signal is raised.
pub async fn cold_start(
    plan: &ColdStartPhase,
    testbed: &mut Testbed,
    run_started: Instant,
    stop: &StopSignal,
    mut progress: impl FnMut(usize),
) -> Result<PhaseRecord, TestbedError> {
    let started = Instant::now();
    let started_after = run_started.elapsed();
    let mut series: BTreeMap<&str, Distribution> = BTreeMap::new();
    let (mut right, mut wrong) = (0, Vec::new());
    for sample in 0..plan.samples {
        if stop.is_raised() || started.elapsed() >= plan.budget {
            break;
        }
        let token = testbed
            .minter()
            .mint(&Recipe::default(), unix_now())
            .map_err(|error| TestbedError::Authorizer(error.to_string()))?;
        let cold = testbed.cold_start(&token).await?;
        if cold.allowed {
            right += 1;
            for (name, span) in cold.spans {
                series.entry(name).or_default().record(span);
            }
        } else {
            wrong.push(WrongDecision {
                class: crate::conform::GENUINE.to_owned(),
                expected: "allow".to_owned(),
                observed: cold.answer,
            });
        }
        progress(sample + 1);
    }
    let elapsed = started.elapsed();
    let total = series.get("total").cloned().unwrap_or_default();
    Ok(PhaseRecord {
        kind: "cold-start".to_owned(),
        definition: "A fresh process each: from spawn to the first decision on a genuine token, keys fetched on the way."
            .to_owned(),
        arrival: format!("sequential, {} samples asked for", plan.samples),
        started_after_ms: millis(started_after),
        elapsed_ms: millis(elapsed),
        interrupted: stop.is_raised(),
        requests: right,
        wrong_decisions: wrong.len() as u64,
        errors: 0,
        wrong_samples: wrong.into_iter().take(10).collect(),
        requests_per_second: rate(right, elapsed),
        series: SERIES
            .iter()
            .filter_map(|name| series.get(name).map(|distribution| distribution.to_series(name, "all")))
            .collect(),
        counters: Vec::new(),
        generator: None,
        thresholds: judge_thresholds(&plan.thresholds, &total),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sample count is far below 2^53"
)]
fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}
