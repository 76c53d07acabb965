//! Answers and policies as JSON text.
//!
//! Written by hand because every decision writes one: most of it is fixed text, which needs no looking at, and the rest is
//! looked through for characters to escape many bytes at a time. `serde_json` gets this text, too.

use std::fmt::Write as _;

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

use super::{
    PolicyDocument, Resource,
    answer::{Answer, AnswerContext, AuthorizerAnswer, ContextValue, SimpleAnswer},
    instant,
};
use crate::strict_json::first_special;

/// Bytes of most answers: room for them at once, so that writing one never moves it.
const ANSWER_BYTES: usize = 1_024;

impl Answer {
    /// The answer as API Gateway takes it.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(ANSWER_BYTES);
        match self {
            Answer::Policy(answer) => push_answer(&mut json, answer),
            Answer::Simple(answer) => push_simple(&mut json, answer),
        }
        json
    }
}

impl AuthorizerAnswer {
    /// The answer as API Gateway takes it. Its length is to be compared with [`AuthorizerAnswer::BYTES_MAX`].
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(ANSWER_BYTES);
        push_answer(&mut json, self);
        json
    }
}

impl PolicyDocument {
    /// The policy in the language of IAM.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        push_policy(&mut json, self);
        json
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(self.to_json()).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

fn push_answer(json: &mut String, answer: &AuthorizerAnswer) {
    json.push_str(r#"{"principalId":"#);
    push_text(json, answer.token.principal());
    json.push_str(r#","policyDocument":"#);
    push_policy(json, &answer.policy_document);
    json.push_str(r#","context":"#);
    push_context(json, answer.token.scope(), &answer.context);
    if let Some(api_key) = &answer.usage_identifier_key {
        json.push_str(r#","usageIdentifierKey":"#);
        push_text(json, api_key.as_str());
    }
    json.push('}');
}

fn push_simple(json: &mut String, answer: &SimpleAnswer) {
    json.push_str(if answer.is_authorized {
        r#"{"isAuthorized":true,"context":"#
    } else {
        r#"{"isAuthorized":false,"context":"#
    });
    push_context(json, answer.token.scope(), &answer.context);
    json.push('}');
}

fn push_context(json: &mut String, scope: &str, added: &AnswerContext) {
    json.push_str(r#"{"scope":"#);
    push_text(json, scope);
    for (key, value) in added {
        json.push(',');
        push_text(json, key);
        json.push(':');
        match value {
            ContextValue::Boolean(value) => json.push_str(if *value { "true" } else { "false" }),
            // A number writes itself as JSON has it, and a `String` takes everything.
            ContextValue::Number(value) => _ = write!(json, "{value}"),
            ContextValue::Text(value) => push_text(json, value),
        }
    }
    json.push('}');
}

fn push_policy(json: &mut String, policy: &PolicyDocument) {
    // The version of the policy language, not of this policy.
    json.push_str(r#"{"Version":"2012-10-17","Statement":["#);
    if let Some(resource) = &policy.allow {
        json.push_str(r#"{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"#);
        push_resource(json, resource);
        if let Some(ends_at) = policy.allow_ends_at {
            json.push_str(r#","Condition":{"DateLessThan":{"aws:CurrentTime":"#);
            push_text(json, &instant::iso_8601(ends_at));
            json.push_str("}}");
        }
        json.push_str(if policy.deny.is_some() { "}," } else { "}" });
    }
    if let Some(resource) = &policy.deny {
        json.push_str(r#"{"Action":"execute-api:Invoke","Effect":"Deny","Resource":"#);
        push_resource(json, resource);
        json.push('}');
    }
    json.push_str("]}");
}

fn push_resource(json: &mut String, resource: &Resource) {
    match resource {
        Resource::One(resource) => push_text(json, resource),
        Resource::Many(resources) => {
            for (place, resource) in resources.iter().enumerate() {
                json.push(if place == 0 { '[' } else { ',' });
                push_text(json, resource);
            }
            json.push(']');
        }
    }
}

/// A JSON string (RFC 8259 §7).
fn push_text(json: &mut String, text: &str) {
    json.push('"');
    let mut rest = text;
    loop {
        // What is special is ASCII, so both parts are whole characters.
        let (plain, special) = rest.split_at(first_special(rest.as_bytes()));
        json.push_str(plain);
        let Some(byte) = special.bytes().next() else {
            break;
        };
        match byte {
            b'"' => json.push_str(r#"\""#),
            b'\\' => json.push_str(r"\\"),
            control => _ = write!(json, r"\u{control:04x}"),
        }
        rest = &special[1..];
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_read_back_as_it_was() {
        let controls: String = (0..0x20).map(char::from).collect();
        let texts = [
            "",
            "plain",
            "\"",
            "\\",
            "\\\"\\",
            "é\n😀\u{7f}\u{80}",
            "</script>",
            &controls,
            &"a\"b\\".repeat(100),
        ];
        for text in texts {
            let mut json = String::new();
            push_text(&mut json, text);
            assert_eq!(
                serde_json::from_str::<String>(&json).unwrap(),
                text,
                "{json}"
            );
        }
    }
}
