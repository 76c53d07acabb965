//! The one seam between the bench and what it asks: a prepared request goes in, an observation comes out.
//!
//! Conformance and load both go through [`Connection::call`]. A lambda target is an HTTP target whose server is the
//! gateway stand-in; the headers that the stand-in adds are read here and nowhere else. Nothing is minted, parsed or
//! logged between the two instants that an observation carries.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::HeaderMap;
use bytes::Bytes;
use gateway::FunctionAnswer;

use loss::Lost;

pub(crate) use function::{WORDS_MAX, judge as judge_answer};

mod deadline;
mod event;
mod function;
mod http;
mod http1;
mod http2;
mod in_process;
mod invoke;
mod loss;
mod request;
mod scripted;
mod server_url;
mod shape;
mod stream;
mod template;
mod tls;

pub use event::EventForm;
pub use function::{FunctionTarget, Invoker};
pub use http::{Connections, HttpTarget};
pub use in_process::InProcessTarget;
pub use invoke::{EMULATOR_AT_ONCE, EMULATOR_PATH, Endpoint};
pub use loss::Loss;
pub use request::{PreparedRequest, RequestError};
pub use scripted::{ScriptedAnswer, ScriptedTarget};
pub use server_url::ServerUrl;
pub use shape::{CaseEvent, CaseRequest, RequestShape, Route};
pub use tls::{TlsError, Trust};

/// The host that an event names in its headers: API Gateway's own form of it.
const API_HOST: &str = "abcdef123.execute-api.us-east-1.amazonaws.com";

/// Where the target's clock is put forward, what it has under way, such as a fetch of keys, goes on by the machine's: it
/// gets so much of that.
const MEANWHILE: Duration = Duration::from_millis(2);

/// What is asked. One value serves all virtual users; each of them holds a [`Connection`].
#[derive(Debug, Clone)]
pub enum Target {
    /// A server on a socket: the gateway stand-in or anybody's verifier.
    Http(Arc<HttpTarget>),
    /// A Lambda authorizer without a gateway in front of it.
    Function(Arc<FunctionTarget>),
    /// Answers by a script, so that the tests of the recorder and of the judge know the truth.
    Scripted(Arc<ScriptedTarget>),
}

impl Target {
    /// A connection of one user. Nothing is opened before the first call.
    pub fn connection(&self) -> Connection {
        match self {
            Self::Http(target) => {
                Connection::Http(Box::new(http::HttpConnection::new(Arc::clone(target))))
            }
            Self::Function(target) => Connection::Function(Box::new(
                function::FunctionConnection::new(Arc::clone(target)),
            )),
            Self::Scripted(target) => Connection::Scripted(Arc::clone(target)),
        }
    }

    /// Whether what is sent reaches it as bytes on a connection. A function sees an event that was made of it.
    pub fn has_wire(&self) -> bool {
        !matches!(self, Self::Function(_))
    }

    /// Whether the form of its answers is its own: behind a gateway the function decides, and the gateway writes.
    pub fn writes_answers(&self) -> bool {
        match self {
            Self::Http(target) => !target.is_behind_gateway(),
            Self::Function(_) => false,
            Self::Scripted(_) => true,
        }
    }

    /// Fills the request's shape with a token, for [`Connection::call`].
    pub fn prepare(
        &self,
        shape: &RequestShape,
        token: &str,
    ) -> Result<PreparedRequest, RequestError> {
        match self {
            Self::Http(target) => {
                let (host, path) = (target.host(), target.path());
                PreparedRequest::written(shape, token, host, path, target.wire())
            }
            Self::Function(target) => {
                PreparedRequest::of_event(shape, token, API_HOST, "/planets", target.form())
            }
            Self::Scripted(_) => PreparedRequest::new(shape, token, "scripted", "/planets"),
        }
    }

    /// Lets time pass for the target: waits, or puts its clock forward where that is ours. Returns how much of the time was
    /// not waited for.
    pub async fn let_pass(&self, time: Duration) -> Duration {
        let in_process = match self {
            Self::Function(target) => target.in_process(),
            Self::Http(_) | Self::Scripted(_) => None,
        };
        let Some(in_process) = in_process else {
            tokio::time::sleep(time).await;
            return Duration::ZERO;
        };
        tokio::time::sleep(MEANWHILE.min(time)).await;
        let skipped = time.saturating_sub(MEANWHILE);
        in_process.put_forward(skipped);
        skipped
    }

    /// The same target with other connections for each user, where it has any.
    #[must_use]
    pub fn with_connections(&self, connections: Connections) -> Self {
        match self {
            Self::Http(target) => {
                let target = HttpTarget::clone(target).with_connections(connections);
                Self::Http(Arc::new(target))
            }
            Self::Function(_) | Self::Scripted(_) => self.clone(),
        }
    }

    /// Whether the policy that decides can be seen, and not only what became of it.
    pub fn shows_policy(&self) -> bool {
        matches!(self, Self::Function(_))
    }
}

/// One user's way to the target.
#[derive(Debug)]
pub enum Connection {
    /// Over a socket that is kept open.
    Http(Box<http::HttpConnection>),
    /// To a function.
    Function(Box<function::FunctionConnection>),
    /// A script.
    Scripted(Arc<ScriptedTarget>),
}

impl Connection {
    /// Opens what [`Self::call`] would open first, so that no sample pays for it. A failure shows in the next call.
    pub async fn warm_up(&mut self) {
        if let Self::Http(connection) = self {
            connection.warm_up().await;
        }
    }

