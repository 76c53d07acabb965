//! What happens during a phase of load, and what it may cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mock_idp::{JwksDocument, JwksFault};
use serde::Deserialize;

use super::units::{DurationText, WholeNumber};

/// Something that happens to the issuer at a time after the start of the phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Duration,
    /// What.
    pub change: Change,
}

/// What happens to the issuer.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It fails for its keys from here on.
    Fail(JwksFault),
    /// It publishes this key set from here on, and fails no more.
    Serve(JwksDocument),
}

/// For reports: `the issuer fails: silent`, `the issuer publishes Rotated`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(fault) => write!(f, "the issuer fails: {}", fault.name()),
            Self::Serve(document) => write!(f, "the issuer publishes {document:?}"),
        }
    }
}

/// Something that is counted over a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Fetches of the issuer's keys.
    JwksFetches,
    /// Requests without a decision.
    Lost,
    /// Megabytes by which the subject's processes grew on average, from their first sample to their largest.
    MemoryGrowthMb,
    /// Requests with another decision than they had to get.
    WrongDecisions,
}

impl Counted {
    /// The key of the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::JwksFetches => "jwks_fetches",
            Self::Lost => "lost",
            Self::MemoryGrowthMb => "memory_growth_mb",
            Self::WrongDecisions => "wrong_decisions",
        }
    }
}

/// How much of something a phase may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub counted: Counted,
    /// At most so much.
    pub most: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvent {
    at: DurationText,
    fail: Option<JwksFault>,
    serve: Option<JwksDocument>,
}

/// The events in the order of their times; the message names the key.
pub(super) fn events(raw: Vec<RawEvent>) -> Result<Vec<Event>, String> {
    let mut events = raw
        .into_iter()
        .map(|raw| {
            let change = match (raw.fail, raw.serve) {
                (Some(fault), None) => Change::Fail(fault),
                (None, Some(document)) => Change::Serve(document),
                _ => return Err("an event has either fail or serve, and not both".to_owned()),
            };
            Ok(Event {
                at: raw.at.0,
                change,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| event.at);
    Ok(events)
}

pub(super) fn limits(raw: BTreeMap<Counted, WholeNumber>) -> Vec<Limit> {
    raw.into_iter()
        .map(|(counted, most)| Limit {
            counted,
            most: most.0,
        })
        .collect()
}
