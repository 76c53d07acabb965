//! Which tokens a phase of load sends: how many, how often each, how long they live; and the cache that they meet.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::phase::TOKENS_LIMIT;
use crate::units::{DurationText, WholeNumber};

/// Tokens of a phase that says nothing of them: few enough to ask for all at once, enough to touch every shard of a cache.
const POPULATION: u64 = 64;

/// A steeper popularity than this is one token and no population.
const ZIPF_MAX: f64 = 10.0;

/// The tokens of a phase.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenPlan {
    /// From `iat` to `exp`; as the issuer profile has it when absent. Whole seconds.
    pub lifetime: Option<Duration>,
    /// How many tokens take part at a time, where a token is sent again.
    pub population: Option<u64>,
    /// How often each of them is sent.
    pub popularity: Popularity,
    /// A file of tokens that were minted before, in place of new ones.
    pub file: Option<PathBuf>,
}

impl TokenPlan {
    /// New tokens, with their ranges checked; the message names the key.
    pub fn new(
        lifetime: Option<Duration>,
        population: Option<u64>,
        popularity: Popularity,
    ) -> Result<Self, String> {
        if let Some(lifetime) = lifetime
            && (lifetime.is_zero() || lifetime.subsec_nanos() > 0 || lifetime > LIFETIME_MAX)
        {
            return Err(format!(
                "token_lifetime is {lifetime:?}; it takes whole seconds, from \"1s\" to \"1440m\", which is a day"
            ));
        }
        if let Some(population) = population
            && !(1..=TOKENS_LIMIT).contains(&population)
        {
            return Err(format!(
                "population is {population}; it takes 1 to {TOKENS_LIMIT}"
            ));
        }
        Ok(Self {
            lifetime,
            population,
            popularity: popularity.check()?,
            file: None,
        })
    }

    /// How many tokens take part at a time.
    pub fn population(&self) -> u64 {
        self.population.unwrap_or(POPULATION)
    }

    /// The lifetime in the unit of the claims.
    pub fn lifetime_s(&self) -> Option<u32> {
        let whole = |lifetime: Duration| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        self.lifetime.map(whole)
    }
}

/// How often each token of a population is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Popularity {
    /// This share of the requests falls to this part of the population, the rest to the rest, each alike.
    Hot {
        /// Of the requests.
        share: f64,
        /// Of the population.
        of: f64,
    },
    /// They take turns.
    #[default]
    InTurn,
    /// Each request draws one, all with the same chance.
    Uniform,
    /// Each request draws one; the n-th has a chance in proportion to 1/n to the power of this (Zipf's law).
    Zipf(f64),
}

/// For reports: `in turn`, `uniform`, `Zipf 1.1`, `90 % to 10 %`.
impl fmt::Display for Popularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hot { share, of } => write!(f, "{} % to {} %", share * 100.0, of * 100.0),
            Self::InTurn => f.write_str("in turn"),
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "Zipf {exponent}"),
        }
    }
}

impl Popularity {
    /// Reads it as a flag has it: `in-turn`, `uniform`, `zipf=1.1`, `hot=0.9:0.1`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no popularity; there are in-turn, uniform, zipf=1.1 and hot=0.9:0.1"
            )
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
        match text.split_once('=') {
            None if text == "in-turn" => Ok(Self::InTurn),
            None if text == "uniform" => Ok(Self::Uniform),
            Some(("zipf", exponent)) => Self::Zipf(number(exponent)?).check(),
            Some(("hot", parts)) => {
                let (share, of) = parts.split_once(':').ok_or_else(wrong)?;
                let (share, of) = (number(share)?, number(of)?);
                Self::Hot { share, of }.check()
            }
            _ => Err(wrong()),
        }
    }

    fn check(self) -> Result<Self, String> {
        let is_part = |value: f64| value > 0.0 && value < 1.0;
        match self {
            Self::Zipf(exponent) if !(exponent > 0.0 && exponent <= ZIPF_MAX) => Err(format!(
                "popularity: zipf is {exponent}; it takes a number above 0, up to {ZIPF_MAX}"
            )),
            Self::Hot { share, of } if !is_part(share) || !is_part(of) => Err(format!(
                "popularity: hot has share {share} and of {of}; both are parts between 0 and 1, such as \
                 {{ share = 0.9, of = 0.1 }}"
            )),
            good => Ok(good),
        }
    }
}

/// The gateway's policy cache during a phase, where it is another than that of the scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CachePlan {
    /// How long a policy is kept.
    pub ttl: Option<Duration>,
    /// How many policies are kept.
    pub entries: Option<usize>,
}

/// What a file says of tokens and of the cache.
#[derive(Debug, Clone, Default)]
pub(super) struct RawTokens {
    pub(super) lifetime: Option<DurationText>,
    pub(super) population: Option<WholeNumber>,
    pub(super) popularity: Option<Popularity>,
    pub(super) file: Option<PathBuf>,
    pub(super) cache_ttl: Option<DurationText>,
    pub(super) cache_entries: Option<WholeNumber>,
}

impl RawTokens {
    /// Whether there is none of it.
    pub(super) fn is_empty(&self) -> bool {
        self.lifetime.is_none()
            && self.population.is_none()
            && self.popularity.is_none()
            && self.file.is_none()
            && self.cache_ttl.is_none()
            && self.cache_entries.is_none()
    }

    /// With its ranges checked; the message names the key.
    pub(super) fn plans(self) -> Result<(TokenPlan, CachePlan), String> {
        let tokens = TokenPlan::new(
            self.lifetime.map(|lifetime| lifetime.0),
            self.population.map(|population| population.0),
            self.popularity.unwrap_or_default(),
        )?;
        let ttl = self.cache_ttl.map(|ttl| ttl.0);
        if let Some(ttl) = ttl.filter(|ttl| *ttl > gateway::MAX_TTL) {
            return Err(format!(
                "cache_ttl is {ttl:?}; API Gateway keeps a policy for 0s to 3600s"
            ));
        }
        let entries = self.cache_entries.map(WholeNumber::size);
        if let Some(entries) = entries
            && !(1..=gateway::ENTRIES_MAX).contains(&entries)
        {
            return Err(format!(
                "cache_entries is {entries}; it takes 1 to {}",
                gateway::ENTRIES_MAX
            ));
        }
        let tokens = TokenPlan {
            file: self.file,
            ..tokens
        };
        Ok((tokens, CachePlan { ttl, entries }))
    }
}

/// No access token lives longer at the issuers of the profiles.
const LIFETIME_MAX: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_popularity_is_read_as_a_flag_has_it() {
        let hot = Popularity::Hot {
            share: 0.9,
            of: 0.1,
        };
        for (text, wanted) in [
            ("in-turn", Popularity::InTurn),
            ("uniform", Popularity::Uniform),
            ("zipf=1.1", Popularity::Zipf(1.1)),
            ("hot=0.9:0.1", hot),
        ] {
            assert_eq!(Popularity::parse(text), Ok(wanted), "{text}");
        }
        for text in [
            "zipf",
            "zipf=11",
            "zipf=x",
            "hot=0.9",
            "hot=2:0.1",
            "even",
            "",
        ] {
            assert!(Popularity::parse(text).is_err(), "{text}");
        }
    }
}
