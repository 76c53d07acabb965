//! The records of many targets as two Markdown tables: what became of each, and who deviates where.

use std::fmt::Write as _;

use super::markdown::{code, plain};
use super::printable;
use crate::catalogue::{Expectation, Severity};
use crate::record::{CaseRecord, Outcome, RunRecord, RunStatus};
use crate::survey::Survey;

/// Both tables, and who was left out.
pub(super) fn text(survey: &Survey) -> String {
    let records: Vec<RunRecord> = survey
        .surveyed
        .iter()
        .map(|target| printable::record(&target.record))
        .collect();
    let targets: Vec<(&str, &RunRecord)> = survey
        .surveyed
        .iter()
        .map(|target| target.name.as_str())
        .zip(&records)
        .collect();
    let mut markdown = String::new();
    if !targets.is_empty() {
        overview(&mut markdown, &targets);
    }
    remarks(&mut markdown, survey, &targets);
    deviations(&mut markdown, &targets);
    markdown
}

fn overview(markdown: &mut String, targets: &[(&str, &RunRecord)]) {
    markdown.push_str(
        "| target | version | as expected | critical, high | medium | low, info | declared | notes | skipped | seconds |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (name, record) in targets {
        let cases = cases(record);
        let count =
            |take: &dyn Fn(&CaseRecord) -> bool| cases.iter().filter(|case| take(case)).count();
        let failing = |severities: &[Severity]| {
            count(&|case| case.outcome.is_failure() && severities.contains(&case.severity))
        };
        let _ = writeln!(
            markdown,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            plain(name),
            plain(record.subject.version.as_deref().unwrap_or("–")),
            count(&|case| case.outcome == Outcome::Pass),
            failing(&[Severity::Critical, Severity::High]),
            failing(&[Severity::Medium]),
            failing(&[Severity::Low, Severity::Info]),
            count(&|case| case.outcome == Outcome::KnownDivergence),
            count(&|case| matches!(case.outcome, Outcome::Note | Outcome::WrongStatus)),
            count(&|case| case.outcome == Outcome::Skip),
            record.elapsed_ms.div_ceil(1000),
        );
    }
}

/// What a row of figures cannot say: a target that was not judged or not asked to the end, and who was left out.
fn remarks(markdown: &mut String, survey: &Survey, targets: &[(&str, &RunRecord)]) {
    let unfinished = targets.iter().filter_map(|(name, record)| {
        let whole = record
            .conformance
            .as_ref()
            .is_some_and(|found| found.not_judged.is_none());
        let broke = !whole || record.status != RunStatus::Complete;
        broke.then(|| (*name, record.verdict.reasons.join("; ")))
    });
    let left_out = survey
        .left_out
        .iter()
        .map(|left| (left.name.as_str(), printable::text(&left.reason())));
    let remarks: Vec<(&str, String)> = unfinished
        .map(|(name, reason)| (name, format!("not asked to the end: {reason}")))
        .chain(left_out.map(|(name, reason)| (name, format!("left out: {reason}"))))
        .collect();
    if remarks.is_empty() {
        return;
    }
    markdown.push('\n');
    for (name, remark) in remarks {
        let _ = writeln!(markdown, "- {}: {}", plain(name), plain(&remark));
    }
}

fn deviations(markdown: &mut String, targets: &[(&str, &RunRecord)]) {
    let mut rows: Vec<(&CaseRecord, Vec<String>)> = Vec::new();
    for (column, (_, record)) in targets.iter().enumerate() {
        for case in cases(record) {
            let at = rows.iter().position(|(row, _)| row.id == case.id);
            let at = at.unwrap_or_else(|| {
                rows.push((case, vec![String::new(); targets.len()]));
                rows.len() - 1
            });
            rows[at].1[column] = cell(case);
        }
    }
    rows.retain(|(_, cells)| cells.iter().any(|cell| deviates(cell)));
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|(case, _)| std::cmp::Reverse(case.severity));
    markdown.push_str(
        "\nWho deviates where: A let in, D refused, O did more than it may, F no decision, S another status; in small letters \
         where it is a note, in brackets where the target file declares it. ! stands for a declaration that does not hold, \
         – for a case that was not asked.\n\n",
    );
    let names: Vec<String> = targets.iter().map(|(name, _)| plain(name)).collect();
    let _ = writeln!(
        markdown,
        "| case | severity | {} | targets |",
        names.join(" | ")
    );
    let _ = writeln!(markdown, "|---|---|{}--:|", ":-:|".repeat(targets.len()));
    for (case, cells) in rows {
        let count = cells.iter().filter(|cell| deviates(cell)).count();
        let _ = writeln!(
            markdown,
            "| {} | {} | {} | {count} |",
            code(&case.id),
            case.severity.word(),
            cells.join(" | "),
        );
    }
}

fn cases(record: &RunRecord) -> &[CaseRecord] {
    let found = record.conformance.as_ref();
    found.map_or(&[], |found| &found.cases)
}

/// The cell of a case that was not asked.
const NOT_ASKED: &str = "–";

fn deviates(cell: &str) -> bool {
    !cell.is_empty() && cell != NOT_ASKED
}

