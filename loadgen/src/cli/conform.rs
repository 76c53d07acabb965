//! `authbench conform`: a scenario of cases alone.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use loadgen::catalogue::Severity;
use loadgen::clock::unix_now;
use loadgen::real_issuer::RealIssuer;

use super::Failure;
use super::record_folder::RecordFolder;
use super::selection::{SelectionArguments, severity};
use super::subject::SubjectArguments;

#[derive(Debug, Args)]
pub(crate) struct ConformArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    #[command(flatten)]
    real_issuer: RealIssuerArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Exit with 10 for a failing case of this severity or above; failures below are reported [default: every one]
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    fail_on: Option<Severity>,
    #[command(flatten)]
    folder: RecordFolder,
}

/// A real issuer in the place of the stand-in.
#[derive(Debug, Args)]
struct RealIssuerArguments {
    /// A file with a genuine token of a real issuer, which the target trusts: asks what can be asked without the
    /// issuer's key. The required scope is then the token's first, unless --scope says another
    #[arg(long, value_name = "FILE", conflicts_with_all = ["issuer", "issuer_listen", "audience"])]
    token_file: Option<PathBuf>,
    /// The real issuer's key set as a file, for the cases about its public key
    #[arg(long, value_name = "FILE", requires = "token_file")]
    jwks_file: Option<PathBuf>,
    /// Where the real issuer publishes its keys, for a target that the bench starts [default: .well-known/jwks.json
    /// below the issuer]
    #[arg(long, value_name = "URL", requires = "token_file")]
    jwks_uri: Option<String>,
}

impl RealIssuerArguments {
    fn read(&self) -> Result<Option<RealIssuer>, Failure> {
        let Some(file) = &self.token_file else {
            return Ok(None);
        };
        let (keys, uri) = (self.jwks_file.as_deref(), self.jwks_uri.as_deref());
        RealIssuer::read(file, keys, uri, unix_now())
            .map(Some)
            .map_err(Failure::usage)
    }
}

pub(crate) fn run(arguments: &ConformArguments) -> Result<u8, Failure> {
    let mut scenario = arguments.subject.scenario("conform");
    if let Some(real) = arguments.real_issuer.read()? {
        real.token.audience().clone_into(&mut scenario.audience);
        if arguments.subject.issuer.scope.is_none() {
            let granted = real.token.scope().into_iter().next();
            if granted.is_none() && !arguments.subject.is_running() {
                return Err(Failure::usage(anyhow::anyhow!(
                    "--token-file: the token grants no scope; say by --scope which one the target requires"
                )));
            }
            scenario.scope = granted.unwrap_or_default();
        }
        scenario.real_issuer = Some(Arc::new(real));
    }
    "Conformance cases alone.".clone_into(&mut scenario.description);
    scenario.cases.clone_from(&arguments.selection.cases);
    let fail_on = arguments.fail_on.unwrap_or(Severity::Info);
    scenario.conformance = Some(arguments.selection.plan(fail_on));
    super::run::execute(scenario, arguments.subject.subject()?, &arguments.folder)
}
