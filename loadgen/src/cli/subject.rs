//! The flags by which `conform` and `load` say whom to ask.

use clap::Args;
use loadgen::builtin;
use loadgen::conform::Feature;
use loadgen::scenario::Scenario;
use loadgen::subject::Subject;

use super::Failure;
use super::issuer::IssuerArguments;

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
    #[command(flatten)]
    pub(crate) issuer: IssuerArguments,
}

impl SubjectArguments {
    /// The target that is meant.
    pub(crate) fn subject(&self) -> Result<Subject, Failure> {
        match &self.url {
            Some(url) => {
                let subject = Subject::at_url(url).map_err(Failure::usage)?;
                // Who names a scope says that the server requires it.
                let features = self.issuer.scope.is_some().then(|| vec![Feature::Scope]);
                Ok(Subject {
                    features,
                    ..subject
                })
            }
            None => builtin::subject(&self.target).map_err(Failure::usage),
        }
    }

    /// A scenario without conformance and phases; the command adds what it is for.
    pub(crate) fn scenario(&self, name: &str) -> Scenario {
        let target = self.url.as_ref().unwrap_or(&self.target);
        self.issuer.scenario(name, target)
    }
}
