//! The measured part of the record: phases, their histograms, and the health of the generator beside them.

use serde::{Deserialize, Serialize};

use super::storage::StorageRecord;
use super::timeline::SecondRecord;
use crate::target::Loss;

/// One measured phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRecord {
    /// `cold-start`, `verification`, `cache-hit`, `expiry-stampede` or `calibration`.
    pub kind: String,
    /// What the scenario calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// What is measured, in a sentence.
    pub definition: String,
    /// How the load came: `sequential`, `closed loop, 4 users` or `open loop, 500/s, 16 users`.
    pub arrival: String,
    /// Milliseconds from the start of the run to the start of the phase.
    pub started_after_ms: u64,
    /// Length of the measured part in milliseconds; minting and priming are not in it.
    pub elapsed_ms: u64,
    /// Whether the phase was cut short, by a signal, by a breach, or because the target had stopped answering.
    pub interrupted: bool,
    /// Requests answered with the decision that they had to get; of cold starts, those with a warm disk.
    pub requests: u64,
    /// Requests answered with another decision; they are in no histogram.
    pub wrong_decisions: u64,
    /// Requests without a decision (connection lost, time-out, server error); they are in no histogram.
    pub errors: u64,
    /// What became of the requests without a decision, most frequent first; their numbers add up to `errors`.
    #[serde(default)]
    pub losses: Vec<LossRecord>,
    /// Up to ten of the wrong decisions and errors, so that a reader sees what they were.
    pub wrong_samples: Vec<WrongDecision>,
    /// Right answers per second over the measured part.
    pub requests_per_second: f64,
    /// The latency distributions, the most telling first.
    pub series: Vec<SeriesRecord>,
    /// Counters of the testbed over the phase, such as the authorizer's invocations.
    pub counters: Vec<CounterRecord>,
    /// The generator's own part; absent where it has none (sequential cold starts).
    pub generator: Option<GeneratorHealth>,
    /// The thresholds that the scenario set for this phase.
    pub thresholds: Vec<ThresholdRecord>,
    /// What happened meanwhile.
    #[serde(default)]
    pub events: Vec<EventRecord>,
    /// The memory of the subject's processes, a sample a second; empty where nothing of it runs on this machine.
    #[serde(default)]
    pub memory: Vec<MemorySample>,
    /// The limits on what is counted that the scenario set for this phase.
    #[serde(default)]
    pub limits: Vec<LimitRecord>,
    /// The phase second by second; empty for cold starts.
    #[serde(default)]
    pub timeline: Vec<SecondRecord>,
    /// Thresholds and limits that were seen to be broken while the phase ran, each once.
    #[serde(default)]
    pub breaches: Vec<BreachRecord>,
    /// Whether the first of them ended the phase.
    #[serde(default)]
    pub ended_by_breach: bool,
    /// The tokens that were sent; absent where none were minted for the phase.
    #[serde(default)]
    pub tokens: Option<TokensRecord>,
    /// What cold starts read from storage; absent in other phases.
    #[serde(default)]
    pub storage: Option<StorageRecord>,
}

/// A threshold or limit that was broken while a phase ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreachRecord {
    /// Milliseconds after the phase's clock had started, when it was first seen.
    pub after_ms: u64,
    /// How, such as `p99 above 5.00 ms` or `3 wrong_decisions, 0 at most`.
    pub what: String,
}

/// The tokens of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensRecord {
    /// How many took part at a time; the number of requests where each was sent once.
    pub population: u64,
    /// How often each was sent: `each once`, `in turn`, `uniform`, `Zipf 1.1`, `90 % to 10 %`.
    pub popularity: String,
    /// How many were minted, all before the clock started.
    pub minted: u64,
    /// How long that took in milliseconds, with the making of their requests.
    pub minting_ms: u64,
    /// How long the one with the shortest life got the decision that it had to get, in seconds; absent where none ended.
    pub lifetime_s: Option<u64>,
    /// How many were issued for a later part of the phase: those before them came to their end, or an event said so.
    pub refreshes: u64,
    /// How many were signed by the issuer's next key.
    pub by_next_key: u64,
    /// Answers to tokens that had come to their end by then: they say nothing of the target, and the phase is invalid.
    pub outlived: u64,
}

/// Requests without a decision, of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRecord {
    /// What became of them.
    pub kind: Loss,
    /// How many.
    pub count: u64,
}

/// Something that happened during a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    /// Milliseconds after the phase's clock had started.
    pub after_ms: u64,
    /// What it was, such as `the issuer fails: silent`.
    pub what: String,
}

