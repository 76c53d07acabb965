//! `authbench report`: renders saved records.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use loadgen::record::{RecordStore, RunRecord};

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
    /// Latencies as comma-separated values: a row for each series and class
    Csv,
    /// The histograms as an `HdrHistogram` interval log
    Hlog,
    /// One page with charts
    Html,
    /// The record itself, in the shape of docs/run-record.schema.json
    Json,
    /// `JUnit` XML: a test case for each conformance case
    Junit,
    /// For a pull request
    Markdown,
    /// Metrics for Prometheus: `node_exporter`'s textfile collector, or a push gateway
    Prometheus,
    /// SARIF 2.1.0: a result for each finding
    Sarif,
    /// Tables
    Terminal,
}

impl Format {
    /// Whether several records can follow each other in one output.
    fn takes_several(self) -> bool {
        matches!(self, Self::Markdown | Self::Terminal)
    }

    fn render(self, record: &RunRecord, path: &Path) -> Result<String, Failure> {
        match self {
            Self::Csv => Ok(loadgen::report::csv(record)),
            Self::Hlog => loadgen::report::hlog(record).map_err(|error| {
                Failure::usage(anyhow::Error::new(error).context(path.display().to_string()))
            }),
            Self::Html => Ok(loadgen::report::html(record)),
            Self::Json => loadgen::report::json(record).map_err(Failure::testbed),
            Self::Junit => Ok(loadgen::report::junit(record)),
            Self::Markdown => Ok(loadgen::report::markdown(record)),
            Self::Prometheus => Ok(loadgen::report::prometheus(record)),
            Self::Sarif => loadgen::report::sarif(record).map_err(Failure::testbed),
            Self::Terminal => Ok(loadgen::report::terminal(record, output::style())),
        }
    }
}

/// One report after the other, to standard output.
pub(crate) fn run(arguments: &ReportArguments) -> Result<u8, Failure> {
    let format = arguments.format;
    if !format.takes_several() && arguments.paths.len() > 1 {
        let name = format.to_possible_value();
        let name = name.as_ref().map_or("", |value| value.get_name());
        return Err(Failure::usage(anyhow::anyhow!(
            "--format {name} writes one document, and {} records are given: render them one by one",
            arguments.paths.len()
        )));
    }
    let mut code = 0;
    for path in &arguments.paths {
        match RecordStore::load(path) {
            Ok(record) => output::print(&format.render(&record, path)?)?,
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
