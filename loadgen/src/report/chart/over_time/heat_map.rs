//! The heat map: how many answers had which latency in which column, with lines of quantiles over it.

use std::fmt::Write as _;

use super::super::columns::{Column, Columns, count};
use super::super::round_duration;
use super::{LEFT, MAP_HEIGHT, MAP_TOP, PLOT, grid_line, panel_name, seconds_text};
use crate::record::{bucket_start_ns, latency_bucket};
use crate::units::duration;

/// Shades of the heat map; style.css has as many.
const SHADES: usize = 6;

/// From counts to shades: equal steps of the logarithm.
pub(super) struct Shades {
    largest: u64,
}

impl Shades {
    pub(super) fn of(columns: &Columns) -> Self {
        let counts = columns.list.iter().flat_map(|column| &column.latency);
        Self {
            largest: counts.copied().max().unwrap_or_default(),
        }
    }

    /// The largest count of a shade, the first being 1.
    fn upper(&self, shade: usize) -> u64 {
        let step = count(self.largest).ln() * count(shade as u64) / count(SHADES as u64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 1, and at most the largest count"
        )]
        let upper = step.exp().round() as u64;
        upper.max(shade as u64)
    }

    /// The shade of a count above 0: 1 for the smallest, [`SHADES`] for the largest.
    fn of_count(&self, count: u64) -> usize {
        (1..SHADES)
            .find(|shade| count <= self.upper(*shade))
            .unwrap_or(SHADES)
    }

    pub(super) fn legend(&self, seconds_each: u64) -> String {
        if self.largest == 0 {
            return "No right answer.".to_owned();
        }
        let mut legend = format!("Right answers a cell of {}: ", seconds_text(seconds_each));
        let mut from = 1;
        for shade in 1..=SHADES {
            let upper = self.upper(shade).min(self.largest);
            if upper < from {
                break;
            }
            let counts = if from == upper {
                from.to_string()
            } else {
                format!("{from}–{upper}")
            };
            let _ = write!(
                legend,
                "<span class=\"key\"><i class=\"swatch h{shade}\"></i>{counts}</span>"
            );
            from = upper + 1;
        }
        legend
    }
}

/// Cells of the same shade are one path, and neighbours one rectangle of it: in units of columns and buckets the page
/// stays small.
pub(super) fn heat_map(
    svg: &mut String,
    latency: &str,
    columns: &Columns,
    shades: &Shades,
    (first, end): (usize, usize),
) {
    panel_name(svg, MAP_TOP, latency);
    // Below the cells, which are what is looked at.
    let bounds = bucket_start_ns(first)..=bucket_start_ns(end);
    for ns in latency_ticks(&bounds) {
        let y = latency_y(ns, (first, end));
        grid_line(svg, y, &round_duration(ns));
    }
    let mut paths = vec![String::new(); SHADES + 1];
    for bucket in first..end {
        let row = end - 1 - bucket;
        let shade = |column: &Column| match column.latency[bucket] {
            0 => 0,
            count => shades.of_count(count),
        };
        let mut x = 0;
        for run in columns.list.chunk_by(|a, b| shade(a) == shade(b)) {
            let (shade, width) = (shade(&run[0]), run.len());
            if shade > 0 {
                let _ = write!(paths[shade], "M{x} {row}h{width}v1h-{width}z");
            }
            x += width;
        }
    }
    let _ = write!(
        svg,
        "<svg x=\"{LEFT}\" y=\"{MAP_TOP}\" width=\"{PLOT}\" height=\"{MAP_HEIGHT}\" viewBox=\"0 0 {} {}\" \
         preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\">",
        columns.list.len(),
        end - first
    );
    for (shade, path) in paths
        .iter()
        .enumerate()
        .filter(|(_, path)| !path.is_empty())
    {
        let _ = write!(svg, "<path class=\"h{shade}\" d=\"{path}\"/>");
    }
    svg.push_str("</svg>");
}