/// The memory of the subject's processes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemorySample {
    /// Milliseconds after the phase's clock had started.
    pub after_ms: u64,
    /// Bytes that are resident, over all processes; pages that they share count for each.
    pub resident_bytes: u64,
    /// How many processes.
    pub processes: u64,
}

/// A limit on what is counted, and how it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitRecord {
    /// What is counted: `authorizer_invocations`, `cache_misses`, `jwks_fetches`, `lost`, `memory_growth_mb`,
    /// `repeated_invocations` or `wrong_decisions`.
    pub name: String,
    /// At most so much.
    pub most: u64,
    /// So much it was.
    pub measured: u64,
    /// Whether it was kept.
    pub kept: bool,
}

impl PhaseRecord {
    /// What reports call it: its name, or its kind in words.
    pub fn label(&self) -> String {
        match (&self.name, self.kind.as_str()) {
            (Some(name), _) => name.clone(),
            (None, "calibration") => "floor".to_owned(),
            (None, kind) => kind.replace('-', " "),
        }
    }

    /// What programs call it: its name, or its kind.
    pub fn key(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.kind)
    }

    /// The limit on something, where the scenario set one.
    pub fn limit(&self, name: &str) -> Option<&LimitRecord> {
        self.limits.iter().find(|limit| limit.name == name)
    }
}

/// One latency distribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRecord {
    /// What was timed, such as `service time`, `response time`, `process start`, `init`, `first decision`.
    pub name: String,
    /// Which requests are in it: `all`, or the id of a conformance case in the mix; of cold starts `all` (a warm disk),
    /// `cold disk` or `first start`.
    pub class: String,
    /// Number of samples.
    pub count: u64,
    /// Smallest value in nanoseconds.
    pub min_ns: u64,
    /// Mean in nanoseconds.
    pub mean_ns: f64,
    /// Value at the 0.5 quantile in nanoseconds.
    pub p50_ns: u64,
    /// Value at the 0.9 quantile in nanoseconds.
    pub p90_ns: u64,
    /// Value at the 0.99 quantile in nanoseconds.
    pub p99_ns: u64,
    /// Value at the 0.999 quantile in nanoseconds.
    pub p999_ns: u64,
    /// Largest value in nanoseconds.
    pub max_ns: u64,
    /// The whole histogram: `HdrHistogram` V2 with deflate, in base64, values in nanoseconds.
    pub histogram: String,
}

/// A counter of the testbed over one phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterRecord {
    /// What was counted, such as `authorizer invocations`.
    pub name: String,
    /// How much it moved during the phase.
    pub moved: u64,
    /// What it had to be for the phase to mean what it says, where the phase has such a rule.
    pub required: Option<u64>,
}

/// How the generator fared, printed beside every figure that it produced.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorHealth {
    /// Cores used by this process (generator, gateway and issuer stand-in together) over the phase; 1.0 is one core.
    pub cpu_cores: f64,
    /// Requests per second asked for; absent in a closed loop.
    pub asked_per_second: Option<f64>,
    /// Requests per second that were sent; absent in a closed loop.
    #[serde(default)]
    pub achieved_per_second: Option<f64>,
    /// The most requests that were in flight at the same time; absent in a closed loop, where it is the users.
    #[serde(default)]
    pub in_flight_peak: Option<u64>,
    /// Requests that were due and never sent; absent in a closed loop.
    #[serde(default)]
    pub unsent: Option<u64>,
    /// Requests that were sent more than 1 ms after they were due; absent in a closed loop.
    #[serde(default)]
    pub late_starts: Option<u64>,
    /// How late requests were sent against their intended start, 0.5 quantile in nanoseconds; absent in a closed loop.
    #[serde(default)]
    pub lateness_p50_ns: Option<u64>,
    /// How late requests were sent against their intended start, 0.99 quantile in nanoseconds; absent in a closed loop.
    pub lateness_p99_ns: Option<u64>,
    /// Largest lateness in nanoseconds; absent in a closed loop.
    pub lateness_max_ns: Option<u64>,
    /// Why the figures are not to be believed: the generator was the limit. Absent when it was not.
    pub invalid: Option<String>,
}

/// A threshold and how it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdRecord {
    /// The quantile, such as `p99`.
    pub quantile: String,
    /// The limit in nanoseconds.
    pub limit_ns: u64,
    /// The measured value in nanoseconds.
    pub measured_ns: u64,
    /// Whether it was kept.
    pub kept: bool,
}

/// One wrong decision or error, without the token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrongDecision {
    /// The id of the conformance case that the token came from.
    pub class: String,
    /// The decision that it had to get.
    pub expected: String,
    /// What came instead.
    pub observed: String,
}

/// A phase that was asked for and not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedPhase {
    /// The phase's kind.
    pub kind: String,
    /// Why it was not run.
    pub reason: String,
}
