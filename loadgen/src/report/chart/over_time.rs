//! A phase over time: latencies as a heat map, and below it what was answered, wrong and lost, and the subject's memory, on the
//! same axis. What happened meanwhile goes through all of them.

use std::fmt::Write as _;

use super::columns::{Column, Columns, count};
use crate::record::{MemorySample, PhaseRecord, SecondRecord, latency_bucket};
use crate::units::duration;

mod heat_map;
mod marks;
mod memory;

use heat_map::{Shades, heat_map, quantile_lines};

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
/// A threshold within two octaves of what was measured is on the chart; one far off would press the rest together.
const LIMIT_WITHIN: usize = 16;

/// What the chart shows of a phase.
#[derive(Default)]
struct Course<'a> {
    timeline: &'a [SecondRecord],
    elapsed_ms: u64,
    marks: Vec<marks::Mark>,
    limits: Vec<marks::Line>,
    memory: &'a [MemorySample],
}

/// The chart; empty for a phase that is too short to have a course. `latency` is what the latencies are called, escaped.
pub(in crate::report) fn over_time(latency: &str, phase: &PhaseRecord) -> String {
    let course = Course {
        timeline: &phase.timeline,
        elapsed_ms: phase.elapsed_ms,
        marks: marks::of(phase),
        limits: marks::lines(phase),
        memory: &phase.memory,
    };
    draw(latency, &course)
}

fn draw(latency: &str, course: &Course<'_>) -> String {
    let Some(columns) = Columns::of(course.timeline, course.elapsed_ms) else {
        return String::new();
    };
    let faults = columns.list.iter().any(|c| c.wrong > 0 || c.lost > 0);
    let mut bottom = if faults {
        FAULTS_TOP + FAULTS_HEIGHT
    } else {
        RATE_TOP + RATE_HEIGHT
    };
    // One sample is no course.
    let memory_top = (course.memory.len() > 1).then_some(bottom + 30.0);
    bottom = memory_top.map_or(bottom, |top| top + memory::HEIGHT);
    let above = marks::height(&course.marks, &columns);
    let title = format!("Over time: {latency} and right answers a second");
    let mut svg = format!(
        "<figure><svg class=\"chart\" viewBox=\"0 {} {WIDTH} {}\" role=\"img\"><title>{title}</title>",
        -above,
        above + bottom + AXIS
    );
    time_axis(&mut svg, &columns, bottom);
    let shades = Shades::of(&columns);
    if let Some(range) = columns.bucket_range() {
        let range = with_limits(range, &course.limits);
        heat_map(&mut svg, latency, &columns, &shades, range);
        marks::draw_lines(&mut svg, &course.limits, range);
        quantile_lines(&mut svg, &columns, range);
    }
    rate(&mut svg, &columns);
    if faults {
        wrong_and_lost(&mut svg, &columns);
    }
    if let Some(top) = memory_top {
        memory::draw(&mut svg, course.memory, &columns, top);
    }
    marks::draw(&mut svg, &course.marks, &columns, bottom);
    on_hover(&mut svg, &columns, bottom);
    let _ = write!(
        svg,
        "</svg><figcaption>{}</figcaption></figure>",
        shades.legend(columns.seconds_each)
    );
    svg
}

