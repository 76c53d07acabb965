//! How often a decision allocates. What aws-lc allocates in C is not counted; its part is the same in `raw_rsa`.

use std::path::Path;

use benches::Subject;
use serde_json::{Value, json};

/// A subject whose authorizers have their keys, and remember the token where they remember any.
fn warm() -> Subject {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys");
    let subject = Subject::new(&keys);
    let _runtime = subject.enter();
    assert!(subject.decision() && subject.cached_decision() && subject.cached_decision());
    subject
}

fn count(decide: impl FnOnce() -> bool) -> u64 {
    let mut accepted = false;
    let counted = allocation_counter::measure(|| accepted = decide());
    assert!(accepted);
    counted.count_total
}

/// The token's bytes, its principal and scopes, the shared token, the policy's resource and the answer.
#[test]
fn a_decision_allocates_five_times_and_a_remembered_one_twice() {
    let subject = warm();
    let _runtime = subject.enter();
    assert_eq!(count(|| subject.decision()), 5);
    assert_eq!(count(|| subject.cached_decision()), 2);
    assert_eq!(count(|| subject.reject_malformed()), 1);
    assert_eq!(count(|| subject.reject_expired()), 1);
}

#[test]
fn claims_that_no_rule_looks_at_cost_no_allocation() {
    let subject = warm();
    let _runtime = subject.enter();
    let usual = count(|| subject.decision());
    let further: serde_json::Map<String, Value> = (0..12)
        .map(|i| {
            let value = json!({ "roles": vec!["x"; 20], "nested": { "deep": [i, "y", null] } });
            (format!("https://example.com/claim-{i}"), value)
        })
        .collect();
    let event = subject.event_with(&Value::Object(further));
    assert_eq!(count(|| subject.decision_on(&event)), usual);
}
