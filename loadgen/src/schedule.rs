//! When requests are due in an open loop: a function from a request's place to its offset, known before any clock starts.
//!
//! A schedule is a rate over time and a spacing. The rate is a list of stages, each constant or a ramp, so that a spike is
//! three stages and a ramp one. With even spacing the n-th request is due when the rate, summed up since the start, is n;
//! Poisson arrivals take the same sum and exponential steps on it (the time change of an inhomogeneous Poisson process).
//! A replay has a list of offsets and no rate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

mod replay;

pub use replay::{ReplayError, read_replay};

/// Offsets that are kept in a list, for Poisson arrivals and replays: 40 MB.
pub const LISTED_MAX: u64 = 5_000_000;

/// A faster schedule than one request a microsecond is a typing mistake.
pub const RATE_MAX: f64 = 1e6;

/// A longer schedule is a typing mistake, too.
const LENGTH_MAX: Duration = Duration::from_hours(24);

/// A stretch of time with a rate that is constant, or goes from one to another in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Requests per second at its start; 0 for a pause.
    pub from: f64,
    /// Requests per second at its end.
    pub to: f64,
    /// How long it is.
    pub length: Duration,
}

/// How requests are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spacing {
    /// As evenly as the rate allows.
    #[default]
    Even,
    /// As independent users send: exponential gaps, from the seed.
    Poisson,
}

/// What makes no schedule. The message names the key or flag.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// No request at all.
    #[error("the stages hold no request: raise a rate, or make one longer")]
    Empty,
    /// Too long.
    #[error("the stages take {0:?}; a schedule takes at most {LENGTH_MAX:?}")]
    Long(Duration),
    /// Too many requests for a list.
    #[error(
        "poisson arrivals are drawn before the clock starts, at most {LISTED_MAX} of them, and this asks for about {0:.0}: \
         lower the rate or the duration"
    )]
    Many(f64),
    /// A rate that is none.
    #[error("a rate of {0}/s is not between 0 and {RATE_MAX}/s")]
    Rate(f64),
}

/// When requests are due. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule {
    offsets: Offsets,
    total: u64,
    length: Duration,
    told: String,
}

#[derive(Debug, Clone)]
enum Offsets {
    Even(Arc<[Sum]>),
    /// Nanoseconds, never falling.
    Listed(Arc<[u64]>),
}

/// A stage with what comes before it.
#[derive(Debug, Clone, Copy)]
struct Sum {
    stage: Stage,
    /// Requests before it, as a sum of rate over time.
    requests: f64,
    /// Seconds before it.
    seconds: f64,
}

impl Stage {
    /// A constant rate.
    pub fn constant(rate: f64, length: Duration) -> Self {
        Self {
            from: rate,
            to: rate,
            length,
        }
    }

    /// Requests in it, not rounded.
    fn requests(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.length.as_secs_f64()
    }

    /// Seconds after its start at which the sum of its rate is `requests`.
    fn reaches(&self, requests: f64) -> f64 {
        if requests <= 0.0 {
            return 0.0;
        }
        // from·t + slope·t²/2 = requests, solved in the form that has no difference of near numbers.
        let slope = (self.to - self.from) / self.length.as_secs_f64().max(f64::MIN_POSITIVE);
        let root = self
            .from
            .mul_add(self.from, 2.0 * slope * requests)
            .max(0.0);
        2.0 * requests / (self.from + root.sqrt())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.from - self.to).abs() < f64::EPSILON {
            write!(f, "{}/s for {:?}", self.from, self.length)
        } else {
            write!(f, "{}/s to {}/s in {:?}", self.from, self.to, self.length)
        }
    }
}

impl Schedule {
    /// So many requests a second until so many have been due.
    pub fn of_requests(
        rate: f64,
        requests: u64,
        spacing: Spacing,
        seed: u64,
    ) -> Result<Self, ScheduleError> {
        if !(rate > 0.0 && rate <= RATE_MAX) {
            return Err(ScheduleError::Rate(rate));
        }
        let length = Duration::try_from_secs_f64(count(requests) / rate).unwrap_or(Duration::MAX);
        let stage = Stage::constant(rate, length);
        let mut schedule = Self::of_stages(&[stage], Spacing::Even, seed)?;
        schedule.total = requests;
        schedule.told = format!("{rate}/s");
        match spacing {
            Spacing::Even => Ok(schedule),
            Spacing::Poisson => schedule.drawn(seed, |drawn, _| drawn == requests),
        }
    }

