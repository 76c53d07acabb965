//! An HTTP/1.1 target on a connection that one user holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::deadline::Deadline;
use super::http1::{Head, Http1, Received};
use super::loss::{Loss, Lost};
use super::{Answer, Decision, Observation, PreparedRequest};

/// The longest wait for one answer of a server. API Gateway's own ceiling for an integration is 29 s; a verifier that
/// needs a third of that is not answering.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait for a connection. Targets of this tool are on loopback or one network hop away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most that is kept of one answer's body: a protected resource's error page has no reason to be longer.
const BODY_LIMIT: usize = 1024 * 1024;

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

    async fn connect(&self) -> Result<Http1<TcpStream>, Lost> {
        socket(&self.authority).await.map(Http1::new)
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
    kept: Option<Http1<TcpStream>>,
    deadline: Deadline,
}

impl HttpConnection {
    pub(super) fn new(target: Arc<HttpTarget>) -> Self {
        Self {
            target,
            kept: None,
            deadline: Deadline::new(),
        }
    }

    /// Makes sure that there is a connection that can take a request.
    pub(super) async fn open(&mut self) -> Result<(), Lost> {
        if let Some(kept) = &mut self.kept {
            if kept.is_idle().await {
                return Ok(());
            }
            self.kept = None;
        }
        self.kept = Some(self.target.connect().await?);
        Ok(())
    }

    /// Asks once. A connection that the server has closed is opened again after the clock has started: a client of this
    /// server waits for it, too, so it is in the service time, and no lateness of the generator.
    pub(super) async fn call(&mut self, request: &PreparedRequest) -> Observation {
        let sent = Instant::now();
        let keep = request.keeps_answer();
        match self.exchange(request, keep, sent).await {
            Ok(received) => observe(received, keep, sent),
            Err(lost) => Observation::lost(lost, sent),
        }
    }

    async fn exchange(
        &mut self,
        request: &PreparedRequest,
        keep: bool,
        sent: Instant,
    ) -> Result<Received, Lost> {
        // What is left on a connection after odd bytes is nobody's: they get one of their own.
        let mut alone = None;
        let connection = if request.is_alone() {
            alone.insert(self.target.connect().await?)
        } else {
            self.open().await?;
            self.kept
                .as_mut()
                .ok_or_else(|| Lost::new(Loss::Unreachable, "no connection"))?
        };
        let patience = self.target.answer_timeout;
        let exchange = connection.exchange(request.bytes(), keep.then_some(BODY_LIMIT));
        let answered = match self.deadline.until(sent + patience, exchange).await {
            Some(answered) => answered,
            None => Err(Lost::new(
                Loss::TimedOut,
                format!("no answer within {patience:?}"),
            )),
        };
        if alone.is_none() && !answered.as_ref().is_ok_and(|received| received.reusable) {
            self.kept = None;
        }
        answered
    }
}

/// A connected socket. A request is one small write; waiting to fill a segment would be measured as the target's latency.
pub(super) async fn socket(authority: &str) -> Result<TcpStream, Lost> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(authority));
    let Ok(connected) = connecting.await else {
        let reason = format!("no connection within {CONNECT_TIMEOUT:?}");
        return Err(Lost::new(Loss::Unreachable, reason));
    };
    let stream = connected.map_err(|error| Lost::connecting(&error))?;
    stream
        .set_nodelay(true)
        .map_err(|error| Lost::connecting(&error))?;
    Ok(stream)
}

fn observe(received: Received, keep: bool, sent: Instant) -> Observation {
    let Received {
        head,
        body,
        finished,
        ..
    } = received;
    let decision = Decision::from_status(head.status);
    let fault = (decision == Decision::Fault).then(|| no_decision(&head));
    Observation {
        decision,
        status: Some(head.status),
        rule: head.rule,
        cache: head.cache,
        cold: head.cold,
        loss: fault.is_some().then_some(Loss::NoDecision),
        fault,
        sent,
        finished,
        answer: keep.then(|| {
            Box::new(Answer {
                headers: head.fields,
                body,
            })
        }),
    }
}

/// What an answer is that is no decision. A redirect is told with its way, without the query, which may hold anything.
fn no_decision(head: &Head) -> String {
    match head
        .location
        .as_deref()
        .map(|url| url.split(['?', '#']).next().unwrap_or(url))
    {
        Some(url) => format!("a redirect to {url}, as pages for browsers do to log in"),
        None => "not a decision about the token".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::target::{RequestShape, Target};

    /// Reads a little, refuses and closes, which resets the connection under what is still being sent.
    fn refuse_early(listener: &TcpListener) {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut beginning = [0; 1024];
        stream.read_exact(&mut beginning).expect("a beginning");
        let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("an answer");
    }

    #[tokio::test]
    async fn the_answer_of_a_server_that_closes_early_is_read() {
        // More than the sockets' buffers take, so that writing is not over when the answer comes. Whether it fails before the
        // answer is read is up to the scheduler, hence more than one try.
        const LENGTH: usize = 16 * 1024 * 1024;
        const TRIES: usize = 20;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        let server = std::thread::spawn(move || {
            (0..TRIES).for_each(|_| refuse_early(&listener));
        });
        let target = Target::Http(Arc::new(HttpTarget::new(address, "/planets")));
        let request = target
            .prepare(&RequestShape::default(), &"t".repeat(LENGTH))
            .expect("a request");
        for _ in 0..TRIES {
            let answer = target.connection().call(&request).await;
            assert_eq!(answer.decision, Decision::Deny, "{:?}", answer.fault);
        }
        server.join().expect("the server");
    }

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
