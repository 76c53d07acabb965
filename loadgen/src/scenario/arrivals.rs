//! How requests of a phase arrive: as users are free, or when they are due.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::schedule::{Schedule, Spacing, Stage, read_replay};
use crate::units::{DurationText, StageRateText, parse_duration, parse_stage_rate};

/// How the requests of a phase arrive.
#[derive(Debug, Clone)]
pub enum ArrivalPlan {
    /// Each user sends when its last answer has come: a slow target is asked less.
    Closed(PhaseEnd),
    /// Requests are due by a schedule, however slow the answers.
    Open(Schedule),
}

/// When a closed loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseEnd {
    /// After so long.
    Duration(Duration),
    /// After so many requests.
    Requests(u64),
}

/// What a file or the command line says of arrivals, before it is known what goes together.
#[derive(Debug, Clone, Default)]
pub struct ArrivalKeys {
    /// Requests a second.
    pub rate: Option<f64>,
    /// How they are spaced.
    pub spacing: Option<Spacing>,
    /// Rates one after the other, in place of one.
    pub stages: Vec<Stage>,
    /// A file of times, in place of a rate.
    pub replay: Option<PathBuf>,
    /// Where the phase ends.
    pub duration: Option<Duration>,
    /// The same as a number.
    pub requests: Option<u64>,
}

impl ArrivalPlan {
    /// How many requests there are; `None` for a closed loop that ends by the clock.
    pub fn requests(&self) -> Option<u64> {
        match self {
            Self::Closed(PhaseEnd::Duration(_)) => None,
            Self::Closed(PhaseEnd::Requests(requests)) => Some(*requests),
            Self::Open(schedule) => Some(schedule.total()),
        }
    }

    /// The schedule of an open loop.
    pub fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Closed(_) => None,
            Self::Open(schedule) => Some(schedule),
        }
    }
}

impl ArrivalKeys {
    /// Whether nothing says where it ends.
    pub fn ends_by_default(&self) -> bool {
        self.duration.is_none()
            && self.requests.is_none()
            && self.stages.is_empty()
            && self.replay.is_none()
    }

    /// What it all means; the message names the keys. A replay is read here.
    pub fn plan(self, seed: u64) -> Result<ArrivalPlan, String> {
        let spacing = self.spacing.unwrap_or_default();
        let ends = usize::from(self.duration.is_some()) + usize::from(self.requests.is_some());
        let paces = usize::from(self.rate.is_some())
            + usize::from(!self.stages.is_empty())
            + usize::from(self.replay.is_some());
        if paces > 1 {
            return Err(
                "rate, stages and replay exclude each other: each says when requests are due"
                    .to_owned(),
            );
        }
        if let Some(file) = &self.replay {
            if ends > 0 || self.spacing.is_some() {
                return Err("a replay has its own times and its own end: leave duration, requests and arrivals out".to_owned());
            }
            return read_replay(file)
                .map(ArrivalPlan::Open)
                .map_err(|error| error.to_string());
        }
        if !self.stages.is_empty() {
            if ends > 0 {
                return Err(
                    "stages have their own lengths: leave duration and requests out".to_owned(),
                );
            }
            return Schedule::of_stages(&self.stages, spacing, seed)
                .map(ArrivalPlan::Open)
                .map_err(|error| error.to_string());
        }
        if ends != 1 {
            return Err("either duration or requests is needed, and not both".to_owned());
        }
        if self.duration.is_some_and(|length| length.is_zero()) || self.requests == Some(0) {
            return Err(
                "a phase without an end above zero measures nothing; set duration or requests"
                    .to_owned(),
            );
        }
        let schedule = match (self.rate, self.duration, self.requests) {
            (None, _, _) if self.spacing.is_some() => {
                return Err(
                    "arrivals says how requests of a rate are spaced: set rate or stages, too"
                        .to_owned(),
                );
            }
            (None, Some(duration), _) => {
                return Ok(ArrivalPlan::Closed(PhaseEnd::Duration(duration)));
            }
            (None, None, requests) => {
                let end = PhaseEnd::Requests(requests.unwrap_or_default());
                return Ok(ArrivalPlan::Closed(end));
            }
            (Some(rate), Some(duration), _) => {
                let stage = Stage::constant(rate, at_least_one(rate, duration));
                Schedule::of_stages(&[stage], spacing, seed)
            }
            (Some(rate), None, requests) => {
                Schedule::of_requests(rate, requests.unwrap_or_default(), spacing, seed)
            }
        };
        schedule
            .map(ArrivalPlan::Open)
            .map_err(|error| error.to_string())
    }
}

/// A phase has one request at least, however short it is for its rate.
fn at_least_one(rate: f64, duration: Duration) -> Duration {
    Duration::try_from_secs_f64(1.0 / rate).map_or(duration, |one| duration.max(one))
}

/// A stage in a file: a rate, or a ramp from it to another.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStage {
    rate: StageRateText,
    to: Option<StageRateText>,
    duration: DurationText,
}

impl From<RawStage> for Stage {
    fn from(raw: RawStage) -> Self {
        Self {
            from: raw.rate.0,
            to: raw.to.unwrap_or(raw.rate).0,
            length: raw.duration.0,
        }
    }
}

/// How a file says how requests are spaced.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawSpacing {
    Even,
    Poisson,
}

impl From<RawSpacing> for Spacing {
    fn from(raw: RawSpacing) -> Self {
        match raw {
            RawSpacing::Even => Self::Even,
            RawSpacing::Poisson => Self::Poisson,
        }
    }
}

/// A path in a scenario file starts from the file's folder.
pub(super) fn beside(source: &str, path: PathBuf) -> PathBuf {
    Path::new(source)
        .parent()
        .map_or(path.clone(), |folder| folder.join(path))
}

/// Parses a stage on the command line: `100/s:10s`, or `100/s..500/s:30s` for a ramp.
pub fn parse_stage(text: &str) -> Result<Stage, String> {
    let wrong = || {
        format!("{text:?} is no stage such as 100/s:10s, 100/s..500/s:30s, or 0/s:5s for a pause")
    };
    let (rates, length) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (from, to) = rates.split_once("..").unwrap_or((rates, rates));
    let rate = |text: &str| parse_stage_rate(text).map_err(|_| wrong());
    Ok(Stage {
        from: rate(from)?,
        to: rate(to)?,
        length: parse_duration(length).map_err(|_| wrong())?,
    })
}
