//! Conformance on a terminal: the causes first, then what failed, then the rest in numbers.

use std::fmt::Write as _;

use super::{TerminalStyle, align_right, paint, table};
use crate::catalogue::Severity;
use crate::record::{CaseRecord, ConformanceRecord, Outcome};
use crate::report::figures::{self, got, outcome};
use crate::verdict;

pub(super) fn conformance_part(
    text: &mut String,
    conformance: &ConformanceRecord,
    style: TerminalStyle,
) {
    if let Some(reason) = &conformance.not_judged {
        let _ = writeln!(text, "\nConformance was not judged: {reason}");
        return;
    }
    causes(text, conformance, style);
    failing(text, conformance, style);
    let mut groups: Vec<(&str, [usize; 4])> = Vec::new();
    for case in &conformance.cases {
        let known = groups.iter().position(|(name, _)| *name == case.group);
        let place = known.unwrap_or_else(|| {
            groups.push((&case.group, [0; 4]));
            groups.len() - 1
        });
        let (_, counts) = &mut groups[place];
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
    if let Some(found) = &conformance.fingerprint {
        let _ = writeln!(text, "the target {}", figures::fingerprint(found));
    }
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

/// Findings that are no failures, by id, and what was not asked, by reason.
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
    for (reason, ids) in figures::skipped_by_reason(conformance) {
        let _ = writeln!(text, "skipped: {}: {reason}", some_of(&ids));
    }
}

/// The ids, or how many there are.
fn some_of(ids: &[&str]) -> String {
    if ids.len() > IDS_SHOWN {
        return cases_of(ids.len());
    }
    ids.join(", ")
}
