//! The settings of a key set's life: those of [`KeySettings`] that somebody who runs the authorizer has a reason to move.
//!
//! The others follow: the ages that bound the maximum age from below, and the memory of absent keys, which is never shorter
//! than the cooldown. The back-off, the connection's part of the deadline and the time between two discoveries are how the
//! cache behaves and nobody's policy; a library's user has them in [`KeySettings`].

use std::time::Duration;

use serde::Deserialize;

use super::{SettingsError, names, raw, raw::Origin};
use crate::{KeyLimits, KeySettings};

/// The table `[keys]` of a settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeys {
    max_age_s: Option<u32>,
    stale_s: Option<u32>,
    unknown_kid_cooldown_s: Option<u32>,
    deadline_ms: Option<u32>,
    max_bytes: Option<u32>,
}

/// A setting: its name in the environment, its key in the file, the field that it sets, and its value.
type Named = (&'static str, &'static str, &'static str, u64);

impl RawKeys {
    pub(super) fn from_lookup(
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<RawKeys, SettingsError> {
        Ok(RawKeys {
            max_age_s: raw::number(names::KEYS_MAX_AGE, lookup)?,
            stale_s: raw::number(names::KEYS_STALE, lookup)?,
            unknown_kid_cooldown_s: raw::number(names::KEYS_COOLDOWN, lookup)?,
            deadline_ms: raw::number(names::KEYS_DEADLINE, lookup)?,
            max_bytes: raw::number(names::KEYS_MAX_BYTES, lookup)?,
        })
    }

    pub(super) fn parse(&self, origin: Origin) -> Result<KeyLimits, SettingsError> {
        let standard = KeySettings::default();
        let seconds = |value: Option<u32>, default| {
            value.map_or(default, |value| Duration::from_secs(value.into()))
        };
        let max_max_age = seconds(self.max_age_s, standard.max_max_age);
        let cooldown = seconds(self.unknown_kid_cooldown_s, standard.unknown_kid_cooldown);
        let deadline = self.deadline_ms.map_or(standard.deadline, |value| {
            Duration::from_millis(value.into())
        });
        let settings = KeySettings {
            max_max_age,
            default_max_age: standard.default_max_age.min(max_max_age),
            min_max_age: standard.min_max_age.min(max_max_age).max(LEAST_AGE),
            stale_bound: seconds(self.stale_s, standard.stale_bound),
            unknown_kid_cooldown: cooldown,
            absent_kid_memory: standard.absent_kid_memory.max(cooldown),
            deadline,
            connect_timeout: standard.connect_timeout.min(deadline),
            max_body_bytes: self
                .max_bytes
                .map_or(standard.max_body_bytes, |bytes| bytes as usize),
            ..standard
        };
        KeyLimits::new(settings).map_err(|error| {
            let mut all = named(&settings).into_iter();
            let of_field = all.find(|(_, _, field, _)| *field == error.name);
            let (environment, file, ..) = of_field.unwrap_or((error.name, error.name, "", 0));
            SettingsError::Invalid {
                name: origin.name(environment, file),
                problem: error.problem,
            }
        })
    }
}

/// Below it no maximum age may be, wherever it comes from; the bound of [`KeySettings::min_max_age`].
const LEAST_AGE: Duration = Duration::from_secs(10);

fn named(settings: &KeySettings) -> [Named; 5] {
    let milliseconds = u64::try_from(settings.deadline.as_millis()).unwrap_or(u64::MAX);
    [
        (
            names::KEYS_MAX_AGE,
            "max_age_s",
            "max_max_age",
            settings.max_max_age.as_secs(),
        ),
        (
            names::KEYS_STALE,
            "stale_s",
            "stale_bound",
            settings.stale_bound.as_secs(),
        ),
        (
            names::KEYS_COOLDOWN,
            "unknown_kid_cooldown_s",
            "unknown_kid_cooldown",
            settings.unknown_kid_cooldown.as_secs(),
        ),
        (
            names::KEYS_DEADLINE,
            "deadline_ms",
            "deadline",
            milliseconds,
        ),
        (
            names::KEYS_MAX_BYTES,
            "max_bytes",
            "max_body_bytes",
            settings.max_body_bytes as u64,
        ),
    ]
}

/// The settings as variables of the environment.
pub(super) fn variables(limits: &KeyLimits) -> [(&'static str, String); 5] {
    named(limits.settings()).map(|(environment, _, _, value)| (environment, value.to_string()))
}

/// The settings as keys of the file's table, without their units.
pub(super) fn keys(limits: &KeyLimits) -> [(&'static str, u64); 5] {
    named(limits.settings()).map(|(_, file, _, value)| (file, value))
}
