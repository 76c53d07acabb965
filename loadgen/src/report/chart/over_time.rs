//! A phase over time: latencies as a heat map, and below it what was answered, wrong and lost, on the same axis.

use std::fmt::Write as _;

use super::super::figures::duration;
use super::columns::{Column, Columns, count};
use super::round_duration;
use crate::record::{SecondRecord, bucket_start_ns, latency_bucket};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 64.0;
/// Room for the names of the two lines.
const RIGHT: f64 = 74.0;
const PLOT: f64 = WIDTH - LEFT - RIGHT;
/// Each panel has its name above it.
const MAP_TOP: f64 = 20.0;
const MAP_HEIGHT: f64 = 236.0;
const RATE_TOP: f64 = MAP_TOP + MAP_HEIGHT + 30.0;
const RATE_HEIGHT: f64 = 64.0;
const FAULTS_TOP: f64 = RATE_TOP + RATE_HEIGHT + 30.0;
const FAULTS_HEIGHT: f64 = 40.0;
const AXIS: f64 = 22.0;
/// Shades of the heat map; style.css has as many.
const SHADES: usize = 6;

/// The chart; empty for a phase that is too short to have a course.
pub(in crate::report) fn over_time(
    latency: &str,
    timeline: &[SecondRecord],
    elapsed_ms: u64,
) -> String {
    let Some(columns) = Columns::of(timeline, elapsed_ms) else {
        return String::new();
    };
    let faults = columns.list.iter().any(|c| c.wrong > 0 || c.lost > 0);
    let bottom = if faults {
        FAULTS_TOP + FAULTS_HEIGHT
    } else {
        RATE_TOP + RATE_HEIGHT
    };
    let title = format!("Over time: {latency} and right answers a second");
    let mut svg = format!(
        "<figure><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\"><title>{title}</title>",
        bottom + AXIS
    );
    time_axis(&mut svg, &columns, bottom);
    let thresholds = Shades::of(&columns);
    if let Some(range) = columns.bucket_range() {
        heat_map(&mut svg, latency, &columns, &thresholds, range);
        quantile_lines(&mut svg, &columns, range);
    }
    rate(&mut svg, &columns);
    if faults {
        wrong_and_lost(&mut svg, &columns);
    }
    on_hover(&mut svg, &columns, bottom);
    let _ = write!(
        svg,
        "</svg><figcaption>{}</figcaption></figure>",
        thresholds.legend(columns.seconds_each)
    );
    svg
}

/// From counts to shades: equal steps of the logarithm.
struct Shades {
    largest: u64,
}

