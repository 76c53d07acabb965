//! Markdown as GitHub shows it: the verdict, what is wrong, and the failing cases folded away.

use std::fmt::Write as _;

use super::figures::{Quantile, got, outcome};
use super::storage;
use crate::record::{COLD_DISK, CaseRecord, ConformanceRecord, Outcome, RunRecord};
use crate::units::duration;
use crate::verdict;

/// Failing cases that are listed; a comment on a pull request holds 65,536 characters.
const CASES_LISTED: usize = 150;

/// The whole text, ending with a line break. The record's texts hold no control characters.
pub(super) fn text(record: &RunRecord) -> String {
    let verdict = &record.verdict;
    let mut markdown = format!(
        "## authbench: {}, {}\n\n",
        plain(&record.subject.name),
        plain(&verdict.word)
    );
    for reason in verdict.reasons.iter().chain(&verdict::tolerated(record)) {
        let _ = writeln!(markdown, "- {}", plain(reason));
    }
    if let Some(conformance) = &record.conformance {
        conformance_part(&mut markdown, conformance);
    }
    latencies(&mut markdown, record);
    let _ = writeln!(
        markdown,
        "\nscenario {} · {} · exit code {} · authbench {}",
        plain(&record.scenario.name),
        plain(&record.started_at),
        verdict.exit_code,
        plain(&record.authbench_version),
    );
    markdown
}

/// Text that stays text: no markup, no cell of a table, no mention, no reference, no HTML.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A mention or a reference is made of plain text; a character reference is none.
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A name in code. A code span knows no escapes, and a table's cell ends at a bar even inside of one.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}

fn conformance_part(markdown: &mut String, conformance: &ConformanceRecord) {
    if let Some(reason) = &conformance.not_judged {
        let _ = writeln!(markdown, "\nConformance was not judged: {}", plain(reason));
        return;
    }
    let asked = conformance
        .cases
        .iter()
        .filter(|case| case.observed.is_some())
        .count();
    let mut failing: Vec<&CaseRecord> = verdict::failures(conformance).collect();
    let _ = writeln!(
        markdown,
        "\n{} of {asked} cases that were asked got the decision that they had to get.",
        asked.saturating_sub(failing.len())
    );
    if !conformance.causes.is_empty() {
        markdown
            .push_str("\n| severity | what is wrong | cases | what to do |\n|---|---|--:|---|\n");
    }
    for cause in &conformance.causes {
        let weakness = cause.cwe.as_deref().map(|cwe| format!(" ({})", plain(cwe)));
        let _ = writeln!(
            markdown,
            "| {} | **{}**{} | {} | {} |",
            cause.severity.word(),
            plain(&cause.title),
            weakness.unwrap_or_default(),
            cause.cases.len(),
            plain(&cause.fix),
        );
    }
    failing.sort_by_key(|case| std::cmp::Reverse(case.severity));
    cases(markdown, "failing cases", &failing);
    let noted = |kind| {
        conformance
            .cases
            .iter()
            .filter(move |case| case.outcome == kind)
    };
    let known: Vec<&CaseRecord> = noted(Outcome::KnownDivergence).collect();
    cases(markdown, "known divergences", &known);
}

fn cases(markdown: &mut String, what: &str, cases: &[&CaseRecord]) {
    if cases.is_empty() {
        return;
    }
    let _ = writeln!(
        markdown,
        "\n<details><summary>{} {what}</summary>\n\n| severity | case | rule | expected | got |\n|---|---|---|---|---|",
        cases.len()
    );
    for case in cases.iter().take(CASES_LISTED) {
        let _ = writeln!(
            markdown,
            "| {} | {} {} | {} {} | {} | {}: {} |",
            case.severity.word(),
            code(&case.id),
            plain(&case.title),
            case.level.word(),
            plain(&case.clause),
            case.expected.word(),
            plain(&got(case)),
            outcome(case.outcome),
        );
    }
    if cases.len() > CASES_LISTED {
        let _ = writeln!(markdown, "\nand {} more", cases.len() - CASES_LISTED);
    }
    markdown.push_str("\n</details>\n");
}

fn latencies(markdown: &mut String, record: &RunRecord) {
    if record.phases.is_empty() {
        return;
    }
    markdown.push_str(
        "\n| latency | n | p50 | p99 | max | wrong | lost |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for phase in &record.phases {
        let Some(series) = super::html::headline_series(phase) else {
            continue;
        };
        let _ = writeln!(
            markdown,
            "| {} | {} | {} | {} | {} | {} | {} |",
            plain(&phase.label()),
            series.count,
            Quantile::P50.text(series),
            Quantile::P99.text(series),
            duration(series.max_ns),
            phase.wrong_decisions,
            phase.errors,
        );
        if let Some(cold) = storage::total(phase, COLD_DISK) {
            let _ = writeln!(
                markdown,
                "| {}, cold disk | {} | {} | {} | {} | | |",
                plain(&phase.label()),
                cold.count,
                Quantile::P50.text(cold),
                Quantile::P99.text(cold),
                duration(cold.max_ns),
            );
        }
    }
    for phase in &record.phases {
        let lines = storage::lines(phase).into_iter();
        for (index, line) in lines.chain(storage::not_cold(phase)).enumerate() {
            let gap = if index == 0 { "\n" } else { "" };
            let _ = writeln!(
                markdown,
                "{gap}- {}: {}",
                plain(&phase.label()),
                plain(&line)
            );
        }
    }
}
