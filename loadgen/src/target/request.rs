//! A request before and after its token is filled in. Everything is parsed here, before any clock starts.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::event::{Caller, Event, EventForm};
use super::template::Values;
use crate::conform::{Case, CaseEvent, CaseRequest, Route};

/// How a token is sent: the parts of a request that do not depend on the token's value.
#[derive(Debug, Clone, Default)]
pub struct RequestShape {
    case: CaseRequest,
    second: Option<String>,
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

    /// Whether the shape with this token is a request at all.
    pub(crate) fn check(&self, token: &str) -> Result<(), RequestError> {
        PreparedRequest::new(self, token, "localhost", "/").map(drop)
    }
}

/// A case file asks for something that is no HTTP request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Both the lines of a request and parts of one.
    #[error(
        "`raw` holds the whole head of the request: `{0}` does not go with it; write it as a line"
    )]
    BesideRaw(&'static str),
    /// A body without the lines before it.
    #[error("`body` goes with `raw`: give the lines of the request as well")]
    BodyWithoutRaw,
    /// A header name or value that HTTP does not have.
    #[error("header {name:?} cannot be sent: {reason}; `raw` sends any bytes")]
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
    /// A `{name}` that means nothing here.
    #[error(
        "placeholder {{{0}}} is unknown: use one of {{token}}, {{authority}}, {{path}}, {{folder}}, {{leaf}}, \
         {{leaf_capitals}}, {{leaf_escaped}}, {{length}}, {{blanks:8000}}, {{byte:ff}}, or {{second}} where the case has a \
         second recipe"
    )]
    Placeholder(String),
    /// A part that has to be text, and is none once it is filled in.
    #[error("{0:?} is no text once it is filled in")]
    Text(String),
}

/// A request that only has to be written to the socket.
#[derive(Debug, Clone)]
pub struct PreparedRequest {
    message: Message,
    authorization: Option<String>,
    /// What a function is asked by in place of the request.
    event: Option<Event>,
    keep_answer: bool,
}

