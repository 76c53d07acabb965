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

use super::{CacheVerdict, Decision, Observation, PreparedRequest, Said};

/// The longest wait for one answer of a server. API Gateway's own ceiling for an integration is 29 s; a verifier that
/// needs a third of that is not answering.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait for a connection. Targets of this tool are on loopback or one network hop away.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most that is read of one answer's body: a protected resource's error page has no reason to be longer.
const BODY_LIMIT: usize = 1024 * 1024;

/// A server on a socket.
#[derive(Debug)]
pub struct HttpTarget {
    authority: String,
    path: String,
    answer_timeout: Duration,
}

impl HttpTarget {
    /// A target at `authority` (`host:port`), asked for `path`.
    pub fn new(authority: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            path: path.into(),
            answer_timeout: ANSWER_TIMEOUT,
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
        self.ask(request, None).await
    }

    /// Asks once, and keeps the body.
    pub(super) async fn call_for(&mut self, request: &PreparedRequest) -> (Observation, Said) {
        let mut kept = Vec::new();
        let observation = self.ask(request, Some(&mut kept)).await;
        let said = match observation.status {
            Some(_) => Said::Body(kept.into()),
            None => Said::Nothing,
        };
        (observation, said)
    }

    async fn ask(&mut self, request: &PreparedRequest, kept: Option<&mut Vec<u8>>) -> Observation {
        let message = request.to_http();
        let sent = Instant::now();
        self.open().await;
        let Some(sender) = &mut self.sender else {
            return Observation::lost(self.failure.take().unwrap_or_default(), sent);
        };
        let patience = self.target.answer_timeout;
        match tokio::time::timeout(patience, exchange(sender, message, kept)).await {
            Ok(Ok((response, finished))) => observe(&response, sent, finished),
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
}

/// A connection to `host:port` for requests with bodies of one kind.
pub(super) async fn connect<B>(authority: &str) -> Result<SendRequest<B>, String>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(authority)
        .await
        .map_err(|error| error.to_string())?;
    // A request is one small write; waiting to fill a segment would be measured as the target's latency.
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
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
    mut kept: Option<&mut Vec<u8>>,
) -> Result<(Response<()>, Instant), String> {
    let response: Response<Incoming> = sender
        .send_request(message)
        .await
        .map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let mut body = Limited::new(body, BODY_LIMIT);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let (Some(kept), Some(data)) = (&mut kept, frame.data_ref()) {
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
    Ok((Response::from_parts(head, ()), finished))
}

fn observe(response: &Response<()>, sent: Instant, finished: Instant) -> Observation {
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
        fault: (decision == Decision::Fault).then(|| "not a decision about the token".to_owned()),
        sent,
        finished,
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
