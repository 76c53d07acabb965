//! What keeps a function from starting, and an invocation from being answered at all.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A function that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The program does not exist.
    #[error(
        "command `{0}` was not found; give the path of an executable file or the name of one on PATH"
    )]
    CommandNotFound(String),
    /// INIT would have no time.
    #[error("init_timeout is 0; it must be longer")]
    InitTimeout,
    /// No environments, or more than one machine can run.
    #[error("max_environments is {given}; it takes 1 to {max}")]
    MaxEnvironments {
        /// What was configured.
        given: usize,
        /// The most that is taken.
        max: usize,
    },
    /// No program is configured.
    #[error("command is empty; it needs at least the program that speaks the Lambda Runtime API")]
    NoCommand,
    /// The time-out is outside Lambda's range.
    #[error("timeout is {timeout:?}; it must be above 0 and at most {max:?}")]
    Timeout {
        /// What was configured.
        timeout: Duration,
        /// Lambda's longest.
        max: Duration,
    },
    /// The working directory does not exist.
    #[error("working_dir `{}` is no directory", .0.display())]
    WorkingDir(PathBuf),
}

/// An invocation without an answer, not even the function's own error.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The listener of the environment's Runtime API cannot be opened.
    #[error("the Runtime API of an environment cannot listen on 127.0.0.1")]
    Listen(#[source] io::Error),
    /// Every environment stayed at work.
    #[error("no environment was free within {waited:?}; raise max_environments or lower the load")]
    NoEnvironment {
        /// How long was waited.
        waited: Duration,
    },
    /// Too many invocations wait for an environment.
    #[error(
        "{waiting} invocations wait for an environment already; raise max_environments or lower the load"
    )]
    QueueFull {
        /// How many wait.
        waiting: usize,
    },
    /// The function is being shut down.
    #[error("the function is shut down")]
    ShutDown,
    /// The process cannot be started.
    #[error("command `{command}` does not start")]
    Spawn {
        /// The command line.
        command: String,
        /// Why.
        source: io::Error,
    },
}
