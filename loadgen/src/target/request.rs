//! A request before and after its token is filled in. Everything is parsed here, before any clock starts.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::event::{Caller, Event, EventForm};
use super::shape::{CaseRequest, RequestShape};
use super::template::Values;

/// A case file asks for something that is no HTTP request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A Host that HTTP/2 cannot have.
    #[error(
        "Host cannot be :authority, in which HTTP/2 has it: {0}; give a name, with a port or without"
    )]
    Authority(String),
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
    /// Two hosts, of which HTTP/2 has one.
    #[error(
        "there is more than one Host, and HTTP/2 has one :authority in its place: give one, or send both over HTTP/1.1"
    )]
    SecondHost,
    /// A part that has to be text, and is none once it is filled in.
    #[error("{0:?} is no text once it is filled in")]
    Text(String),
}

/// A request that only has to be written to the socket, or given to the function.
#[derive(Debug, Clone)]
pub struct PreparedRequest {
    message: Message,
    keep_answer: bool,
}

/// What is sent, and how.
#[derive(Debug, Clone)]
enum Message {
    /// The bytes of a request that some case wrote as it likes: alone on their connection.
    Alone(Bytes),
    /// The event of a function; none where API Gateway would not ask it.
    Event(Option<Event>),
    /// A request of HTTP/2, which a library writes.
    Http2(Box<Request<Bytes>>),
    /// The bytes of a request like any, on a connection that others share.
    Plain(Bytes),
}

impl PreparedRequest {
    /// Fills a shape, for a socket that is kept open.
    pub(super) fn new(
        shape: &RequestShape,
        token: &str,
        authority: &str,
        path: &str,
    ) -> Result<Self, RequestError> {
        let wire = Wire::Http1 { keep_alive: true };
        Self::written(shape, token, authority, path, wire)
    }

    /// Fills a shape, for a socket.
    pub(super) fn written(
        shape: &RequestShape,
        token: &str,
        authority: &str,
        path: &str,
        wire: Wire,
    ) -> Result<Self, RequestError> {
        let message = match (Parts::fill(shape, token, authority, path)?, wire) {
            (Written::Raw(bytes), _) => Message::Alone(bytes),
            (Written::Parts(parts), Wire::Http1 { keep_alive }) => {
                Message::Plain(parts.to_bytes(keep_alive))
            }
            (Written::Parts(parts), Wire::Http2 { tls }) => {
                let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
                Message::Http2(Box::new(parts.into_http2(scheme)?))
            }
        };
        Ok(Self {
            message,
            keep_answer: false,
        })
    }

    /// Fills a shape, for a function: a request that a case wrote byte by byte has no event.
    pub(super) fn of_event(
        shape: &RequestShape,
        token: &str,
        authority: &str,
        path: &str,
        form: EventForm,
    ) -> Result<Self, RequestError> {
        let event = match Parts::fill(shape, token, authority, path)? {
            Written::Raw(_) => None,
            Written::Parts(parts) => {
                let caller = Caller {
                    method: parts.method.as_str(),
                    path: parts.uri.path(),
                    query: parts.uri.query().unwrap_or_default(),
                    headers: &parts.headers,
                    authorization: parts.authorization.as_deref(),
                };
                Event::new(&caller, form, shape.event.as_ref(), token)
            }
        };
        Ok(Self {
            message: Message::Event(event),
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

    /// What a connection writes for it, to the last byte; nothing for a function.
    pub fn bytes(&self) -> &[u8] {
        match &self.message {
            Message::Alone(bytes) | Message::Plain(bytes) => bytes,
            Message::Event(_) | Message::Http2(_) => &[],
        }
    }

    /// Whether it has to have a connection of its own, which is closed afterwards.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self.message, Message::Alone(_))
    }

    /// The event, where a function is asked, and API Gateway would ask it.
    pub(super) fn event(&self) -> Option<&Event> {
        match &self.message {
            Message::Event(event) => event.as_ref(),
            Message::Alone(_) | Message::Http2(_) | Message::Plain(_) => None,
        }
    }

    /// The request of HTTP/2, where that is spoken.
    pub(super) fn http2(&self) -> Option<&Request<Bytes>> {
        match &self.message {
            Message::Http2(request) => Some(request),
            Message::Alone(_) | Message::Event(_) | Message::Plain(_) => None,
        }
    }

    /// The event's bytes, for people who want to see them.
    pub fn event_bytes(&self) -> Option<&[u8]> {
        self.event().map(|event| event.payload.as_ref())
    }

    /// The ARN that the answer's policy is evaluated for, and the form of the event.
    pub(crate) fn asked_for(&self) -> Option<(EventForm, &str)> {
        let event = self.event()?;
        Some((event.form, &event.method_arn))
    }
}

/// Fields that say something about a connection, and not about a request.
const ABOUT_CONNECTIONS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// How a request is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire {
    /// As bytes, with or without the wish that the connection stays open.
    Http1 { keep_alive: bool },
    /// By a library, with or without TLS.
    Http2 { tls: bool },
}

/// A filled shape, before it is known where it goes.
enum Written {
    Parts(Box<Parts>),
    Raw(Bytes),
}

/// The parts of a request that the case did not write byte by byte.
struct Parts {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    authorization: Option<String>,
    body: Bytes,
}

impl Parts {
    /// Fills a shape; what a case wrote byte by byte has no parts.
    fn fill(
        shape: &RequestShape,
        token: &str,
        authority: &str,
        path: &str,
    ) -> Result<Written, RequestError> {
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
            return raw(case, lines, values).map(Written::Raw);
        }
        if case.body.is_some() {
            return Err(RequestError::BodyWithoutRaw);
        }
        let authorization = match case.authorization.as_deref() {
            None => Some(format!("Bearer {token}").into_bytes()),
            Some("$absent") => None,
            Some(value) => Some(values.fill(value)?),
        };
        Ok(Written::Parts(Box::new(Self {
            method: method(case)?,
            uri: uri(case, values)?,
            headers: headers(case, authorization.as_deref(), values)?,
            body: shape.body.clone(),
            authorization: authorization.map(|value| String::from_utf8_lossy(&value).into_owned()),
        })))
    }

