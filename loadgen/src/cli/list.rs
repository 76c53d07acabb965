//! `authbench list`: what is built in.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use loadgen::builtin::{self, BuiltinFile};
use loadgen::verdict::severity_word;

use super::{Failure, output};

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// What to list [default: everything but the cases]
    #[arg(value_enum)]
    what: Option<What>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Cases,
    Issuers,
    Scenarios,
    Targets,
}

pub(crate) fn run(arguments: &ListArguments) -> Result<u8, Failure> {
    let mut text = String::new();
    match arguments.what {
        Some(What::Cases) => cases(&mut text)?,
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

fn cases(text: &mut String) -> Result<(), Failure> {
    let catalogue = builtin::catalogue().map_err(Failure::usage)?;
    let mut group = "";
    for case in catalogue.cases() {
        if case.group != group {
            group = &case.group;
            let _ = writeln!(text, "{group}");
        }
        let level = match case.level {
            loadgen::conform::Level::May => "MAY",
            loadgen::conform::Level::Must => "MUST",
            loadgen::conform::Level::Should => "SHOULD",
        };
        let _ = writeln!(
            text,
            "  {:<52} {:<9} {:<7} {} ({})",
            case.id,
            severity_word(case.severity),
            level,
            case.title,
            case.clause
        );
    }
    Ok(())
}