    /// Asks once.
    pub async fn call(&mut self, request: &PreparedRequest) -> Observation {
        match self {
            Self::Http(connection) => connection.call(request).await,
            Self::Function(connection) => connection.call(request).await.0,
            Self::Scripted(target) => target.call().await,
        }
    }

    /// Asks once and keeps what the answer says, for questions about it. Load does not.
    pub(crate) async fn call_for(&mut self, request: &PreparedRequest) -> (Observation, Said) {
        match self {
            Self::Http(connection) => {
                let request = request.clone().keeping_answer();
                let mut observation = connection.call(&request).await;
                let answer = observation.answer.take();
                let said = answer.map_or(Said::Nothing, |answer| Said::Body(answer.body));
                (observation, said)
            }
            Self::Function(connection) => connection.call(request).await,
            Self::Scripted(target) => (target.call().await, Said::Nothing),
        }
    }
}

/// What an answer says beside its decision. It may hold what the authorizer knows of the caller: it goes into no record.
#[derive(Debug)]
pub(crate) enum Said {
    /// The function's own answer.
    Answer(FunctionAnswer),
    /// The body of an HTTP response.
    Body(Bytes),
    /// There was no answer.
    Nothing,
}

impl Said {
    /// The text at a JSON pointer (RFC 6901) into the body, or into what the function returned.
    pub(crate) fn text_at(&self, pointer: &str) -> Option<String> {
        Some(self.json()?.pointer(pointer)?.as_str()?.to_owned())
    }

    /// The body, or what the function returned, where it is JSON.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        match self {
            Self::Answer(FunctionAnswer::Payload(bytes)) | Self::Body(bytes) => {
                serde_json::from_slice(bytes).ok()
            }
            Self::Answer(_) | Self::Nothing => None,
        }
    }
}

/// Let in, refused, or no decision at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// 2xx.
    Allow,
    /// A 4xx that refuses this request.
    Deny,
    /// Anything that is no decision about the token: 5xx, a redirect, an unknown path, a lost connection, a time-out.
    Fault,
}

impl Decision {
    /// The decision that an HTTP status stands for.
    pub fn from_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Allow,
            // The target was asked at the wrong place, too slowly or too often: nothing was said about the token.
            404 | 405 | 408 | 429 => Self::Fault,
            400..=499 => Self::Deny,
            _ => Self::Fault,
        }
    }

    /// The word of the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Fault => "fault",
        }
    }
}

/// Whether the gateway stand-in decided from its policy cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheVerdict {
    /// Decided by a cached policy; the authorizer was not asked.
    Hit,
    /// The authorizer was asked.
    Miss,
    /// The cache was not consulted, or there is none.
    None,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Let in, refused, or neither.
    pub decision: Decision,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The gateway's own rule, where one stood in front.
    pub rule: Option<String>,
    /// The gateway's cache, where one stood in front.
    pub cache: CacheVerdict,
    /// Whether a fresh execution environment answered.
    pub cold: bool,
    /// What went wrong, where no decision came.
    pub fault: Option<String>,
    /// What kind of thing that was.
    pub loss: Option<Loss>,
    /// How long a connection took to set up, where one was opened for this request; it is part of the service time.
    pub set_up: Option<Duration>,
    /// When the request was handed to the connection; where the server had closed it, before another was opened.
    pub sent: Instant,
    /// When the last byte of the answer had been read.
    pub finished: Instant,
    /// What the answer said, where the request asked for it to be kept.
    pub answer: Option<Box<Answer>>,
}

/// The fields and the body of an answer. It may repeat a token, so that it shows nothing of itself.
#[derive(Clone)]
pub struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Whether a field of this name holds a text, whatever the case.
    pub fn field_holds(&self, name: &str, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.headers.get_all(name).iter().any(|value| {
            let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            value.contains(&text)
        })
    }

    /// Whether a field or the body holds these bytes.
    pub fn repeats(&self, bytes: &[u8]) -> bool {
        let holds = |text: &[u8]| {
            text.windows(bytes.len().max(1))
                .any(|window| window == bytes)
        };
        holds(&self.body) || self.headers.values().any(|value| holds(value.as_bytes()))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl Observation {
    /// A request that nobody waits for any more, because its target has been silent for too long.
    pub(crate) fn given_up(sent: Instant) -> Self {
        let reason = "no answer when the target was given up";
        Self::lost(Lost::new(Loss::TimedOut, reason), sent)
    }

    /// A request without an answer.
    fn lost(lost: Lost, sent: Instant) -> Self {
        Self {
            decision: Decision::Fault,
            status: None,
            rule: None,
            cache: CacheVerdict::None,
            cold: false,
            fault: Some(lost.reason),
            loss: Some(lost.loss),
            set_up: None,
            sent,
            finished: Instant::now(),
            answer: None,
        }
    }

    /// The answer in a few words, for a report: `401 by R-FN-401`, `no answer: connection refused`.
    pub fn summary(&self) -> String {
        match (self.status, &self.rule, &self.fault) {
            (Some(status), Some(rule), _) => format!("{status} by {rule}"),
            (Some(status), None, Some(fault)) => format!("{status}, {fault}"),
            (Some(status), None, None) => status.to_string(),
            (None, _, Some(fault)) => format!("no answer: {fault}"),
            (None, _, None) => self.decision.word().to_owned(),
        }
    }
}
