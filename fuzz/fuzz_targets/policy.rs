//! A table of routes, and the policy of a token with some of its scopes.
//!
//! A table that is taken has a policy for every token, within the bounds, whichever method was called.

#![no_main]

use std::sync::LazyLock;

use authorizer::{MethodArn, PolicyDocument, RouteTable, VerifiedToken};
use libfuzzer_sys::fuzz_target;

const PREFIX: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/";

static TOKEN: LazyLock<VerifiedToken> = LazyLock::new(|| {
    let verified = fuzz::verifier().verify(fuzz::TOKEN, &fuzz::keys(), fuzz::NOW);
    verified.expect("the token is good")
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Ok(table) = RouteTable::parse(text) else {
        return;
    };
    let policy_of = |method: &str| {
        let arn = format!("{PREFIX}{method}");
        let arn = MethodArn::parse(&arn).expect("a method's ARN");
        let policy = PolicyDocument::allow_routes(&TOKEN, &arn, &table);
        let policy = policy
            .expect("a short stage leaves room")
            .ending_with(&TOKEN);
        policy.to_json()
    };
    let policy = policy_of("GET/planets");
    assert!(policy.len() <= 8 * 1_024, "{} bytes", policy.len());
    assert_eq!(policy, policy_of("DELETE/a/b"));
});
