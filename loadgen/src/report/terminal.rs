//! The terminal report: the verdict, then what failed, then the figures.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::TerminalStyle;
use super::figures::{Quantile, duration, got, outcome, rate};
use crate::conform::{Outcome, Severity};
use crate::record::{CaseRecord, ConformanceRecord, PhaseRecord, RunRecord};
use crate::verdict;

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

fn table(style: TerminalStyle, header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(LINES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(style.width).unwrap_or(u16::MAX))
        .set_header(header.to_vec());
    table
}

fn conformance_part(text: &mut String, conformance: &ConformanceRecord, style: TerminalStyle) {
    if let Some(reason) = &conformance.not_judged {
        let _ = writeln!(text, "\nConformance was not judged: {reason}");
        return;
    }
    causes(text, conformance, style);
    failing(text, conformance, style);
    let mut groups: Vec<(&str, [usize; 4])> = Vec::new();
    for case in &conformance.cases {
        if groups.last().is_none_or(|(name, _)| *name != case.group) {
            groups.push((&case.group, [0; 4]));
        }
        let Some((_, counts)) = groups.last_mut() else {
            continue;
        };
        counts[column(case.outcome)] += 1;
    }
    let mut table = table(style, &["conformance", "pass", "fail", "noted", "skipped"]);
    let mut sum = [0; 4];
    for (name, counts) in &groups {
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
        table.add_row(row(name, counts));
    }
    table.add_row(row("all", &sum));
    align_right(&mut table, 1..5);
    let _ = writeln!(text, "\n{table}");
    remarks(text, conformance);
}

fn column(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Pass => 0,
        outcome if outcome.is_failure() => 1,
        Outcome::Skip => 3,
        _ => 2,
    }
}

fn row(name: &str, counts: &[usize; 4]) -> Vec<String> {
    let count = |count: &usize| {
        if *count == 0 {
            "·".to_owned()
        } else {
            count.to_string()
        }
    };
    std::iter::once(name.to_owned())
        .chain(counts.iter().map(count))
        .collect()
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_padding((1, 0));
        }
    }
}

/// Ids of a cause that are printed; the failing cases are listed below all the same.
const IDS_SHOWN: usize = 4;

/// What is wrong: a short list, worst first.
fn causes(text: &mut String, conformance: &ConformanceRecord, style: TerminalStyle) {
    for cause in &conformance.causes {
        let severity = paint(cause.severity.word(), severity_color(cause.severity), style);
        let weakness = cause.cwe.as_ref().map(|cwe| format!(", {cwe}"));
        let _ = writeln!(
            text,
            "\n{severity}  {}  ({}{})\n    {}\n    {}",
            cause.title,
            cases_of(cause.cases.len()),
            weakness.unwrap_or_default(),
            cause.why,
            cause.fix,
        );
        if !cause.cves.is_empty() {
            let _ = writeln!(text, "    seen as {}", cause.cves.join(", "));
        }
        let shown = cause.cases.iter().take(IDS_SHOWN).cloned();
        let mut ids: Vec<String> = shown.collect();
        if cause.cases.len() > IDS_SHOWN {
            ids.push(format!("and {} more", cause.cases.len() - IDS_SHOWN));
        }
        let _ = writeln!(text, "    {}", ids.join(", "));
    }
}

fn cases_of(count: usize) -> String {
    if count == 1 {
        "1 case".to_owned()
    } else {
        format!("{count} cases")
    }
}

fn severity_color(severity: Severity) -> u8 {
    match severity {
        Severity::Critical | Severity::High => 31,
        Severity::Medium => 33,
        Severity::Low | Severity::Info => 36,
    }
}

/// Every failing case on two lines; `authbench case ID` says the rest.
fn failing(text: &mut String, conformance: &ConformanceRecord, style: TerminalStyle) {
    let mut cases: Vec<&CaseRecord> = verdict::failures(conformance).collect();
    if cases.is_empty() {
        return;
    }
    cases.sort_by_key(|case| std::cmp::Reverse(case.severity));
    let _ = writeln!(
        text,
        "\nfailing cases (`authbench case ID` shows request, token and reason)"
    );
    for case in cases {
        let severity = paint(case.severity.word(), severity_color(case.severity), style);
        let _ = writeln!(
            text,
            "  {severity}  {}: {}\n    {}, {}: expected {}, got {}: {}",
            case.id,
            case.title,
            case.level.word(),
            case.clause,
            case.expected.word(),
            got(case),
            outcome(case.outcome),
        );
        if let Some(reason) = &case.reason {
            let _ = writeln!(text, "    {reason}");
        }
    }
}

/// Findings that are no failures, by id.
fn remarks(text: &mut String, conformance: &ConformanceRecord) {
    for kind in [
        Outcome::WrongStatus,
        Outcome::Note,
        Outcome::KnownDivergence,
    ] {
        let cases: Vec<String> = conformance
            .cases
            .iter()
            .filter(|case| case.outcome == kind)
            .map(|case| format!("{} ({})", case.id, got(case)))
            .collect();
        if !cases.is_empty() {
            let _ = writeln!(text, "{}: {}", outcome(kind), cases.join(", "));
        }
    }
    skips(text, conformance);
}

/// Ids that a line of skipped cases names: a whole group that a target cannot be asked has one reason and many ids.
const SKIPPED_IDS: usize = 3;

/// Skipped cases by their reasons.
fn skips(text: &mut String, conformance: &ConformanceRecord) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let skipped = conformance.cases.iter();
    for case in skipped.filter(|case| case.outcome == Outcome::Skip) {
        let reason = case.reason.as_deref().unwrap_or_default();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, ids)) => ids.push(&case.id),
            None => reasons.push((reason, vec![&case.id])),
        }
    }
    for (reason, ids) in reasons {
        let named = ids[..ids.len().min(SKIPPED_IDS)].join(", ");
        let more = match ids.len().saturating_sub(SKIPPED_IDS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let word = outcome(Outcome::Skip);
        let _ = writeln!(text, "{word}: {named}{more}: {reason}");
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
            let _ = writeln!(text, "{}: INVALID, {invalid}", phase.kind);
        }
        for sample in &phase.wrong_samples {
            let _ = writeln!(
                text,
                "{}: {} expected {}, got {}",
                phase.kind, sample.class, sample.expected, sample.observed
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

/// One row a series: the totals of a load phase, all parts of a cold start.
fn rows(table: &mut Table, phase: &PhaseRecord) {
    let shown = phase.series.iter().filter(|series| series.class == "all");
    for (index, series) in shown.enumerate() {
        let first = index == 0;
        let kind = if phase.kind == "calibration" {
            "floor".to_owned()
        } else {
            phase.kind.replace('-', " ")
        };
        let name = if first {
            kind
        } else {
            format!("  {}", series.name)
        };
        let mut cells = vec![name, series.count.to_string()];
        cells.extend(Quantile::ALL.iter().map(|quantile| quantile.text(series)));
        cells.push(duration(series.max_ns));
        if first {
            cells.extend([
                rate(phase.requests_per_second),
                phase.wrong_decisions.to_string(),
                phase.errors.to_string(),
            ]);
        }
        table.add_row(cells);
    }
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
