//! `JUnit` XML, as CI systems read it: a failure is what makes the run fail, and nothing else is one.

use std::fmt::Write as _;

use super::figures::{got, outcome};
use super::html::escape;
use crate::exit::Exit;
use crate::record::{CaseRecord, ConformanceRecord, Outcome, RunRecord};
use crate::verdict;

/// The suite of the one test case that is the run's verdict.
const RUN: &str = "run";

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }

    fn attributes(&self) -> String {
        format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
            self.tests, self.failures, self.errors, self.skipped
        )
    }
}

/// The whole document. The record's texts hold no control characters.
pub(super) fn document(record: &RunRecord) -> String {
    let (mut suites, mut sum) = (String::new(), Counts::default());
    if let Some(conformance) = &record.conformance {
        let mut groups: Vec<&str> = Vec::new();
        for case in &conformance.cases {
            if !groups.contains(&case.group.as_str()) {
                groups.push(&case.group);
            }
        }
        for group in groups {
            sum.add(&suite(&mut suites, group, conformance, record));
        }
    }
    sum.add(&run_suite(&mut suites, record));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"authbench: {}\" {} time=\"{}\">\n{suites}</testsuites>\n",
        text(&record.subject.name),
        sum.attributes(),
        seconds(record.elapsed_ms.saturating_mul(1000)),
    )
}

/// XML 1.0 §2.2 has no U+FFFE and no U+FFFF; control characters are gone already.
fn text(text: &str) -> String {
    escape(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[expect(clippy::cast_precision_loss, reason = "microseconds are printed")]
fn seconds(us: u64) -> String {
    format!("{:.6}", us as f64 / 1e6)
}

fn suite(
    suites: &mut String,
    group: &str,
    conformance: &ConformanceRecord,
    record: &RunRecord,
) -> Counts {
    let (mut counts, mut cases, mut us) = (Counts::default(), String::new(), 0_u64);
    for case in conformance.cases.iter().filter(|case| case.group == group) {
        us = us.saturating_add(service_us(case));
        counts.add(&test_case(&mut cases, case, conformance));
    }
    let _ = write!(
        suites,
        "<testsuite name=\"{}\" {} time=\"{}\" timestamp=\"{}\">\n{cases}</testsuite>\n",
        text(group),
        counts.attributes(),
        seconds(us),
        text(&record.started_at),
    );
    counts
}

fn service_us(case: &CaseRecord) -> u64 {
    case.observed
        .as_ref()
        .map_or(0, |observed| observed.service_us)
}

fn test_case(cases: &mut String, case: &CaseRecord, conformance: &ConformanceRecord) -> Counts {
    let _ = write!(
        cases,
        "<testcase classname=\"{}\" name=\"{}\" time=\"{}\">",
        text(&case.group),
        text(&case.id),
        seconds(service_us(case)),
    );
    let mut counts = Counts {
        tests: 1,
        ..Counts::default()
    };
    let counting = verdict::counting_failures(conformance).any(|failing| failing.id == case.id);
    let message = format!(
        "expected {}, got {}: {}",
        case.expected.word(),
        got(case),
        outcome(case.outcome)
    );
    let element = match case.outcome {
        Outcome::Pass => None,
        Outcome::Skip => {
            counts.skipped = 1;
            Some("skipped")
        }
        Outcome::Fault if counting => {
            counts.errors = 1;
            Some("error")
        }
        _ if counting => {
            counts.failures = 1;
            Some("failure")
        }
        _ => {
            let _ = write!(cases, "<system-out>{}</system-out>", text(&message));
            None
        }
    };
    match element {
        Some("skipped") => {
            let reason = case.reason.as_deref().unwrap_or_default();
            let _ = write!(cases, "<skipped message=\"{}\"/>", text(reason));
        }
        Some(element) => {
            let _ = write!(
                cases,
                "<{element} type=\"{}\" message=\"{}\">{}</{element}>",
                case.outcome.word(),
                text(&message),
                text(&details(case)),
            );
        }
        None => {}
    }
    cases.push_str("</testcase>\n");
    counts
}

fn details(case: &CaseRecord) -> String {
    let mut details = format!(
        "{}\n{}, {}, {}\n{}\n{}\ncause: {}",
        case.title,
        case.severity.word(),
        case.level.word(),
        case.clause,
        case.impact,
        case.fix,
        case.cause,
    );
    if let Some(reason) = &case.reason {
        let _ = write!(details, "\n{reason}");
    }
    details
}

/// The verdict as a test case: what no single case says, such as a target that died, fails here.
fn run_suite(suites: &mut String, record: &RunRecord) -> Counts {
    let verdict = &record.verdict;
    let mut counts = Counts {
        tests: 1,
        ..Counts::default()
    };
    let element = if verdict.exit_code == Exit::Good.code() {
        String::new()
    } else {
        let element = if [Exit::Nonconformant, Exit::ThresholdMissed]
            .iter()
            .any(|exit| exit.code() == verdict.exit_code)
        {
            counts.failures = 1;
            "failure"
        } else {
            counts.errors = 1;
            "error"
        };
        format!(
            "<{element} type=\"{0}\" message=\"{0}\">{1}</{element}>",
            text(&verdict.word),
            text(&verdict.reasons.join("\n")),
        )
    };
    let _ = writeln!(
        suites,
        "<testsuite name=\"{RUN}\" {} time=\"{}\"><testcase classname=\"{RUN}\" name=\"verdict\">{element}</testcase></testsuite>",
        counts.attributes(),
        seconds(record.elapsed_ms.saturating_mul(1000)),
    );
    counts
}