    /// Stages, one after the other.
    pub fn of_stages(stages: &[Stage], spacing: Spacing, seed: u64) -> Result<Self, ScheduleError> {
        let mut sums = Vec::with_capacity(stages.len());
        let (mut requests, mut length) = (0.0, Duration::ZERO);
        for stage in stages {
            for rate in [stage.from, stage.to] {
                if !(0.0..=RATE_MAX).contains(&rate) {
                    return Err(ScheduleError::Rate(rate));
                }
            }
            sums.push(Sum {
                stage: *stage,
                requests,
                seconds: length.as_secs_f64(),
            });
            requests += stage.requests();
            length = length.saturating_add(stage.length);
        }
        if length > LENGTH_MAX {
            return Err(ScheduleError::Long(length));
        }
        // A product such as 0.1 × 30 is a little below its integer.
        let total = whole((requests + 1e-6).floor());
        if total == 0 {
            return Err(ScheduleError::Empty);
        }
        let stages: Vec<String> = stages.iter().map(ToString::to_string).collect();
        let even = Self {
            offsets: Offsets::Even(sums.into()),
            total,
            length,
            told: stages.join(", "),
        };
        match spacing {
            Spacing::Even => Ok(even),
            Spacing::Poisson => even.drawn(seed, |_, sum| sum >= requests),
        }
    }

    /// The same rate over time with Poisson arrivals, until `ended` says so of the number that have been drawn and of the
    /// sum of the rate.
    fn drawn(self, seed: u64, ended: impl Fn(u64, f64) -> bool) -> Result<Self, ScheduleError> {
        // Five standard deviations above the mean.
        let mean = count(self.total);
        if mean + 5.0 * mean.sqrt() > count(LISTED_MAX) {
            return Err(ScheduleError::Many(mean));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut offsets = Vec::new();
        let mut sum = 0.0;
        loop {
            // 1 - u is above 0, for u is below 1.
            sum -= (1.0 - rng.r#gen::<f64>()).ln();
            if ended(offsets.len() as u64, sum) {
                break;
            }
            offsets.push(nanos(self.at_sum(sum)));
        }
        if offsets.is_empty() {
            return Err(ScheduleError::Empty);
        }
        let last = offsets.last().copied().map(Duration::from_nanos);
        Ok(Self {
            total: offsets.len() as u64,
            length: self.length.max(last.unwrap_or_default()),
            offsets: Offsets::Listed(offsets.into()),
            told: format!("{}, poisson", self.told),
        })
    }

    /// Offsets as they were recorded, never falling; there is at least one.
    fn of_offsets(offsets: Vec<u64>, told: String) -> Self {
        // Between n requests there are n - 1 gaps, and one more as long as they are on average ends the schedule.
        let gaps = u32::try_from(offsets.len())
            .unwrap_or(u32::MAX)
            .saturating_sub(1);
        let last = Duration::from_nanos(offsets.last().copied().unwrap_or_default());
        let gap = last.checked_div(gaps).filter(|gap| !gap.is_zero());
        Self {
            total: offsets.len() as u64,
            length: last + gap.unwrap_or(Duration::from_secs(1)),
            offsets: Offsets::Listed(offsets.into()),
            told,
        }
    }

    /// How many requests fall due.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How long it is, its last gap included.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// From the last request to the end.
    pub fn tail(&self) -> Duration {
        let last = self.offset(self.total.saturating_sub(1));
        self.length.saturating_sub(last)
    }

    /// Requests per second, on average.
    pub fn mean_rate(&self) -> f64 {
        count(self.total) / self.length.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// When a request is due, after the start.
    pub fn offset(&self, index: u64) -> Duration {
        match &self.offsets {
            Offsets::Even(_) => Duration::from_secs_f64(self.at_sum(count(index))),
            Offsets::Listed(list) => {
                let place = usize::try_from(index).unwrap_or(usize::MAX);
                list.get(place)
                    .map_or(self.length, |ns| Duration::from_nanos(*ns))
            }
        }
    }

    /// The seconds at which the sum of the rate is `requests`.
    fn at_sum(&self, requests: f64) -> f64 {
        let Offsets::Even(sums) = &self.offsets else {
            return 0.0;
        };
        // A pause sums up to nothing, so that what falls on its edge is due after it.
        let place = sums.partition_point(|sum| sum.requests <= requests);
        let Some(sum) = sums.get(place.saturating_sub(1)) else {
            return 0.0;
        };
        sum.seconds + sum.stage.reaches(requests - sum.requests)
    }
}

/// For reports: `500/s`, `100/s to 1000/s in 30s, poisson`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

fn nanos(seconds: f64) -> u64 {
    whole(seconds * 1e9)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and times are bounded above, and no product of them is negative"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a request count above 2^53 cannot be reached"
)]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
