//! `authbench conform`: a scenario of cases alone.

use clap::Args;
use loadgen::conform::Severity;
use loadgen::scenario::ConformancePlan;

use super::Failure;
use super::record_folder::RecordFolder;
use super::subject::SubjectArguments;

#[derive(Debug, Args)]
pub(crate) struct ConformArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Ask only cases whose id holds this text; may be given more than once
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    #[command(flatten)]
    folder: RecordFolder,
}

pub(crate) fn run(arguments: &ConformArguments) -> Result<u8, Failure> {
    let mut scenario = arguments.subject.scenario("conform");
    "Conformance cases alone.".clone_into(&mut scenario.description);
    scenario.conformance = Some(ConformancePlan {
        filter: arguments.filter.clone(),
        filter_at: "--filter".to_owned(),
        gate: Severity::High,
    });
    super::run::execute(scenario, arguments.subject.subject()?, &arguments.folder)
}
