//! The rules by their ids, and the built-in response of each refusal.

use std::borrow::Cow;
use std::fmt;

use super::gateway_response::GatewayResponseType;
use super::output::OutputError;
use crate::switches::AuthorizerFault;

/// Which rule decided on a request. The ids are those of the header `x-standin-decision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The policy allows the call.
    Allow,
    /// The method ARN has more than 1,600 bytes.
    ArnTooLong,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body has more than 10 MB.
    BodyTooLarge,
    /// A Deny statement applies.
    Deny,
    /// The function failed, or the gateway gave up waiting for it.
    FunctionError,
    /// The function failed with exactly `Unauthorized`.
    FunctionUnauthorized,
    /// The header section has more than 10,240 bytes.
    HeadersTooLarge,
    /// The token does not match the validation expression.
    IdentityMismatch,
    /// The identity source is missing or empty.
    IdentityMissing,
    /// No statement applies.
    NoMatch,
    /// The route has no authorizer.
    Open,
    /// The function's answer is no authorizer output.
    OutputInvalid,
    /// No route has this path and method.
    Route,
}

impl Rule {
    /// The id, stable over versions.
    pub fn id(self) -> &'static str {
        match self {
            Self::Allow => "R-ALLOW",
            Self::ArnTooLong => "R-414",
            Self::BodyTimeout => "R-408",
            Self::BodyTooLarge => "R-413",
            Self::Deny => "R-DENY",
            Self::FunctionError => "R-FN-500",
            Self::FunctionUnauthorized => "R-FN-401",
            Self::HeadersTooLarge => "R-431",
            Self::IdentityMismatch => "R-ID-REGEX",
            Self::IdentityMissing => "R-ID-MISSING",
            Self::NoMatch => "R-NOMATCH",
            Self::Open => "R-NONE",
            Self::OutputInvalid => "R-OUT-500",
            Self::Route => "R-ROUTE",
        }
    }
}

/// A request that the gateway answers by itself.
#[derive(Clone)]
pub struct Refusal {
    rule: Rule,
    response: GatewayResponseType,
    /// Where the status of the gateway response type is not the status of this refusal.
    status: Option<u16>,
    error_type: &'static str,
    /// `$context.error.message`; `None` is `null` in the body.
    message: Option<Cow<'static, str>>,
    /// The name of the body's one member. A refusal by policy spells it with a capital (observed).
    member: &'static str,
    detail: Option<String>,
}

impl Refusal {
    fn new(
        rule: Rule,
        response: GatewayResponseType,
        error_type: &'static str,
        message: &'static str,
    ) -> Self {
        let message = Some(Cow::Borrowed(message));
        Self {
            rule,
            response,
            status: None,
            error_type,
            message,
            member: "message",
            detail: None,
        }
    }

    /// The identity source is missing or empty: 401, the function is not asked (documented, observed).
    pub fn identity_missing() -> Self {
        Self::unauthorized(Rule::IdentityMissing)
    }

    /// The token does not match the validation expression: 401, the function is not asked (documented).
    pub fn identity_mismatch() -> Self {
        Self::unauthorized(Rule::IdentityMismatch)
    }

    /// The function failed with exactly `Unauthorized`: 401 (observed).
    pub fn function_unauthorized() -> Self {
        Self::unauthorized(Rule::FunctionUnauthorized)
    }

    fn unauthorized(rule: Rule) -> Self {
        Self::new(
            rule,
            GatewayResponseType::Unauthorized,
            "UnauthorizedException",
            "Unauthorized",
        )
    }

    /// Any other failure of the function, a time-out included: 500 (observed; the type's name is unsettled).
    pub fn function_error(fault: AuthorizerFault) -> Self {
        Self::authorizer_fault(Rule::FunctionError, fault)
    }

    /// The answer is no authorizer output: 500 (observed; the type's name is unsettled).
    pub fn invalid_output(error: &OutputError) -> Self {
        let fault = Self::authorizer_fault(Rule::OutputInvalid, AuthorizerFault::Configuration);
        Self {
            detail: Some(error.to_string()),
            ..fault
        }
    }

    fn authorizer_fault(rule: Rule, fault: AuthorizerFault) -> Self {
        let (response, error_type) = match fault {
            AuthorizerFault::Configuration => (
                GatewayResponseType::AuthorizerConfigurationError,
                "AuthorizerConfigurationException",
            ),
            AuthorizerFault::Failure => (
                GatewayResponseType::AuthorizerFailure,
                "AuthorizerFailureException",
            ),
        };
        Self {
            rule,
            response,
            status: None,
            error_type,
            message: None,
            member: "message",
            detail: None,
        }
    }

