//! Why a request got no decision: told apart from latency, and counted by its kind.

use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

/// What became of a request that got no decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection was closed before a byte of the answer.
    Closed,
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
            Self::HalfAnswer => "half an answer",
            Self::Malformed => "no HTTP answer",
            Self::NoDecision => "no decision",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed out",
            Self::Tls => "TLS failed",
            Self::Unreachable => "no connection",
        }
    }
}

/// A request without an answer, and why.
#[derive(Debug)]
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
}
