//! The terminal report: the verdict, then what failed, then the figures.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::TerminalStyle;
use super::figures::{Quantile, rate};
use super::storage;
use crate::record::{COLD_DISK, FIRST_START, LossRecord, PhaseRecord, RunRecord, SeriesRecord};
use crate::units::duration;
use crate::verdict;

mod conformance;

use conformance::conformance_part;

/// The whole report, ending with a line break.
pub(super) fn text(record: &RunRecord, style: TerminalStyle) -> String {
    let mut text = String::new();
    let word = paint(
        &record.verdict.word.to_uppercase(),
        verdict_color(&record.verdict.word),
        style,
    );
    let _ = writeln!(
        text,
        "\n{word}  {} · scenario {} · {}",
        record.subject.name, record.scenario.name, record.started_at
    );
    let tolerated = verdict::tolerated(record);
    for reason in record.verdict.reasons.iter().chain(&tolerated) {
        let _ = writeln!(text, "  {reason}");
    }
    if let Some(conformance) = &record.conformance {
        conformance_part(&mut text, conformance, style);
    }
    latency_part(&mut text, record, style);
    let machine = &record.machine;
    let _ = writeln!(
        text,
        "\n{} · {} cores · {} · {} build · load average {:.2} at the start",
        machine.cpu, machine.cores, machine.os, machine.build, machine.load_average
    );
    text
}

fn verdict_color(word: &str) -> u8 {
    match word {
        "good" => 32,
        "nonconformant" | "testbed-failed" => 31,
        _ => 33,
    }
}

/// A text in bold and one of the eight colours (ECMA-48 SGR).
fn paint(text: &str, color: u8, style: TerminalStyle) -> String {
    if style.color {
        format!("\x1b[1;{color}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// A line above, below and under the header; rows stand close, so that a whole run fits on one screen.
const LINES: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

pub(super) fn table(style: TerminalStyle, header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(LINES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(style.width).unwrap_or(u16::MAX))
        .set_header(header.to_vec());
    table
}

pub(super) fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_padding((1, 0));
        }
    }
}

fn latency_part(text: &mut String, record: &RunRecord, style: TerminalStyle) {
    let phases: Vec<&PhaseRecord> = record
        .phases
        .iter()
        .chain(record.calibration.as_ref())
        .collect();
    if !phases.is_empty() {
        let mut table = table(
            style,
            &[
                "latency", "n", "p50", "p90", "p99", "p99.9", "max", "answers", "wrong", "lost",
            ],
        );
        for phase in &phases {
            rows(&mut table, phase);
        }
        align_right(&mut table, 1..10);
        let _ = writeln!(text, "\n{table}");
        if record.calibration.is_some() {
            let _ = writeln!(
                text,
                "floor: the same client at a route that decides nothing"
            );
        }
    }
    for phase in phases {
        if let Some(invalid) = phase
            .generator
            .as_ref()
            .and_then(|generator| generator.invalid.as_ref())
        {
            let _ = writeln!(text, "{}: INVALID, {invalid}", phase.label());
        }
        lost(text, phase);
        let not_cold = storage::not_cold(phase);
        for line in storage::lines(phase).into_iter().chain(not_cold) {
            let _ = writeln!(text, "{}: {line}", phase.label());
        }
        course(text, phase);
        for sample in &phase.wrong_samples {
            let _ = writeln!(
                text,
                "{}: {} expected {}, got {}",
                phase.label(),
                sample.class,
                sample.expected,
                sample.observed
            );
        }
    }
    for skipped in &record.skipped {
        let _ = writeln!(
            text,
            "{} was not measured: {}",
            skipped.kind, skipped.reason
        );
    }
}

/// What became of the requests without a decision.
fn lost(text: &mut String, phase: &PhaseRecord) {
    if !phase.losses.is_empty() {
        let kind = |loss: &LossRecord| format!("{} {}", loss.count, loss.kind.words());
        let kinds: Vec<_> = phase.losses.iter().map(kind).collect();
        let _ = writeln!(text, "{}: lost: {}", phase.label(), kinds.join(", "));
    }
}

/// What happened during a phase, what the subject took meanwhile, and the limits.
fn course(text: &mut String, phase: &PhaseRecord) {
    for event in &phase.events {
        let _ = writeln!(
            text,
            "{}: after {}: {}",
            phase.label(),
            duration(event.after_ms * 1_000_000),
            event.what
        );
    }
    tokens(text, phase);
    for breach in &phase.breaches {
        let _ = writeln!(
            text,
            "{}: after {}: breached: {}",
            phase.label(),
            duration(breach.after_ms.saturating_mul(1_000_000)),
            breach.what
        );
    }
    for limit in &phase.limits {
        let kept = if limit.kept { "kept" } else { "missed" };
        let _ = writeln!(
            text,
            "{}: {} {} (at most {}: {kept})",
            phase.label(),
            limit.name,
            limit.measured,
            limit.most
        );
    }
}

