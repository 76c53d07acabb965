//! The answer around the policy.

use serde_json::json;

use super::token::token;
use crate::{
    MethodArn,
    policy::{
        Answer, AuthorizerAnswer, PolicyDocument,
        answer::{AnswerError, ContextValue},
    },
};

const API_KEY: &str = "abcdefghij0123456789";

fn answer() -> AuthorizerAnswer {
    let arn = MethodArn::parse("arn:aws:execute-api:us-east-1:1:a/s/GET/").unwrap();
    let token = token("read write");
    let policy = PolicyDocument::allow(&token, &arn);
    AuthorizerAnswer::new(token, policy)
}

#[test]
fn the_context_holds_scalars_in_order_and_the_key_is_written_last() {
    let mut answer = answer();
    answer.add_context("tier", 3).unwrap();
    answer.add_context("beta", true).unwrap();
    answer.add_context("tenant", "acme").unwrap();
    answer.set_usage_identifier_key(API_KEY).unwrap();
    let text = answer.to_json();
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
    assert!(text.len() < AuthorizerAnswer::BYTES_MAX);
    let shown = format!("{answer:?}");
    for value in [API_KEY, "acme", "read write"] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert!(shown.contains("tenant"));
    let serialized = serde_json::to_string(&Answer::Policy(answer)).unwrap();
    assert_eq!(serialized, text);
}

#[test]
fn what_would_make_the_answer_invalid_is_refused() {
    for key in ["claims", "principalId", "integrationLatency", ""] {
        assert_eq!(
            answer().add_context(key, "x").unwrap_err(),
            AnswerError::ReservedContextKey(key.to_owned())
        );
    }
    let mut answer = answer();
    answer.add_context("a", 1).unwrap();
    let twice = answer.add_context("a", 2);
    assert_eq!(twice.unwrap_err(), AnswerError::ContextKeyTwice("a".into()));
    let scope = answer.add_context("scope", "x");
    assert_eq!(
        scope.unwrap_err(),
        AnswerError::ContextKeyTwice("scope".into())
    );
    for key in ["short".to_owned(), "k".repeat(129)] {
        let refused = answer.set_usage_identifier_key(key);
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