/// What goes to the socket, and who writes it.
#[derive(Debug, Clone)]
enum Message {
    /// An HTTP library does, in its own spelling.
    Http {
        method: Method,
        uri: Uri,
        headers: HeaderMap,
    },
    /// We do, byte by byte.
    Raw(Bytes),
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
        let path = &format!("{path}{}", shape.below);
        let values = Values {
            token,
            second: shape.second.as_deref(),
            authority,
            path,
            length: 0,
        };
        if let Some(lines) = &case.raw {
            let message = Message::Raw(raw(case, lines, values)?);
            return Ok(Self {
                message,
                authorization: None,
                event: None,
                keep_answer: false,
            });
        }
        if case.body.is_some() {
            return Err(RequestError::BodyWithoutRaw);
        }
        let authorization = match case.authorization.as_deref() {
            None => Some(format!("Bearer {token}").into_bytes()),
            Some("$absent") => None,
            Some(value) => Some(values.fill(value)?),
        };
        let message = Message::Http {
            method: method(case)?,
            uri: uri(case, values)?,
            headers: headers(case, authorization.as_deref(), values)?,
        };
        Ok(Self {
            message,
            authorization: authorization.map(|value| String::from_utf8_lossy(&value).into_owned()),
            event: None,
            keep_answer: false,
        })
    }

    /// The same request, whose answer's fields and body are kept for who looks into them.
    #[must_use]
    pub(crate) fn keeping_answer(self) -> Self {
        Self {
            keep_answer: true,
            ..self
        }
    }

    pub(super) fn keeps_answer(&self) -> bool {
        self.keep_answer
    }

    /// Makes the event of it, for a function; a request that we write ourselves has no event.
    pub(super) fn with_event(mut self, shape: &RequestShape, form: EventForm, token: &str) -> Self {
        if let Message::Http {
            method,
            uri,
            headers,
        } = &self.message
        {
            let caller = Caller {
                method: method.as_str(),
                path: uri.path(),
                query: uri.query().unwrap_or_default(),
                headers,
                authorization: self.authorization.as_deref(),
            };
            self.event = Event::new(&caller, form, shape.event.as_ref(), token);
        }
        self
    }

    /// The bytes to write, where we write them.
    pub(super) fn raw(&self) -> Option<&Bytes> {
        match &self.message {
            Message::Http { .. } => None,
            Message::Raw(bytes) => Some(bytes),
        }
    }

    /// The request with its headers and no body, for one send; one that we write ourselves has none of it.
    pub(super) fn to_http(&self) -> Request<http_body_util::Empty<Bytes>> {
        let mut request = Request::new(http_body_util::Empty::new());
        if let Message::Http {
            method,
            uri,
            headers,
        } = &self.message
        {
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
        }
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

/// The lines, an empty one, and the body.
fn raw(case: &CaseRequest, lines: &[String], values: Values<'_>) -> Result<Bytes, RequestError> {
    for (key, given) in [
        ("authorization", case.authorization.is_some()),
        ("headers", !case.headers.is_empty()),
        ("method", case.method.is_some()),
        ("path", case.path.is_some()),
        ("query", case.query.is_some()),
    ] {
        if given {
            return Err(RequestError::BesideRaw(key));
        }
    }
    let body = values.fill(case.body.as_deref().unwrap_or_default())?;
    let values = Values {
        length: body.len(),
        ..values
    };
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend(values.fill(line)?);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend(body);
    Ok(bytes.into())
}

fn method(case: &CaseRequest) -> Result<Method, RequestError> {
    match &case.method {
        None => Ok(Method::GET),
        Some(name) => name.parse().map_err(|_| RequestError::Method(name.clone())),
    }
}

fn uri(case: &CaseRequest, values: Values<'_>) -> Result<Uri, RequestError> {
    let path = match &case.path {
        None => values.path.to_owned(),
        Some(path) => values.fill_text(path)?,
    };
    let path = match &case.query {
        None => path,
        Some(query) => format!("{path}?{}", values.fill_text(query)?),
    };
    path.parse().map_err(|error| RequestError::Path {
        reason: format!("{error}"),
        path,
    })
}

fn headers(
    case: &CaseRequest,
    authorization: Option<&[u8]>,
    values: Values<'_>,
) -> Result<HeaderMap, RequestError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        http::header::HOST,
        value("host", values.authority.as_bytes())?,
    );
    if let Some(authorization) = authorization {
        let mut value = value("authorization", authorization)?;
        value.set_sensitive(true);
        headers.insert(http::header::AUTHORIZATION, value);
    }
    for (name, text) in &case.headers {
        let field: HeaderName = name.parse().map_err(|_| RequestError::Header {
            name: name.clone(),
            reason: "not a field name".to_owned(),
        })?;
        headers.append(field, value(name, &values.fill(text)?)?);
    }
    Ok(headers)
}

/// Header values are taken as bytes: a case may send what is not ASCII.
fn value(name: &str, bytes: &[u8]) -> Result<HeaderValue, RequestError> {
    HeaderValue::from_bytes(bytes).map_err(|error| RequestError::Header {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw_request(lines: &[&str]) -> CaseRequest {
        CaseRequest {
            raw: Some(lines.iter().map(|line| (*line).to_owned()).collect()),
            ..CaseRequest::default()
        }
    }

    #[test]
    fn raw_lines_are_sent_byte_by_byte() {
        let case = CaseRequest {
            body: Some("access_token={token}".to_owned()),
            ..raw_request(&[
                "POST {path} HTTP/1.1",
                "hOST: {authority}",
                "AUTHORIZATION : Bearer {second}\r\n {byte:00}",
                "Content-Length: {length}",
            ])
        };
        let shape = RequestShape::from(&case).with_second(Some("d.e.f".to_owned()));
        let request = PreparedRequest::new(&shape, "a.b.c", "h:1", "/p").expect("a request");
        let wanted = "POST /p HTTP/1.1\r\nhOST: h:1\r\nAUTHORIZATION : Bearer d.e.f\r\n \0\r\n\
                      Content-Length: 18\r\n\r\naccess_token=a.b.c";
        assert_eq!(
            request.raw().map(|bytes| &bytes[..]),
            Some(wanted.as_bytes())
        );
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let beside = CaseRequest {
            query: Some("a=b".to_owned()),
            ..raw_request(&["GET {path} HTTP/1.1"])
        };
        let alone = CaseRequest {
            body: Some("x".to_owned()),
            ..CaseRequest::default()
        };
        let control = CaseRequest {
            authorization: Some("Bearer \u{0}".to_owned()),
            ..CaseRequest::default()
        };
        for (case, part) in [(beside, "`query`"), (alone, "`raw`"), (control, "`raw`")] {
            let error = RequestShape::from(&case).check("t").expect_err(part);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
