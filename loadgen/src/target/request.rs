//! A request before and after its token is filled in. Everything is parsed here, before any clock starts.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::event::{Caller, Event, EventForm};
use crate::conform::{Case, CaseEvent, CaseRequest, Route};

/// How a token is sent: the parts of a request that do not depend on the token's value.
#[derive(Debug, Clone, Default)]
pub struct RequestShape {
    case: CaseRequest,
    event: Option<CaseEvent>,
    /// What is appended to the target's own path.
    below: String,
}

impl From<&CaseRequest> for RequestShape {
    fn from(case: &CaseRequest) -> Self {
        Self {
            case: case.clone(),
            ..Self::default()
        }
    }
}

impl From<&Case> for RequestShape {
    fn from(case: &Case) -> Self {
        Self {
            event: case.event.clone(),
            ..Self::from(&case.request)
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
            event: None,
            below: route.path.clone().unwrap_or_default(),
        }
    }
}

impl RequestShape {
    /// Whether the shape with this token is a request at all.
    pub(crate) fn check(&self, token: &str) -> Result<(), RequestError> {
        PreparedRequest::new(self, token, "localhost", "/").map(drop)
    }
}

/// A case file asks for something that is no HTTP request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A header name or value that HTTP does not have.
    #[error("header {name:?} cannot be sent: {reason}")]
    Header {
        /// The header's name as written.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A method that HTTP does not have.
    #[error("method {0:?} is not an HTTP method")]
    Method(String),
    /// A path or query that makes no URI.
    #[error("path {path:?} cannot be asked for: {reason}")]
    Path {
        /// Path and query as built.
        path: String,
        /// Why not.
        reason: String,
    },
}

/// A request that only has to be written to the socket.
#[derive(Debug, Clone)]
pub struct PreparedRequest {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    authorization: Option<String>,
    /// What a function is asked by in place of the request.
    event: Option<Event>,
}

impl PreparedRequest {
    /// Fills a shape.
    pub(super) fn new(
        shape: &RequestShape,
        token: &str,
        authority: &str,
        path: &str,
    ) -> Result<Self, RequestError> {
        let case = &shape.case;
        let method = match &case.method {
            None => Method::GET,
            Some(name) => name
                .parse()
                .map_err(|_| RequestError::Method(name.clone()))?,
        };
        let path = format!("{path}{}", shape.below);
        let path = match &case.query {
            None => path,
            Some(query) => format!("{path}?{}", query.replace("{token}", token)),
        };
        let uri = path.parse::<Uri>().map_err(|error| RequestError::Path {
            path,
            reason: error.to_string(),
        })?;
        let authorization = match case.authorization.as_deref() {
            None => Some(format!("Bearer {token}")),
            Some("$absent") => None,
            Some(value) => Some(value.replace("{token}", token)),
        };
        let mut headers = HeaderMap::new();
        headers.insert(http::header::HOST, value("host", authority)?);
        if let Some(authorization) = &authorization {
            let mut value = value("authorization", authorization)?;
            value.set_sensitive(true);
            headers.insert(http::header::AUTHORIZATION, value);
        }
        for (name, text) in &case.headers {
            let field: HeaderName = name.parse().map_err(|_| RequestError::Header {
                name: name.clone(),
                reason: "not a field name".to_owned(),
            })?;
            headers.append(field, value(name, &text.replace("{token}", token))?);
        }
        Ok(Self {
            method,
            uri,
            headers,
            authorization,
            event: None,
        })
    }

    /// Makes the event of it, for a function.
    pub(super) fn with_event(mut self, shape: &RequestShape, form: EventForm, token: &str) -> Self {
        let caller = Caller {
            method: self.method.as_str(),
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            headers: &self.headers,
            authorization: self.authorization.as_deref(),
        };
        self.event = Event::new(&caller, form, shape.event.as_ref(), token);
        self
    }

    /// The request with its headers and no body, for one send.
    pub(super) fn to_http(&self) -> Request<http_body_util::Empty<bytes::Bytes>> {
        let mut request = Request::new(http_body_util::Empty::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The event, where a function is asked, and API Gateway would ask it.
    pub(super) fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// The event's bytes, for people who want to see them.
    pub fn event_bytes(&self) -> Option<&[u8]> {
        self.event.as_ref().map(|event| event.payload.as_ref())
    }

    /// The ARN that the answer's policy is evaluated for, and the form of the event.
    pub(crate) fn asked_for(&self) -> Option<(EventForm, &str)> {
        let event = self.event.as_ref()?;
        Some((event.form, &event.method_arn))
    }
}

/// Header values are taken as bytes: a case may send UTF-8 that is not ASCII.
fn value(name: &str, text: &str) -> Result<HeaderValue, RequestError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|error| RequestError::Header {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}
