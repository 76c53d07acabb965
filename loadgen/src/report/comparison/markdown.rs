//! The table as Markdown, for a page of somebody's own.

use std::fmt::Write as _;

use super::super::markdown::plain;
use super::{ComparisonTable, cells, headings, notes, provenance};

pub(in crate::report) fn text(table: &ComparisonTable) -> String {
    let mut markdown = String::new();
    let headings: Vec<String> = headings(table).iter().map(|name| plain(name)).collect();
    let _ = writeln!(
        markdown,
        "| phase | target | {} |\n|---|---|{}",
        headings.join(" | "),
        "--:|".repeat(headings.len())
    );
    for phase in &table.phases {
        for (place, row) in phase.rows.iter().enumerate() {
            // Said once, as in print.
            let name = if place == 0 {
                plain(&phase.phase)
            } else {
                String::new()
            };
            let cells: Vec<String> = cells(table, row).iter().map(|cell| plain(cell)).collect();
            let _ = writeln!(
                markdown,
                "| {name} | {} | {} |",
                plain(&row.target),
                cells.join(" | ")
            );
        }
    }
    markdown.push('\n');
    for (target, note) in notes(table) {
        let _ = writeln!(markdown, "- {}: {}", plain(&target), plain(&note));
    }
    let _ = writeln!(markdown, "- {}", plain(&provenance(table)));
    markdown
}
