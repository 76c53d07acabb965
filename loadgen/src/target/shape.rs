//! How a token is sent, as data: what a case, a step or a command line says of a request before there is a token.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::event::EventForm;
use super::request::{PreparedRequest, RequestError};

/// What is changed in the event that a function gets.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseEvent {
    /// Its form; the target's own when absent.
    pub form: Option<EventForm>,
    /// The method ARN, `routeArn` in payload format 2.0; `$absent` leaves it out.
    pub arn: Option<String>,
    /// Members that are written over, or left out by `$absent`. `{token}` stands for the token.
    #[serde(default)]
    pub members: Map<String, Value>,
}

/// Where a step of a sequence is sent; the target's own path by GET when empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Option<String>,
    /// What is appended to the target's own path.
    pub path: Option<String>,
}

/// How a case's token is sent. `{token}` stands for the token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// The whole value of the `Authorization` header; `$absent` sends none. `Bearer {token}` when absent.
    pub authorization: Option<String>,
    /// The query string, without the question mark.
    pub query: Option<String>,
    /// Further header fields.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The method; GET when absent.
    pub method: Option<String>,
    /// The path; `{path}`, the target's own, when absent.
    pub path: Option<String>,
    /// The lines of the whole head, which are sent byte by byte, instead of everything above.
    pub raw: Option<Vec<String>>,
    /// The body behind those lines.
    pub body: Option<String>,
}

impl CaseRequest {
    /// Whether it says more than a value of `Authorization` can carry.
    pub fn needs_wire(&self) -> bool {
        let again = |(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization");
        self.raw.is_some() || self.path.is_some() || self.headers.iter().any(again)
    }
}

/// How a token is sent: the parts of a request that do not depend on the token's value.
#[derive(Debug, Clone, Default)]
pub struct RequestShape {
    pub(super) case: CaseRequest,
    pub(super) second: Option<String>,
    pub(super) event: Option<CaseEvent>,
    /// What is appended to the target's own path.
    pub(super) below: String,
    pub(super) body: Bytes,
}

impl From<&CaseRequest> for RequestShape {
    fn from(case: &CaseRequest) -> Self {
        Self {
            case: case.clone(),
            ..Self::default()
        }
    }
}

impl From<&Route> for RequestShape {
    fn from(route: &Route) -> Self {
        Self {
            case: CaseRequest {
                method: route.method.clone(),
                ..CaseRequest::default()
            },
            below: route.path.clone().unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl RequestShape {
    /// The same shape with a second token, which `{second}` stands for.
    #[must_use]
    pub fn with_second(self, second: Option<String>) -> Self {
        Self { second, ..self }
    }

    /// The same shape with changes in the event of a function.
    #[must_use]
    pub fn with_event(self, event: Option<CaseEvent>) -> Self {
        Self { event, ..self }
    }

    /// The same shape with a body.
    #[must_use]
    pub fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// Whether the shape with this token is a request at all.
    pub(crate) fn check(&self, token: &str) -> Result<(), RequestError> {
        PreparedRequest::new(self, token, "localhost", "/").map(drop)
    }
}
