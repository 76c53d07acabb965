//! Reports: everything that a person reads of a run, made from its record and from nothing else.
//!
//! Pure functions of the record; the caller writes them somewhere.

use crate::record::RunRecord;
use crate::survey::Survey;

mod chart;
mod figures;
mod html;
mod junit;
mod markdown;
mod printable;
#[cfg(test)]
mod sample;
mod sarif;
mod survey;
mod terminal;

pub use survey::MarkersMissing;

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

/// `JUnit` XML: a test case for each conformance case, and one for the run's verdict.
pub fn junit(record: &RunRecord) -> String {
    junit::document(&printable::record(record))
}

/// Markdown for a pull request or a job's summary.
pub fn markdown(record: &RunRecord) -> String {
    markdown::text(&printable::record(record))
}

/// The records of many targets as Markdown: what became of each, and who deviates where.
pub fn survey(survey: &Survey) -> String {
    survey::text(survey)
}

/// A Markdown page with what stands between its lines `<!-- survey -->` and `<!-- /survey -->` replaced by a text.
pub fn in_page(page: &str, text: &str) -> Result<String, MarkersMissing> {
    survey::between_markers(page, text)
}

/// SARIF 2.1.0: a result for each finding of the conformance cases.
pub fn sarif(record: &RunRecord) -> Result<String, serde_json::Error> {
    sarif::document(record)
}

/// The record itself, in the shape of `docs/run-record.schema.json`.
pub fn json(record: &RunRecord) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(record).map(|text| text + "\n")
}

/// Tables for a terminal, plain text when colour is off. What the record says cannot move the cursor.
pub fn terminal(record: &RunRecord, style: TerminalStyle) -> String {
    terminal::text(&printable::record(record), style)
}