fn cell(case: &CaseRecord) -> String {
    match case.outcome {
        Outcome::Pass => String::new(),
        Outcome::Skip => NOT_ASKED.to_owned(),
        Outcome::Note => letter(case).to_ascii_lowercase().to_string(),
        Outcome::KnownDivergence => format!("({})", letter(case)),
        Outcome::DivergenceGone => "!".to_owned(),
        Outcome::Fault => "F".to_owned(),
        Outcome::Overreach => "O".to_owned(),
        Outcome::UnexpectedAllow => "A".to_owned(),
        Outcome::UnexpectedDeny => "D".to_owned(),
        Outcome::WrongStatus => "S".to_owned(),
    }
}

/// How an answer differs from the expected one. A note and a declared divergence do not say it, and so it is read off the
/// answer: where allow or deny is right, the status was wrong, or the target did more than it may.
fn letter(case: &CaseRecord) -> char {
    let observed = case.observed.as_ref();
    let decision = observed.map_or("fault", |answer| answer.decision.as_str());
    let status = observed.and_then(|answer| answer.status);
    let prescribed = match case.expected {
        Expectation::Allow | Expectation::NotAllowed | Expectation::Refused => None,
        Expectation::Forbidden => Some(403),
        Expectation::Unauthorized => Some(401),
    };
    match (case.expected, decision) {
        (_, "fault") => 'F',
        (Expectation::Allow, "deny") => 'D',
        (
            Expectation::Forbidden
            | Expectation::NotAllowed
            | Expectation::Refused
            | Expectation::Unauthorized,
            "allow",
        ) => 'A',
        _ if prescribed.is_some() && prescribed != status => 'S',
        _ => 'O',
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::survey::{LeftOut, LeftOutReason, Surveyed};
    use crate::testbed::TestbedError;

    fn surveyed(name: &str, change: impl FnOnce(&mut Vec<CaseRecord>)) -> Surveyed {
        let mut record = sample::failing();
        let found = record.conformance.as_mut().expect("the sample has cases");
        found.cases.truncate(50);
        change(&mut found.cases);
        Surveyed {
            name: name.to_owned(),
            record,
            misplaced: false,
        }
    }

    fn answered(case: &mut CaseRecord, outcome: Outcome, decision: &str, status: Option<u16>) {
        case.outcome = outcome;
        let observed = case.observed.as_mut().expect("it was asked");
        decision.clone_into(&mut observed.decision);
        observed.status = status;
    }

    /// Two targets that deviate on `t::bad`, one of them on more, and one that was left out.
    fn sample_survey() -> Survey {
        let mut first = surveyed("first", |cases| {
            answered(&mut cases[42], Outcome::UnexpectedAllow, "allow", Some(200));
            answered(&mut cases[1], Outcome::Note, "allow", Some(200));
            answered(&mut cases[2], Outcome::KnownDivergence, "allow", Some(200));
            answered(&mut cases[3], Outcome::WrongStatus, "deny", Some(403));
            answered(&mut cases[4], Outcome::Overreach, "deny", Some(401));
            answered(&mut cases[5], Outcome::Fault, "fault", None);
            cases[5].severity = Severity::Medium;
            cases[6].outcome = Outcome::Skip;
            cases[6].observed = None;
            cases[7].outcome = Outcome::DivergenceGone;
        });
        first.record.subject.version = Some("1.2|3".to_owned());
        let second = surveyed("sec_ond", |cases| {
            answered(&mut cases[42], Outcome::Note, "allow", Some(200));
        });
        let program = "node".to_owned();
        Survey {
            surveyed: vec![first, second],
            left_out: vec![LeftOut {
                name: "third".to_owned(),
                why: LeftOutReason::NotInstalled(TestbedError::Missing { program }),
            }],
        }
    }

    #[test]
    fn each_target_has_a_row_whose_figures_add_up_to_its_cases() {
        let text = text(&sample_survey());
        let row = |start: &str| {
            let row = text.lines().find(|line| line.starts_with(start));
            row.unwrap_or_else(|| panic!("{start} is missing in: {text}"))
        };
        assert_eq!(
            row("| first"),
            "| first | 1.2\\|3 | 42 | 3 | 1 | 0 | 1 | 2 | 1 | 2 |"
        );
        assert_eq!(
            row("| sec"),
            "| sec\\_ond | – | 49 | 0 | 0 | 0 | 0 | 1 | 0 | 2 |"
        );
        assert!(
            row("- third")
                .contains("left out: the target is not to be had here: it requires \\`node\\`")
        );
    }

    #[test]
    fn a_row_for_each_case_that_somebody_deviates_on_says_who_and_how() {
        let text = text(&sample_survey());
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let wanted = [
            "| `t::case-1` | high | a |  | 1 |",
            "| `t::case-2` | high | (A) |  | 1 |",
            "| `t::case-3` | high | S |  | 1 |",
            "| `t::case-4` | high | O |  | 1 |",
            "| `t::case-7` | high | ! |  | 1 |",
            "| `t::bad` | high | A | a | 2 |",
            "| `t::case-5` | medium | F |  | 1 |",
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn a_target_that_broke_is_told_with_its_reason_and_keeps_its_figures() {
        let mut survey = sample_survey();
        let record = &mut survey.surveyed[1].record;
        record.status = RunStatus::Failed;
        record.verdict.reasons = vec!["it died\nafter t::bad".to_owned()];
        let text = text(&survey);
        assert!(text.contains("| sec\\_ond | – | 49 |"), "{text}");
        assert!(
            text.contains("- sec\\_ond: not asked to the end: it died\\\\nafter t::bad\n"),
            "{text}"
        );
    }
}