/// Which tokens were sent and what the cache made of them, where there is something to tell.
fn tokens(text: &mut String, phase: &PhaseRecord) {
    let Some(tokens) = &phase.tokens else {
        return;
    };
    let is_plain = matches!(tokens.popularity.as_str(), "each once" | "in turn");
    if is_plain
        && tokens.refreshes == 0
        && tokens.by_next_key == 0
        && phase.kind != "expiry-stampede"
    {
        return;
    }
    let _ = writeln!(
        text,
        "{}: {} tokens {}, {} issued later, {} by the next key. {}",
        phase.label(),
        tokens.population,
        tokens.popularity,
        tokens.refreshes,
        tokens.by_next_key,
        phase.definition
    );
}

/// One row a series: the totals of a load phase, all parts of a cold start and the whole of the others. The first one is the
/// phase's own, also where nothing of class `all` was measured: another class has its name and not the phase's.
fn rows(table: &mut Table, phase: &PhaseRecord) {
    let mut all = phase.series.iter().filter(|series| series.class == "all");
    let mut own = cells(phase.label(), all.next());
    own.extend([
        rate(phase.requests_per_second),
        phase.wrong_decisions.to_string(),
        phase.errors.to_string(),
    ]);
    table.add_row(own);
    for part in all {
        table.add_row(cells(format!("  {}", part.name), Some(part)));
    }
    for class in [COLD_DISK, FIRST_START] {
        if let Some(total) = storage::total(phase, class) {
            table.add_row(cells(format!("  {class}"), Some(total)));
        }
    }
}

/// A name and the figures of a series; dashes where nothing was measured.
fn cells(name: String, series: Option<&SeriesRecord>) -> Vec<String> {
    let Some(series) = series else {
        let dashes = vec!["–".to_owned(); Quantile::ALL.len() + 1];
        return [vec![name, "0".to_owned()], dashes].concat();
    };
    let mut cells = vec![name, series.count.to_string()];
    cells.extend(Quantile::ALL.iter().map(|quantile| quantile.text(series)));
    cells.push(duration(series.max_ns));
    cells
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const PLAIN: TerminalStyle = TerminalStyle {
        color: false,
        width: 100,
    };

    #[test]
    fn causes_come_first_with_what_to_do_about_them_and_then_the_failing_cases() {
        let text = text(&sample::failing(), PLAIN);
        let cause = text
            .find("high  The expiry is not checked  (1 case, CWE-613)")
            .expect("the cause");
        let fix = text.find("Compare exp with the clock.").expect("the fix");
        let failing = text.find("high  t::bad: A case").expect("the case");
        let table = text.find(" conformance").expect("the table");
        assert!(cause < fix && fix < failing && failing < table, "{text}");
        assert!(text.contains("seen as CVE-0000-0001"), "{text}");
        assert!(text.starts_with("\nNONCONFORMANT"), "{text}");
    }

    #[test]
    fn the_phases_name_stands_for_class_all_alone() {
        let mut record = sample::failing();
        let phase = &mut record.phases[0];
        phase.series.truncate(1);
        (phase.series[0].name, phase.series[0].class) =
            ("total".to_owned(), FIRST_START.to_owned());
        phase.errors = 3;
        let text = text(&record, PLAIN);
        let row = |name: &str| {
            let mut lines = text.lines().map(|line| line.split_whitespace().collect());
            let row: Option<Vec<&str>> =
                lines.find(|row: &Vec<&str>| row.join(" ").starts_with(name));
            row.unwrap_or_else(|| panic!("no {name} in {text}"))
                .join(" ")
        };
        assert_eq!(row("cold start"), "cold start 0 – – – – – 1000/s 0 3");
        assert!(row("first start").starts_with("first start 30 "), "{text}");
    }

    #[test]
    fn without_colour_there_is_no_escape_sequence() {
        assert!(!text(&sample::failing(), PLAIN).contains('\x1b'));
        let color = TerminalStyle {
            color: true,
            ..PLAIN
        };
        assert!(text(&sample::failing(), color).contains("\x1b[1;31m"));
    }

    #[test]
    fn no_line_of_a_table_is_wider_than_the_terminal() {
        for line in text(&sample::failing(), PLAIN)
            .lines()
            .filter(|line| line.contains('─'))
        {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