impl Shades {
    fn of(columns: &Columns) -> Self {
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

    fn legend(&self, seconds_each: u64) -> String {
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
fn heat_map(
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
fn latency_y(ns: u64, (first, end): (usize, usize)) -> f64 {
    let bucket = latency_bucket(ns);
    let (start, next) = (bucket_start_ns(bucket), bucket_start_ns(bucket + 1));
    let within = count(ns.saturating_sub(start)) / count(next - start);
    let place = (count(bucket as u64) + within.min(1.0)).max(count(first as u64));
    let share = (place - count(first as u64)) / count((end - first) as u64);
    MAP_TOP + MAP_HEIGHT * (1.0 - share.min(1.0))
}

/// p50 and p99; the largest value in place of p99 where most columns have too few samples for one.
fn quantile_lines(svg: &mut String, columns: &Columns, range: (usize, usize)) {
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

/// Right answers a second, as steps.
fn rate(svg: &mut String, columns: &Columns) {
    panel_name(svg, RATE_TOP, "right answers a second");
    let rates: Vec<f64> = columns
        .list
        .iter()
        .enumerate()
        .map_while(|(index, column)| columns.per_second(index, column.right))
        .collect();
    let top = nice_top(rates.iter().copied().fold(0.0, f64::max));
    let bottom = RATE_TOP + RATE_HEIGHT;
    let y = |rate: f64| bottom - RATE_HEIGHT * (rate / top).min(1.0);
    for share in [0.0, 0.5, 1.0] {
        grid_line(svg, y(top * share), &number(top * share));
    }
    let width = PLOT / count(columns.list.len() as u64);
    let mut line = String::new();
    for (index, rate) in rates.iter().enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        let x = LEFT + count(index as u64) * width;
        let _ = write!(line, "{letter}{x:.1} {:.1}h{width:.2}", y(*rate));
    }
    if !line.is_empty() {
        let _ = write!(
            svg,
            "<path class=\"area c0\" d=\"{line}V{bottom}H{LEFT}z\"/><path class=\"course c0\" d=\"{line}\"/>"
        );
    }
}

/// Wrong answers and lost requests a second, one on the other.
fn wrong_and_lost(svg: &mut String, columns: &Columns) {
    let key = "<tspan class=\"label wrong\">wrong</tspan> and <tspan class=\"label lost\">lost</tspan> a second";
    panel_name(svg, FAULTS_TOP, key);
    let each = count(columns.seconds_each);
    let rates = |column: &Column| (count(column.wrong) / each, count(column.lost) / each);
    let sums = columns.list.iter().map(rates).map(|(w, l)| w + l);
    let top = nice_top(sums.fold(0.0, f64::max));
    let bottom = FAULTS_TOP + FAULTS_HEIGHT;
    for share in [0.0, 1.0] {
        grid_line(svg, bottom - FAULTS_HEIGHT * share, &number(top * share));
    }
    let width = PLOT / count(columns.list.len() as u64);
    for (index, column) in columns.list.iter().enumerate() {
        let (wrong, lost) = rates(column);
        let x = LEFT + count(index as u64) * width;
        let mut y = bottom;
        for (class, rate) in [("wrong", wrong), ("lost", lost)] {
            if rate > 0.0 {
                // A single one among many is still to be seen.
                let height = (FAULTS_HEIGHT * rate / top).max(1.5);
                y -= height;
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{height:.1}\"/>"
                );
            }
        }
    }
}

/// What a column holds, where the pointer rests on it.
fn on_hover(svg: &mut String, columns: &Columns, bottom: f64) {
    let _ = write!(
        svg,
        "<svg x=\"{LEFT}\" y=\"{MAP_TOP}\" width=\"{PLOT}\" height=\"{}\" viewBox=\"0 0 {} 1\" \
         preserveAspectRatio=\"none\">",
        bottom - MAP_TOP,
        columns.list.len()
    );
    for (index, column) in columns.list.iter().enumerate() {
        let start = columns.seconds_each.saturating_mul(index as u64);
        let _ = write!(
            svg,
            "<rect class=\"hover\" x=\"{index}\" width=\"1\" height=\"1\"><title>{start}–{} s: {} right",
            start.saturating_add(columns.seconds_each),
            column.right
        );
        for (what, number) in [("wrong", column.wrong), ("lost", column.lost)] {
            if number > 0 {
                let _ = write!(svg, ", {number} {what}");
            }
        }
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            if let Some(ns) = column.quantile(quantile) {
                let _ = write!(svg, ", {name} {}", duration(ns));
            }
        }
        if column.right > 0 {
            let _ = write!(svg, ", max {}", duration(column.max_ns));
        }
        svg.push_str("</title></rect>");
    }
    svg.push_str("</svg>");
}

fn time_axis(svg: &mut String, columns: &Columns, bottom: f64) {
    let total = columns.seconds();
    let steps = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800,
    ];
    let step = steps.into_iter().find(|step| total / step <= 10);
    let step = step.unwrap_or(total / 10);
    for tick in 0..=total / step {
        let at = tick * step;
        let x = LEFT + PLOT * count(at) / count(total);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{MAP_TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            seconds_text(at)
        );
    }
}

fn panel_name(svg: &mut String, top: f64, name: &str) {
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{}\" y=\"{}\">{name}</text>",
        LEFT + 4.0,
        top - 8.0
    );
}

fn grid_line(svg: &mut String, y: f64, label: &str) {
    let _ = write!(
        svg,
        "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\"/>\
         <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
        LEFT + PLOT,
        LEFT - 8.0,
        y + 4.0
    );
}

