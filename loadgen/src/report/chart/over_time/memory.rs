//! The memory of the subject, on the axis of the latencies that it goes with.

use std::fmt::Write as _;

use super::super::columns::{Columns, count};
use super::{LEFT, PLOT, grid_line, nice_top, number, panel_name};
use crate::record::MemorySample;

pub(super) const HEIGHT: f64 = 48.0;

/// Megabytes over all processes, as a line from sample to sample.
pub(super) fn draw(svg: &mut String, samples: &[MemorySample], columns: &Columns, top: f64) {
    panel_name(
        svg,
        top,
        "memory of the subject, MB resident over all its processes",
    );
    let megabytes = |sample: &MemorySample| count(sample.resident_bytes) / 1e6;
    let highest = nice_top(samples.iter().map(megabytes).fold(0.0, f64::max));
    let bottom = top + HEIGHT;
    for share in [0.0, 1.0] {
        grid_line(svg, bottom - HEIGHT * share, &number(highest * share));
    }
    // More points than the plot has are not told apart, and make the page large.
    let step = samples.len().div_ceil(600).max(1);
    let mut line = String::new();
    for sample in samples.iter().step_by(step) {
        let share = count(sample.after_ms) / 1e3 / count(columns.seconds());
        let letter = if line.is_empty() { 'M' } else { 'L' };
        let _ = write!(
            line,
            "{letter}{:.1} {:.1}",
            LEFT + PLOT * share.min(1.0),
            bottom - HEIGHT * megabytes(sample) / highest
        );
    }
    let _ = write!(svg, "<path class=\"course c3\" d=\"{line}\"/>");
}
