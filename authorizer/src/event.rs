//! The event that API Gateway sends to an authorizer, in each of its forms.
//!
//! Owns the events' shapes and where each has the credential. It does not look inside the token.

mod credential;
mod method_arn;

use std::borrow::Cow;

use thiserror::Error;

pub use credential::{CredentialForm, CredentialSource};
pub use method_arn::{MethodArn, MethodArnError};

use crate::{
    Rejection,
    strict_json::{Member, Members, ObjectFault, Wanted, read_object},
};

/// Largest event that is read: the payload limit of a synchronous Lambda invocation (Lambda quotas, 6 MB). An oversize
/// *token* is refused by its own, smaller bound, because it must give 401 and not 500.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// The members of an event that matter.
static EVENT_NAMES: Wanted<7> = Wanted::new([
    "type",
    "authorizationToken",
    "methodArn",
    "version",
    "routeArn",
    "headers",
    "multiValueHeaders",
]);

/// Why an event cannot be answered. The fault is the platform's or the configuration's, never the client's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// `authorizationToken` is present but not a string.
    #[error("the event's authorizationToken is not a string")]
    AuthorizationToken,
    /// `methodArn`, or `routeArn` in a payload of version 2.0, is absent or not a string.
    #[error("the event has no methodArn (routeArn in payload 2.0) that is a string")]
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
    /// `type` and `version` are none of those that API Gateway sends.
    #[error(
        "the event is none of TOKEN, REQUEST, and REQUEST with version 1.0 or 2.0: is this function an API Gateway authorizer?"
    )]
    Type,
}

/// The form of an event (API Gateway developer guide, "Input to an API Gateway Lambda authorizer"; "Control access to HTTP
/// APIs with AWS Lambda authorizers", payload format versions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventForm {
    /// An HTTP API, payload 1.0.
    Http1,
    /// An HTTP API, payload 2.0. The only form that may be answered with a simple response.
    Http2,
    /// REQUEST of a REST or WebSocket API.
    Request,
    /// TOKEN of a REST API.
    Token,
}

/// An event as far as it matters.
///
/// Members that API Gateway does not send today are ignored: the platform may add one at any time, and refusing it would
/// be an outage.
#[derive(Debug)]
pub(crate) struct AuthorizerEvent<'a> {
    form: EventForm,
    method_arn: Cow<'a, str>,
    authorization_token: Member<'a>,
    headers: Member<'a>,
    multi_value_headers: Member<'a>,
}

impl<'a> AuthorizerEvent<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<AuthorizerEvent<'a>, EventError> {
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| EventError::NotAnObject("it is not UTF-8"))?;
        let [
            kind,
            authorization_token,
            method_arn,
            version,
            route_arn,
            headers,
            multi_value_headers,
        ] = read_object(text, &EVENT_NAMES).map_err(|fault| {
            EventError::NotAnObject(match fault {
                ObjectFault::DuplicateName => "it names a member twice",
                ObjectFault::NotAnObject => "it is another JSON value",
                ObjectFault::NotJson => "it is not JSON",
                ObjectFault::TooDeep => "it is nested too deeply",
            })
        })?;
        let form = form(&kind, &version).ok_or(EventError::Type)?;
        if form == EventForm::Token
            && !matches!(authorization_token, Member::Absent | Member::Text(_))
        {
            return Err(EventError::AuthorizationToken);
        }
        let arn = match form {
            EventForm::Http2 => route_arn,
            _ => method_arn,
        };
        let Member::Text(method_arn) = arn else {
            return Err(EventError::MethodArnMissing);
        };
        Ok(AuthorizerEvent {
            form,
            method_arn,
            authorization_token,
            headers,
            multi_value_headers,
        })
    }

    pub(crate) fn form(&self) -> EventForm {
        self.form
    }

    pub(crate) fn method_arn(&self) -> Result<MethodArn<'_>, EventError> {
        MethodArn::parse(&self.method_arn).map_err(EventError::MethodArn)
    }

    /// The value of the client's header that holds the credential. A TOKEN event has it under a name of its own, whatever
    /// the header's name is.
    pub(crate) fn credential(
        &self,
        source: &CredentialSource,
    ) -> Result<Option<Cow<'a, str>>, Rejection> {
        if self.form == EventForm::Token {
            return Ok(match &self.authorization_token {
                Member::Text(value) => Some(value.clone()),
                _ => None,
            });
        }
        // First the richer of the two: `headers` has the last of several values only. A caller that is no API Gateway may
        // fill one and leave the other empty.
        for fields in [&self.multi_value_headers, &self.headers] {
            if let Member::Object(fields) = fields
                && let Some(found) = header_value(*fields, &source.header)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The one value of a header field.
fn header_value<'a>(fields: Members<'a>, wanted: &str) -> Result<Option<Cow<'a, str>>, Rejection> {
    let mut found = None;
    for (name, value) in fields.iter() {
        // REST APIs keep the client's case (RFC 9110 §5.1: names have none).
        if !name.eq_ignore_ascii_case(wanted) {
            continue;
        }
        let mut values = match value {
            Member::Text(value) => vec![value],
            Member::Texts(values) => values.iter().collect(),
            _ => return Err(Rejection::CredentialsMalformed),
        };
        // Which of two a proxy in front has looked at is anybody's guess.
        if values.len() > 1 || (found.is_some() && !values.is_empty()) {
            return Err(Rejection::CredentialsRepeated);
        }
        found = found.or(values.pop());
    }
    Ok(found)
}

