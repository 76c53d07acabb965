//! The table on a terminal.

use std::fmt::Write as _;

use super::super::TerminalStyle;
use super::super::terminal::{align_right, table as styled};
use super::{ComparisonTable, cells, headings, notes, provenance};

pub(in crate::report) fn text(table: &ComparisonTable, style: TerminalStyle) -> String {
    let headings = headings(table);
    let mut header = vec!["phase", "target"];
    header.extend(headings.iter().map(String::as_str));
    let mut printed = styled(style, &header);
    for phase in &table.phases {
        for (place, row) in phase.rows.iter().enumerate() {
            let name = if place == 0 { phase.phase.as_str() } else { "" };
            let mut line = vec![name.to_owned(), row.target.clone()];
            line.extend(cells(table, row));
            printed.add_row(line);
        }
    }
    align_right(&mut printed, 2..9);
    let mut text = format!("\n{printed}\n");
    for (target, note) in notes(table) {
        let _ = writeln!(text, "{target}: {note}");
    }
    let _ = writeln!(text, "\n{}", provenance(table));
    text
}
