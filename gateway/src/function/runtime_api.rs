//! The Lambda Runtime API of one environment, version 2018-06-01, on a listener of its own.
//!
//! Owns the route table, the headers and the statuses. Extensions and `SnapStart` are absent: no authorizer under test
//! needs them, and a call of theirs gets 404. The Logs and Telemetry APIs answer as AWS's emulator does, so that a client
//! that tries them goes on without.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::exchange::{Event, Exchange, Refused};
use crate::decision::FunctionAnswer;

mod error_report;

/// The longest answer: Lambda's payload of 6 MiB and 100 bytes more (aws-lambda-rie).
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;

/// Connections of one environment. A client holds one or two; more are a process that has gone wrong.
const CONNECTIONS_MAX: usize = 16;

const VERSION: &str = "/2018-06-01/runtime/";
const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// A running Runtime API. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    exchange: Exchange,
    connected: OnceLock<Instant>,
    function_arn: HeaderValue,
}

impl RuntimeApi {
    pub(super) fn start(exchange: Exchange, function_arn: HeaderValue) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            exchange,
            connected: OnceLock::new(),
            function_arn,
        });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _server: server,
        })
    }

    /// `host:port`, the form that every client takes.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.shared.exchange
    }

    /// When the first connection was accepted.
    pub(super) fn connected(&self) -> Option<Instant> {
        self.shared.connected.get().copied()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connected.get_or_init(Instant::now);
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        connections.spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // An event is one small write; waiting to fill a segment would be measured as the function's latency.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    // A connection that breaks is the client's affair: it asks again, or its process has ended.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The route table.
enum Endpoint<'a> {
    InitError,
    InvocationError(&'a str),
    InvocationResponse(&'a str),
    Logs,
    Next,
    Telemetry,
}

impl<'a> Endpoint<'a> {
    fn find(method: &Method, path: &'a str) -> Option<Self> {
        match (method.as_str(), path) {
            ("PUT", "/2020-08-15/logs") => return Some(Self::Logs),
            ("PUT", "/2022-07-01/telemetry") => return Some(Self::Telemetry),
            _ => {}
        }
        match (method.as_str(), path.strip_prefix(VERSION)?) {
            ("GET", "invocation/next") => Some(Self::Next),
            ("POST", "init/error") => Some(Self::InitError),
            ("POST", rest) => match rest.strip_prefix("invocation/")?.split_once('/')? {
                (id, "error") => Some(Self::InvocationError(id)),
                (id, "response") => Some(Self::InvocationResponse(id)),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let received = Instant::now();
        let (head, body) = request.into_parts();
        match Endpoint::find(&head.method, head.uri.path()) {
            Some(Endpoint::InitError) => self.init_error(&head.headers, body).await,
            Some(Endpoint::InvocationError(id)) => {
                self.invocation_error(id, &head.headers, body).await
            }
            Some(Endpoint::InvocationResponse(id)) => {
                self.invocation_response(id, &head.headers, body).await
            }
            Some(Endpoint::Logs) => not_supported("Logs.NotSupported", "Logs API is not supported"),
            Some(Endpoint::Next) => match self.exchange.next(received).await {
                Ok(event) => self.render(&event),
                Err(refused) => refusal(refused),
            },
            Some(Endpoint::Telemetry) => {
                not_supported("Telemetry.NotSupported", "Telemetry API is not supported")
            }
            None => fault(
                StatusCode::NOT_FOUND,
                "NotFound",
                "the stand-in has no such endpoint",
            ),
        }
    }

    fn render(&self, event: &Event) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(event.payload.clone()));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(FUNCTION_ARN, self.function_arn.clone());
        for (name, value) in [
            (AWS_REQUEST_ID, event.request_id.as_str()),
            (DEADLINE_MS, &event.deadline_ms.to_string()),
            (INVOCATION_ID, &event.nonce),
            (TRACE_ID, &event.trace_id),
        ] {
            headers.insert(
                name,
                HeaderValue::from_str(value).expect("ids and numbers are ASCII"),
            );
        }
        response
    }

    async fn invocation_response(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Response<Full<Bytes>> {
        let answering = match self
            .exchange
            .begin_answer(id, text(headers, &INVOCATION_ID))
        {
            Ok(answering) => answering,
            Err(refused) => return refuse(refused, body).await,
        };
        if text(headers, &RESPONSE_MODE).is_some_and(|mode| mode != "streaming") {
            let message = "the response mode must be streaming or absent";
            return fault(
                StatusCode::BAD_REQUEST,
                "InvalidFunctionResponseMode",
                message,
            );
        }
        match read(body).await {
            Read::Whole(payload) => {
                answering.finish(FunctionAnswer::Payload(payload), Instant::now());
                accepted()
            }
            Read::TooLong => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes)."
                );
                let error_type = "Function.ResponseSizeTooLarge".to_owned();
                answering.finish(
                    FunctionAnswer::Error {
                        message: message.clone(),
                        error_type,
                    },
                    Instant::now(),
                );
                fault(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    &message,
                )
            }
            Read::Broken => broken_body(),
        }
    }

    async fn invocation_error(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Response<Full<Bytes>> {
        let answering = match self
            .exchange
            .begin_answer(id, text(headers, &INVOCATION_ID))
        {
            Ok(answering) => answering,
            Err(refused) => return refuse(refused, body).await,
        };
        match read(body).await {
            Read::Whole(report) => {
                answering.finish(
                    error_report::parse(&report, text(headers, &ERROR_TYPE)),
                    Instant::now(),
                );
                accepted()
            }
            Read::TooLong => {
                answering.finish(
                    error_report::parse(b"", text(headers, &ERROR_TYPE)),
                    Instant::now(),
                );
                fault(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    "the error report is too long",
                )
            }
            Read::Broken => broken_body(),
        }
    }

    async fn init_error(&self, headers: &HeaderMap, body: Incoming) -> Response<Full<Bytes>> {
        let report = match read(body).await {
            Read::Whole(report) => report,
            Read::TooLong => Bytes::new(),
            Read::Broken => return broken_body(),
        };
        match self
            .exchange
            .fail_init(error_report::parse(&report, text(headers, &ERROR_TYPE)))
        {
            Ok(()) => accepted(),
            Err(refused) => refusal(refused),
        }
    }
}

enum Read {
    Broken,
    TooLong,
    Whole(Bytes),
}

/// Reads a body. Its deadline is that of the invocation, which ends the process and with it the connection.
async fn read(body: Incoming) -> Read {
    match Limited::new(body, PAYLOAD_BYTES_MAX).collect().await {
        Ok(body) => Read::Whole(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Read::TooLong,
        Err(_) => Read::Broken,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn accepted() -> Response<Full<Bytes>> {
    json(
        StatusCode::ACCEPTED,
        Bytes::from_static(b"{\"status\":\"OK\"}\n"),
    )
}

/// Refuses a call with a body. The body is read to its end, so that the client can go on using its connection.
async fn refuse(refused: Refused, body: Incoming) -> Response<Full<Bytes>> {
    read(body).await;
    refusal(refused)
}

fn refusal(refused: Refused) -> Response<Full<Bytes>> {
    match refused {
        Refused::RequestId => fault(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Refused::StateTransition => fault(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "Transition is not allowed",
        ),
    }
}

fn broken_body() -> Response<Full<Bytes>> {
    fault(
        StatusCode::BAD_REQUEST,
        "TruncatedBody",
        "the body broke off",
    )
}

fn not_supported(error_type: &str, message: &str) -> Response<Full<Bytes>> {
    fault(StatusCode::ACCEPTED, error_type, message)
}

fn fault(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    json(status, Bytes::from(body.to_string()))
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