fn form(kind: &Member<'_>, version: &Member<'_>) -> Option<EventForm> {
    let Member::Text(kind) = kind else {
        return None;
    };
    match (&**kind, version) {
        ("TOKEN", Member::Absent) => Some(EventForm::Token),
        ("REQUEST", Member::Absent) => Some(EventForm::Request),
        ("REQUEST", Member::Text(version)) => match &**version {
            "1.0" => Some(EventForm::Http1),
            "2.0" => Some(EventForm::Http2),
            _ => None,
        },
        _ => None,
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
            (r#"{"type":"token","methodArn":"x"}"#, EventError::Type),
            (r#"{"type":"REQUEST","version":"3.0"}"#, EventError::Type),
            (r#"{"type":"REQUEST","version":2}"#, EventError::Type),
            (r#"{"type":"TOKEN"}"#, EventError::MethodArnMissing),
            (
                r#"{"type":"TOKEN","methodArn":1}"#,
                EventError::MethodArnMissing,
            ),
            (
                r#"{"type":"REQUEST","version":"2.0","methodArn":"x"}"#,
                EventError::MethodArnMissing,
            ),
            (
                r#"{"type":"REQUEST","routeArn":"x"}"#,
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
                AuthorizerEvent::parse(text.as_bytes()).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn the_credential_is_found_in_every_form_of_event() {
        let one = Ok(Some("Bearer t".into()));
        let cases = [
            (
                r#"{"type":"TOKEN","methodArn":"x","authorizationToken":"Bearer t"}"#,
                one.clone(),
            ),
            (r#"{"type":"TOKEN","methodArn":"x"}"#, Ok(None)),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":{"Authorization":"Bearer t"}}"#,
                one.clone(),
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":{"authorization":"no"},"multiValueHeaders":{"AUTHORIZATION":["Bearer t"]}}"#,
                one.clone(),
            ),
            (
                r#"{"type":"REQUEST","version":"1.0","methodArn":"x","headers":{"authorization":"Bearer t"}}"#,
                one.clone(),
            ),
            (
                r#"{"version":"2.0","type":"REQUEST","routeArn":"x","headers":{"authorization":"Bearer t","x":"y"}}"#,
                one,
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":{"Authorization":"Bearer t"},"multiValueHeaders":{}}"#,
                Ok(Some("Bearer t".into())),
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":{},"multiValueHeaders":null}"#,
                Ok(None),
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":null}"#,
                Ok(None),
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","multiValueHeaders":{"Authorization":["a","b"]}}"#,
                Err(Rejection::CredentialsRepeated),
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":{"Authorization":"a","authorization":"b"}}"#,
                Err(Rejection::CredentialsRepeated),
            ),
            (
                r#"{"type":"REQUEST","methodArn":"x","headers":{"Authorization":1}}"#,
                Err(Rejection::CredentialsMalformed),
            ),
        ];
        for (text, expected) in cases {
            let event = AuthorizerEvent::parse(text.as_bytes()).unwrap();
            assert_eq!(
                event.credential(&CredentialSource::default()),
                expected,
                "{text}"
            );
        }
    }
}
