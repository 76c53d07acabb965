//! From failing cases to the few causes behind them.
//!
//! Each case names its cause. Two things overrule it: what came (no decision, or another status), and a more general
//! cause all of whose cases failed, for a verifier that does not look at the audience at all matches no substrings.

use std::collections::HashMap;

use crate::catalogue::{Case, Cause, Expectation, Grade, Severity};
use crate::record::{CaseRecord, CauseRecord, Outcome};

/// Names the cause of each judged case in its record. `cases` are those of the records, in any order.
pub(super) fn name_causes(records: &mut [CaseRecord], cases: &[&Case]) {
    let by_id: HashMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), *case)).collect();
    let mut let_in: HashMap<&str, bool> = HashMap::new();
    for record in &*records {
        let Some(case) = by_id.get(record.id.as_str()) else {
            continue;
        };
        let counts = case.grade == Grade::Fail
            && !matches!(record.outcome, Outcome::Skip | Outcome::KnownDivergence);
        if counts {
            *let_in.entry(&case.cause).or_insert(true) &=
                record.outcome == Outcome::UnexpectedAllow;
        }
    }
    let by_error = refuses_by_error(records, &by_id);
    for record in records {
        if let Some(case) = by_id.get(record.id.as_str()) {
            let named = match fault(case, record, by_error) {
                Some(named) => named,
                None => cause(case, record.outcome, &let_in),
            };
            named.clone_into(&mut record.cause);
        }
    }
}

/// Whether a function signals each refusal that was asked about by an error which API Gateway takes for a fault.
fn refuses_by_error(records: &[CaseRecord], by_id: &HashMap<&str, &Case>) -> bool {
    let mut asked = records
        .iter()
        .filter(|record| record.outcome != Outcome::Skip)
        .filter(|record| {
            by_id
                .get(record.id.as_str())
                .is_some_and(|case| case.cause == Cause::REFUSAL_BY_ERROR)
        })
        .peekable();
    asked.peek().is_some() && asked.all(|record| record.outcome == Outcome::Fault)
}

/// The cause of a fault that is told by more than its being one: the function did answer, and by what.
fn fault<'a>(case: &'a Case, record: &CaseRecord, by_error: bool) -> Option<&'a str> {
    if record.outcome != Outcome::Fault {
        return None;
    }
    let observed = record.observed.as_ref()?;
    let failed = observed.rule.as_deref() == Some(gateway::decision::Rule::FunctionError.id());
    if by_error && failed && record.expected != Expectation::Allow {
        return Some(Cause::REFUSAL_BY_ERROR);
    }
    (case.policy.is_some() && observed.status.is_some()).then_some(&case.cause)
}

fn cause<'a>(case: &'a Case, outcome: Outcome, let_in: &HashMap<&str, bool>) -> &'a str {
    match (outcome, &case.implied_by) {
        (Outcome::Fault, _) => Cause::NO_DECISION,
        (Outcome::WrongStatus, _) => Cause::WRONG_STATUS,
        (Outcome::Overreach, _) if case.listener.is_some() => Cause::FETCH_STEERED,
        (Outcome::UnexpectedAllow, Some(general))
            if let_in.get(general.as_str()) == Some(&true) =>
        {
            general
        }
        _ => &case.cause,
    }
}

