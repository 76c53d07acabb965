//! Cold starts: a fresh process for each sample, one after the other; first with a warm disk, then with a cold one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mock_idp::Recipe;

use super::phase::{judge_thresholds, millis};
use super::tally::WRONG_SAMPLES;
use crate::clock::unix_now;
use crate::record::{
    COLD_DISK, EvictedRecord, FIRST_START, PhaseRecord, SeriesRecord, StorageReads, StorageRecord,
    WrongDecision,
};
use crate::recorder::Distribution;
use crate::scenario::ColdStartPhase;
use crate::stop::StopSignal;
use crate::target::Decision;
use crate::testbed::{ColdDisk, ColdSample, Testbed, TestbedError};
use crate::units::bytes;

/// The classes in the order of the reports; the first one is of starts with a warm disk.
const CLASSES: [&str; 3] = ["all", COLD_DISK, FIRST_START];

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
    classes: BTreeMap<&'static str, Class>,
    wrong: u64,
    lost: u64,
    answers: Vec<WrongDecision>,
    /// How long the starts with a warm disk took, with what is between them.
    warm_elapsed: Duration,
    evicted: Option<EvictedRecord>,
    not_cold: Option<String>,
}

/// Starts that have something in common, each with the right decision.
#[derive(Debug, Default)]
struct Class {
    right: u64,
    series: BTreeMap<&'static str, Distribution>,
    read_bytes: Vec<u64>,
}

/// What a start with a cold disk has to have read from storage.
struct Proof {
    /// The most that a start with a warm disk read.
    warm_bytes: u64,
    /// The size of what was evicted and had been mapped.
    evicted_bytes: u64,
}

/// The part of what was evicted and had been mapped that a start reads at least, as its divisor: a page of some other file is no
/// proof. A release build of this program reads three quarters of itself (`docs/measuring.md`), and libraries are relocated,
/// which reads pages of each.
const PROOF_SHARE: u64 = 100;

impl Proof {
    /// Why a start had no cold disk.
    fn of(&self, start: &ColdSample) -> Result<(), String> {
        let Some(read) = start.read_bytes else {
            return Err("what was read from storage is not told here".to_owned());
        };
        if read == 0 {
            return Err("nothing was read from storage".to_owned());
        }
        if read <= self.warm_bytes {
            return Err(format!(
                "a start read {} from storage, and one with a warm disk up to {}",
                bytes(read),
                bytes(self.warm_bytes)
            ));
        }
        if read < self.evicted_bytes / PROOF_SHARE {
            return Err(format!(
                "a start read {} from storage, and {} of what it maps was evicted",
                bytes(read),
                bytes(self.evicted_bytes)
            ));
        }
        Ok(())
    }
}

