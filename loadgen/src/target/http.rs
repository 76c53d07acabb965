//! An HTTP/1.1 target on a connection that one user holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::reads_on::ReadsOn;
use super::{Answer, CacheVerdict, Decision, Observation, PreparedRequest, raw};

/// The longest wait for one answer of a server. API Gateway's own ceiling for an integration is 29 s; a verifier that
/// needs a third of that is not answering.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait for a connection. Targets of this tool are on loopback or one network hop away.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most that is read of one answer's body: a protected resource's error page has no reason to be longer.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;

/// A server on a socket.
#[derive(Debug)]
pub struct HttpTarget {
    authority: String,
    path: String,
    answer_timeout: Duration,
    behind_gateway: bool,
}

impl HttpTarget {
    /// A target at `authority` (`host:port`), asked for `path`.
    pub fn new(authority: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            path: path.into(),
            answer_timeout: ANSWER_TIMEOUT,
            behind_gateway: false,
        }
    }

    /// The same target with another longest wait for one answer.
    #[must_use]
    pub fn with_answer_timeout(self, answer_timeout: Duration) -> Self {
        Self {
            answer_timeout,
            ..self
        }
    }

    /// The same target as one whose answers are written by a gateway before it.
    #[must_use]
    pub fn behind_gateway(self) -> Self {
        Self {
            behind_gateway: true,
            ..self
        }
    }

    /// Whether a gateway before it writes its answers.
    pub(super) fn is_behind_gateway(&self) -> bool {
        self.behind_gateway
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of the protected resource.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A kept-open connection. It is opened again when the server has closed it.
#[derive(Debug)]
pub struct HttpConnection {
    target: Arc<HttpTarget>,
    sender: Option<SendRequest<Empty<Bytes>>>,
    failure: Option<String>,
}

impl HttpConnection {
    pub(super) fn new(target: Arc<HttpTarget>) -> Self {
        Self {
            target,
            sender: None,
            failure: None,
        }
    }

    /// Makes sure that there is a connection that can take a request; remembers why not.
    pub(super) async fn open(&mut self) {
        if let Some(sender) = &mut self.sender {
            if sender.ready().await.is_ok() {
                return;
            }
            self.sender = None;
        }
        match tokio::time::timeout(CONNECT_TIMEOUT, connect(&self.target.authority)).await {
            Ok(Ok(sender)) => self.sender = Some(sender),
            Ok(Err(reason)) => self.failure = Some(reason),
            Err(_) => self.failure = Some(format!("no connection within {CONNECT_TIMEOUT:?}")),
        }
    }

    /// Asks once. A connection that the server has closed is opened again after the clock has started: a client of this
    /// server waits for it, too, so it is in the service time, and no lateness of the generator.
    pub(super) async fn call(&mut self, request: &PreparedRequest) -> Observation {
        if let Some(bytes) = request.raw() {
            return self.call_raw(bytes, request.keeps_answer()).await;
        }
        let message = request.to_http();
        let sent = Instant::now();
        self.open().await;
        let Some(sender) = &mut self.sender else {
            return Observation::lost(self.failure.take().unwrap_or_default(), sent);
        };
        let patience = self.target.answer_timeout;
        let keep = request.keeps_answer();
        match tokio::time::timeout(patience, exchange(sender, message, keep)).await {
            Ok(Ok((response, finished))) => observe(response, keep, sent, finished),
            Ok(Err(reason)) => {
                self.sender = None;
                Observation::lost(reason, sent)
            }
            Err(_) => {
                self.sender = None;
                Observation::lost(format!("no answer within {patience:?}"), sent)
            }
        }
    }

    /// Asks once over a connection of its own, which is closed afterwards: what is left on it after odd bytes is nobody's.
    async fn call_raw(&self, bytes: &Bytes, keep: bool) -> Observation {
        let sent = Instant::now();
        let stream =
            match tokio::time::timeout(CONNECT_TIMEOUT, socket(&self.target.authority)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(reason)) => return Observation::lost(reason, sent),
                Err(_) => {
                    return Observation::lost(
                        format!("no connection within {CONNECT_TIMEOUT:?}"),
                        sent,
                    );
                }
            };
        let patience = self.target.answer_timeout;
        match tokio::time::timeout(patience, raw::exchange(stream, bytes)).await {
            Ok(Ok((response, finished))) => observe(response, keep, sent, finished),
            Ok(Err(reason)) => Observation::lost(reason, sent),
            Err(_) => Observation::lost(format!("no answer within {patience:?}"), sent),
        }
    }
}

