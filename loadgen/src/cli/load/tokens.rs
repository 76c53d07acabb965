//! The flags by which `load` says which tokens are sent, and how often each.

use std::time::Duration;

use clap::Args;
use loadgen::scenario::{LoadPhase, Popularity, TokenPlan};
use loadgen::units::parse_duration;

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// How many tokens take part in a cache-hit phase, each a caller [default: 64]
    #[arg(long, value_name = "NUMBER", conflicts_with = "at")]
    population: Option<u64>,
    /// How often each of them is sent, or each token of --token-pool: in-turn, uniform, zipf=1.1, or hot=0.9:0.1 for nine
    /// requests in ten by a tenth of the tokens [default: in-turn]
    #[arg(long, value_parser = Popularity::parse)]
    pub(super) popularity: Option<Popularity>,
    /// From a token's iat to its exp, such as 60s [default: the issuer's]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "at")]
    token_lifetime: Option<Duration>,
}

impl TokenArguments {
    /// The phase with these tokens.
    pub(super) fn added_to(&self, phase: LoadPhase, kind: &str) -> Result<LoadPhase, String> {
        let tokens = TokenPlan::new(
            self.token_lifetime,
            self.population,
            self.popularity.unwrap_or_default(),
        )?;
        phase.with_tokens(kind, tokens)
    }
}
