//! A request before and after its token is filled in. Everything is parsed here, before any clock starts.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use crate::conform::CaseRequest;

/// How a token is sent: the parts of a request that do not depend on the token's value.
#[derive(Debug, Clone, Default)]
pub struct RequestShape {
    case: CaseRequest,
}

impl From<&CaseRequest> for RequestShape {
    fn from(case: &CaseRequest) -> Self {
        Self { case: case.clone() }
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
        let path = match &case.query {
            None => path.to_owned(),
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
        })
    }

    /// The request with its headers and no body, for one send.
    pub(super) fn to_http(&self) -> Request<http_body_util::Empty<bytes::Bytes>> {
        let mut request = Request::new(http_body_util::Empty::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The value of the `Authorization` header, where one is sent.
    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

/// Header values are taken as bytes: a case may send UTF-8 that is not ASCII.
fn value(name: &str, text: &str) -> Result<HeaderValue, RequestError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|error| RequestError::Header {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}
