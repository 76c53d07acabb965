//! Reports: everything that a person reads of a run, made from its record and from nothing else.
//!
//! Pure functions of the record; the caller writes them somewhere.

use crate::record::RunRecord;

mod chart;
mod figures;
mod html;
mod printable;
#[cfg(test)]
mod sample;
mod terminal;

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

/// Tables for a terminal, plain text when colour is off. What the record says cannot move the cursor.
pub fn terminal(record: &RunRecord, style: TerminalStyle) -> String {
    terminal::text(&printable::record(record), style)
}