/// A connected socket. A request is one small write; waiting to fill a segment would be measured as the target's latency.
async fn socket(authority: &str) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(authority)
        .await
        .map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

/// A connection to `host:port` for requests with bodies of one kind.
pub(super) async fn connect<B>(authority: &str) -> Result<SendRequest<B>, String>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = socket(authority).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(ReadsOn(stream)))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends and reads to the last byte, which is kept where somebody asks for it; the instant is taken before anything is
/// looked at.
async fn exchange(
    sender: &mut SendRequest<Empty<Bytes>>,
    message: http::Request<Empty<Bytes>>,
    keep: bool,
) -> Result<(Response<Bytes>, Instant), String> {
    let response: Response<Incoming> = sender
        .send_request(message)
        .await
        .map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let mut body = Limited::new(body, BODY_LIMIT);
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Some(data) = frame.data_ref().filter(|_| keep) {
                    kept.extend_from_slice(data);
                }
            }
            // A server that refuses an oversized request by 431 or 413 may close while the rest is still being sent,
            // which takes the body with it. The status has said what there was to say.
            Err(_) if head.status.is_client_error() => break,
            Err(error) => return Err(format!("the answer's body: {error}")),
        }
    }
    let finished = Instant::now();
    Ok((Response::from_parts(head, kept.into()), finished))
}

fn observe(response: Response<Bytes>, keep: bool, sent: Instant, finished: Instant) -> Observation {
    let status = response.status().as_u16();
    let headers = response.headers();
    let decision = Decision::from_status(status);
    Observation {
        decision,
        status: Some(status),
        rule: text(headers, "x-standin-decision").map(str::to_owned),
        cache: match text(headers, "x-standin-cache") {
            Some("hit") => CacheVerdict::Hit,
            Some("miss") => CacheVerdict::Miss,
            _ => CacheVerdict::None,
        },
        cold: text(headers, "x-standin-environment") == Some("cold"),
        fault: (decision == Decision::Fault).then(|| no_decision(&response)),
        sent,
        finished,
        answer: keep.then(|| Box::new(Answer::from(response))),
    }
}

/// What an answer is that is no decision. A redirect is told with its way, without the query, which may hold anything.
fn no_decision<B>(response: &Response<B>) -> String {
    let location =
        text(response.headers(), "location").filter(|_| response.status().is_redirection());
    match location.map(|url| url.split(['?', '#']).next().unwrap_or(url)) {
        Some(url) => format!("a redirect to {url}, as pages for browsers do to log in"),
        None => "not a decision about the token".to_owned(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{RequestShape, Target};

    /// A listener whose queue is full drops what asks for a connection: setting one up takes as long as it may.
    #[tokio::test]
    async fn setting_up_a_connection_is_in_the_service_time() {
        let listener = tokio::net::TcpSocket::new_v4().expect("a socket");
        listener
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("a port");
        let listener = listener.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        // Linux queues one more than asked for.
        let _queued = tokio::try_join!(TcpStream::connect(address), TcpStream::connect(address))
            .expect("room for two");
        let target = Target::Http(Arc::new(HttpTarget::new(address.to_string(), "/")));
        let request = target
            .prepare(&RequestShape::default(), "token")
            .expect("a plain request");
        let answer = target.connection().call(&request).await;
        assert!(
            answer.finished - answer.sent >= CONNECT_TIMEOUT,
            "{}",
            answer.summary()
        );
    }
}
