//! What happened when, and where the limits are: vertical marks through all panels, and horizontal lines over the heat map.

use std::fmt::Write as _;

use super::super::super::html::escape;
use super::super::columns::{Columns, count};
use super::heat_map::latency_y;
use super::{LEFT, MAP_TOP, PLOT};
use crate::record::{PhaseRecord, ThresholdRecord};
use crate::units::duration;

/// Rows of names above the panels; what finds no room has its line alone, and stands in the list below the chart.
const ROWS: usize = 4;
/// The height of a row.
const ROW: f64 = 15.0;
/// The width of a letter at most, of the size that marks have.
const LETTER: f64 = 6.4;
/// Between two names of a row.
const GAP: f64 = 12.0;

/// Something at a time of the phase.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    at_ms: u64,
    /// Escaped.
    name: String,
    class: &'static str,
}

/// A threshold that the chart can show.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Escaped.
    name: String,
    pub(super) limit_ns: u64,
    kept: bool,
}

/// Events of the issuer and breaches, in the order of their times.
pub(super) fn of(phase: &PhaseRecord) -> Vec<Mark> {
    let events = phase.events.iter().map(|event| Mark {
        at_ms: event.after_ms,
        name: escape(&event.what),
        class: "event",
    });
    let breaches = phase.breaches.iter().map(|breach| Mark {
        at_ms: breach.after_ms,
        name: escape(&format!("breached: {}", breach.what)),
        class: "breach",
    });
    let mut marks: Vec<Mark> = events.chain(breaches).collect();
    marks.sort_by_key(|mark| mark.at_ms);
    marks
}

pub(super) fn lines(phase: &PhaseRecord) -> Vec<Line> {
    let line = |threshold: &ThresholdRecord| Line {
        name: escape(&threshold.quantile),
        limit_ns: threshold.limit_ns,
        kept: threshold.kept,
    };
    phase.thresholds.iter().map(line).collect()
}

/// A mark whose name has found its place: the row, and where it begins or ends.
struct Placed<'a> {
    mark: &'a Mark,
    x: f64,
    row: Option<usize>,
    /// To the left of its line, where the right side has no room.
    ends: bool,
}

/// Names in as few rows as there is room for.
fn placed<'a>(marks: &'a [Mark], columns: &Columns) -> Vec<Placed<'a>> {
    let mut taken = [LEFT - GAP; ROWS];
    let seconds = count(columns.seconds());
    let place = |mark: &'a Mark| {
        let share = (count(mark.at_ms) / 1e3 / seconds).min(1.0);
        let x = LEFT + PLOT * share;
        let width = count(mark.name.chars().count() as u64) * LETTER + 4.0;
        let ends = x + width > LEFT + PLOT;
        let (from, to) = if ends { (x - width, x) } else { (x, x + width) };
        let row = taken.iter().position(|taken| from >= taken + GAP);
        if let Some(row) = row {
            taken[row] = to;
        }
        Placed { mark, x, row, ends }
    };
    marks.iter().map(place).collect()
}

/// How much room the names take above the panels.
pub(super) fn height(marks: &[Mark], columns: &Columns) -> f64 {
    let rows = placed(marks, columns);
    let rows = rows.iter().filter_map(|placed| placed.row).max();
    rows.map_or(0.0, |last| count(last as u64 + 1) * ROW)
}

/// The marks, from their names down to the last panel.
pub(super) fn draw(svg: &mut String, marks: &[Mark], columns: &Columns, bottom: f64) {
    for Placed { mark, x, row, ends } in placed(marks, columns) {
        let class = mark.class;
        let baseline = |row: usize| MAP_TOP - 22.0 - count(row as u64) * ROW;
        let top = row.map_or(MAP_TOP, |row| baseline(row) - 9.0);
        let _ = write!(
            svg,
            "<path class=\"mark {class}\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"><title>{}</title></path>",
            mark.name
        );
        if let Some(row) = row {
            let (x, anchor) = if ends {
                (x - 4.0, "end")
            } else {
                (x + 4.0, "start")
            };
            let _ = write!(
                svg,
                "<text class=\"tick {class}\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                baseline(row),
                mark.name
            );
        }
    }
}

/// The thresholds that lie within the heat map.
pub(super) fn draw_lines(svg: &mut String, lines: &[Line], range: (usize, usize)) {
    let bounds = crate::record::bucket_start_ns(range.0)..crate::record::bucket_start_ns(range.1);
    for line in lines.iter().filter(|line| bounds.contains(&line.limit_ns)) {
        let y = latency_y(line.limit_ns, range);
        let class = if line.kept { "kept" } else { "missed" };
        let _ = write!(
            svg,
            "<path class=\"limit {class}\" d=\"M{LEFT} {y:.1}h{PLOT}\"/>\
             <text class=\"tick limit {class}\" x=\"{:.1}\" y=\"{:.1}\">{} at most {}</text>",
            LEFT + 4.0,
            y - 4.0,
            line.name,
            duration(line.limit_ns)
        );
    }
}
