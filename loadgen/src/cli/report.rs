//! `authbench report`: renders saved records.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use loadgen::record::RecordStore;

use super::{Failure, output};

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Records, or the folders that hold them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How to render
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One page with charts, written to standard output
    Html,
    /// Tables
    Terminal,
}

pub(crate) fn run(arguments: &ReportArguments) -> Result<u8, Failure> {
    let html = matches!(arguments.format, Format::Html);
    if html && arguments.paths.len() > 1 {
        return Err(Failure::usage(anyhow::anyhow!(
            "--format html writes one page, and {} records are given: render them one by one",
            arguments.paths.len()
        )));
    }
    let mut code = 0;
    for path in &arguments.paths {
        match RecordStore::load(path) {
            Ok(record) if html => output::print(&loadgen::report::html(&record))?,
            Ok(record) => output::print(&loadgen::report::terminal(&record, output::style()))?,
            // One bad file among many must not hide the others.
            Err(error) => {
                let failure = Failure::usage(error);
                output::error(&failure);
                code = failure.exit.code();
            }
        }
    }
    Ok(code)
}
