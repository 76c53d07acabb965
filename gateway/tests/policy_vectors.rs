//! The 29 vectors of `vectors/iam-policy.json`, three-way.

use gateway::policy::{Evaluation, INVOKE, PolicyDocument, RequestContext};
use serde_json::Value;

const VECTORS: &str = include_str!("vectors/iam-policy.json");

#[test]
fn every_vector_gets_the_evaluation_that_iam_doctrine_wants() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 29);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let want = match vector["want"].as_str().unwrap() {
            "Allow" => Evaluation::Allow,
            "Deny" => Evaluation::ExplicitDeny,
            "NoMatch" => Evaluation::NoMatch,
            other => panic!("{name}: {other} is no evaluation"),
        };
        let policy = PolicyDocument::from_value(&vector["policyDocument"]).unwrap();
        let got = policy.evaluate(
            INVOKE,
            vector["methodArn"].as_str().unwrap(),
            &RequestContext::default(),
        );
        assert_eq!(got, want, "{name}");
    }
}
