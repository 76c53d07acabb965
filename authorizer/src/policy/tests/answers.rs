//! The answer around the policy.

use serde_json::json;

use super::token::token;
use crate::{
    MethodArn,
    policy::{
        AuthorizerAnswer, PolicyDocument,
        answer::{AnswerError, ContextValue},
    },
};

const API_KEY: &str = "abcdefghij0123456789";

fn answer() -> AuthorizerAnswer {
    let arn = MethodArn::parse("arn:aws:execute-api:us-east-1:1:a/s/GET/").unwrap();
    let token = token("read write");
    let policy = PolicyDocument::allow(&token, &arn);
    AuthorizerAnswer::new(&token, policy)
}

#[test]
fn the_context_holds_scalars_in_order_and_the_key_is_written_last() {
    let answer = answer()
        .with_context("tier", 3)
        .and_then(|answer| answer.with_context("beta", true))
        .and_then(|answer| answer.with_context("tenant", "acme"))
        .and_then(|answer| answer.with_usage_identifier_key(API_KEY))
        .unwrap();
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"principalId":"s","policyDocument":{"Version":"2012-10-17","Statement":[{"#,
            r#""Action":"execute-api:Invoke","Effect":"Allow","#,
            r#""Resource":"arn:aws:execute-api:us-east-1:1:a/s/*/*"}]},"#,
            r#""context":{"scope":"read write","tier":3,"beta":true,"tenant":"acme"},"#,
            r#""usageIdentifierKey":"abcdefghij0123456789"}"#,
        )
    );
    assert_eq!(answer.json_bytes(), text.len());
    assert!(text.len() < AuthorizerAnswer::BYTES_MAX);
    assert!(!format!("{answer:?}").contains(API_KEY));
}

#[test]
fn what_would_make_the_answer_invalid_is_refused() {
    for key in ["claims", "principalId", "integrationLatency", ""] {
        assert_eq!(
            answer().with_context(key, "x").unwrap_err(),
            AnswerError::ReservedContextKey(key.to_owned())
        );
    }
    let twice = answer().with_context("a", 1).unwrap().with_context("a", 2);
    assert_eq!(twice.unwrap_err(), AnswerError::ContextKeyTwice("a".into()));
    let scope = answer().with_context("scope", "x");
    assert_eq!(
        scope.unwrap_err(),
        AnswerError::ContextKeyTwice("scope".into())
    );
    for key in ["short".to_owned(), "k".repeat(129)] {
        let refused = answer().with_usage_identifier_key(key);
        assert_eq!(refused.unwrap_err(), AnswerError::ApiKeyLength);
    }
    for value in [json!([1]), json!({"a": 1}), json!(null)] {
        assert_eq!(
            ContextValue::try_from(value),
            Err(AnswerError::ValueNotScalar)
        );
    }
    for (value, want) in [
        (json!(true), ContextValue::from(true)),
        (json!(-7), ContextValue::from(-7)),
        (json!("x"), ContextValue::from("x".to_owned())),
    ] {
        assert_eq!(ContextValue::try_from(value), Ok(want));
    }
}
