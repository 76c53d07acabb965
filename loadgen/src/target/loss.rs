//! Why a request got no decision: told apart from latency, and counted by its kind.

use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

/// What became of a request that got no decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection was closed before a byte of the answer.
    Closed,
    /// The server ended the connection of HTTP/2 by a GOAWAY, and answered no more (RFC 9113 §6.8).
    GoAway,
    /// The connection ended inside the answer.
    HalfAnswer,
    /// What came is no HTTP answer, or longer than any has to be.
    Malformed,
    /// An answer that is no decision, such as a 503.
    NoDecision,
    /// Nobody listens there.
    Refused,
    /// The connection was reset.
    Reset,
    /// The server refused a stream of HTTP/2: a `RST_STREAM` with `REFUSED_STREAM` (RFC 9113 §8.7).
    StreamRefused,
    /// The server ended a stream of HTTP/2 by another `RST_STREAM` (RFC 9113 §6.4).
    StreamReset,
    /// No answer within the longest wait.
    TimedOut,
    /// The TLS handshake failed.
    Tls,
    /// No connection for another reason: an unknown name, no route, no answer to the attempt.
    Unreachable,
}

impl Loss {
    /// What reports call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Closed => "closed without an answer",
            Self::GoAway => "sent away by GOAWAY",
            Self::HalfAnswer => "half an answer",
            Self::Malformed => "no HTTP answer",
            Self::NoDecision => "no decision",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::StreamRefused => "stream refused",
            Self::StreamReset => "stream reset",
            Self::TimedOut => "timed out",
            Self::Tls => "TLS failed",
            Self::Unreachable => "no connection",
        }
    }
}

/// A request without an answer, and why.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) loss: Loss,
    pub(super) reason: String,
}

impl Lost {
    pub(super) fn new(loss: Loss, reason: impl Into<String>) -> Self {
        Self {
            loss,
            reason: reason.into(),
        }
    }

    /// A connection that could not be opened.
    pub(super) fn connecting(error: &io::Error) -> Self {
        let loss = match error.kind() {
            ErrorKind::ConnectionRefused => Loss::Refused,
            ErrorKind::ConnectionReset => Loss::Reset,
            _ => Loss::Unreachable,
        };
        Self::new(loss, error.to_string())
    }

    /// A connection that failed while something was sent or read.
    pub(super) fn broken(error: &io::Error) -> Self {
        Self::new(Loss::Reset, error.to_string())
    }

    /// What became of a request over HTTP/2, or of its connection. Of a GOAWAY its code alone is told: what it holds for debugging
    /// may be anything, such as a token.
    pub(super) fn http2(error: &h2::Error) -> Self {
        if let Some(broken) = error.get_io() {
            return match broken.kind() {
                // h2 says so of a connection that has ended without a word.
                ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                    Self::new(Loss::Closed, "the connection was closed without an answer")
                }
                _ => Self::broken(broken),
            };
        }
        let code = error.reason().unwrap_or(h2::Reason::NO_ERROR);
        match (error.is_remote(), error.is_go_away()) {
            (true, true) => Self::new(Loss::GoAway, format!("GOAWAY with {code:?}")),
            (true, false) if code == h2::Reason::REFUSED_STREAM => {
                Self::new(Loss::StreamRefused, format!("RST_STREAM with {code:?}"))
            }
            (true, false) => Self::new(Loss::StreamReset, format!("RST_STREAM with {code:?}")),
            (false, _) => Self::new(Loss::Malformed, format!("no HTTP/2: {code:?}")),
        }
    }

    /// The same in the body of an answer, of which there has been a part.
    pub(super) fn in_the_body(self) -> Self {
        let loss = match self.loss {
            Loss::Closed | Loss::Reset => Loss::HalfAnswer,
            other => other,
        };
        Self::new(loss, format!("the answer's body: {}", self.reason))
    }
}
