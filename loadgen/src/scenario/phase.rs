//! The phases of a scenario: their keys, and which of them go together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::arrivals::{ArrivalKeys, ArrivalPlan, PhaseEnd, RawSpacing, RawStage, beside};
use super::course::{Counted, Event, Limit, RawEvent, events, limits};
use super::tokens::{CachePlan, Popularity, RawTokens, TokenPlan};
use crate::catalogue::GENUINE;
use crate::target::Connections;
use crate::units::{DurationText, RateText, WholeNumber};

mod connections;
mod together;

use together::{check_connections, check_events, check_tokens};

pub use connections::ConnectionKeys;

/// More users than this on one machine measure its scheduler; a mistyped number should not open so many sockets.
const USERS_LIMIT: usize = 1024;

/// The most tokens of a verification phase: each some 2 KB, and 300 µs of signing before the clock starts.
pub const TOKENS_LIMIT: u64 = 200_000;

/// Starts with a cold disk unless the phase says otherwise: a median, and little time.
const COLD_DISK_DEFAULT: usize = 5;

/// One measured phase.
#[derive(Debug, Clone)]
pub enum Phase {
    /// Requests that the gateway decides from its cache.
    CacheHit(LoadPhase),
    /// A fresh process for each sample.
    ColdStart(ColdStartPhase),
    /// Requests that the gateway decides from its cache, until all of it expires at once.
    ExpiryStampede(LoadPhase),
    /// Requests that the authorizer decides, keys warm, each token new.
    Verification(LoadPhase),
}

impl Phase {
    /// A verification phase. Each token is used once and minted before the clock starts, so their number has to be known
    /// and bounded.
    pub fn verification(load: LoadPhase) -> Result<Self, String> {
        match load.arrival.requests() {
            None => Err(
                "a verification phase needs requests, or rate with duration: each token is used once and minted before \
                 the clock starts, so their number has to be known"
                    .to_owned(),
            ),
            Some(tokens) if tokens > TOKENS_LIMIT => Err(format!(
                "the phase needs {tokens} tokens, each used once; the most is {TOKENS_LIMIT}: lower requests, or rate × \
                 duration"
            )),
            Some(_) => Ok(Self::Verification(load)),
        }
    }

    /// What the scenario calls it, or the word of the record.
    pub fn label(&self) -> &str {
        let name = self.load().and_then(|load| load.name.as_deref());
        name.unwrap_or(self.kind())
    }

    /// What virtual users do; `None` for cold starts.
    pub fn load(&self) -> Option<&LoadPhase> {
        match self {
            Self::CacheHit(load) | Self::ExpiryStampede(load) | Self::Verification(load) => {
                Some(load)
            }
            Self::ColdStart(_) => None,
        }
    }

    /// The word of the record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CacheHit(_) => "cache-hit",
            Self::ColdStart(_) => "cold-start",
            Self::ExpiryStampede(_) => "expiry-stampede",
            Self::Verification(_) => "verification",
        }
    }
}

/// Fresh processes, one after the other.
#[derive(Debug, Clone)]
pub struct ColdStartPhase {
    /// How many.
    pub samples: usize,
    /// How many more with a cold disk.
    pub cold_disk: usize,
    /// No sample is begun after this long, and none with a cold disk after as long again; what has been measured by then
    /// counts.
    pub budget: Duration,
    /// Limits on the total.
    pub thresholds: Vec<Threshold>,
}

