//! SARIF 2.1.0 (OASIS), as code scanning reads it: a rule for each case with a finding, a result for each finding.
//!
//! A verifier has no source file here. The result's place is the record, and the subject is its logical location.

use serde_json::{Value, json};

use super::figures::{got, outcome};
use crate::catalogue::Severity;
use crate::record::{
    CaseRecord, CauseRecord, ConformanceRecord, Outcome, RecordStore, RunRecord, RunStatus,
};

/// The whole document.
pub(super) fn document(record: &RunRecord) -> Result<String, serde_json::Error> {
    let conformance = record.conformance.as_ref();
    let findings: Vec<&CaseRecord> = conformance
        .iter()
        .flat_map(|part| &part.cases)
        .filter(|case| !matches!(case.outcome, Outcome::Pass | Outcome::Skip))
        .collect();
    let rules: Vec<Value> = findings
        .iter()
        .map(|case| rule(case, conformance))
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .enumerate()
        .map(|(index, case)| result(case, index, record))
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "authbench",
                "version": record.authbench_version,
                "rules": rules,
            } },
            "automationDetails": {
                "id": format!("authbench/{}/{}", record.subject.name, record.scenario.name),
            },
            "invocations": [invocation(record)],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// How the run ended. What no case says, such as a target that died, is a notification.
fn invocation(record: &RunRecord) -> Value {
    let notifications: Vec<Value> = record
        .verdict
        .reasons
        .iter()
        .map(|reason| json!({ "level": "note", "message": { "text": reason } }))
        .collect();
    json!({
        "executionSuccessful": record.status == RunStatus::Complete,
        "exitCode": record.verdict.exit_code,
        "exitCodeDescription": record.verdict.word,
        "startTimeUtc": record.started_at,
        "toolExecutionNotifications": notifications,
    })
}

fn cause_of<'a>(
    case: &CaseRecord,
    conformance: Option<&'a ConformanceRecord>,
) -> Option<&'a CauseRecord> {
    conformance?
        .causes
        .iter()
        .find(|cause| cause.id == case.cause)
}

fn rule(case: &CaseRecord, conformance: Option<&ConformanceRecord>) -> Value {
    let mut tags = vec![
        "security".to_owned(),
        format!("level/{}", case.level.word()),
    ];
    let mut help = format!("{} {}\n\nRule: {}.", case.impact, case.fix, case.clause);
    if let Some(cause) = cause_of(case, conformance) {
        // GitHub's form of a weakness: external/cwe/cwe-347.
        let weakness = cause
            .cwe
            .as_ref()
            .map(|cwe| format!("external/cwe/{}", cwe.to_lowercase()));
        tags.extend(weakness);
        help = format!(
            "{help}\n\nCause: {}. {} {}",
            cause.title, cause.why, cause.fix
        );
        if !cause.cves.is_empty() {
            help = format!("{help}\n\nKnown of this shape: {}.", cause.cves.join(", "));
        }
    }
    json!({
        "id": case.id,
        "shortDescription": { "text": case.title },
        "fullDescription": { "text": case.impact },
        "help": { "text": help },
        "defaultConfiguration": { "level": level(finding_severity(case)) },
        "properties": {
            "tags": tags,
            "precision": "very-high",
            "security-severity": score(finding_severity(case)),
        },
    })
}

fn result(case: &CaseRecord, rule: usize, record: &RunRecord) -> Value {
    let message = format!(
        "{}: expected {}, got {}: {}. {} {}",
        case.title,
        case.expected.word(),
        got(case),
        outcome(case.outcome),
        case.impact,
        case.fix
    );
    let mut result = json!({
        "ruleId": case.id,
        "ruleIndex": rule,
        "level": level(finding_severity(case)),
        "message": { "text": message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": RecordStore::FILE_NAME },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{
                "name": record.subject.name,
                "fullyQualifiedName": record.subject.invocation,
                "kind": "resource",
            }],
        }],
        "partialFingerprints": { "case/v1": format!("{}:{}", record.subject.name, case.id) },
        "properties": {
            "cause": case.cause,
            "outcome": case.outcome.word(),
            "clause": case.clause,
        },
    });
    if case.outcome == Outcome::KnownDivergence {
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": case.reason,
        }]);
    }
    result
}

/// What the finding is worth. Code scanning shows a rule's severity and not the result's, so that a note or another status
/// on a critical case would be shown as a critical flaw.
fn finding_severity(case: &CaseRecord) -> Severity {
    if case.outcome.is_failure() {
        case.severity
    } else {
        Severity::Info
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// GitHub's code scanning puts `security-severity` into the bands of CVSS 3.1 §5; each is the middle of its band.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn only_a_failure_has_the_severity_of_its_case() {
        let mut record = sample::failing();
        let conformance = record.conformance.as_mut().expect("judged");
        conformance.cases[0].outcome = Outcome::WrongStatus;
        conformance.cases[1].outcome = Outcome::KnownDivergence;
        conformance.cases[1].reason = Some("It is known.".to_owned());
        let text = document(&record).expect("a document");
        let sarif: Value = serde_json::from_str(&text).expect("JSON");
        let run = &sarif["runs"][0];
        let rules = &run["tool"]["driver"]["rules"];
        let found: Vec<(&Value, &Value, &Value)> = (0..3)
            .map(|index| {
                (
                    &run["results"][index]["ruleId"],
                    &run["results"][index]["level"],
                    &rules[index]["properties"]["security-severity"],
                )
            })
            .collect();
        let wanted = [
            (json!("t::case-0"), json!("note"), json!("0.0")),
            (json!("t::case-1"), json!("note"), json!("0.0")),
            (json!("t::bad"), json!("error"), json!("8.0")),
        ];
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(*found, (&wanted.0, &wanted.1, &wanted.2));
        }
        let suppression = &run["results"][1]["suppressions"][0]["justification"];
        assert_eq!(suppression, "It is known.");
    }
}