/// 1, 2 and 5 of each decade, or the decades alone when there are many of them.
fn latency_ticks(bounds: &std::ops::RangeInclusive<u64>) -> Vec<u64> {
    let steps: &[u64] = if bounds.end() / bounds.start().max(&1) > 300 {
        &[1]
    } else {
        &[1, 2, 5]
    };
    let decades = (3..12).map(|exponent| 10_u64.pow(exponent));
    let all = decades.flat_map(|decade| steps.iter().map(move |step| step * decade));
    all.filter(|ns| bounds.contains(ns)).collect()
}

/// On the scale of the buckets, so that lines and cells stand together.
pub(super) fn latency_y(ns: u64, (first, end): (usize, usize)) -> f64 {
    let bucket = latency_bucket(ns);
    let (start, next) = (bucket_start_ns(bucket), bucket_start_ns(bucket + 1));
    let within = count(ns.saturating_sub(start)) / count(next - start);
    let place = (count(bucket as u64) + within.min(1.0)).max(count(first as u64));
    let share = (place - count(first as u64)) / count((end - first) as u64);
    MAP_TOP + MAP_HEIGHT * (1.0 - share.min(1.0))
}

/// p50 and p99; the largest value in place of p99 where most columns have too few samples for one.
pub(super) fn quantile_lines(svg: &mut String, columns: &Columns, range: (usize, usize)) {
    let answered = columns.list.iter().filter(|column| column.right > 0);
    let supported = answered.clone().filter(|c| c.quantile(0.99).is_some());
    let p99 = 2 * supported.count() > answered.count();
    let largest = |column: &Column| (column.right > 0).then_some(column.max_ns);
    let upper: (&str, &str, Vec<Option<u64>>) = if p99 {
        let values = columns.list.iter().map(|column| column.quantile(0.99));
        ("p99", "c5", values.collect())
    } else {
        ("max", "c5", columns.list.iter().map(largest).collect())
    };
    let p50 = columns.list.iter().map(|column| column.quantile(0.5));
    let lower = ("p50", "c1", p50.collect::<Vec<_>>());
    let mut label_above = f64::INFINITY;
    for (name, class, values) in [lower, upper] {
        let points: Vec<Option<f64>> = values
            .iter()
            .map(|value| value.map(|ns| latency_y(ns, range)))
            .collect();
        let path = line_path(&points);
        if path.is_empty() {
            continue;
        }
        let _ = write!(
            svg,
            "<path class=\"halo\" d=\"{path}\"/><path class=\"course {class}\" d=\"{path}\"/>"
        );
        let last = values.iter().zip(&points).rev();
        if let Some((Some(ns), Some(y))) = last.clone().find(|(value, _)| value.is_some()) {
            let y = (y + 4.0).min(label_above - 28.0);
            label_above = y;
            let x = LEFT + PLOT + 6.0;
            let _ = write!(
                svg,
                "<text class=\"label {class}\" x=\"{x}\" y=\"{y:.1}\">{name}<tspan class=\"tick\" x=\"{x}\" dy=\"13\">{}</tspan></text>",
                duration(*ns)
            );
        }
    }
}

/// A line through the middles of the columns, broken where one has no value; one alone is a dash.
fn line_path(points: &[Option<f64>]) -> String {
    let width = PLOT / count(points.len() as u64);
    let mut path = String::new();
    let mut joined = false;
    for (index, point) in points.iter().enumerate() {
        let Some(y) = point else {
            joined = false;
            continue;
        };
        let x = LEFT + (count(index as u64) + 0.5) * width;
        let next = points.get(index + 1).copied().flatten();
        if joined {
            let _ = write!(path, "L{x:.1} {y:.1}");
        } else if next.is_some() {
            let _ = write!(path, "M{x:.1} {y:.1}");
        } else {
            let _ = write!(path, "M{:.1} {y:.1}h{width:.1}", x - width / 2.0);
        }
        joined = true;
    }
    path
}