/// Load by virtual users.
#[derive(Debug, Clone)]
pub struct LoadPhase {
    /// Virtual users: connections, and so the most requests in flight.
    pub users: usize,
    /// What users do with connections.
    pub connections: Connections,
    /// How requests arrive.
    pub arrival: ArrivalPlan,
    /// Case ids with their weights; the plain genuine token alone when empty.
    pub mix: BTreeMap<String, u32>,
    /// Where the mix stands, for messages: `my.toml:12` or `--mix`.
    pub mix_at: String,
    /// Limits on response time, or on service time in a closed loop.
    pub thresholds: Vec<Threshold>,
    /// What it is called in reports, beside its kind.
    pub name: Option<String>,
    /// What happens meanwhile, in the order of their times.
    pub events: Vec<Event>,
    /// How much of what is counted there may be.
    pub limits: Vec<Limit>,
    /// Whether the first threshold or limit that is broken ends the phase.
    pub fail_fast: bool,
    /// Which tokens are sent.
    pub tokens: TokenPlan,
    /// The cache that they meet.
    pub cache: CachePlan,
    /// Where goose serves its dashboard meanwhile. Of the command line alone: it costs, and is for somebody who looks.
    pub dashboard: Option<SocketAddr>,
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
        arrival: ArrivalPlan,
        mix: BTreeMap<String, u32>,
        thresholds: Vec<Threshold>,
    ) -> Result<Self, String> {
        if users == 0 || users > USERS_LIMIT {
            return Err(format!("users is {users}; it takes 1 to {USERS_LIMIT}"));
        }
        if !mix.is_empty() && mix.values().all(|weight| *weight == 0) {
            return Err("every weight in mix is 0; give at least one case a weight".to_owned());
        }
        Ok(Self {
            users,
            connections: Connections::default(),
            arrival,
            mix,
            mix_at: "--mix".to_owned(),
            thresholds,
            name: None,
            events: Vec::new(),
            limits: Vec::new(),
            fail_fast: false,
            tokens: TokenPlan::default(),
            cache: CachePlan::default(),
            dashboard: None,
        })
    }

    /// The one case of which the tokens of a pool file are.
    pub fn pool_case(&self) -> &str {
        self.mix.keys().next().map_or(GENUINE, String::as_str)
    }

    /// When the last request is due; `None` for a closed loop that ends by a number.
    pub fn length(&self) -> Option<Duration> {
        match &self.arrival {
            ArrivalPlan::Closed(PhaseEnd::Duration(length)) => Some(*length),
            ArrivalPlan::Closed(PhaseEnd::Requests(_)) => None,
            ArrivalPlan::Open(schedule) => Some(schedule.length()),
        }
    }

    /// The same phase with other tokens, where they mean something in a phase of this kind.
    pub fn with_tokens(self, kind: &str, tokens: TokenPlan) -> Result<Self, String> {
        let phase = Self { tokens, ..self };
        check_tokens(kind, &phase)?;
        Ok(phase)
    }

    /// The same phase with its users on other connections, where a server is asked over them in a phase of this kind.
    pub fn with_connections(self, kind: &str, keys: ConnectionKeys) -> Result<Self, String> {
        let connections = keys.for_users(self.users)?;
        let phase = Self {
            connections,
            ..self
        };
        check_connections(kind, &phase)?;
        Ok(phase)
    }
}

