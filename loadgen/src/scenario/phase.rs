//! The phases of a scenario: their keys, and which of them go together.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::units::{DurationText, RateText};

/// More users than this on one machine measure its scheduler; a mistyped number should not open so many sockets.
const USERS_LIMIT: usize = 1024;

/// One measured phase.
#[derive(Debug, Clone)]
pub enum Phase {
    /// Requests that the gateway decides from its cache.
    CacheHit(LoadPhase),
    /// A fresh process for each sample.
    ColdStart(ColdStartPhase),
    /// Requests that the authorizer decides, keys warm, each token new.
    Verification(LoadPhase),
}

impl Phase {
    /// The word of the record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CacheHit(_) => "cache-hit",
            Self::ColdStart(_) => "cold-start",
            Self::Verification(_) => "verification",
        }
    }
}

/// Fresh processes, one after the other.
#[derive(Debug, Clone)]
pub struct ColdStartPhase {
    /// How many.
    pub samples: usize,
    /// No sample is begun after this long; what has been measured by then counts.
    pub budget: Duration,
    /// Limits on the total.
    pub thresholds: Vec<Threshold>,
}

/// Load by virtual users.
#[derive(Debug, Clone)]
pub struct LoadPhase {
    /// Virtual users: connections, and so the most requests in flight.
    pub users: usize,
    /// Requests per second over all users; a closed loop when absent.
    pub rate: Option<f64>,
    /// When the phase ends.
    pub end: PhaseEnd,
    /// Case ids with their weights; the plain genuine token alone when empty.
    pub mix: BTreeMap<String, u32>,
    /// Limits on response time, or on service time in a closed loop.
    pub thresholds: Vec<Threshold>,
}

/// When a phase of load ends.
#[derive(Debug, Clone, Copy)]
pub enum PhaseEnd {
    /// After so long.
    Duration(Duration),
    /// After so many requests.
    Requests(u64),
}

/// A limit on one quantile.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// The quantile's name, such as `p99`.
    pub name: String,
    /// The quantile, such as 0.99.
    pub quantile: f64,
    /// The largest value that is good.
    pub limit: Duration,
}

impl LoadPhase {
    /// A phase of load, with its ranges checked; the message names the key.
    pub fn new(
        users: usize,
        rate: Option<f64>,
        end: PhaseEnd,
        mix: BTreeMap<String, u32>,
        thresholds: Vec<Threshold>,
    ) -> Result<Self, String> {
        if users == 0 || users > USERS_LIMIT {
            return Err(format!("users is {users}; it takes 1 to {USERS_LIMIT}"));
        }
        let empty = match end {
            PhaseEnd::Duration(duration) => duration.is_zero(),
            PhaseEnd::Requests(requests) => requests == 0,
        };
        if empty {
            return Err(
                "a phase without an end above zero measures nothing; set duration or requests"
                    .to_owned(),
            );
        }
        if !mix.is_empty() && mix.values().all(|weight| *weight == 0) {
            return Err("every weight in mix is 0; give at least one case a weight".to_owned());
        }
        Ok(Self {
            users,
            rate,
            end,
            mix,
            thresholds,
        })
    }
}

impl Threshold {
    /// A limit on a quantile by its name: `p50`, `p90`, `p99`, `p999`.
    pub fn new(name: &str, limit: Duration) -> Result<Self, String> {
        let quantile = match name {
            "p50" => 0.5,
            "p90" => 0.9,
            "p99" => 0.99,
            "p999" => 0.999,
            "max" => 1.0,
            other => {
                return Err(format!(
                    "threshold {other:?} is unknown; there are p50, p90, p99, p999 and max"
                ));
            }
        };
        Ok(Self {
            name: name.to_owned(),
            quantile,
            limit,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    CacheHit,
    ColdStart,
    Verification,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhase {
    kind: RawKind,
    samples: Option<usize>,
    budget: Option<DurationText>,
    users: Option<usize>,
    rate: Option<RateText>,
    duration: Option<DurationText>,
    requests: Option<u64>,
    #[serde(default)]
    mix: BTreeMap<String, u32>,
    #[serde(default)]
    thresholds: BTreeMap<String, DurationText>,
}

impl RawPhase {
    pub(super) fn into_phase(self) -> Result<Phase, String> {
        match self.kind {
            RawKind::ColdStart => self.into_cold_start().map(Phase::ColdStart),
            RawKind::CacheHit => self.into_load("cache-hit").map(Phase::CacheHit),
            RawKind::Verification => self.into_load("verification").map(Phase::Verification),
        }
    }

    fn into_cold_start(self) -> Result<ColdStartPhase, String> {
        if self.users.is_some()
            || self.rate.is_some()
            || self.duration.is_some()
            || self.requests.is_some()
        {
            return Err("a cold-start phase takes samples and budget; users, rate, duration and requests are for \
                        verification and cache-hit"
                .to_owned());
        }
        if !self.mix.is_empty() {
            return Err(
                "a cold-start phase has no mix: each sample is one genuine token".to_owned(),
            );
        }
        let samples = self
            .samples
            .ok_or("a cold-start phase needs samples, such as samples = 30")?;
        if samples == 0 {
            return Err("samples is 0; it takes at least 1".to_owned());
        }
        let budget = self
            .budget
            .ok_or("a cold-start phase needs a budget, such as budget = \"10s\"")?
            .0;
        Ok(ColdStartPhase {
            samples,
            budget,
            thresholds: thresholds(self.thresholds)?,
        })
    }

    fn into_load(self, kind: &str) -> Result<LoadPhase, String> {
        if self.samples.is_some() || self.budget.is_some() {
            return Err(format!(
                "a {kind} phase takes users with duration or requests; samples and budget are for cold-start"
            ));
        }
        let users = self
            .users
            .ok_or_else(|| format!("a {kind} phase needs users, such as users = 4"))?;
        let end = match (self.duration, self.requests) {
            (Some(duration), None) => PhaseEnd::Duration(duration.0),
            (None, Some(requests)) => PhaseEnd::Requests(requests),
            _ => {
                return Err(format!(
                    "a {kind} phase needs either duration or requests, and not both"
                ));
            }
        };
        LoadPhase::new(
            users,
            self.rate.map(|rate| rate.0),
            end,
            self.mix,
            thresholds(self.thresholds)?,
        )
    }
}

fn thresholds(raw: BTreeMap<String, DurationText>) -> Result<Vec<Threshold>, String> {
    raw.into_iter()
        .map(|(name, limit)| Threshold::new(&name, limit.0))
        .collect()
}
