//! What failing cases come from: a cause is data, and each case names its own.

use std::sync::LazyLock;

use serde::Deserialize;

/// The mistake behind a wrong answer, one for many cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Stable id, such as `audience-not-checked`.
    pub id: String,
    /// What is wrong, in a line.
    pub title: String,
    /// The weakness in MITRE's list, such as `CWE-347`; absent where the list has none.
    pub cwe: Option<String>,
    /// What it means for the API.
    pub why: String,
    /// What to do about it.
    pub fix: String,
    /// Known vulnerabilities of this shape in other verifiers.
    #[serde(default)]
    pub cves: Vec<String>,
}

impl Cause {
    /// The cause of every case that gets no decision.
    pub const NO_DECISION: &'static str = "crash-or-hang";
    /// The cause of a denial with another status than the rule gives.
    pub const WRONG_STATUS: &'static str = "wrong-status";

    /// The cause of refusals that a function signals by an error of its own.
    pub const REFUSAL_BY_ERROR: &'static str = "refusal-by-error";

    /// The cause of every visit to an address that a token names.
    pub const FETCH_STEERED: &'static str = "fetch-steered-by-token";

    /// All causes, in the order of their file.
    pub fn all() -> &'static [Self] {
        static CAUSES: LazyLock<Vec<Cause>> = LazyLock::new(|| {
            toml::from_str::<File>(TEXT)
                .expect("a test parses the compiled-in file")
                .causes
        });
        &CAUSES
    }

    /// The cause of that id.
    pub fn find(id: &str) -> Option<&'static Self> {
        Self::all().iter().find(|cause| cause.id == id)
    }
}

const TEXT: &str = include_str!("../../../scenarios/diagnosis/causes.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "cause")]
    causes: Vec<Cause>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::catalogue::Expectation;

    #[test]
    fn a_cause_is_one_line_with_a_weakness_and_vulnerabilities_by_their_numbers() {
        let mut seen = HashSet::new();
        for cause in Cause::all() {
            assert!(seen.insert(&cause.id), "{} is there twice", cause.id);
            assert!(
                !cause.title.contains('\n') && cause.title.len() < 80,
                "{}",
                cause.id
            );
            let digits = |text: &str, prefix: &str| {
                text.strip_prefix(prefix)
                    .is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
            };
            assert!(
                cause.cwe.iter().all(|cwe| digits(cwe, "CWE-")),
                "{}",
                cause.id
            );
            assert!(
                cause.cves.iter().all(|cve| digits(cve, "CVE-")),
                "{}",
                cause.id
            );
            assert!(cause.cves.is_sorted(), "{}", cause.id);
        }
        for id in [
            Cause::NO_DECISION,
            Cause::REFUSAL_BY_ERROR,
            Cause::WRONG_STATUS,
        ] {
            assert!(Cause::find(id).is_some(), "{id}");
        }
    }

    #[test]
    fn a_case_to_be_let_in_can_only_fail_by_a_refusal_and_no_other_case_can() {
        let catalogue = crate::builtin::catalogue().expect("the built-in cases");
        // A case about the policy fails by what the policy says, too, with a token that is let in.
        let by_decision = catalogue.cases().iter().filter(|case| {
            case.policy
                .as_ref()
                .is_none_or(|question| question.arns.is_empty() && question.shape.is_empty())
        });
        for case in by_decision {
            assert_eq!(
                case.cause == "valid-token-refused",
                case.expect == Expectation::Allow,
                "{}",
                case.id
            );
        }
    }
}
