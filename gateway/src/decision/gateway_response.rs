//! Gateway responses: the status and body of what the gateway answers by itself, and how an API changes them.
//!
//! Types and default statuses as in "Gateway response types for API Gateway" (developer guide). Templates know plain
//! substitution of `$context.error.*`, `$context.requestId` and `$context.stage`, and no VTL.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::refusal::Refusal;

/// The kinds of response that an API can customise, those that this stand-in produces and the two defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GatewayResponseType {
    /// `ACCESS_DENIED`.
    AccessDenied,
    /// `AUTHORIZER_CONFIGURATION_ERROR`.
    AuthorizerConfigurationError,
    /// `AUTHORIZER_FAILURE`.
    AuthorizerFailure,
    /// `DEFAULT_4XX`: for every other type with a status of 400 to 499.
    Default4xx,
    /// `DEFAULT_5XX`: for every other type with a status of 500 to 599.
    Default5xx,
    /// `MISSING_AUTHENTICATION_TOKEN`.
    MissingAuthenticationToken,
    /// `REQUEST_TOO_LARGE`, which cannot be customised.
    RequestTooLarge,
    /// `UNAUTHORIZED`.
    Unauthorized,
}

impl GatewayResponseType {
    /// The name in an API's definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "ACCESS_DENIED",
            Self::AuthorizerConfigurationError => "AUTHORIZER_CONFIGURATION_ERROR",
            Self::AuthorizerFailure => "AUTHORIZER_FAILURE",
            Self::Default4xx => "DEFAULT_4XX",
            Self::Default5xx => "DEFAULT_5XX",
            Self::MissingAuthenticationToken => "MISSING_AUTHENTICATION_TOKEN",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::Unauthorized => "UNAUTHORIZED",
        }
    }

    /// The status unless it is customised. The two defaults have none of their own; theirs is the class's first.
    pub fn default_status(self) -> u16 {
        match self {
            Self::AccessDenied | Self::MissingAuthenticationToken => 403,
            Self::AuthorizerConfigurationError | Self::AuthorizerFailure | Self::Default5xx => 500,
            Self::Default4xx => 400,
            Self::RequestTooLarge => 413,
            Self::Unauthorized => 401,
        }
    }
}

/// What an API changes about one type of response. What is `None` stays as built in.
#[derive(Debug, Clone, Default)]
pub struct CustomResponse {
    /// The status.
    pub status: Option<StatusCode>,
    /// More headers, such as `access-control-allow-origin`, without which a browser shows a CORS error and not the 401.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, such as `{"message":$context.error.messageString}`.
    pub template: Option<String>,
}

/// All customised responses of an API.
#[derive(Debug, Clone, Default)]
pub struct GatewayResponses {
    custom: BTreeMap<GatewayResponseType, CustomResponse>,
}

/// What templates can name beside the refusal itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErrorContext<'a> {
    /// `$context.requestId`.
    pub request_id: &'a str,
    /// `$context.stage`.
    pub stage: &'a str,
}

/// A response, ready to be sent.
#[derive(Debug, Clone)]
pub struct RenderedResponse {
    /// The status.
    pub status: StatusCode,
    /// Headers of the customisation.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, JSON unless a template says otherwise.
    pub body: Bytes,
}

impl GatewayResponses {
    /// Changes one type of response. A change of `REQUEST_TOO_LARGE` has no effect, as on AWS.
    #[must_use]
    pub fn with(mut self, response: GatewayResponseType, custom: CustomResponse) -> Self {
        self.custom.insert(response, custom);
        self
    }

