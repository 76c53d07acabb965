//! Findings for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::rule::{Finding, Severity};

/// The findings of one file.
#[derive(Debug)]
pub struct Report {
    /// The file's name as the user gave it.
    pub file: String,
    /// What was found, in the order of the file.
    pub findings: Vec<Finding>,
}

/// One line a finding, with what comes of it and what to write below; a summary at the end.
pub fn terminal(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        for finding in &report.findings {
            let Finding {
                rule,
                severity,
                line,
                column,
                message,
                write,
            } = finding;
            let file = &report.file;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{file}:{line}:{column} {severity} {}: {message}",
                rule.id
            );
            let _ = writeln!(text, "    why: {} [{}]", rule.why, rule.source);
            let _ = writeln!(text, "    write: {write}");
        }
    }
    let count = |severity| {
        reports
            .iter()
            .flat_map(|report| &report.findings)
            .filter(|f| f.severity == severity)
            .count()
    };
    let of =
        |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let _ = writeln!(
        text,
        "{}: {}, {}, {}",
        of(reports.len(), "file"),
        of(count(Severity::Error), "error"),
        of(count(Severity::Warning), "warning"),
        of(count(Severity::Note), "note"),
    );
    text
}

#[derive(Serialize)]
struct Entry<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    severity: Severity,
    rule: &'static str,
    message: &'a str,
    why: &'static str,
    write: &'a str,
    source: &'static str,
}

/// An array of findings.
pub fn json(reports: &[Report]) -> String {
    let entries: Vec<Entry<'_>> = reports
        .iter()
        .flat_map(|report| report.findings.iter().map(move |finding| (report, finding)))
        .map(|(report, finding)| Entry {
            file: &report.file,
            line: finding.line,
            column: finding.column,
            severity: finding.severity,
            rule: finding.rule.id,
            message: &finding.message,
            why: finding.rule.why,
            write: &finding.write,
            source: finding.rule.source,
        })
        .collect();
    let text = serde_json::to_string_pretty(&entries).expect("texts and numbers serialize");
    text + "\n"
}
