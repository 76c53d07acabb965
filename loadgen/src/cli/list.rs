//! `authbench list`: what is built in.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use loadgen::builtin::{self, BuiltinFile};

use super::selection::SelectionArguments;
use super::{Failure, output};

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// What to list [default: everything but the cases]
    #[arg(value_enum)]
    what: Option<What>,
    #[command(flatten)]
    selection: SelectionArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Cases,
    Issuers,
    Scenarios,
    Targets,
}

pub(crate) fn run(arguments: &ListArguments) -> Result<u8, Failure> {
    if !arguments.selection.is_empty() && arguments.what != Some(What::Cases) {
        return Err(Failure::usage(anyhow::anyhow!(
            "--filter, --severity, --level and --cases are for `authbench list cases`"
        )));
    }
    let mut text = String::new();
    match arguments.what {
        Some(What::Cases) => cases(&mut text, &arguments.selection)?,
        Some(What::Issuers) => names(&mut text, "issuers", builtin::ISSUERS),
        Some(What::Scenarios) => names(&mut text, "scenarios", builtin::SCENARIOS),
        Some(What::Targets) => names(&mut text, "targets", builtin::TARGETS),
        None => {
            names(&mut text, "scenarios", builtin::SCENARIOS);
            names(&mut text, "targets", builtin::TARGETS);
            names(&mut text, "issuers", builtin::ISSUERS);
            let count = builtin::catalogue().map_err(Failure::usage)?.cases().len();
            let _ = writeln!(text, "cases: {count}; `authbench list cases` prints them");
        }
    }
    output::print(&text)?;
    Ok(0)
}

fn names(text: &mut String, what: &str, files: &[BuiltinFile]) {
    let _ = writeln!(text, "{what}:");
    for file in files {
        let _ = writeln!(text, "  {}", file.name);
    }
}

fn cases(text: &mut String, selection: &SelectionArguments) -> Result<(), Failure> {
    let catalogue = builtin::catalogue_with(&selection.cases).map_err(Failure::usage)?;
    let mut group = "";
    for case in catalogue.select(&selection.selection()) {
        if case.group != group {
            group = &case.group;
            let _ = writeln!(text, "{group}");
        }
        let _ = writeln!(
            text,
            "  {:<52} {:<9} {:<7} {} ({})",
            case.id,
            case.severity.word(),
            case.level.word(),
            case.title,
            case.clause
        );
    }
    Ok(())
}
