//! Charts as inline SVG. Colours are CSS classes of the page, so that light and dark are one place's business.

use std::fmt::Write as _;

use super::html::escape;
use crate::units::duration;

mod columns;
mod over_time;

pub(super) use over_time::over_time;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
/// Room for the labels at the ends of the curves.
const RIGHT: f64 = 210.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;
/// Two labels at the ends of curves are at least this far apart.
const LABEL_HEIGHT: f64 = 15.0;

/// One curve of a percentile chart.
pub(super) struct Curve {
    pub(super) label: String,
    /// Quantile and nanoseconds.
    pub(super) points: Vec<(f64, u64)>,
}

/// The scales of one chart: 1/(1−q) to the right, latency upwards, both logarithmic.
struct Scales {
    tail_decades: f64,
    lowest: f64,
    highest: f64,
}

impl Scales {
    fn of(curves: &[Curve]) -> Option<Self> {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let last = points()
            .map(|(quantile, _)| tail(*quantile))
            .fold(0.0, f64::max);
        let log = |ns: u64| log10(ns.max(1));
        let lowest = points().map(|(_, ns)| log(*ns)).reduce(f64::min)?;
        let highest = points().map(|(_, ns)| log(*ns)).reduce(f64::max)?;
        // A flat curve still gets a scale to stand on.
        let padding = ((highest - lowest) * 0.08).max(0.1);
        Some(Self {
            tail_decades: last.max(1.0),
            lowest: lowest - padding,
            highest: highest + padding,
        })
    }

    fn x(&self, quantile: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * tail(quantile) / self.tail_decades
    }

    fn y(&self, log_ns: f64) -> f64 {
        let share = (log_ns - self.lowest) / (self.highest - self.lowest);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }
}

/// Decades of the tail: 0 at the minimum, 1 at 90 %, 2 at 99 %.
fn tail(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-9).log10()
}

#[expect(clippy::cast_precision_loss, reason = "a place on a chart")]
fn log10(ns: u64) -> f64 {
    (ns as f64).log10()
}

/// Latency over percentiles, one curve each, labelled at its end.
pub(super) fn percentiles(title: &str, mut curves: Vec<Curve>) -> String {
    curves.retain(|curve| !curve.points.is_empty());
    let Some(scales) = Scales::of(&curves) else {
        return String::new();
    };
    let mut svg = format!(
        "<figure><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{}</title>",
        escape(title)
    );
    axes(&mut svg, &scales);
    for (index, curve) in curves.iter().enumerate() {
        line(&mut svg, &scales, index, curve);
    }
    labels(&mut svg, &scales, &curves);
    let _ = write!(
        svg,
        "</svg><figcaption>{}</figcaption></figure>",
        escape(title)
    );
    svg
}

fn axes(svg: &mut String, scales: &Scales) {
    let bottom = HEIGHT - BOTTOM;
    let right = WIDTH - RIGHT;
    for (quantile, label) in [
        (0.0, "min"),
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
    ] {
        if tail(quantile) > scales.tail_decades + 1e-9 {
            continue;
        }
        let x = scales.x(quantile);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 18.0
        );
    }
    for ns in latency_ticks(scales) {
        let y = scales.y(log10(ns));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            round_duration(ns)
        );
    }
}

/// 1, 2 and 5 of each decade, or the decades alone when there are many of them.
fn latency_ticks(scales: &Scales) -> Vec<u64> {
    let steps: &[u64] = if scales.highest - scales.lowest > 2.5 {
        &[1]
    } else {
        &[1, 2, 5]
    };
    let decades = (0..12).map(|exponent| 10_u64.pow(exponent));
    decades
        .flat_map(|decade| steps.iter().map(move |step| step * decade))
        .filter(|ns| (scales.lowest..=scales.highest).contains(&log10(*ns)))
        .collect()
}

/// `200 µs`, not `200.0 µs`: ticks are round numbers.
fn round_duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}

fn line(svg: &mut String, scales: &Scales, index: usize, curve: &Curve) {
    let mut points = String::new();
    for (quantile, ns) in &curve.points {
        let _ = write!(
            points,
            "{:.1},{:.1} ",
            scales.x(*quantile),
            scales.y(log10(*ns))
        );
    }
    let _ = write!(
        svg,
        "<polyline class=\"curve c{}\" points=\"{}\"><title>{}</title></polyline>",
        index % 6,
        points.trim_end(),
        escape(&curve.label)
    );
}

/// Labels stand at the ends of their curves, moved apart where the ends are close.
fn labels(svg: &mut String, scales: &Scales, curves: &[Curve]) {
    let mut ends: Vec<(f64, f64, usize)> = curves
        .iter()
        .enumerate()
        .filter_map(|(index, curve)| {
            let (quantile, ns) = curve.points.last()?;
            Some((scales.y(log10(*ns)), scales.x(*quantile), index))
        })
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lowest = TOP;
    for (y, x, index) in ends {
        let placed = y.max(lowest);
        lowest = placed + LABEL_HEIGHT;
        let curve = &curves[index];
        let last = curve.points.last().map_or(0, |(_, ns)| *ns);
        let _ = write!(
            svg,
            "<circle class=\"dot c{0}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\
             <text class=\"label c{0}\" x=\"{1:.1}\" y=\"{2:.1}\">{3} <tspan class=\"tick\">{4}</tspan></text>",
            index % 6,
            x + 8.0,
            placed + 4.0,
            escape(&curve.label),
            duration(last)
        );
    }
}

/// A bar of parts one behind the other, with a legend below.
pub(super) fn stacked_bar(title: &str, parts: &[(&str, u64)]) -> String {
    let total: u64 = parts.iter().map(|(_, ns)| ns).sum();
    if total == 0 {
        return String::new();
    }
    let mut svg = format!(
        "<figure><svg class=\"chart\" viewBox=\"0 0 {WIDTH} 34\" role=\"img\"><title>{}</title>",
        escape(title)
    );
    let mut x = 0.0;
    let mut legend = String::new();
    for (index, (name, ns)) in parts.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a length on a chart")]
        let width = WIDTH * (*ns as f64) / (total as f64);
        let _ = write!(
            svg,
            "<rect class=\"part c{index}\" x=\"{x:.1}\" y=\"4\" width=\"{width:.1}\" height=\"26\"><title>{}: {}</title></rect>",
            escape(name),
            duration(*ns)
        );
        x += width;
        let _ = write!(
            legend,
            "<span class=\"key\"><i class=\"swatch c{index}\"></i>{} <b>{}</b></span>",
            escape(name),
            duration(*ns)
        );
    }
    let _ = write!(svg, "</svg><figcaption>{legend}</figcaption></figure>");
    svg
}
