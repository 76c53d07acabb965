//! One line of metrics for each answer, in CloudWatch's embedded metric format (CloudWatch user guide, "Specification:
//! Embedded metric format"): CloudWatch makes metrics of it without a call from the function.
//!
//! Expected refusals are told apart from faults, which Lambda's own error metric does not do: to Lambda both are errors.
//! No token, claim or key is in the line.

use std::time::Duration;

use serde_json::json;

use crate::{Answer, AuthorizerError, KeyMetrics, failure_log::SCOPE_MISSING};

/// The namespace of the metrics.
const NAMESPACE: &str = "Authorizer";

/// What a line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured<'a> {
    pub(crate) answer: &'a Result<Answer, AuthorizerError>,
    pub(crate) took: Duration,
    /// What the cache of keys did since the last line.
    pub(crate) keys: KeyMetrics,
}

/// `allow`, `deny`, `unauthorized` or `error`, and the reason code where there is one.
fn outcome(answer: &Result<Answer, AuthorizerError>) -> (&'static str, &'static str) {
    match answer {
        Ok(answer) if answer.is_allow() => ("allow", "none"),
        Ok(_) => ("deny", SCOPE_MISSING),
        Err(AuthorizerError::Unauthorized(rejection)) => ("unauthorized", rejection.code()),
        Err(AuthorizerError::Event(_)) => ("error", "event-malformed"),
        Err(AuthorizerError::Keys(_)) => ("error", "keys-unavailable"),
        Err(AuthorizerError::Answer(_)) => ("error", "answer-too-long"),
        Err(AuthorizerError::Policy(_)) => ("error", "policy-too-long"),
    }
}

/// The line, without a line end. `timestamp_ms` is in milliseconds since the epoch.
pub(crate) fn line(measured: Measured<'_>, timestamp_ms: u64) -> String {
    let (outcome, reason) = outcome(measured.answer);
    let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
    let keys = measured.keys;
    json!({
        "_aws": {
            "Timestamp": timestamp_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["outcome"], ["outcome", "reason"]],
                "Metrics": [
                    metric("decisions", "Count"),
                    metric("duration", "Microseconds"),
                    metric("key_fetches", "Count"),
                    metric("key_fetch_failures", "Count"),
                    metric("stale_key_uses", "Count"),
                ],
            }],
        },
        "outcome": outcome,
        "reason": reason,
        "decisions": 1,
        "duration": u64::try_from(measured.took.as_micros()).unwrap_or(u64::MAX),
        "key_fetches": keys.fetches,
        "key_fetch_failures": keys.failures,
        "stale_key_uses": keys.stale_uses,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rejection;

    #[test]
    fn an_expected_refusal_is_no_error_and_has_its_reason() {
        let answer = Err(AuthorizerError::Unauthorized(Rejection::Expired));
        let measured = Measured {
            answer: &answer,
            took: Duration::from_micros(42),
            keys: KeyMetrics::default(),
        };
        let line: serde_json::Value =
            serde_json::from_str(&line(measured, 1_795_500_000_123)).unwrap();
        assert_eq!(line["outcome"], "unauthorized");
        assert_eq!(line["reason"], "expired");
        assert_eq!(line["duration"], 42);
        assert_eq!(line["_aws"]["Timestamp"], 1_795_500_000_123_u64);
        // Every metric that is declared is there, and is a number.
        let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .unwrap();
        for metric in declared {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_u64(), "{name}");
        }
        for dimension in ["outcome", "reason"] {
            assert!(line[dimension].is_string(), "{dimension}");
        }
    }
}
