//! `authbench survey`: many targets, installed by one command, asked the same cases and put into one table.

use std::path::PathBuf;

use clap::Args;
use loadgen::builtin;
use loadgen::catalogue::Severity;
use loadgen::exit::Exit;
use loadgen::plan::RunPlan;
use loadgen::progress::Progress;
use loadgen::record::{RecordError, RecordStore};
use loadgen::report::Place;
use loadgen::stop::StopSignal;
use loadgen::survey::{LeftOut, Planned, Survey};

use super::issuer::IssuerArguments;
use super::many_targets::{self, Names};
use super::selection::SelectionArguments;
use super::{Failure, output};

#[derive(Debug, Args)]
pub(crate) struct SurveyArguments {
    /// The targets: built-in names or paths of target files [default: every built-in target]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    #[command(flatten)]
    issuer: IssuerArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// The folder for survey.md, and for a folder of each target with its run.json and report.html [default: a new folder
    /// authbench-results/TIME-survey]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the records that the folders in --out hold
    #[arg(long, requires = "out")]
    force: bool,
    /// Write the tables into this page, too: between its lines `<!-- survey -->` and `<!-- /survey -->`
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Install the targets and ask none
    #[arg(long, conflicts_with_all = ["markdown", "out"])]
    setup_only: bool,
}

/// A target, and the name of its folder and its column.
struct Named {
    name: String,
    plan: RunPlan,
}

pub(crate) fn run(arguments: &SurveyArguments) -> Result<u8, Failure> {
    let targets = arguments.targets()?;
    if let Some(path) = &arguments.markdown {
        many_targets::written_into(path, Place::Survey, "")?;
    }
    let stop = StopSignal::on_ctrl_c().map_err(Failure::testbed)?;
    let exit = if arguments.setup_only {
        let count = targets.len();
        let left_out = install(&targets, &stop)?;
        output::print(&format!(
            "{} of {count} targets are installed\n",
            count - left_out.len()
        ))?;
        match (stop.is_raised(), left_out.len() == count) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::TestbedFailed,
            (false, false) => Exit::Good,
        }
    } else {
        arguments.ask(targets, &stop)?.exit()
    };
    Ok(exit.code())
}

/// Installs the targets, and tells which are left out.
fn install(targets: &[Named], stop: &StopSignal) -> Result<Vec<LeftOut>, Failure> {
    let subjects = targets
        .iter()
        .map(|target| (target.name.as_str(), target.plan.subject()));
    many_targets::install(subjects, stop)
}

impl SurveyArguments {
    /// The targets with what each is asked, so that no mistake in a file is left when something is started.
    fn targets(&self) -> Result<Vec<Named>, Failure> {
        let given: Vec<&str> = if self.targets.is_empty() {
            builtin::TARGETS.iter().map(|file| file.name).collect()
        } else {
            self.targets.iter().map(String::as_str).collect()
        };
        let mut names = Names::default();
        let mut targets = Vec::new();
        for given in given {
            let subject = builtin::subject(given).map_err(Failure::usage)?;
            let name = names.add(given)?;
            let mut scenario = self.issuer.scenario("survey", given);
            "Conformance cases alone, of many targets.".clone_into(&mut scenario.description);
            scenario.cases.clone_from(&self.selection.cases);
            scenario.conformance = Some(self.selection.plan(Severity::Info));
            let plan = super::run::plan(scenario, subject)?;
            targets.push(Named { name, plan });
        }
        Ok(targets)
    }

    fn ask(&self, targets: Vec<Named>, stop: &StopSignal) -> Result<Survey, Failure> {
        let folder = self.folder(&targets)?;
        let left_out = install(&targets, stop)?;
        let is_installed = |target: &Named| !left_out.iter().any(|left| left.name == target.name);
        let planned = targets
            .into_iter()
            .filter(is_installed)
            .map(|target| {
                let store = RecordStore::create(folder.folder().join(&target.name), self.force)?;
                Ok(Planned {
                    name: target.name,
                    plan: target.plan,
                    store,
                })
            })
            .collect::<Result<Vec<_>, RecordError>>()
            .map_err(Failure::testbed)?;
        let mut survey = Survey {
            left_out,
            ..Survey::default()
        };
        let count = planned.len();
        let mut progress = Progress::on_stderr();
        let begin = |name: &str| output::note(&format!("asking {name}, one of {count} targets"));
        let asked = survey.ask(planned, &mut progress, stop, begin);
        let asked = super::runtime()?.block_on(asked).map_err(Failure::testbed);
        // What was found before is told in either case.
        let presented = self.present(&survey, &folder);
        asked.and(presented)?;
        Ok(survey)
    }

    /// The folder of all, made; a record in it is refused before anything is installed.
    fn folder(&self, targets: &[Named]) -> Result<RecordStore, Failure> {
        let records = targets.iter().map(|target| PathBuf::from(&target.name));
        many_targets::folder(self.out.as_deref(), self.force, "survey", records)
    }

    fn present(&self, survey: &Survey, folder: &RecordStore) -> Result<(), Failure> {
        let tables = loadgen::report::survey(survey);
        output::print(&tables)?;
        let saved = folder
            .write("survey.md", tables.as_bytes())
            .map_err(Failure::testbed)?;
        output::print(&format!("\ntables  {}\n", saved.display()))?;
        super::run::summarize(&tables);
        match &self.markdown {
            None => Ok(()),
            Some(path) => many_targets::write_into(path, Place::Survey, &tables),
        }
    }
}
