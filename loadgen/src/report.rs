//! Reports: everything that a person reads of a run, made from its record and from nothing else.
//!
//! Pure functions of the record; the caller writes them somewhere.

use crate::comparison::Comparison;
use crate::record::RunRecord;
use crate::survey::Survey;

mod chart;
mod comparison;
mod csv;
mod figures;
mod hlog;
mod html;
mod junit;
mod load_json;
mod markdown;
mod page;
mod printable;
mod prometheus;
#[cfg(test)]
pub(crate) mod sample;
mod sarif;
mod storage;
mod survey;
mod terminal;

pub use comparison::{ComparisonTable, PhaseTable, Ratio, Remark, Row};
pub use hlog::HlogError;
pub use page::{MarkersMissing, Place};

/// How the terminal report is written.
#[derive(Debug, Clone, Copy)]
pub struct TerminalStyle {
    /// Whether escape sequences for colour may be used.
    pub color: bool,
    /// Columns.
    pub width: usize,
}

/// One page with everything in it: no script, no font and no style from elsewhere.
pub fn html(record: &RunRecord) -> String {
    html::page(record)
}

/// Latencies as comma-separated values (RFC 4180): a row for each series and class of each phase.
pub fn csv(record: &RunRecord) -> String {
    csv::document(&printable::record(record))
}

/// The histograms as an interval log of `HdrHistogram`, version 1.3; fails at one that cannot be read back.
pub fn hlog(record: &RunRecord) -> Result<String, HlogError> {
    hlog::text(&printable::record(record))
}

/// `JUnit` XML: a test case for each conformance case, and one for the run's verdict.
pub fn junit(record: &RunRecord) -> String {
    junit::document(&printable::record(record))
}

/// Markdown for a pull request or a job's summary.
pub fn markdown(record: &RunRecord) -> String {
    markdown::text(&printable::record(record))
}

/// Metrics in Prometheus's text exposition format 0.0.4.
pub fn prometheus(record: &RunRecord) -> String {
    prometheus::text(&printable::record(record))
}

/// The records of many targets as Markdown: what became of each, and who deviates where.
pub fn survey(survey: &Survey) -> String {
    survey::text(survey)
}

/// A Markdown page with what stands between the two lines of a place replaced by a text.
pub fn in_page(page: &str, place: Place, text: &str) -> Result<String, MarkersMissing> {
    page::between_markers(page, place, text)
}

/// Many targets' records in rounds, put together to one table.
pub fn comparison(comparison: &Comparison) -> ComparisonTable {
    comparison::table(comparison)
}

/// The table for a terminal.
pub fn comparison_terminal(table: &ComparisonTable, style: TerminalStyle) -> String {
    comparison::terminal(table, style)
}

/// The table as Markdown.
pub fn comparison_markdown(table: &ComparisonTable) -> String {
    comparison::markdown(table)
}

/// The table as JSON.
pub fn comparison_json(table: &ComparisonTable) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(table).map(|text| text + "\n")
}

/// SARIF 2.1.0: a result for each finding of the conformance cases.
pub fn sarif(record: &RunRecord) -> Result<String, serde_json::Error> {
    sarif::document(record)
}

/// The record itself, in the shape of `docs/run-record.schema.json`.
pub fn json(record: &RunRecord) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(record).map(|text| text + "\n")
}

/// One phase of load as a small JSON object, for scripts; `latency_us` holds `p50`, `p90`, `p99`, `p999` and `max`.
pub fn load_json(record: &RunRecord) -> String {
    load_json::text(record)
}

/// Tables for a terminal, plain text when colour is off. What the record says cannot move the cursor.
pub fn terminal(record: &RunRecord, style: TerminalStyle) -> String {
    terminal::text(&printable::record(record), style)
}
