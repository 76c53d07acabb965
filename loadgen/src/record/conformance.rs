//! The conformance part of the record: every case with what was expected, what came, and the outcome.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Expectation, Level, Severity};
use crate::record::Outcome;

/// What the conformance cases found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConformanceRecord {
    /// Wall-clock length in milliseconds.
    pub elapsed_ms: u64,
    /// Why the cases were not judged at all, for a subject that refuses a genuine token or lets everybody in.
    pub not_judged: Option<String>,
    /// The severity from which a failure keeps the subject from being timed.
    pub gate: Severity,
    /// The severity from which a failure makes the subject nonconformant.
    pub fail_on: Severity,
    /// What the target does, found out before the cases; absent where a genuine token was not let in.
    #[serde(default)]
    pub fingerprint: Option<FingerprintRecord>,
    /// What the failing cases come from, worst first.
    pub causes: Vec<CauseRecord>,
    /// Every case, in the order of the catalogue.
    pub cases: Vec<CaseRecord>,
}

/// What a target does, as far as it was found out by asking. Nothing of it is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FingerprintRecord {
    /// The RSA algorithms of RFC 7518 whose signatures by the issuer's key are taken.
    pub algorithms: Vec<String>,
    /// Where a token is looked for.
    pub token_places: Vec<String>,
    /// Whether a token without any scope is refused; absent where that could not be asked.
    pub scope_required: Option<bool>,
    /// Where an allowed answer names the caller, as a JSON pointer (RFC 6901); absent where it does not.
    pub principal_echo: Option<String>,
}

/// A mistake that failing cases have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseRecord {
    /// Stable id, such as `audience-not-checked`.
    pub id: String,
    /// What is wrong, in a line.
    pub title: String,
    /// The weakness in MITRE's list, such as `CWE-347`.
    pub cwe: Option<String>,
    /// What it means for the API.
    pub why: String,
    /// What to do about it.
    pub fix: String,
    /// Known vulnerabilities of this shape in other verifiers.
    pub cves: Vec<String>,
    /// The severity of the worst of its cases; `info` for wrong statuses, which are no failure.
    pub severity: Severity,
    /// The ids of its cases.
    pub cases: Vec<String>,
}

/// One case and its outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    /// Stable id, such as `rfc7519::exp-past`.
    pub id: String,
    /// The group's title, such as `Time`.
    pub group: String,
    /// The case in a short sentence.
    pub title: String,
    /// The rule, such as `RFC 7519 §4.1.4`.
    pub clause: String,
    /// How strongly the rule binds.
    pub level: Level,
    /// What a wrong answer is worth to an attacker.
    pub severity: Severity,
    /// The decision that the rule asks for.
    pub expected: Expectation,
    /// What came back; absent for a skipped case.
    pub observed: Option<ObservedAnswer>,
    /// The verdict on the case.
    pub outcome: Outcome,
    /// The statuses of all times that it was asked, where they were not the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<u16>,
    /// Why the outcome is not a plain pass: the reason of a skip or a known divergence, the text of a fault.
    pub reason: Option<String>,
    /// The id of what the answer comes from, where it is wrong; of what a wrong one would have come from, where it is not.
    pub cause: String,
    /// What a wrong answer costs, in a sentence.
    pub impact: String,
    /// What to do about it, in a sentence.
    pub fix: String,
}

impl CaseRecord {
    /// The HTTP status that came back, where one did.
    pub fn status(&self) -> Option<u16> {
        self.observed.as_ref()?.status
    }
}

/// An answer, as far as the record keeps it: never the token, never a body.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedAnswer {
    /// `allow`, `deny` or `fault`.
    pub decision: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The gateway's own rule, such as `R-FN-401`, where a gateway stood in front.
    pub rule: Option<String>,
    /// Service time in microseconds.
    pub service_us: u64,
}
