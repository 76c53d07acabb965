//! The numbers that bound the life of a key set: their defaults, and how far each may be moved.
//!
//! [`KeySettings`] is what somebody wishes, [`KeyLimits`] what the cache takes: it cannot hold a wish that would switch a
//! rule off.

use std::{ops::RangeInclusive, time::Duration};

use thiserror::Error;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Wishes for the life of a key set. Checked by [`KeyLimits::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySettings {
    /// Age up to which a set is used without asking again, if the issuer says nothing. 10 min: what Envoy, jwks-rsa and
    /// express-oauth2-jwt-bearer use. From the minimum to the maximum age.
    pub default_max_age: Duration,
    /// Lower bound of what the issuer may ask for. 1 min: `no-store` or `max-age=0` must not mean a fetch for each
    /// request. From 10 s, twice the clock tolerance, to 1 h.
    pub min_max_age: Duration,
    /// Upper bound of what the issuer may ask for. 1 h: a withdrawn key must stop working, whatever the issuer's cache
    /// settings say; API Gateway's own JWT authorizer for REST APIs keeps keys for at most an hour, too. At most 24 h, for
    /// which Entra's key sets are fresh.
    pub max_max_age: Duration,
    /// Time for which known keys keep working beyond their maximum age while the issuer cannot be reached. 1 h; from 0,
    /// which means never, to 24 h. Most libraries have no such bound and keep the keys for ever.
    pub stale_bound: Duration,
    /// Time from the start of one fetch to the next one that an unknown `kid` may cause. 5 s: a flood of made-up key ids
    /// causes one fetch in this time, and a rotated key waits no longer than this. aws-jwt-verify uses 10 s. From 1 s to
    /// 5 min.
    pub unknown_kid_cooldown: Duration,
    /// Longest time for which a `kid` that a fetch proved absent causes no further fetch by itself. 1 min: an issuer that
    /// signs before it publishes, or that has a slow replica, must be asked again soon. From the cooldown to 10 min.
    pub absent_kid_memory: Duration,
    /// Time from the start of a failed fetch to the next one; doubled with each further failure, up to the maximum. 1 s,
    /// as in Envoy. From 100 ms.
    pub back_off_min: Duration,
    /// Longest time between two fetches while the issuer fails, before jitter. 30 s: the time after which an issuer that
    /// recovered is noticed. From the minimum to 5 min.
    pub back_off_max: Duration,
    /// Time for one TCP connection. 500 ms: a third of the deadline, so that a black-holed address is noticed early. From
    /// 10 ms to the deadline.
    pub connect_timeout: Duration,
    /// Time for a whole fetch with discovery, from name resolution to the last byte. 1.5 s: what API Gateway's own JWT
    /// authorizer for HTTP APIs grants. From 50 ms to 4 s, because a request may wait for two fetches and API Gateway
    /// gives up on an authorizer after 10 s.
    pub deadline: Duration,
    /// Largest document that is read. 150,000 bytes: what API Gateway's own JWT authorizer for HTTP APIs takes. From
    /// 1,024 bytes to 1 MiB, which keeps parsing within milliseconds.
    pub max_body_bytes: usize,
    /// Time after which a discovered key URI is looked up again. 1 h, as the upper bound of the maximum age: an address
    /// that the issuer gave up is as much withdrawn as a key. From 1 min to 24 h.
    pub rediscover_after: Duration,
    /// Seed of the jitter of the back-off; `None` takes a random one for each process.
    pub jitter_seed: Option<u64>,
}

impl Default for KeySettings {
    fn default() -> KeySettings {
        KeySettings {
            default_max_age: 10 * MINUTE,
            min_max_age: MINUTE,
            max_max_age: HOUR,
            stale_bound: HOUR,
            unknown_kid_cooldown: 5 * SECOND,
            absent_kid_memory: MINUTE,
            back_off_min: SECOND,
            back_off_max: 30 * SECOND,
            connect_timeout: 500 * MILLISECOND,
            deadline: 1_500 * MILLISECOND,
            max_body_bytes: 150_000,
            rediscover_after: HOUR,
            jitter_seed: None,
        }
    }
}

/// A wish of [`KeySettings`] that is out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("key setting {name} {problem}")]
pub struct KeyLimitsError {
    /// The field of [`KeySettings`].
    pub name: &'static str,
    /// What it is, and what it may be.
    pub problem: String,
}

/// Settings within their bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyLimits(KeySettings);

impl KeyLimits {
    /// The settings, if each of them is within its bounds.
    pub fn new(settings: KeySettings) -> Result<KeyLimits, KeyLimitsError> {
        let KeySettings {
            default_max_age,
            min_max_age,
            max_max_age,
            stale_bound,
            unknown_kid_cooldown,
            absent_kid_memory,
            back_off_min,
            back_off_max,
            connect_timeout,
            deadline,
            max_body_bytes,
            rediscover_after,
            jitter_seed: _,
        } = settings;
        let durations = [
            ("min_max_age", min_max_age, 10 * SECOND..=HOUR),
            // First on its own, so that a wish for it alone is told the bounds of it alone.
            ("max_max_age", max_max_age, 10 * SECOND..=DAY),
            ("max_max_age", max_max_age, min_max_age..=DAY),
            (
                "default_max_age",
                default_max_age,
                min_max_age..=max_max_age,
            ),
            ("stale_bound", stale_bound, Duration::ZERO..=DAY),
            (
                "unknown_kid_cooldown",
                unknown_kid_cooldown,
                SECOND..=5 * MINUTE,
            ),
            (
                "absent_kid_memory",
                absent_kid_memory,
                unknown_kid_cooldown..=10 * MINUTE,
            ),
            ("back_off_min", back_off_min, 100 * MILLISECOND..=5 * MINUTE),
            ("back_off_max", back_off_max, back_off_min..=5 * MINUTE),
            ("deadline", deadline, 50 * MILLISECOND..=4 * SECOND),
            (
                "connect_timeout",
                connect_timeout,
                10 * MILLISECOND..=deadline,
            ),
            ("rediscover_after", rediscover_after, MINUTE..=DAY),
        ];
        for (name, actual, bounds) in durations {
            within(name, &actual, &bounds)?;
        }
        within("max_body_bytes", &max_body_bytes, &(1_024..=1_048_576))?;
        Ok(KeyLimits(settings))
    }

    /// The settings.
    pub fn settings(&self) -> &KeySettings {
        &self.0
    }

    /// The longest time for which a key works after the issuer withdrew it, while the issuer can be reached: the upper
    /// bound of the maximum age and the fetch that notices.
    pub fn revocation_bound(&self) -> Duration {
        self.0.max_max_age + self.0.deadline
    }

    /// The same in an outage of the issuer.
    pub fn revocation_bound_in_an_outage(&self) -> Duration {
        self.revocation_bound() + self.0.stale_bound
    }
}

fn within<T: PartialOrd + std::fmt::Debug>(
    name: &'static str,
    actual: &T,
    bounds: &RangeInclusive<T>,
) -> Result<(), KeyLimitsError> {
    if bounds.contains(actual) {
        return Ok(());
    }
    let [actual, least, most] = [actual, bounds.start(), bounds.end()].map(written);
    Err(KeyLimitsError {
        name,
        problem: format!("is {actual}; expected {least} to {most}"),
    })
}

/// A number, or a time with its unit; no time is no time whatever the unit.
fn written(value: &impl std::fmt::Debug) -> String {
    match format!("{value:?}").as_str() {
        "0ns" => "0s".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_bounds() {
        assert_eq!(
            KeyLimits::new(KeySettings::default()),
            Ok(KeyLimits::default())
        );
    }

    #[test]
    fn a_wish_that_would_switch_a_rule_off_is_refused_by_name() {
        let standard = KeySettings::default();
        let refused = |name, change: fn(&mut KeySettings)| {
            let mut wish = standard;
            change(&mut wish);
            assert_eq!(KeyLimits::new(wish).unwrap_err().name, name);
        };
        refused("min_max_age", |wish| wish.min_max_age = 9 * SECOND);
        refused("max_max_age", |wish| wish.max_max_age = 25 * HOUR);
        refused("max_max_age", |wish| wish.max_max_age = 30 * SECOND);
        refused("default_max_age", |wish| wish.default_max_age = 2 * HOUR);
        refused("stale_bound", |wish| wish.stale_bound = Duration::MAX);
        refused("unknown_kid_cooldown", |wish| {
            wish.unknown_kid_cooldown = Duration::ZERO;
        });
        refused("absent_kid_memory", |wish| wish.absent_kid_memory = SECOND);
        refused("back_off_min", |wish| wish.back_off_min = Duration::ZERO);
        refused("back_off_max", |wish| wish.back_off_max = HOUR);
        refused("connect_timeout", |wish| wish.connect_timeout = 2 * SECOND);
        refused("deadline", |wish| wish.deadline = 10 * SECOND);
        refused("max_body_bytes", |wish| wish.max_body_bytes = usize::MAX);
        refused("max_body_bytes", |wish| wish.max_body_bytes = 0);
        refused("rediscover_after", |wish| wish.rediscover_after = SECOND);
        let wish = KeySettings {
            deadline: 10 * SECOND,
            ..standard
        };
        assert_eq!(
            KeyLimits::new(wish).unwrap_err().to_string(),
            "key setting deadline is 10s; expected 50ms to 4s"
        );
    }
}