/// The causes of what was found, the worst first: by the severity of the worst case, then by the number of cases. Wrong
/// statuses come last: they are no failure.
pub(super) fn causes(records: &[CaseRecord]) -> Vec<CauseRecord> {
    let mut found: Vec<CauseRecord> = Vec::new();
    for record in records {
        let severity = match record.outcome {
            Outcome::Fault
            | Outcome::Overreach
            | Outcome::UnexpectedAllow
            | Outcome::UnexpectedDeny => record.severity,
            Outcome::WrongStatus => Severity::Info,
            // A stale declaration is no flaw of the subject.
            Outcome::DivergenceGone
            | Outcome::KnownDivergence
            | Outcome::Note
            | Outcome::Pass
            | Outcome::Skip => continue,
        };
        if let Some(known) = found.iter_mut().find(|known| known.id == record.cause) {
            known.severity = known.severity.max(severity);
            known.cases.push(record.id.clone());
        } else if let Some(cause) = Cause::find(&record.cause) {
            found.push(CauseRecord {
                id: cause.id.clone(),
                title: cause.title.clone(),
                cwe: cause.cwe.clone(),
                why: cause.why.clone(),
                fix: cause.fix.clone(),
                cves: cause.cves.clone(),
                severity,
                cases: vec![record.id.clone()],
            });
        }
    }
    found.sort_by_key(|cause| {
        let failing = cause.id != Cause::WRONG_STATUS;
        std::cmp::Reverse((failing, cause.severity, cause.cases.len()))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ObservedAnswer;

    /// Records of the built-in cases for a target that lets in what `lets_in` says and refuses the rest as it has to.
    fn found(lets_in: impl Fn(&Case) -> bool) -> Vec<String> {
        let catalogue = crate::builtin::catalogue().expect("the built-in cases");
        let cases: Vec<&Case> = catalogue.cases().iter().collect();
        let mut records: Vec<CaseRecord> = cases
            .iter()
            .map(|case| {
                let wrong =
                    case.expect != Expectation::Allow && case.grade == Grade::Fail && lets_in(case);
                let outcome = if wrong {
                    Outcome::UnexpectedAllow
                } else {
                    Outcome::Pass
                };
                crate::conform::record(case, None, outcome, None)
            })
            .collect();
        name_causes(&mut records, &cases);
        causes(&records).into_iter().map(|cause| cause.id).collect()
    }

    #[test]
    fn a_check_that_is_missing_altogether_is_one_cause() {
        for (check, words) in [
            ("audience-not-checked", &["::aud-"][..]),
            ("issuer-not-checked", &["::iss-"]),
            ("scope-not-checked", &["::scope-", "security-event"]),
            ("expiry-not-checked", &["::exp-"]),
        ] {
            let ids = found(|case| words.iter().any(|word| case.id.contains(word)));
            assert_eq!(ids, [check]);
        }
        let groups = [
            "Signature",
            "Header and algorithm",
            "Key selection",
            "Key sets",
        ];
        let forged = |case: &Case| case.needs_function() && case.id.ends_with("-forged");
        let ids = found(|case| groups.contains(&case.group.as_str()) || forged(case));
        assert_eq!(ids, ["signature-not-verified"]);
    }

    #[test]
    fn a_check_that_is_there_and_wrong_is_told_by_its_own_cause() {
        for (word, id) in [
            ("::alg-none", "unsigned-token-accepted"),
            ("-keyed-with-", "algorithm-confusion"),
            ("::embedded-jwk", "key-from-token"),
            ("::aud-starts-like", "audience-substring-match"),
            ("::iss-contains", "issuer-substring-match"),
            ("::crit-unknown", "crit-ignored"),
            ("::exp-is-word", "claim-type-not-checked"),
        ] {
            assert_eq!(found(|case| case.id.contains(word)), [id], "{word}");
        }
    }
    /// The causes of faults by R-FN-500 on these cases, and of a pass on all others.
    fn causes_of_errors(fails: impl Fn(&Case) -> bool) -> Vec<String> {
        let catalogue = crate::builtin::catalogue().expect("the built-in cases");
        let cases: Vec<&Case> = catalogue.cases().iter().collect();
        let mut records: Vec<CaseRecord> = cases
            .iter()
            .map(|case| {
                let outcome = if fails(case) {
                    Outcome::Fault
                } else {
                    Outcome::Pass
                };
                let mut record = crate::conform::record(case, None, outcome, None);
                record.observed = Some(ObservedAnswer {
                    decision: "fault".to_owned(),
                    status: Some(500),
                    rule: Some("R-FN-500".to_owned()),
                    service_us: 1,
                });
                record
            })
            .collect();
        name_causes(&mut records, &cases);
        causes(&records).into_iter().map(|cause| cause.id).collect()
    }

    #[test]
    fn a_function_that_refuses_by_errors_is_one_cause_and_a_single_error_is_a_crash() {
        let refused = |case: &Case| case.expect != Expectation::Allow;
        assert_eq!(causes_of_errors(refused), ["refusal-by-error"]);
        let one = |case: &Case| case.id == "rfc7519::exp-one-hour-past";
        assert_eq!(causes_of_errors(one), ["crash-or-hang"]);
        let two = |case: &Case| case.id == "apigw::refusal-expired" || one(case);
        assert_eq!(causes_of_errors(two), ["crash-or-hang", "refusal-by-error"]);
    }
}
