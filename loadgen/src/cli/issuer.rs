//! The flags by which `conform`, `load` and `survey` say whose tokens a target is asked with, and what it has to require.

use clap::Args;
use loadgen::scenario::{IssuerFrom, Scenario};

/// The issuer profile where neither the command line nor the target names one.
const ISSUER: &str = "auth0";

/// The scope of the built-in API.
const SCOPE: &str = "read:planets";

#[derive(Debug, Args)]
pub(crate) struct IssuerArguments {
    /// The issuer profile, whose shape tokens have: a built-in name or a path. A target whose file names another is refused
    /// [default: what the target's file names, or auth0]
    #[arg(long, value_name = "PROFILE", visible_alias = "profile")]
    issuer: Option<String>,
    /// Where the mock issuer listens; give a port when --url's server has to be configured before [default: any port]
    #[arg(long, value_name = "ADDRESS")]
    issuer_listen: Option<std::net::SocketAddr>,
    /// The audience that the target checks
    #[arg(long, default_value = "https://planets.example.com/")]
    audience: String,
    /// The scope that the target requires; of a server at --url it is found out whether it requires one when this is
    /// not given [default: read:planets]
    #[arg(long)]
    pub(crate) scope: Option<String>,
    /// The seed of keys and token pools
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
}

impl IssuerArguments {
    /// A scenario without conformance and phases; the command adds what it is for.
    pub(crate) fn scenario(&self, name: &str, target: &str) -> Scenario {
        Scenario {
            name: name.to_owned(),
            description: String::new(),
            source: "command line".to_owned(),
            seed: self.seed,
            issuer: self.issuer.as_deref().unwrap_or(ISSUER).to_owned(),
            issuer_from: match self.issuer {
                None => IssuerFrom::Default,
                Some(_) => IssuerFrom::CommandLine,
            },
            issuer_listen: self.issuer_listen,
            real_issuer: None,
            target: target.to_owned(),
            audience: self.audience.clone(),
            scope: self.scope.clone().unwrap_or_else(|| SCOPE.to_owned()),
            cache_ttl: gateway::DEFAULT_TTL,
            cases: Vec::new(),
            conformance: None,
            phases: Vec::new(),
        }
    }
}
