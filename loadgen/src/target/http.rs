//! An HTTP target: on connections that one user holds, or over HTTP/2 on some that users share.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;

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

/// A server on a socket.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    authority: String,
    /// What the host's name stands for: looked up once, for all users and all phases of a run.
    addresses: Arc<OnceCell<Vec<SocketAddr>>>,
    path: String,
    answer_timeout: Duration,
    behind_gateway: bool,
    tls: Option<Tls>,
    connections: Connections,
    /// The connections of HTTP/2, which users share; none where HTTP/1.1 is spoken.
    http2: Vec<Http2>,
    /// How many users there have been, who take those connections in turn.
    users: Arc<AtomicUsize>,
}

/// What a user does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// HTTP/1.1 is spoken on connections of its own.
    Http1 {
        /// Whether one is used again for the next request.
        keep_alive: bool,
        /// How many a user holds, over which its requests take turns.
        per_user: usize,
    },
    /// HTTP/2 is spoken on connections that all users share: at once without TLS, agreed on by ALPN with it.
    Http2 {
        /// How many there are.
        shared: usize,
    },
}

impl Connections {
    pub(crate) fn are_http2(self) -> bool {
        matches!(self, Self::Http2 { .. })
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::Http1 {
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
            addresses: Arc::default(),
            path: path.into(),
            answer_timeout: ANSWER_TIMEOUT,
            behind_gateway: false,
            tls: None,
            connections: Connections::default(),
            http2: Vec::new(),
            users: Arc::default(),
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

    /// The same target with other connections.
    #[must_use]
    pub fn with_connections(self, connections: Connections) -> Self {
        let http2 = match connections {
            Connections::Http1 { .. } => 0,
            Connections::Http2 { shared } => shared.max(1),
        };
        Self {
            connections,
            http2: (0..http2).map(|_| Http2::default()).collect(),
            users: Arc::default(),
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
            tls: Some(Tls::new(host, trust)?),
            ..self
        })
    }

    /// Whether a gateway before it writes its answers.
    pub(super) fn is_behind_gateway(&self) -> bool {
        self.behind_gateway
    }

    /// A connected stream, in TLS where the target is, for HTTP/2 or for HTTP/1.1.
    pub(super) async fn stream(&self, http2: bool) -> Result<Stream, Lost> {
        let stream = connected(async {
            let addresses = self.addresses().await?;
            TcpStream::connect(addresses).await
        });
        let stream = stream.await?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        // Boxed: it is rare, and large in every future that may open a connection.
        let handshake = Box::pin(tls.handshake(stream, http2));
        let Ok(stream) = tokio::time::timeout(CONNECT_TIMEOUT, handshake).await else {
            let reason = format!("no TLS handshake within {CONNECT_TIMEOUT:?}");
            return Err(Lost::new(Loss::Tls, reason));
        };
        Ok(Stream::Tls(Box::new(stream?)))
    }

    async fn addresses(&self) -> io::Result<&[SocketAddr]> {
        let lookup = || async {
            let found = lookup_host(&self.authority).await?;
            Ok(found.collect())
        };
        self.addresses
            .get_or_try_init(lookup)
            .await
            .map(Vec::as_slice)
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

    /// The URL of the protected resource, with its port.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.path)
    }

    fn scheme(&self) -> &'static str {
        self.tls.as_ref().map_or("http", |_| "https")
    }

    /// How a request has to be written.
    pub(super) fn wire(&self) -> Wire {
        match self.connections {
            Connections::Http1 { keep_alive, .. } => Wire::Http1 { keep_alive },
            Connections::Http2 { .. } => Wire::Http2 {
                tls: self.tls.is_some(),
            },
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
    keep_alive: bool,
    kept: Vec<Option<Http1<Stream>>>,
    /// Whose turn is next.
    turn: usize,
    http2: Option<Http2>,
}

impl HttpConnection {
    pub(super) fn new(target: Arc<HttpTarget>) -> Self {
        // In turn, so that no connection has more than one user more than another.
        let place = target.users.fetch_add(1, Ordering::Relaxed);
        let http2 = target.http2.get(place % target.http2.len().max(1)).cloned();
        let (keep_alive, per_user) = match target.connections {
            Connections::Http1 {
                keep_alive,
                per_user,
            } => (keep_alive, per_user),
            Connections::Http2 { .. } => (false, 1),
        };
        let kept = (0..per_user.max(1)).map(|_| None);
        Self {
            ways: Ways {
                keep_alive,
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
                self.ways.time_out();
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
        } else if self.keep_alive {
            for place in 0..self.kept.len() {
                let opened = self.take(place).await;
                self.kept[place] = opened.ok().map(|(connection, _)| connection);
            }
        } else {
            // No request is to pay for it. A failure shows in them.
            let _ = tokio::time::timeout(CONNECT_TIMEOUT, self.target.addresses()).await;
        }
    }

    /// A connection that can take a request, out of its place; says how long it took where one was opened.
    async fn take(&mut self, place: usize) -> Result<(Http1<Stream>, Option<Duration>), Lost> {
        if let Some(mut kept) = self.kept[place].take()
            && kept.is_idle().await
        {
            return Ok((kept, None));
        }
        let (opened, took) = self.connect().await?;
        Ok((opened, Some(took)))
    }

    /// A new connection, and how long it took.
    async fn connect(&self) -> Result<(Http1<Stream>, Duration), Lost> {
        let began = Instant::now();
        let stream = self.target.stream(false).await?;
        Ok((Http1::new(stream), began.elapsed()))
    }

    async fn ask(
        &mut self,
        request: &PreparedRequest,
        set_up: &mut Option<Duration>,
    ) -> Result<Received, Lost> {
        let keep = request.keeps_answer().then_some(BODY_LIMIT);
        if let (Some(http2), Some(message)) = (&mut self.http2, request.http2()) {
            return http2.ask(&self.target, message, keep, set_up).await;
        }
        if request.is_alone() {
            // What is left on a connection after odd bytes is nobody's: they get one of their own.
            let (mut connection, took) = self.connect().await?;
            *set_up = Some(took);
            return connection.exchange(request.bytes(), keep).await;
        }
        let place = self.turn;
        self.turn = (place + 1) % self.kept.len();
        // It goes back with its answer: what comes after a wait that was given up is nobody's.
        let (mut connection, opened) = self.take(place).await?;
        *set_up = opened;
        let received = connection.exchange(request.bytes(), keep).await?;
        if received.reusable && self.keep_alive {
            self.kept[place] = Some(connection);
        }
        Ok(received)
    }

    /// Nobody waits any longer for what was asked. Over HTTP/1.1 its connection has gone with the wait.
    fn time_out(&mut self) {
        if let Some(http2) = &mut self.http2 {
            http2.time_out();
        }
    }
}

/// A connected socket at an authority.
pub(super) async fn socket(authority: &str) -> Result<TcpStream, Lost> {
    connected(TcpStream::connect(authority)).await
}

/// A connected socket, in time. A request is one small write; waiting to fill a segment would be measured as the target's latency.
async fn connected(
    connecting: impl Future<Output = io::Result<TcpStream>>,
) -> Result<TcpStream, Lost> {
    let Ok(connected) = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await else {
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
mod tests;
