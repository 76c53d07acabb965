//! An HTTP/1.1 target on a connection that one user holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::deadline::Deadline;
use super::http1::{Head, Http1, Received};
use super::http2::Http2;
use super::loss::{Loss, Lost};
use super::request::Wire;
use super::stream::Stream;
use super::tls::{Tls, TlsError, Trust};
use super::{Answer, Decision, Observation, PreparedRequest};

/// The longest wait for one answer of a server. API Gateway's own ceiling for an integration is 29 s; a verifier that
/// needs a third of that is not answering.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait for a connection. Targets of this tool are on loopback or one network hop away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most that is kept of one answer's body: a protected resource's error page has no reason to be longer.
const BODY_LIMIT: usize = 1024 * 1024;

/// Spreads users over the connections that they share.
static NEXT_USER: AtomicUsize = AtomicUsize::new(0);

/// A server on a socket.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    authority: String,
    path: String,
    answer_timeout: Duration,
    behind_gateway: bool,
    tls: Option<Tls>,
    connections: Connections,
    /// The connections of HTTP/2, which users share; none where HTTP/1.1 is spoken.
    http2: Vec<Http2>,
}

/// The connections of a user over HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Whether one is used again for the next request.
    pub keep_alive: bool,
    /// How many a user holds, over which its requests take turns.
    pub per_user: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            keep_alive: true,
            per_user: 1,
        }
    }
}

