//! The flags by which `conform` and `load` say whom to ask.

use clap::Args;
use loadgen::builtin;
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
    /// A server that is already running and trusts the mock issuer: http://host:port/path, or https with a certificate that
    /// Mozilla's authorities stand for; a target file can name others
    #[arg(long)]
    url: Option<String>,
    /// A function behind an invoke endpoint that trusts the mock issuer, as the Lambda Runtime Interface Emulator has it:
    /// http://host:port/2015-03-31/functions/function/invocations
    #[arg(long, value_name = "URL", conflicts_with_all = ["url", "target"])]
    invoke: Option<String>,
    #[command(flatten)]
    pub(crate) issuer: IssuerArguments,
}

impl SubjectArguments {
    /// Whether the target is there already, and so configured.
    pub(crate) fn is_running(&self) -> bool {
        self.url.is_some() || self.invoke.is_some()
    }

    /// The target that is meant.
    pub(crate) fn subject(&self) -> Result<Subject, Failure> {
        let subject = match (&self.url, &self.invoke) {
            (Some(url), _) => Subject::at_url(url),
            (None, Some(url)) => Subject::at_invoke_url(url),
            (None, None) => return builtin::subject(&self.target).map_err(Failure::usage),
        };
        let subject = subject.map_err(Failure::usage)?;
        // Who names a scope says that it is required.
        Ok(if self.issuer.scope.is_some() {
            subject.requiring_scope()
        } else {
            subject
        })
    }

    /// A scenario without conformance and phases; the command adds what it is for.
    pub(crate) fn scenario(&self, name: &str) -> Scenario {
        let target = self.url.as_ref().or(self.invoke.as_ref());
        self.issuer.scenario(name, target.unwrap_or(&self.target))
    }
}