/// The buckets of the heat map, and those up to the thresholds that are not far from them.
fn with_limits((first, end): (usize, usize), limits: &[marks::Line]) -> (usize, usize) {
    let buckets = limits.iter().map(|line| latency_bucket(line.limit_ns));
    let near = buckets
        .filter(|bucket| (first.saturating_sub(LIMIT_WITHIN)..end + LIMIT_WITHIN).contains(bucket));
    // A free row beyond the line, so that it is no edge.
    near.fold((first, end), |(first, end), bucket| {
        let beyond = (bucket + 2).min(crate::record::LATENCY_BUCKETS);
        (first.min(bucket.saturating_sub(1)), end.max(beyond))
    })
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
    use crate::record::{
        BreachRecord, EventRecord, LATENCY_BUCKETS, LatencyCounts, ThresholdRecord, bucket_start_ns,
    };

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

    fn chart(timeline: &[SecondRecord], elapsed_ms: u64) -> String {
        let course = Course {
            timeline,
            elapsed_ms,
            ..Course::default()
        };
        draw("service time", &course)
    }

    #[test]
    fn neighbours_of_a_shade_are_one_rectangle_and_larger_counts_are_of_higher_shades() {
        let few_and_many = [(40, 1), (43, 1000)];
        let timeline: Vec<_> = (0..5).map(|s| second(s, &few_and_many)).collect();
        let svg = chart(&timeline, 5000);
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
        let svg = chart(&timeline, 5000);
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
        let svg = chart(&timeline, 3000);
        assert!(svg.contains("<rect class=\"wrong\"") && svg.contains("<rect class=\"lost\""));
        assert!(svg.contains("1–2 s: 0 right, 3 wrong"), "{svg}");
        assert_eq!(chart(&timeline[..2], 2000), "");
    }

    #[test]
    fn figures_that_a_file_makes_up_break_nothing() {
        let mut timeline = [
            second(0, &[(0, u64::MAX)]),
            second(u64::MAX, &[(215, u64::MAX)]),
        ];
        timeline[0].wrong = u64::MAX;
        assert!(chart(&timeline, u64::MAX).ends_with("</figure>"));
    }

    /// The place of something in the drawing, by what stands before and behind the number.
    fn numbers(svg: &str, before: &str) -> Vec<f64> {
        let after = svg.split(before).skip(1);
        let number = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
            text[..end.unwrap_or(text.len())].parse().expect("a number")
        };
        after.map(number).collect()
    }

    #[test]
    fn what_happened_goes_through_all_panels_at_its_time_and_has_its_name() {
        let mut phase = super::super::super::sample::failing().phases.remove(1);
        phase.timeline = (0..10).map(|s| second(s, &[(40, 100)])).collect();
        phase.elapsed_ms = 10_000;
        let event = |after_ms, what: &str| EventRecord {
            after_ms,
            what: what.to_owned(),
        };
        phase.events = vec![event(2_000, "the issuer <fails>"), event(2_100, "again")];
        phase.breaches = vec![BreachRecord {
            after_ms: 10_000,
            what: "p99 above 5.00 ms".to_owned(),
        }];
        let svg = over_time("service time", &phase);
        let events = numbers(&svg, "<path class=\"mark event\" d=\"M");
        let wanted = LEFT + PLOT * 0.2;
        assert!((events[0] - wanted).abs() < 0.1, "{events:?}");
        let breaches = numbers(&svg, "<path class=\"mark breach\" d=\"M");
        assert!((breaches[0] - LEFT - PLOT).abs() < 0.1, "{breaches:?}");
        // Both names of one moment are to be read, so that they are in two rows; the last one ends at its line.
        let baselines: Vec<f64> = ["&lt;fails&gt;</text>", "again</text>"]
            .iter()
            .map(|name| {
                let text = svg.split(name).next().expect("before");
                let text = text.rsplit("<text").next().expect("the last text");
                numbers(text, " y=\"")[0]
            })
            .collect();
        assert!(baselines[0] > baselines[1], "{baselines:?}");
        assert!(
            svg.contains("text-anchor=\"end\">breached: p99 above 5.00 ms</text>"),
            "{svg}"
        );
        assert!(!svg.contains("<fails>"));
        let top = numbers(&svg, "viewBox=\"0 ")[0];
        assert!(top < 0.0, "room above for the names: {top}");
    }

    #[test]
    fn a_threshold_is_a_line_that_says_whether_it_was_kept_unless_it_is_far_off() {
        let mut phase = super::super::super::sample::failing().phases.remove(1);
        phase.timeline = (0..4).map(|s| second(s, &[(40, 100)])).collect();
        let threshold = |quantile: &str, limit_ns, kept| ThresholdRecord {
            quantile: quantile.to_owned(),
            limit_ns,
            measured_ns: 0,
            kept,
        };
        let here = bucket_start_ns(40);
        phase.thresholds = vec![
            threshold("p50", here / 2, false),
            threshold("p99", here * 2, true),
            threshold("max", here * 1000, true),
        ];
        let svg = over_time("service time", &phase);
        assert_eq!(svg.matches("<path class=\"limit").count(), 2, "{svg}");
        let y = |class: &str| numbers(&svg, &format!("<path class=\"limit {class}\" d=\"M64 "))[0];
        assert!(y("missed") > y("kept"), "half of it is below twice as much");
    }

    #[test]
    fn memory_has_a_panel_where_it_was_sampled_more_than_once() {
        let timeline: Vec<_> = (0..4).map(|s| second(s, &[(40, 100)])).collect();
        let sample = |after_ms, resident_bytes| MemorySample {
            after_ms,
            resident_bytes,
            processes: 1,
        };
        let samples = [sample(0, 30_000_000), sample(2_000, 60_000_000)];
        let with = |memory| {
            let course = Course {
                timeline: &timeline,
                elapsed_ms: 4_000,
                memory,
                ..Course::default()
            };
            draw("service time", &course)
        };
        let svg = with(&samples[..]);
        let line = svg
            .split("<path class=\"course c3\" d=\"")
            .nth(1)
            .expect("a line");
        assert!(line.starts_with("M64.0 "), "{line}");
        assert!(
            line.contains(&format!("L{:.1} ", LEFT + PLOT / 2.0)),
            "{line}"
        );
        assert!(!with(&samples[..1]).contains("memory"));
    }
}
