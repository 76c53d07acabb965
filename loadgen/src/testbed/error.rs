//! What can go wrong with the testbed, each named with what to do. None of it is a verdict on the subject.
//!
//! A message says its own part; the cause is the error's source, and whoever prints one prints both.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::builtin::LookupError;
use crate::subject::PlaceholderError;
use crate::target::RequestError;

/// A testbed that does not stand.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// The authorizer in this process refuses its settings.
    #[error("the in-process authorizer does not start: {0}")]
    Authorizer(String),
    /// The server ended before it was ready.
    #[error("target `{command}` ended before it was ready ({status}); it printed last: {log}")]
    Died {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        log: String,
    },
    /// The files of a built-in target cannot be written.
    #[error(
        "cannot write the target's files to {}: {reason}; name another folder with AUTHBENCH_CACHE", folder.display()
    )]
    Files {
        /// The target's folder.
        folder: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The gateway stand-in does not start.
    #[error("the gateway does not start")]
    Gateway(#[from] gateway::GatewayError),
    /// The server runs and never becomes ready.
    #[error(
        "target `{command}` was not ready within {timeout:?} ({probe}); raise [ready] timeout or look at its output: {log}"
    )]
    Hangs {
        /// The command line.
        command: String,
        /// How long it was waited for.
        timeout: Duration,
        /// What was tried last, and how it went.
        probe: String,
        /// Its last lines.
        log: String,
    },
    /// The issuer stand-in does not start.
    #[error("the mock issuer does not start")]
    Idp(#[from] mock_idp::StartError),
    /// The function could not be invoked at all.
    #[error("the authorizer could not be invoked")]
    Invoke(#[from] gateway::InvokeError),
    /// Test keys cannot be had.
    #[error(transparent)]
    Issuer(#[from] crate::issuer::IssuerError),
    /// The thread that makes keys is gone.
    #[error("the thread that makes the issuer's keys ended without an answer")]
    KeyThread,
    /// No port for the listener.
    #[error("the listener for who follows a token's URL has no port: {0}")]
    Listener(io::Error),
    /// A name or a file is wrong.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A program that the target requires is not on this machine.
    #[error(
        "the target is not to be had here: it requires `{program}`, which is not in PATH; install it, or ask another target"
    )]
    Missing {
        /// The program's name.
        program: String,
    },
    /// The subject gives no decision on a genuine token.
    #[error("the target gives no decision on a genuine token: {answer}; {diagnosis}")]
    NoDecision {
        /// What came.
        answer: String,
        /// What is known about the subject.
        diagnosis: String,
    },
    /// The gateway stands in front of Lambda functions alone.
    #[error("target {0:?} is not of kind lambda, and the gateway runs nothing else")]
    NotLambda(String),
    /// There is no process to start again.
    #[error("this target cannot be started afresh: nothing was started for it")]
    NotRestartable,
    /// The system does not say where this program is.
    #[error("cannot find this program's own path: {0}")]
    OwnProgram(io::Error),
    /// A placeholder that there is not.
    #[error("the target file")]
    Placeholder(#[from] PlaceholderError),
    /// No port is free.
    #[error("no free port on 127.0.0.1: {0}")]
    Port(io::Error),
    /// A request that cannot be built.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// What installs the target failed.
    #[error("setup `{command}` in {} failed ({status}): {log}", folder.display())]
    Setup {
        /// The command line.
        command: String,
        /// Where it ran.
        folder: PathBuf,
        /// How it ended.
        status: String,
        /// Its last lines.
        log: String,
    },
    /// The program cannot be started.
    #[error(
        "target `{command}` does not start; check program, args and working_dir of the target file"
    )]
    Spawn {
        /// The command line.
        command: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The target decided before, and decides no more.
    #[error(
        "the target stopped answering after {after}: a genuine token gets no decision: {answer}; {diagnosis}"
    )]
    Stopped {
        /// The case or the phase, which may be what ended it.
        after: String,
        /// What came.
        answer: String,
        /// What is known about the subject.
        diagnosis: String,
    },
    /// There is no folder to start the target in.
    #[error(
        "the target's working_dir {} is no folder; a relative one starts at the target file's folder", .0.display()
    )]
    WorkingDir(PathBuf),
}

/// Lines of a log shown in a message, at most.
const TAIL_LINES: usize = 5;

/// The last lines of a log on one line.
pub(super) fn tail(log: &[String]) -> String {
    if log.is_empty() {
        return "(nothing)".to_owned();
    }
    log[log.len().saturating_sub(TAIL_LINES)..].join(" | ")
}
