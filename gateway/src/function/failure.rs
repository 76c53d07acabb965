//! What went wrong with a function last, kept for whoever has to explain a 500: the caller sees `{"message":null}`.

use std::fmt;
use std::process::ExitStatus;

use super::InvokeError;
use crate::decision::FunctionAnswer;
use crate::log_tail::{cut, without_tokens};

/// Bytes of a message that are kept: a sentence and a list of names, not a stack trace, which the log has.
const MESSAGE_BYTES: usize = 1_000;

/// A failure of the function. A refusal, which is the error `Unauthorized`, is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    phase: FailurePhase,
    error_type: Option<String>,
    message: String,
    exit_status: Option<ExitStatus>,
}

/// Where on its way an event came to grief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePhase {
    /// The function answered, and not with an authorizer's output.
    Answer,
    /// The process did not get as far as asking for its first event.
    Init,
    /// The process had the event.
    Invocation,
    /// There was no process for the event.
    Start,
    /// The gateway stopped waiting.
    Wait,
}

impl Failure {
    /// Somebody else's message is shortened, and its tokens are taken out.
    pub(crate) fn new(phase: FailurePhase, message: &str) -> Self {
        Self {
            phase,
            error_type: None,
            message: cut(&without_tokens(message), MESSAGE_BYTES),
            exit_status: None,
        }
    }

    /// What an answer reports, and how its process ended; `None` for an answer that is no failure.
    pub(super) fn of(
        phase: FailurePhase,
        answer: &FunctionAnswer,
        exit_status: Option<ExitStatus>,
    ) -> Option<Self> {
        match answer {
            FunctionAnswer::Error {
                message,
                error_type,
            } if !answer.is_unauthorized() => Some(Self {
                error_type: Some(cut(&without_tokens(error_type), MESSAGE_BYTES)),
                exit_status,
                ..Self::new(phase, message)
            }),
            FunctionAnswer::Error { .. } | FunctionAnswer::Payload(_) => None,
        }
    }

    /// An event that no process got; `None` when the function was being shut down, which is no failure.
    pub(super) fn not_invoked(error: &InvokeError) -> Option<Self> {
        match error {
            InvokeError::ShutDown => None,
            InvokeError::Listen(_)
            | InvokeError::NoEnvironment { .. }
            | InvokeError::QueueFull { .. }
            | InvokeError::Spawn { .. } => Some(Self::new(FailurePhase::Start, &error.to_string())),
        }
    }

    /// Where it happened.
    pub fn phase(&self) -> FailurePhase {
        self.phase
    }

    /// `errorType`, where the function or Lambda's part named one.
    pub fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// `errorMessage`, or what the stand-in has to say; without tokens, on one line, and bounded.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How the process ended, where it ended by itself.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.exit_status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.phase {
            FailurePhase::Answer => "the answer is no authorizer output: ",
            FailurePhase::Init => "INIT failed: ",
            FailurePhase::Invocation => "the invocation failed: ",
            FailurePhase::Start => "the function was not invoked: ",
            FailurePhase::Wait => "the gateway gave up: ",
        })?;
        if let Some(error_type) = &self.error_type {
            write!(f, "{error_type}: ")?;
        }
        f.write_str(&self.message)?;
        match self.exit_status.map(|status| status.to_string()) {
            // Lambda's own message of a process that has ended says how.
            Some(status) if !self.message.contains(&status) => {
                write!(f, " (the process ended: {status})")
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn of(message: &str) -> Option<String> {
        let answer = FunctionAnswer::Error {
            message: message.to_owned(),
            error_type: "Boom".to_owned(),
        };
        let status = ExitStatus::from_raw(1 << 8);
        Failure::of(FailurePhase::Init, &answer, Some(status)).map(|failure| failure.to_string())
    }

    #[test]
    fn a_failure_says_where_what_and_how_it_ended_and_no_token() {
        for (message, want) in [
            (
                "no module",
                Some("INIT failed: Boom: no module (the process ended: exit status: 1)"),
            ),
            (
                "ended by exit status: 1",
                Some("INIT failed: Boom: ended by exit status: 1"),
            ),
            (
                "bad eyJhbGciOiJSUzI1NiJ9.e30.AA\nat x",
                Some("INIT failed: Boom: bad [token] at x (the process ended: exit status: 1)"),
            ),
            ("Unauthorized", None),
        ] {
            assert_eq!(of(message).as_deref(), want);
        }
        let long = of(&"x".repeat(MESSAGE_BYTES * 2)).unwrap();
        assert!(long.len() < MESSAGE_BYTES + 100);
    }
}
