//! The TOKEN event of a REST API, as API Gateway sends it to the function.
//!
//! Owns the event's shape and the extraction of the bearer token. It does not look inside the token.

mod bearer;
mod method_arn;

use std::borrow::Cow;

use thiserror::Error;

pub(crate) use bearer::bearer_token;
pub use method_arn::{MethodArn, MethodArnError};

use crate::strict_json::{Member, ObjectFault, read_object};

/// Largest event that is read: the payload limit of a synchronous Lambda invocation (Lambda quotas, 6 MB). An oversize
/// *token* is refused by its own, smaller bound, because it must give 401 and not 500.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Why an event cannot be answered. The fault is the platform's or the configuration's, never the client's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// `authorizationToken` is present but not a string.
    #[error("the event's authorizationToken is not a string")]
    AuthorizationToken,
    /// `methodArn` is absent or not a string.
    #[error("the event has no methodArn that is a string")]
    MethodArnMissing,
    /// `methodArn` is not the ARN of an API method.
    #[error("the event's methodArn is malformed")]
    MethodArn(#[source] MethodArnError),
    /// The bytes are not one JSON object without duplicate names.
    #[error("the event is not a JSON object: {0}")]
    NotAnObject(&'static str),
    /// The event is larger than Lambda's payload limit.
    #[error("the event has {0} bytes, more than the {MAX_EVENT_BYTES} that Lambda delivers")]
    TooLarge(usize),
    /// `type` is not `TOKEN`.
    #[error(
        "the event's type is not TOKEN: configure the authorizer as a TOKEN authorizer of a REST API"
    )]
    Type,
}

/// A TOKEN event (API Gateway developer guide, "Input to a Lambda authorizer").
///
/// Members that API Gateway does not send today are ignored: the platform may add one at any time, and refusing it would
/// be an outage.
#[derive(Debug)]
pub(crate) struct TokenEvent<'a> {
    authorization_token: Option<Cow<'a, str>>,
    method_arn: Cow<'a, str>,
}

impl<'a> TokenEvent<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<TokenEvent<'a>, EventError> {
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| EventError::NotAnObject("it is not UTF-8"))?;
        let [kind, authorization_token, method_arn] =
            read_object(text, &["type", "authorizationToken", "methodArn"]).map_err(|fault| {
                EventError::NotAnObject(match fault {
                    ObjectFault::DuplicateName => "it names a member twice",
                    ObjectFault::NotAnObject => "it is another JSON value",
                    ObjectFault::NotJson => "it is not JSON",
                    ObjectFault::TooDeep => "it is nested too deeply",
                })
            })?;
        if kind != Member::Text("TOKEN".into()) {
            return Err(EventError::Type);
        }
        let Member::Text(method_arn) = method_arn else {
            return Err(EventError::MethodArnMissing);
        };
        let authorization_token = match authorization_token {
            Member::Absent => None,
            Member::Text(text) => Some(text),
            _ => return Err(EventError::AuthorizationToken),
        };
        Ok(TokenEvent {
            authorization_token,
            method_arn,
        })
    }

    /// The value of the client's `Authorization` header.
    pub(crate) fn authorization_token(&self) -> Option<&str> {
        self.authorization_token.as_deref()
    }

    pub(crate) fn method_arn(&self) -> Result<MethodArn<'_>, EventError> {
        MethodArn::parse(&self.method_arn).map_err(EventError::MethodArn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_another_shape_are_refused_with_the_member_at_fault() {
        let cases = [
            ("", EventError::NotAnObject("it is not JSON")),
            ("null", EventError::NotAnObject("it is another JSON value")),
            ("[]", EventError::NotAnObject("it is another JSON value")),
            ("{}", EventError::Type),
            (r#"{"type":"REQUEST","methodArn":"x"}"#, EventError::Type),
            (r#"{"type":"token","methodArn":"x"}"#, EventError::Type),
            (r#"{"type":"TOKEN"}"#, EventError::MethodArnMissing),
            (
                r#"{"type":"TOKEN","methodArn":1}"#,
                EventError::MethodArnMissing,
            ),
            (
                r#"{"type":"TOKEN","methodArn":"x","authorizationToken":1}"#,
                EventError::AuthorizationToken,
            ),
            (
                r#"{"type":"TOKEN","type":"TOKEN"}"#,
                EventError::NotAnObject("it names a member twice"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                TokenEvent::parse(text.as_bytes()).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }
}
