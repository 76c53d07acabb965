//! `authbench conform`: a scenario of cases alone.

use clap::Args;
use loadgen::conform::Severity;

use super::Failure;
use super::record_folder::RecordFolder;
use super::selection::{SelectionArguments, severity};
use super::subject::SubjectArguments;

#[derive(Debug, Args)]
pub(crate) struct ConformArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Exit with 10 for a failing case of this severity or above; failures below are reported [default: every one]
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    fail_on: Option<Severity>,
    #[command(flatten)]
    folder: RecordFolder,
}

pub(crate) fn run(arguments: &ConformArguments) -> Result<u8, Failure> {
    let mut scenario = arguments.subject.scenario("conform");
    "Conformance cases alone.".clone_into(&mut scenario.description);
    scenario.cases.clone_from(&arguments.selection.cases);
    let fail_on = arguments.fail_on.unwrap_or(Severity::Info);
    scenario.conformance = Some(arguments.selection.plan(fail_on));
    super::run::execute(scenario, arguments.subject.subject()?, &arguments.folder)
}
