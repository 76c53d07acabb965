//! What happens during a phase of load, and what it may cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mock_idp::{JwksDocument, JwksFault};
use serde::Deserialize;

use crate::units::{DurationText, WholeNumber};

/// Something that happens at a time after the start of the phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Duration,
    /// What.
    pub change: Change,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// All of it ends at this instant.
    Expire(Expiring),
    /// The issuer fails for its keys from here on.
    Fail(JwksFault),
    /// The issuer publishes this key set from here on, and fails no more.
    Serve(JwksDocument),
    /// The issuer signs new tokens with its next key from here on. The share of the tokens of before falls to nothing within
    /// this time.
    SignNext(Duration),
}

/// What ends at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expiring {
    /// The gateway forgets every policy.
    Policies,
    /// Every client takes a new token.
    Tokens,
}

/// For reports: `the issuer fails: silent`, `the issuer publishes Rotated`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expire(Expiring::Policies) => f.write_str("every cached policy expires"),
            Self::Expire(Expiring::Tokens) => f.write_str("every client takes a new token"),
            Self::Fail(fault) => write!(f, "the issuer fails: {}", fault.name()),
            Self::Serve(document) => write!(f, "the issuer publishes {document:?}"),
            Self::SignNext(_) => f.write_str("the issuer signs with its next key"),
        }
    }
}

/// Something that is counted over a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Invocations of the authorizer.
    AuthorizerInvocations,
    /// Requests that asked the gateway's policy cache in vain.
    CacheMisses,
    /// Fetches of the issuer's keys.
    JwksFetches,
    /// Requests without a decision.
    Lost,
    /// Megabytes by which the process of the subject that grew most was larger in the second half of its samples than it had
    /// been in the first.
    MemoryGrowthMb,
    /// Invocations for a policy that another one had just fetched.
    RepeatedInvocations,
    /// Requests with another decision than they had to get.
    WrongDecisions,
}

impl Counted {
    /// The key of the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizerInvocations => "authorizer_invocations",
            Self::CacheMisses => "cache_misses",
            Self::JwksFetches => "jwks_fetches",
            Self::Lost => "lost",
            Self::MemoryGrowthMb => "memory_growth_mb",
            Self::RepeatedInvocations => "repeated_invocations",
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
    expire: Option<Expiring>,
    fail: Option<JwksFault>,
    serve: Option<JwksDocument>,
    sign: Option<RawSigner>,
    over: Option<DurationText>,
}

/// Who signs from an event on.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawSigner {
    Next,
}

impl RawEvent {
    fn change(self) -> Result<Change, String> {
        let over = self.over.map(|over| over.0);
        match (self.expire, self.fail, self.serve, self.sign) {
            (None, None, None, Some(RawSigner::Next)) => {
                Ok(Change::SignNext(over.unwrap_or_default()))
            }
            _ if over.is_some() => Err(
                "over says within what time tokens of the key before go away: it goes with sign"
                    .to_owned(),
            ),
            (Some(expiring), None, None, None) => Ok(Change::Expire(expiring)),
            (None, Some(fault), None, None) => Ok(Change::Fail(fault)),
            (None, None, Some(document), None) => Ok(Change::Serve(document)),
            _ => Err("an event has one of expire, fail, serve and sign".to_owned()),
        }
    }
}

/// The events in the order of their times; the message names the key.
pub(super) fn events(raw: Vec<RawEvent>) -> Result<Vec<Event>, String> {
    let mut events = raw
        .into_iter()
        .map(|raw| {
            let at = raw.at.0;
            raw.change().map(|change| Event { at, change })
        })
        .collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| event.at);
    check_rotation(&events)?;
    Ok(events)
}

/// A token has to be good as long as it is sent: there is one change of keys, and what withdraws the old key comes when its
/// tokens are gone.
fn check_rotation(events: &[Event]) -> Result<(), String> {
    let mut signers = events.iter().filter_map(|event| match event.change {
        Change::SignNext(over) => Some((event.at, over)),
        _ => None,
    });
    let Some((at, over)) = signers.next() else {
        return Ok(());
    };
    if signers.next().is_some() {
        return Err(
            "sign = \"next\" is there twice: an issuer of a phase has one next key".to_owned(),
        );
    }
    let is_withdrawal = |event: &&Event| event.change == Change::Serve(JwksDocument::Withdrawn);
    match events.iter().find(is_withdrawal) {
        Some(withdrawal) if withdrawal.at < at + over => Err(format!(
            "serve = \"withdrawn\" at {:?} takes the key away whose tokens are sent until {:?}: let sign be over before",
            withdrawal.at,
            at + over
        )),
        _ => Ok(()),
    }
}

pub(super) fn limits(raw: BTreeMap<Counted, WholeNumber>) -> Vec<Limit> {
    raw.into_iter()
        .map(|(counted, most)| Limit {
            counted,
            most: most.0,
        })
        .collect()
}