    /// The message (RFC 9112 §3 and §5), written once, so that nothing is left to do when it is sent.
    fn to_bytes(&self, keep_alive: bool) -> Bytes {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(format!("{} {} HTTP/1.1\r\n", self.method, self.uri).as_bytes());
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        if !keep_alive {
            bytes.extend_from_slice(b"connection: close\r\n");
        }
        if self.says_length() {
            let length = format!("content-length: {}\r\n", self.body.len());
            bytes.extend_from_slice(length.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes.into()
    }

    /// Whether the length has to be said and nobody has: of a body, and of none where the method asks for one (RFC 9110 §8.6).
    fn says_length(&self) -> bool {
        let expected = [Method::PATCH, Method::POST, Method::PUT].contains(&self.method);
        let said = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
        (expected || !self.body.is_empty())
            && !said.iter().any(|name| self.headers.contains_key(name))
    }

    /// The message of HTTP/2, whose target is absolute and stands for the Host field (RFC 9113 §8.3.1).
    /// Fields about a connection have no place in it (§8.2.2).
    fn into_http2(mut self, scheme: Scheme) -> Result<Request<Bytes>, RequestError> {
        if self.says_length() {
            let length = self.body.len().into();
            self.headers.insert(header::CONTENT_LENGTH, length);
        }
        for name in ABOUT_CONNECTIONS {
            self.headers.remove(name);
        }
        if self
            .headers
            .get(header::TE)
            .is_some_and(|te| te != "trailers")
        {
            self.headers.remove(header::TE);
        }
        let mut request = Request::new(self.body);
        *request.uri_mut() = absolute(scheme, &self.headers, &self.method, &self.uri)?;
        self.headers.remove(header::HOST);
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        Ok(request)
    }
}

/// The target of a request in parts that HTTP/2 has fields for.
fn absolute(
    scheme: Scheme,
    headers: &HeaderMap,
    method: &Method,
    target: &Uri,
) -> Result<Uri, RequestError> {
    let refuse = |reason: &str| RequestError::Path {
        path: target.to_string(),
        reason: reason.to_owned(),
    };
    if target.authority().is_some() {
        return Err(refuse(
            "over HTTP/2 the host is no part of it: begin it with a slash, and give the host as Host",
        ));
    }
    // The asterisk stands for the server as a whole, which OPTIONS alone asks (RFC 9113 §8.3.1, RFC 9110 §7.1).
    if target.path() == "*" && *method != Method::OPTIONS {
        return Err(refuse(
            "over HTTP/2 * goes with OPTIONS alone: begin it with a slash",
        ));
    }
    let mut parts = target.clone().into_parts();
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    parts.scheme = Some(scheme);
    parts.authority = Some(authority(headers)?);
    Uri::from_parts(parts).map_err(|error| refuse(&error.to_string()))
}

/// The one Host as `:authority`, in which nobody is named who asks (RFC 9113 §8.3.1).
fn authority(headers: &HeaderMap) -> Result<Authority, RequestError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map_or(&[][..], HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(RequestError::SecondHost);
    }
    if host.contains(&b'@') {
        let reason = "somebody is named in it before an @".to_owned();
        return Err(RequestError::Authority(reason));
    }
    Authority::try_from(host).map_err(|error| RequestError::Authority(error.to_string()))
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
    let own_host = value("host", values.authority.as_bytes())?;
    headers.insert(header::HOST, own_host);
    let mut host_is_given = false;
    if let Some(authorization) = authorization {
        let authorization = value("authorization", authorization)?;
        headers.insert(header::AUTHORIZATION, authorization);
    }
    for (name, text) in &case.headers {
        let field: HeaderName = name.parse().map_err(|_| RequestError::Header {
            name: name.clone(),
            reason: "not a field name".to_owned(),
        })?;
        let value = value(name, &values.fill(text)?)?;
        // A request has one (RFC 9112 §3.2): who gives one means another than that of the connection, in its place.
        if field == header::HOST && !std::mem::replace(&mut host_is_given, true) {
            headers.insert(field, value);
        } else {
            headers.append(field, value);
        }
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
mod tests;
