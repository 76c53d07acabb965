//! A run of several targets: the same scenario for each, in rounds, and one table.

use std::path::Path;

use loadgen::builtin;
use loadgen::comparison::{Comparison, Entrant, PhaseName};
use loadgen::exit::Exit;
use loadgen::plan::RunPlan;
use loadgen::progress::Progress;
use loadgen::record::{Machine, RecordStore};
use loadgen::report::{self, Place};
use loadgen::scenario::Scenario;
use loadgen::stop::StopSignal;

use super::super::many_targets::{self, Names};
use super::super::{Failure, output, runtime};
use super::{RunArguments, plan, summarize};

/// Rounds when none are asked for: the median of fewer is no median.
const DEFAULT_ROUNDS: usize = 3;

/// A target with the scenario of its first round, and of the others.
struct Named {
    name: String,
    first: RunPlan,
    others: RunPlan,
}

pub(super) fn run(scenario: &Scenario, arguments: &RunArguments) -> Result<u8, Failure> {
    if scenario.phases.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!(
            "scenario {} has no [[phase]], so that nothing could be compared; `authbench survey` asks many targets \
             conformance cases",
            scenario.name
        )));
    }
    if let Some(path) = &arguments.markdown {
        many_targets::written_into(path, Place::Comparison, "")?;
    }
    let rounds = arguments.rounds.map_or(DEFAULT_ROUNDS, Into::into);
    let given = match arguments.target.as_slice() {
        [] => std::slice::from_ref(&scenario.target),
        targets => targets,
    };
    let targets = named(scenario, given)?;
    let records = targets.iter().flat_map(|target| {
        let folder = |round| Path::new(&target.name).join(Comparison::round_folder(round));
        (0..rounds).map(folder)
    });
    let (out, force) = (arguments.folder.chosen(), arguments.folder.replaces());
    let store = many_targets::folder(out, force, &scenario.name, records)?;
    let stop = StopSignal::on_ctrl_c().map_err(Failure::testbed)?;
    let subjects = targets
        .iter()
        .map(|target| (target.name.as_str(), target.first.subject()));
    let left_out = many_targets::install(subjects, &stop)?;
    let is_installed = |target: &Named| !left_out.iter().any(|left| left.name == target.name);
    let entrants: Vec<Entrant> = targets
        .into_iter()
        .filter(is_installed)
        .map(|target| Entrant {
            folder: store.folder().join(&target.name),
            name: target.name,
            first: target.first,
            others: target.others,
        })
        .collect();
    let mut comparison = Comparison {
        scenario: scenario.name.clone(),
        phases: scenario.phases.iter().map(PhaseName::from).collect(),
        started_at: loadgen::clock::rfc3339_now(),
        machine: Machine::detect(),
        rounds,
        targets: Vec::new(),
        left_out,
    };
    let begin = |round: usize, name: &str| {
        output::note(&format!("round {} of {rounds}: {name}", round + 1));
    };
    let mut progress = Progress::on_stderr();
    let measured = comparison.measure(&entrants, &mut progress, &stop, begin);
    let measured = runtime()?.block_on(measured).map_err(Failure::testbed);
    // What was measured before is told in either case.
    let presented = present(&comparison, &store, arguments);
    measured.and(presented)?;
    Ok(comparison.exit_code())
}

/// The targets with what each is asked, so that no mistake in a file is left when something is started.
fn named(scenario: &Scenario, targets: &[String]) -> Result<Vec<Named>, Failure> {
    let mut names = Names::default();
    let mut planned = Vec::new();
    for given in targets {
        let subject = builtin::subject(given).map_err(Failure::usage)?;
        let scenario = Scenario {
            target: given.clone(),
            ..scenario.clone()
        };
        let others = Scenario {
            conformance: None,
            ..scenario.clone()
        };
        planned.push(Named {
            name: names.add(given)?,
            first: plan(scenario, subject.clone())?,
            others: plan(others, subject)?,
        });
    }
    Ok(planned)
}

fn present(
    comparison: &Comparison,
    store: &RecordStore,
    arguments: &RunArguments,
) -> Result<(), Failure> {
    let table = report::comparison(comparison);
    let markdown = report::comparison_markdown(&table);
    let json = report::comparison_json(&table).map_err(Failure::testbed)?;
    let written = |name: &str, text: &str| {
        let path = store.write(name, text.as_bytes());
        path.map_err(Failure::testbed)
    };
    output::print(&report::comparison_terminal(&table, output::style()))?;
    let json = written("comparison.json", &json)?;
    let page = written("comparison.md", &markdown)?;
    output::print(&format!(
        "\ntable   {}\n        {}\nrecords {}\n",
        page.display(),
        json.display(),
        store.folder().display()
    ))?;
    summarize(&markdown);
    match &arguments.markdown {
        None => Ok(()),
        // The page may hold a table of all rounds.
        Some(path) if comparison.exit_code() == Exit::Interrupted.code() => {
            output::note(&format!(
                "{} is left as it was: the comparison was stopped",
                path.display()
            ));
            Ok(())
        }
        Some(path) => many_targets::write_into(path, Place::Comparison, &markdown),
    }
}