impl HttpTarget {
    /// A target at `authority` (`host:port`), asked for `path`.
    pub fn new(authority: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            path: path.into(),
            answer_timeout: ANSWER_TIMEOUT,
            behind_gateway: false,
            tls: None,
            connections: Connections::default(),
            http2: Vec::new(),
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

    /// The same target with other connections for each user.
    #[must_use]
    pub fn with_connections(self, connections: Connections) -> Self {
        Self {
            connections,
            ..self
        }
    }

    /// The same target over HTTP/2, on so many connections that all users share. Before [`Self::over_tls`], which agrees on it.
    #[must_use]
    pub fn over_http2(self, connections: usize) -> Self {
        Self {
            http2: (0..connections.max(1)).map(|_| Http2::default()).collect(),
            ..self
        }
    }

    /// The same target over TLS.
    pub fn over_tls(self, trust: &Trust) -> Result<Self, TlsError> {
        let host = self
            .authority
            .rsplit_once(':')
            .map_or(&*self.authority, |(host, _)| host);
        Ok(Self {
            tls: Some(Tls::new(host, trust, !self.http2.is_empty())?),
            ..self
        })
    }

    /// Whether a gateway before it writes its answers.
    pub(super) fn is_behind_gateway(&self) -> bool {
        self.behind_gateway
    }

    /// A connected stream, in TLS where the target is.
    pub(super) async fn stream(&self) -> Result<Stream, Lost> {
        let stream = socket(&self.authority).await?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        // Boxed: it is rare, and large in every future that may open a connection.
        let handshake = Box::pin(tls.handshake(stream));
        let Ok(stream) = tokio::time::timeout(CONNECT_TIMEOUT, handshake).await else {
            let reason = format!("no TLS handshake within {CONNECT_TIMEOUT:?}");
            return Err(Lost::new(Loss::Tls, reason));
        };
        Ok(Stream::Tls(Box::new(stream?)))
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host as a request names it: without the port where that is the scheme's own (RFC 9110 §4.2.2).
    pub(super) fn host(&self) -> &str {
        let own = self.tls.as_ref().map_or(":80", |_| ":443");
        self.authority.strip_suffix(own).unwrap_or(&self.authority)
    }

    /// The path of the protected resource.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How a request has to be written.
    pub(super) fn wire(&self) -> Wire {
        match (self.http2.is_empty(), &self.tls) {
            (true, _) => Wire::Http1 {
                keep_alive: self.connections.keep_alive,
            },
            (false, None) => Wire::Http2("http"),
            (false, Some(_)) => Wire::Http2("https"),
        }
    }
}

/// A user's connections, and how long it waits on them.
#[derive(Debug)]
pub struct HttpConnection {
    ways: Ways,
    deadline: Deadline,
}

/// A user's connections. Each is opened again when the server has closed it.
#[derive(Debug)]
struct Ways {
    target: Arc<HttpTarget>,
    kept: Vec<Option<Http1<Stream>>>,
    /// Whose turn is next.
    turn: usize,
    http2: Option<Http2>,
}

impl HttpConnection {
    pub(super) fn new(target: Arc<HttpTarget>) -> Self {
        // Users are told apart by nothing here, and chance is as even as turns would be.
        let place = NEXT_USER.fetch_add(1, Ordering::Relaxed);
        let http2 = target.http2.get(place % target.http2.len().max(1)).cloned();
        let kept = (0..target.connections.per_user.max(1)).map(|_| None);
        Self {
            ways: Ways {
                kept: kept.collect(),
                turn: 0,
                http2,
                target,
            },
            deadline: Deadline::new(),
        }
    }

    /// Opens what the first calls would open. A failure shows in them.
    pub(super) async fn warm_up(&mut self) {
        self.ways.open().await;
    }

    /// Asks once. A connection that the server has closed is opened again after the clock has started: a client of this
    /// server waits for it, too, so it is in the service time, and no lateness of the generator.
    pub(super) async fn call(&mut self, request: &PreparedRequest) -> Observation {
        let sent = Instant::now();
        let mut set_up = None;
        let patience = self.ways.target.answer_timeout;
        let asked = self.ways.ask(request, &mut set_up);
        let observation = match self.deadline.until(sent + patience, asked).await {
            Some(Ok(received)) => observe(received, request.keeps_answer(), sent),
            Some(Err(lost)) => Observation::lost(lost, sent),
            None => {
                let reason = format!("no answer within {patience:?}");
                Observation::lost(Lost::new(Loss::TimedOut, reason), sent)
            }
        };
        Observation {
            set_up,
            ..observation
        }
    }
}

impl Ways {
    async fn open(&mut self) {
        if let Some(http2) = &self.http2 {
            http2.warm_up(&self.target).await;
        } else if self.target.connections.keep_alive {
            for place in 0..self.kept.len() {
                let opened = self.take(place).await;
                self.kept[place] = opened.ok().map(|(connection, _)| connection);
            }
        }
    }

    /// A connection that can take a request, out of its place; says how long it took where one was opened.
    async fn take(&mut self, place: usize) -> Result<(Http1<Stream>, Option<Duration>), Lost> {
        if let Some(mut kept) = self.kept[place].take()
            && kept.is_idle().await
        {
            return Ok((kept, None));
        }
        let began = Instant::now();
        let opened = Http1::new(self.target.stream().await?);
        Ok((opened, Some(began.elapsed())))
    }

    async fn ask(
        &mut self,
        request: &PreparedRequest,
        set_up: &mut Option<Duration>,
    ) -> Result<Received, Lost> {
        let keep = request.keeps_answer().then_some(BODY_LIMIT);
        if let (Some(http2), Some(message)) = (&self.http2, request.http2()) {
            return http2.ask(&self.target, message, keep, set_up).await;
        }
        if request.is_alone() {
            // What is left on a connection after odd bytes is nobody's: they get one of their own.
            let mut connection = Http1::new(self.target.stream().await?);
            return connection.exchange(request.bytes(), keep).await;
        }
        let place = self.turn;
        self.turn = (place + 1) % self.kept.len();
        // It goes back with its answer: what comes after a wait that was given up is nobody's.
        let (mut connection, opened) = self.take(place).await?;
        *set_up = opened;
        let received = connection.exchange(request.bytes(), keep).await?;
        if received.reusable && self.target.connections.keep_alive {
            self.kept[place] = Some(connection);
        }
        Ok(received)
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
        set_up: None,
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