/// Measures cold starts until there are enough, the budget is used up, the signal is raised, or a process gives no
/// decision: the next one would, too, and an INIT that hangs takes its whole time-out each time. `first` is the first start of
/// the run, where it is at hand.
pub async fn cold_start(
    plan: &ColdStartPhase,
    testbed: &mut Testbed,
    first: Option<ColdSample>,
    (run_started, stop): (Instant, &StopSignal),
    progress: impl FnMut(),
) -> ColdStarts {
    let started = Instant::now();
    let started_after = run_started.elapsed();
    let mut samples = Samples::default();
    if let Some(first) = first {
        samples.class(FIRST_START).add(first);
    }
    let ended = stop
        .unless_raised(collect(plan, testbed, &mut samples, progress))
        .await;
    let elapsed = started.elapsed();
    let warm = samples.class("all");
    let total = warm.series.get("total").cloned().unwrap_or_default();
    let right = warm.right;
    let record = PhaseRecord {
        kind: "cold-start".to_owned(),
        name: None,
        definition: "A fresh process each: from spawn to the first decision on a genuine token, keys fetched on the way."
            .to_owned(),
        arrival: format!(
            "sequential, {} samples asked for, {} with a cold disk",
            plan.samples, plan.cold_disk
        ),
        started_after_ms: millis(started_after),
        elapsed_ms: millis(elapsed),
        interrupted: samples.lost > 0 || !matches!(ended, Some(Ok(()))),
        requests: right,
        wrong_decisions: samples.wrong,
        errors: samples.lost,
        losses: Vec::new(),
        requests_per_second: rate(right, samples.warm_elapsed),
        series: samples.series(),
        storage: Some(samples.storage()),
        wrong_samples: samples.answers,
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

/// A genuine token for one start.
pub fn cold_start_token(testbed: &Testbed) -> Result<String, TestbedError> {
    testbed
        .minter()
        .mint(&Recipe::default(), unix_now())
        .map_err(|error| TestbedError::Authorizer(error.to_string()))
}

async fn collect(
    plan: &ColdStartPhase,
    testbed: &mut Testbed,
    samples: &mut Samples,
    mut progress: impl FnMut(),
) -> Result<(), TestbedError> {
    let started = Instant::now();
    for _ in 0..plan.samples {
        if started.elapsed() >= plan.budget || samples.lost > 0 {
            break;
        }
        let token = cold_start_token(testbed)?;
        let sample = testbed.cold_start(&token, None).await?;
        samples.add("all", sample);
        samples.warm_elapsed = started.elapsed();
        progress();
    }
    if plan.cold_disk == 0 || samples.lost > 0 {
        return Ok(());
    }
    match testbed.cold_disk().await {
        Err(reason) => samples.not_cold = Some(reason.to_string()),
        Ok(mut disk) => {
            let ended = collect_cold(plan, testbed, &mut disk, samples, progress).await;
            if let Err(failure) = ended {
                disk.end().await;
                return Err(failure);
            }
            testbed.end_cold_disk(disk).await?;
        }
    }
    Ok(())
}

/// The same with a cold disk, until a process reads too little from storage: the next one would, too.
async fn collect_cold(
    plan: &ColdStartPhase,
    testbed: &mut Testbed,
    disk: &mut ColdDisk,
    samples: &mut Samples,
    mut progress: impl FnMut(),
) -> Result<(), TestbedError> {
    let started = Instant::now();
    for sample in 0..plan.cold_disk {
        if samples.lost > 0 {
            break;
        }
        if started.elapsed() >= plan.budget {
            samples.not_cold = Some(format!("the budget was used up after {sample}"));
            break;
        }
        let token = cold_start_token(testbed)?;
        let cold = testbed.cold_start(&token, Some(&mut *disk)).await?;
        if cold.decision == Decision::Allow
            && let Err(reason) = samples.proof(disk.evicted().mapped_bytes).of(&cold)
        {
            samples.not_cold = Some(reason);
            break;
        }
        samples.add(COLD_DISK, cold);
        progress();
    }
    if samples.classes.contains_key(COLD_DISK) {
        samples.evicted = Some(EvictedRecord {
            files: disk.evicted().files,
            bytes: disk.evicted().bytes,
            mapped_elsewhere: disk.mapped_elsewhere(),
        });
    }
    Ok(())
}

impl Samples {
    fn class(&mut self, name: &'static str) -> &mut Class {
        self.classes.entry(name).or_default()
    }

    fn add(&mut self, class: &'static str, cold: ColdSample) {
        match cold.decision {
            Decision::Allow => return self.class(class).add(cold),
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

    fn proof(&self, evicted_bytes: u64) -> Proof {
        let warm = self.classes.get("all");
        let warm_bytes = warm.and_then(|warm| warm.read_bytes.iter().max().copied());
        Proof {
            warm_bytes: warm_bytes.unwrap_or(0),
            evicted_bytes,
        }
    }

    fn series(&self) -> Vec<SeriesRecord> {
        let classes = CLASSES
            .iter()
            .filter_map(|name| Some((name, self.classes.get(name)?)));
        let series = classes.flat_map(|(name, class)| {
            let parts = SERIES
                .iter()
                .filter_map(|part| Some((part, class.series.get(part)?)));
            parts.map(|(part, distribution)| distribution.to_series(part, name))
        });
        series.collect()
    }

    fn storage(&self) -> StorageRecord {
        let reads = CLASSES
            .iter()
            .filter_map(|name| StorageReads::of(name, self.classes.get(name)?.read_bytes.clone()));
        StorageRecord {
            reads: reads.collect(),
            evicted: self.evicted.clone(),
            not_cold: self.not_cold.clone(),
        }
    }
}

impl Class {
    fn add(&mut self, cold: ColdSample) {
        self.right += 1;
        self.read_bytes.extend(cold.read_bytes);
        for (name, span) in cold.spans {
            self.series.entry(name).or_default().record(span);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn start(read_bytes: Option<u64>) -> ColdSample {
        ColdSample {
            spans: Vec::new(),
            began: Vec::new(),
            decided: Instant::now(),
            decision: Decision::Allow,
            answer: String::new(),
            read_bytes,
        }
    }

    #[test]
    fn a_start_is_cold_that_read_more_than_any_warm_one_and_a_share_of_what_was_evicted() {
        let mut samples = Samples::default();
        for warm in [0, 8_192, 4_096] {
            samples.add("all", start(Some(warm)));
        }
        let table = [
            (None, 0, Some("is not told here")),
            (Some(0), 0, Some("nothing was read from storage")),
            (
                Some(8_192),
                0,
                Some("a start read 8.2 kB from storage, and one with a warm disk up to 8.2 kB"),
            ),
            (Some(8_193), 0, None),
            (
                Some(8_193),
                30_000_000,
                Some("a start read 8.2 kB from storage, and 30.0 MB of what it maps was evicted"),
            ),
            (Some(300_000), 30_000_000, None),
        ];
        for (read, evicted, reason) in table {
            let told = samples.proof(evicted).of(&start(read)).err();
            match (reason, &told) {
                (None, None) => {}
                (Some(part), Some(told)) if told.contains(part) => {}
                _ => panic!("{read:?} of {evicted}: {told:?}"),
            }
        }
    }
}