/// The next of 1, 2, 4, 6 and 8 of a decade: halves of them are round, too.
fn nice_top(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 1.0;
    }
    let decade = 10_f64.powf(largest.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * decade >= largest);
    step.unwrap_or(10.0) * decade
}

/// Without decimals that a round number does not have.
fn number(value: f64) -> String {
    let (value, unit) = if value >= 10_000.0 {
        (value / 1e3, "k")
    } else {
        (value, "")
    };
    let text = format!("{value:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `45 s`, `2 min`, `1:30 min`, `1:30 h`.
fn seconds_text(seconds: u64) -> String {
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match (minutes, rest) {
        (0, _) => format!("{seconds} s"),
        (60.., 0) if minutes % 60 == 0 => format!("{} h", minutes / 60),
        (60.., _) => format!("{}:{:02} h", minutes / 60, minutes % 60),
        (_, 0) => format!("{minutes} min"),
        _ => format!("{minutes}:{rest:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{LATENCY_BUCKETS, LatencyCounts};

    fn second(second: u64, counts: &[(usize, u64)]) -> SecondRecord {
        let mut buckets = vec![0; LATENCY_BUCKETS];
        for (bucket, count) in counts {
            buckets[*bucket] = *count;
        }
        let latency = LatencyCounts::of_buckets(buckets);
        SecondRecord {
            second,
            right: latency.total(),
            wrong: 0,
            lost: 0,
            p50_ns: 0,
            p99_ns: 0,
            max_ns: u64::MAX,
            latency,
        }
    }

    #[test]
    fn neighbours_of_a_shade_are_one_rectangle_and_larger_counts_are_of_higher_shades() {
        let few_and_many = [(40, 1), (43, 1000)];
        let timeline: Vec<_> = (0..5).map(|s| second(s, &few_and_many)).collect();
        let svg = over_time("service time", &timeline, 5000);
        assert_eq!(svg.matches("h5v1h-5z").count(), 2, "{svg}");
        let rows: Vec<_> = ["h1", "h6"]
            .iter()
            .map(|shade| {
                let path = format!("<path class=\"{shade}\" d=\"M0 ");
                let row = svg.split(&path).nth(1).expect("a cell");
                row.split('h').next().expect("a row").parse::<u32>()
            })
            .collect();
        assert_eq!(
            rows[0].clone().expect("a row"),
            rows[1].clone().expect("a row") + 3
        );
    }

    #[test]
    fn a_line_breaks_where_nothing_was_answered() {
        let timeline = [
            second(0, &[(9, 5)]),
            second(1, &[(9, 5)]),
            second(4, &[(9, 5)]),
        ];
        let svg = over_time("service time", &timeline, 5000);
        let p50 = svg
            .split("<path class=\"course c1\" d=\"")
            .nth(1)
            .expect("a line");
        let p50 = p50.split('"').next().expect("its end");
        assert_eq!(
            (p50.matches('M').count(), p50.matches('L').count()),
            (2, 1),
            "{p50}"
        );
        assert!(svg.contains(">max<"), "five samples have no p99");
        assert!(!svg.contains("lost"), "no panel for what did not happen");
    }

    #[test]
    fn faults_have_a_panel_and_a_short_phase_has_no_chart() {
        let mut timeline = [second(0, &[(9, 5)]), second(1, &[]), second(2, &[])];
        timeline[1].wrong = 3;
        timeline[2].lost = 1;
        let svg = over_time("service time", &timeline, 3000);
        assert!(svg.contains("<rect class=\"wrong\"") && svg.contains("<rect class=\"lost\""));
        assert!(svg.contains("1–2 s: 0 right, 3 wrong"), "{svg}");
        assert_eq!(over_time("service time", &timeline[..2], 2000), "");
    }

    #[test]
    fn figures_that_a_file_makes_up_break_nothing() {
        let mut timeline = [
            second(0, &[(0, u64::MAX)]),
            second(u64::MAX, &[(215, u64::MAX)]),
        ];
        timeline[0].wrong = u64::MAX;
        assert!(over_time("service time", &timeline, u64::MAX).ends_with("</figure>"));
    }
}
