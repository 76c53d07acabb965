//! The flags by which `conform` and `load` say whom to ask.

use clap::Args;
use loadgen::builtin;
use loadgen::scenario::Scenario;
use loadgen::subject::Subject;

use super::Failure;

/// The scope of the built-in API.
const SCOPE: &str = "read:planets";

#[derive(Debug, Args)]
pub(crate) struct SubjectArguments {
    /// The target: a built-in name or the path of a target file
    #[arg(
        long,
        value_name = "TARGET",
        default_value = "authbench",
        conflicts_with = "url"
    )]
    target: String,
    /// A server that is already running and trusts the mock issuer: http://host:port/path
    #[arg(long)]
    url: Option<String>,
    /// A function behind an invoke endpoint that trusts the mock issuer, as the Lambda Runtime Interface Emulator has it:
    /// http://host:port/2015-03-31/functions/function/invocations
    #[arg(long, value_name = "URL", conflicts_with_all = ["url", "target"])]
    invoke: Option<String>,
    /// The issuer profile, whose shape tokens have: a built-in name or a path
    #[arg(
        long,
        value_name = "PROFILE",
        visible_alias = "profile",
        default_value = "auth0"
    )]
    issuer: String,
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

impl SubjectArguments {
    /// The target that is meant.
    pub(crate) fn subject(&self) -> Result<Subject, Failure> {
        let subject = match (&self.url, &self.invoke) {
            (Some(url), _) => Subject::at_url(url),
            (None, Some(url)) => Subject::at_invoke_url(url),
            (None, None) => return builtin::subject(&self.target).map_err(Failure::usage),
        };
        let subject = subject.map_err(Failure::usage)?;
        // Who names a scope says that it is required.
        Ok(if self.scope.is_some() {
            subject.requiring_scope()
        } else {
            subject
        })
    }

    /// A scenario without conformance and phases; the command adds what it is for.
    pub(crate) fn scenario(&self, name: &str) -> Scenario {
        Scenario {
            name: name.to_owned(),
            description: String::new(),
            source: "command line".to_owned(),
            seed: self.seed,
            issuer: self.issuer.clone(),
            issuer_listen: self.issuer_listen,
            real_issuer: None,
            target: self
                .url
                .as_ref()
                .or(self.invoke.as_ref())
                .unwrap_or(&self.target)
                .clone(),
            audience: self.audience.clone(),
            scope: self.scope.clone().unwrap_or_else(|| SCOPE.to_owned()),
            cache_ttl: gateway::DEFAULT_TTL,
            cases: Vec::new(),
            conformance: None,
            phases: Vec::new(),
        }
    }
}