    /// A Deny statement applies: 403 (observed).
    pub fn deny() -> Self {
        Self::access_denied(
            Rule::Deny,
            "User is not authorized to access this resource with an explicit deny",
        )
    }

    /// No statement applies: 403 (observed).
    pub fn no_match() -> Self {
        Self::access_denied(
            Rule::NoMatch,
            "User is not authorized to access this resource",
        )
    }

    fn access_denied(rule: Rule, message: &'static str) -> Self {
        let refusal = Self::new(
            rule,
            GatewayResponseType::AccessDenied,
            "AccessDeniedException",
            message,
        );
        Self {
            member: "Message",
            ..refusal
        }
    }

    /// No route has this path and method: 403 (observed).
    ///
    /// An `Authorization` header there is read as a Signature Version 4 one, so that a bearer token gets the complaint
    /// that it is no list of `key=value` pairs (observed). It is sent back to the one who sent it and nowhere else.
    pub fn no_route(authorization: Option<&str>) -> Self {
        let response = GatewayResponseType::MissingAuthenticationToken;
        match authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(_, rest)| !rest.contains('='))
        {
            None => Self::new(
                Rule::Route,
                response,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ),
            Some((scheme, rest)) => {
                let complaint = format!(
                    "'{rest}' not a valid key=value pair (missing equal-sign) in Authorization header: '{scheme} {rest}'."
                );
                let refusal = Self::new(Rule::Route, response, "IncompleteSignatureException", "");
                Self {
                    message: Some(Cow::Owned(complaint)),
                    ..refusal
                }
            }
        }
    }

    /// The method ARN has more than 1,600 bytes: 414 (documented, quotas).
    pub fn arn_too_long() -> Self {
        Self::limit(
            Rule::ArnTooLong,
            414,
            "RequestUriTooLongException",
            "Request-URI Too Long",
        )
    }

    /// The body has more than 10 MB: 413 (documented, `REQUEST_TOO_LARGE`).
    pub fn body_too_large() -> Self {
        Self::limit(
            Rule::BodyTooLarge,
            413,
            "RequestTooLargeException",
            "Request Too Long",
        )
    }

    /// The body did not arrive in time: 408 (RFC 9110 section 15.5.9; what AWS answers is not documented).
    pub fn body_timeout() -> Self {
        Self::limit(
            Rule::BodyTimeout,
            408,
            "RequestTimeoutException",
            "Request Timeout",
        )
    }

    /// The header section has more than 10,240 bytes: 431 (RFC 6585 section 5; AWS documents the quota only).
    pub fn headers_too_large() -> Self {
        Self::limit(
            Rule::HeadersTooLarge,
            431,
            "RequestHeaderFieldsTooLargeException",
            "Request Header Fields Too Large",
        )
    }

    fn limit(rule: Rule, status: u16, error_type: &'static str, message: &'static str) -> Self {
        let refusal = Self::new(
            rule,
            GatewayResponseType::RequestTooLarge,
            error_type,
            message,
        );
        Self {
            status: Some(status),
            ..refusal
        }
    }

    /// The rule that refused.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The value of `x-amzn-ErrorType`.
    pub fn error_type(&self) -> &'static str {
        self.error_type
    }

    /// The gateway response type, by which the response can be customised.
    pub fn response_type(&self) -> GatewayResponseType {
        self.response
    }

    /// What was wrong with an authorizer's output, for diagnosis; the caller never sees it.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The status unless the response is customised.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(self.response.default_status())
    }

    /// The built-in body.
    pub(super) fn body(&self) -> String {
        format!("{{\"{}\":{}}}", self.member, self.message_string())
    }

    /// `$context.error.message`: without quotes.
    pub(super) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("null")
    }

    /// `$context.error.messageString`: quoted and escaped, or `null`.
    pub(super) fn message_string(&self) -> String {
        self.message.as_deref().map_or_else(
            || "null".to_owned(),
            |text| serde_json::Value::from(text).to_string(),
        )
    }
}

/// Without the message, which repeats the `Authorization` header in [`Refusal::no_route`].
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("rule", &self.rule)
            .field("error_type", &self.error_type)
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}