    /// The response to a refusal: that of its own type, else of `DEFAULT_4XX` or `DEFAULT_5XX`, else the built-in one.
    pub fn render(&self, refusal: &Refusal, context: &ErrorContext<'_>) -> RenderedResponse {
        let built_in = refusal.status();
        let custom = self.lookup(refusal.response_type(), built_in);
        let status = custom
            .and_then(|custom| custom.status)
            .or_else(|| StatusCode::from_u16(built_in).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = match custom.and_then(|custom| custom.template.as_deref()) {
            None => refusal.body(),
            Some(template) => fill(template, refusal, context),
        };
        let headers = custom
            .map(|custom| custom.headers.clone())
            .unwrap_or_default();
        RenderedResponse {
            status,
            headers,
            body: Bytes::from(body),
        }
    }

    fn lookup(&self, response: GatewayResponseType, status: u16) -> Option<&CustomResponse> {
        if response == GatewayResponseType::RequestTooLarge {
            return None;
        }
        let class = if status < 500 {
            GatewayResponseType::Default4xx
        } else {
            GatewayResponseType::Default5xx
        };
        self.custom
            .get(&response)
            .or_else(|| self.custom.get(&class))
    }
}

/// Replaces the variables that are known, the longest name first; others stay as they are. One pass over the template,
/// so that a message that looks like a variable is not replaced in turn.
fn fill(template: &str, refusal: &Refusal, context: &ErrorContext<'_>) -> String {
    let message_string = refusal.message_string();
    let variables = [
        ("$context.error.messageString", message_string.as_str()),
        (
            "$context.error.responseType",
            refusal.response_type().name(),
        ),
        ("$context.error.message", refusal.message()),
        ("$context.requestId", context.request_id),
        ("$context.stage", context.stage),
    ];
    let mut filled = String::with_capacity(template.len() + message_string.len());
    let mut rest = template;
    while let Some(start) = rest.find('$') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let (name, value) = variables
            .iter()
            .find(|(name, _)| rest.starts_with(name))
            .unwrap_or(&("$", "$"));
        filled.push_str(value);
        rest = &rest[name.len()..];
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switches::AuthorizerFault;

    fn custom(status: u16, template: &str) -> CustomResponse {
        let headers = vec![(
            HeaderName::from_static("access-control-allow-origin"),
            HeaderValue::from_static("*"),
        )];
        CustomResponse {
            status: StatusCode::from_u16(status).ok(),
            headers,
            template: Some(template.to_owned()),
        }
    }

    #[test]
    fn the_type_of_its_own_comes_before_the_default_of_its_class() {
        let responses = GatewayResponses::default()
            .with(
                GatewayResponseType::Default4xx,
                custom(418, "$context.error.responseType $context.unknown"),
            )
            .with(
                GatewayResponseType::Unauthorized,
                custom(
                    400,
                    "{\"m\":$context.error.messageString,\"id\":\"$context.requestId\"}",
                ),
            )
            .with(GatewayResponseType::RequestTooLarge, custom(200, "never"));
        let context = ErrorContext {
            request_id: "id-1",
            stage: "test",
        };
        for (refusal, status, body, headers) in [
            (
                Refusal::identity_missing(),
                400,
                r#"{"m":"Unauthorized","id":"id-1"}"#,
                1,
            ),
            (Refusal::deny(), 418, "ACCESS_DENIED $context.unknown", 1),
            (
                Refusal::function_error(AuthorizerFault::Failure),
                500,
                r#"{"message":null}"#,
                0,
            ),
            (
                Refusal::body_too_large(),
                413,
                r#"{"message":"Request Too Long"}"#,
                0,
            ),
        ] {
            let got = responses.render(&refusal, &context);
            assert_eq!(
                (got.status.as_u16(), got.body.as_ref(), got.headers.len()),
                (status, body.as_bytes(), headers)
            );
        }
    }

    #[test]
    fn a_bearer_token_on_an_unknown_path_is_read_as_a_broken_signature() {
        for (authorization, error_type, ending) in [
            (
                None,
                "MissingAuthenticationTokenException",
                r#":"Missing Authentication Token"}"#,
            ),
            (
                Some("x"),
                "MissingAuthenticationTokenException",
                r#":"Missing Authentication Token"}"#,
            ),
            (
                Some("Bearer x"),
                "IncompleteSignatureException",
                r#"not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer x'."}"#,
            ),
        ] {
            let refusal = Refusal::no_route(authorization);
            let got = GatewayResponses::default().render(&refusal, &ErrorContext::default());
            assert_eq!(
                (got.status.as_u16(), refusal.error_type()),
                (403, error_type)
            );
            assert!(got.body.ends_with(ending.as_bytes()), "{:?}", got.body);
        }
    }
}
