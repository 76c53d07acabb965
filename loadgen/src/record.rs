//! The record of a run: what was asked, of whom, on what machine, and what came out.
//!
//! It is written to disk before anything is printed, and every report reads it and nothing else. The types here are
//! the file format; the rooms that measure have types of their own and convert at the end of a phase. Percentiles are
//! derived figures for readers without a histogram library: the histogram itself is kept beside them.

use serde::{Deserialize, Serialize};

mod conformance;
mod machine;
mod outcome;
mod phase;
mod rescue;
mod storage;
mod store;
mod timeline;

pub use conformance::{
    CaseRecord, CauseRecord, ConformanceRecord, FingerprintRecord, ObservedAnswer,
};
pub use machine::Machine;
pub use outcome::Outcome;
pub use phase::{
    BreachRecord, CounterRecord, EventRecord, GeneratorHealth, LimitRecord, LossRecord,
    MemorySample, PhaseRecord, SeriesRecord, SkippedPhase, ThresholdRecord, TokensRecord,
    WrongDecision,
};
pub use storage::{COLD_DISK, EvictedRecord, FIRST_START, StorageReads, StorageRecord};
pub use store::{RecordError, RecordStore, Rescued, Unplaced};
pub use timeline::{
    LATENCY_BUCKETS, LatencyCounts, LatencyCountsError, SecondRecord, bucket_start_ns,
    latency_bucket,
};

/// The version of the file format. A reader refuses a record of another major version by name.
pub const SCHEMA_VERSION: u32 = 2;

/// One run, complete or stopped half-way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Always [`SCHEMA_VERSION`] in what this version writes.
    pub schema_version: u32,
    /// The version of authbench that wrote the record.
    pub authbench_version: String,
    /// Start of the run, UTC, RFC 3339.
    pub started_at: String,
    /// Wall-clock length of the run in milliseconds, up to the last save.
    pub elapsed_ms: u64,
    /// How far the run came.
    pub status: RunStatus,
    /// The scenario that was asked for.
    pub scenario: ScenarioSummary,
    /// The authorizer that was asked.
    pub subject: SubjectSummary,
    /// Where the tokens came from.
    pub issuer: IssuerSummary,
    /// The machine that all figures belong to.
    pub machine: Machine,
    /// What the conformance cases found; absent when the scenario asked for none or the run did not come so far.
    pub conformance: Option<ConformanceRecord>,
    /// The tool's own floor: a null route on loopback, asked by the same users with the same client.
    pub calibration: Option<PhaseRecord>,
    /// The measured phases, in the order in which they ran.
    pub phases: Vec<PhaseRecord>,
    /// Phases that the scenario asks for and that were not run, each with its reason.
    pub skipped: Vec<SkippedPhase>,
    /// The verdict in one word, with the exit code that belongs to it.
    pub verdict: VerdictRecord,
}

impl RunRecord {
    /// The record of a run that begins now, of which nothing is known yet.
    pub fn begin(
        scenario: ScenarioSummary,
        subject: SubjectSummary,
        issuer: IssuerSummary,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            authbench_version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: crate::clock::rfc3339_now(),
            elapsed_ms: 0,
            status: RunStatus::Running,
            scenario,
            subject,
            issuer,
            machine: Machine::detect(),
            conformance: None,
            calibration: None,
            phases: Vec::new(),
            skipped: Vec::new(),
            verdict: VerdictRecord {
                word: "running".to_owned(),
                exit_code: 0,
                reasons: Vec::new(),
            },
        }
    }
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Every step that the scenario asks for has ended, or was skipped for a stated reason.
    Complete,
    /// The testbed failed in the middle; what had been measured is here.
    Failed,
    /// Stopped by a signal; the phase that was running when it came is kept as far as it went.
    Interrupted,
    /// The run has not ended: this is an intermediate save.
    Running,
}

/// The scenario, as far as a reader of the report needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSummary {
    /// The scenario's name.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// Where it was read from: a path, or `built-in`.
    pub source: String,
    /// The seed of keys and token pools.
    pub seed: u64,
}

/// The subject of the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectSummary {
    /// The target's name.
    pub name: String,
    /// `lambda`, `http`, `invoke` or `in-process`.
    pub kind: String,
    /// What it is, in a sentence.
    pub description: String,
    /// Its version, as its target file says it; absent in records of before.
    #[serde(default)]
    pub version: Option<String>,
    /// The command that was started or the URL that was asked; empty for `in-process`.
    pub invocation: String,
}

/// The issuer of the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSummary {
    /// The profile's name.
    pub profile: String,
    /// The `iss` that tokens carried.
    pub issuer: String,
    /// Whether the signing key was generated for this run (`generated`) or read from the cache (`cached`).
    pub signing_key: String,
    /// JWKS fetches over the whole run.
    pub jwks_fetches: u64,
}

/// The verdict on a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictRecord {
    /// `good`, `nonconformant`, `threshold-missed`, `invalid`, `testbed-failed`, `interrupted` or `running`.
    pub word: String,
    /// The process's exit code.
    pub exit_code: u8,
    /// Why, one sentence a reason; empty for a good run.
    pub reasons: Vec<String>,
}
