//! An HTTP server that the bench starts, watches and ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::{ChildProcess, LogTail};
use tokio::process::Command;

use super::TestbedError;
use super::error::tail;
use super::port::PortLease;
use crate::subject::HttpCommand;
use crate::target::{Decision, HttpTarget, RequestShape, Target};

/// Between two looks at a server that is starting. It is in every cold start of an HTTP target, so it is short.
const PROBE_INTERVAL: Duration = Duration::from_millis(2);

/// From SIGTERM to SIGKILL; Lambda gives its runtimes two seconds, too.
const TERMINATION_GRACE: Duration = Duration::from_secs(2);

/// How long the last words of a process that has ended may still be on their way through its pipes.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(200);

/// From the closed socket of a process that ends to its exit status, with its exit handlers in between.
const SETTLE: Duration = Duration::from_millis(200);

/// A running server.
#[derive(Debug)]
pub(super) struct ChildServer {
    child: ChildProcess,
    invocation: String,
    /// Held for as long as the server is: nobody else is to answer in its place.
    port: PortLease,
}

impl ChildServer {
    /// Starts a server and waits until it is ready.
    pub(super) async fn start(
        line: Vec<String>,
        env: BTreeMap<String, String>,
        working_dir: Option<PathBuf>,
        port: PortLease,
        plan: &HttpCommand,
    ) -> Result<Self, TestbedError> {
        let mut server = Self::spawn(&line, env, working_dir, port)?;
        match server.wait_until_ready(plan).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.shutdown().await;
                Err(error)
            }
        }
    }

    fn spawn(
        line: &[String],
        env: BTreeMap<String, String>,
        working_dir: Option<PathBuf>,
        port: PortLease,
    ) -> Result<Self, TestbedError> {
        let invocation = line.join(" ");
        let mut command = Command::new(line.first().map_or("", String::as_str));
        command
            .args(line.iter().skip(1))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(env);
        if let Some(folder) = working_dir {
            command.current_dir(folder);
        }
        match ChildProcess::spawn(&mut command, LogTail::default()) {
            Ok(child) => Ok(Self {
                child,
                invocation,
                port,
            }),
            Err(source) => Err(TestbedError::Spawn {
                command: invocation,
                source,
            }),
        }
    }

    async fn wait_until_ready(&mut self, plan: &HttpCommand) -> Result<(), TestbedError> {
        let started = Instant::now();
        let path = plan.ready_path.clone().unwrap_or_else(|| plan.path.clone());
        let target = Target::Http(Arc::new(HttpTarget::new(self.authority(), path)));
        let request = target.prepare(&RequestShape::default(), "")?;
        let mut probe = "no connection".to_owned();
        while started.elapsed() < plan.ready_timeout {
            if let Some(status) = self.exit_status() {
                self.child.last_words(LAST_WORDS).await;
                return Err(TestbedError::Died {
                    command: self.invocation.clone(),
                    status: status.to_string(),
                    log: tail(&self.log_tail()),
                });
            }
            let left = plan.ready_timeout.saturating_sub(started.elapsed());
            let mut connection = target.connection();
            match tokio::time::timeout(left, connection.call(&request)).await {
                Ok(answer) => {
                    let ready = match plan.ready_path {
                        Some(_) => answer.decision == Decision::Allow,
                        None => answer.status.is_some(),
                    };
                    if ready {
                        return Ok(());
                    }
                    probe = answer.summary();
                }
                Err(_) => probe = format!("connected, and no answer within {left:.1?}"),
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
        let log = tail(&self.log_tail());
        Err(TestbedError::Hangs {
            command: self.invocation.clone(),
            timeout: plan.ready_timeout,
            probe,
            log,
        })
    }

    /// Where it listens: `host:port`.
    pub(super) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The command line.
    pub(super) fn invocation(&self) -> &str {
        &self.invocation
    }

    /// How the process ended, if it has.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.exit_status()
    }

    /// Whether the process has ended, whoever has or has not asked how.
    pub(super) fn has_ended(&self) -> bool {
        self.child.has_ended()
    }

    /// Waits, for a moment, for a process that is ending: its closed socket is seen before its exit status.
    pub(super) async fn settle(&mut self) {
        // Whether it has ended is asked afterwards.
        let _ = tokio::time::timeout(SETTLE, self.child.wait()).await;
    }

    /// The last lines that it printed.
    pub(super) fn log_tail(&self) -> Vec<String> {
        self.child.log().lines()
    }

    /// Ends the server and what it started.
    pub(super) async fn shutdown(&mut self) {
        self.child.terminate(TERMINATION_GRACE).await;
    }
}