impl Threshold {
    /// A limit on a quantile by its name: `p50`, `p90`, `p95`, `p99`, `p999`, `max`.
    pub fn new(name: &str, limit: Duration) -> Result<Self, String> {
        let quantile = match name {
            "p50" => 0.5,
            "p90" => 0.9,
            "p95" => 0.95,
            "p99" => 0.99,
            "p999" => 0.999,
            "max" => 1.0,
            other => {
                return Err(format!(
                    "threshold {other:?} is unknown; there are p50, p90, p95, p99, p999 and max"
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
    ExpiryStampede,
    Verification,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhase {
    kind: RawKind,
    name: Option<String>,
    samples: Option<WholeNumber>,
    cold_disk: Option<WholeNumber>,
    budget: Option<DurationText>,
    users: Option<WholeNumber>,
    connections: Option<WholeNumber>,
    http2: Option<bool>,
    keep_alive: Option<bool>,
    rate: Option<RateText>,
    duration: Option<DurationText>,
    requests: Option<WholeNumber>,
    arrivals: Option<RawSpacing>,
    #[serde(default)]
    stages: Vec<RawStage>,
    replay: Option<PathBuf>,
    mix: Option<Spanned<BTreeMap<String, WholeNumber>>>,
    #[serde(default)]
    thresholds: BTreeMap<String, DurationText>,
    #[serde(rename = "event", default)]
    events: Vec<RawEvent>,
    #[serde(default)]
    limits: BTreeMap<Counted, WholeNumber>,
    fail_fast: Option<bool>,
    token_lifetime: Option<DurationText>,
    token_pool: Option<PathBuf>,
    population: Option<WholeNumber>,
    popularity: Option<Popularity>,
    cache_ttl: Option<DurationText>,
    cache_entries: Option<WholeNumber>,
}

impl RawPhase {
    /// The span of the mix, where there is one.
    pub(super) fn mix_span(&self) -> Option<Range<usize>> {
        self.mix.as_ref().map(Spanned::span)
    }

    /// `mix_at` says where the mix stands, `source` is the file, beside which replays are.
    pub(super) fn into_phase(
        self,
        mix_at: String,
        source: &str,
        seed: u64,
    ) -> Result<Phase, String> {
        match self.kind {
            RawKind::ColdStart => self.into_cold_start().map(Phase::ColdStart),
            RawKind::CacheHit => self
                .into_load("cache-hit", mix_at, source, seed)
                .map(Phase::CacheHit),
            RawKind::ExpiryStampede => self
                .into_load("expiry-stampede", mix_at, source, seed)
                .map(Phase::ExpiryStampede),
            RawKind::Verification => self
                .into_load("verification", mix_at, source, seed)
                .and_then(Phase::verification),
        }
    }

    fn into_cold_start(self) -> Result<ColdStartPhase, String> {
        if self.users.is_some()
            || self.connections.is_some()
            || self.http2.is_some()
            || self.keep_alive.is_some()
            || self.rate.is_some()
            || self.duration.is_some()
            || self.requests.is_some()
            || self.arrivals.is_some()
            || !self.stages.is_empty()
            || self.replay.is_some()
        {
            return Err("a cold-start phase takes samples, cold_disk and budget; users, connections, http2, keep_alive, rate, stages, \
                        replay, arrivals, duration and requests are for verification and cache-hit"
                .to_owned());
        }
        if !self.events.is_empty() || !self.limits.is_empty() || self.name.is_some() {
            return Err(
                "a cold-start phase has no name, no event and no limits: they are for phases of load"
                    .to_owned(),
            );
        }
        if self.fail_fast.is_some() {
            return Err(
                "a cold-start phase has no fail_fast: its samples and its budget are its end"
                    .to_owned(),
            );
        }
        if !self.raw_tokens("").is_empty() {
            return Err(
                "a cold-start phase has no token_lifetime, token_pool, population, popularity, cache_ttl and cache_entries: \
                 each sample is one genuine token, and no cache is asked"
                    .to_owned(),
            );
        }
        if self.mix.is_some() {
            return Err(
                "a cold-start phase has no mix: each sample is one genuine token".to_owned(),
            );
        }
        let samples = self
            .samples
            .ok_or("a cold-start phase needs samples, such as samples = 30")?
            .size();
        if samples == 0 {
            return Err("samples is 0; it takes at least 1".to_owned());
        }
        let budget = self
            .budget
            .ok_or("a cold-start phase needs a budget, such as budget = \"10s\"")?
            .0;
        if budget.is_zero() {
            return Err(
                "budget is 0s, in which nothing is begun; set one such as \"10s\"".to_owned(),
            );
        }
        Ok(ColdStartPhase {
            samples,
            cold_disk: self.cold_disk.map_or(COLD_DISK_DEFAULT, WholeNumber::size),
            budget,
            thresholds: thresholds(self.thresholds)?,
        })
    }

    fn into_load(
        self,
        kind: &str,
        mix_at: String,
        source: &str,
        seed: u64,
    ) -> Result<LoadPhase, String> {
        if self.samples.is_some() || self.budget.is_some() || self.cold_disk.is_some() {
            return Err(format!(
                "a {kind} phase takes users with duration or requests; samples, cold_disk and budget are for \
                 cold-start"
            ));
        }
        let tokens = self.raw_tokens(source);
        let users = self
            .users
            .ok_or_else(|| format!("a {kind} phase needs users, such as users = 4"))?
            .size();
        let keys = ArrivalKeys {
            rate: self.rate.map(|rate| rate.0),
            spacing: self.arrivals.map(Into::into),
            stages: self.stages.into_iter().map(Into::into).collect(),
            replay: self.replay.map(|path| beside(source, path)),
            duration: self.duration.map(|duration| duration.0),
            requests: self.requests.map(|requests| requests.0),
        };
        let arrival = keys
            .plan(seed)
            .map_err(|message| format!("a {kind} phase: {message}"))?;
        let mix = self.mix.map_or_else(BTreeMap::new, |mix| {
            let weight = |weight: WholeNumber| u32::try_from(weight.0).unwrap_or(u32::MAX);
            mix.into_inner()
                .into_iter()
                .map(|(case, number)| (case, weight(number)))
                .collect()
        });
        let (tokens, cache) = tokens
            .plans()
            .map_err(|message| format!("a {kind} phase: {message}"))?;
        let connections = ConnectionKeys {
            connections: self.connections.map(WholeNumber::size),
            http2: self.http2.unwrap_or(false),
            keep_alive: self.keep_alive.unwrap_or(true),
        };
        let load = LoadPhase {
            mix_at,
            name: self.name,
            events: events(self.events)?,
            limits: limits(self.limits),
            fail_fast: self.fail_fast.unwrap_or(false),
            tokens,
            cache,
            ..LoadPhase::new(users, arrival, mix, thresholds(self.thresholds)?)?
                .with_connections(kind, connections)?
        };
        if self.fail_fast == Some(true) && load.thresholds.is_empty() && load.limits.is_empty() {
            return Err(format!(
                "a {kind} phase: fail_fast ends it at the first threshold or limit that is broken, and it has none"
            ));
        }
        check_events(kind, &load)?;
        check_tokens(kind, &load)?;
        Ok(load)
    }

    /// What is said of tokens and of the cache; `source` is the file, beside which pools are.
    fn raw_tokens(&self, source: &str) -> RawTokens {
        RawTokens {
            lifetime: self.token_lifetime,
            population: self.population,
            popularity: self.popularity,
            file: self.token_pool.clone().map(|path| beside(source, path)),
            cache_ttl: self.cache_ttl,
            cache_entries: self.cache_entries,
        }
    }
}

fn thresholds(raw: BTreeMap<String, DurationText>) -> Result<Vec<Threshold>, String> {
    raw.into_iter()
        .map(|(name, limit)| Threshold::new(&name, limit.0))
        .collect()
}
